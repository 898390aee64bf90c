"""``labctl``, and ``python -m labctl``: Ctrl-C counts from the first moment, while Python still loads what it needs."""

import sys
import threading
from typing import Any

_A_MOMENT = 0.05


def main() -> None:
    """Run the command line. Ctrl-C before it listens, or while it says its last words, ends it without a traceback."""
    sys.unraisablehook = raise_again
    try:
        from labctl.cli.main import main as run  # noqa: PLC0415 - inside the try

        run()
    except KeyboardInterrupt:
        sys.exit(130)


def raise_again(lost: Any) -> None:
    """Python drops what is raised in a destructor or a callback of the import system: Ctrl-C comes again after that."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    import signal  # noqa: PLC0415 - only where it is needed

    words = (threading.main_thread().ident, signal.SIGINT)
    again = threading.Timer(_A_MOMENT, signal.pthread_kill, words)
    again.daemon = True
    again.start()


if __name__ == "__main__":
    main()
