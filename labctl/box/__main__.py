"""``python -m labctl.box build|list``: for those who work on the box itself."""

from __future__ import annotations

import sys
import time

from labctl.box.mirror import host_arch
from labctl.box.progress import Progress, State
from labctl.box.spec import BoxSpec
from labctl.box.store import BoxStore
from labctl.errors import LabctlError


class Printer:
    """Prints a line when a piece changes its state."""

    def __init__(self) -> None:
        self._seen: dict[str, State] = {}
        self._began = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Listen."""
        for piece in progress.pieces:
            if self._seen.get(piece.piece) is not piece.state:
                self._seen[piece.piece] = piece.state
                now = time.monotonic() - self._began
                words = f"{now:6.1f} {piece.piece:18} {piece.state.value:8} {piece.seconds:6.1f}"
                sys.stderr.write(f"{words}  left about {progress.left_seconds:.0f} s\n")


def main(words: list[str]) -> int:
    """Build the host's box, or list what there is."""
    store = BoxStore()
    try:
        if words == ["build"]:
            sys.stdout.write(f"{store.ensure(BoxSpec(host_arch()), Printer()).path}\n")
        elif words == ["list"]:
            for entry in store.list():
                sys.stdout.write(f"{entry.digest} {entry.created} {entry.bytes >> 20} MiB {entry.path}\n")
        else:
            return 2
    except LabctlError as error:
        sys.stderr.write(f"{error.what}\n{error.where}\n{error.why}\n{error.next_step}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
