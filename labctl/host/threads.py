"""Threads that hold nobody up: after Ctrl-C labctl does not wait for what they still do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType


class Pool(ThreadPoolExecutor):
    """A pool whose block is left at once when it is interrupted; what goes on in its threads is given up.

    An error in the block waits for them, as a pool's does: they may use what is closed after the block.
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = error is not None and not isinstance(error, Exception)
        self.shutdown(wait=not interrupted, cancel_futures=interrupted)
