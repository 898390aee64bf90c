"""Threads for what waits for the network or for programs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType


class InterruptiblePool(ThreadPoolExecutor):
    """A pool of threads whose ``with`` block ends at once on Ctrl-C.

    Work that has not started is then cancelled, and work that still runs in its threads is abandoned.
    On an error the block waits for the threads, as ThreadPoolExecutor does: they may use what is closed after it.
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = error is not None and not isinstance(error, Exception)
        self.shutdown(wait=not interrupted, cancel_futures=interrupted)
