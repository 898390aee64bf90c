"""The terminal that labctl runs in: raw mode while a remote terminal is shown in it, and its size."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def raw_terminal(descriptor: int) -> Iterator[None]:
    """Every key goes to the other end as it is typed, Ctrl-C too; as before afterwards."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def watch_size(descriptor: int, resize: Callable[[int, int], object]) -> Iterator[None]:
    """Call resize(columns, lines) whenever the terminal's size changes."""
    if sys.platform == "win32":
        yield
        return

    def changed(_signal: int, _frame: FrameType | None) -> None:
        size = os.get_terminal_size(descriptor)
        resize(size.columns, size.lines)

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
