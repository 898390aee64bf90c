"""``labctl`` and ``python -m labctl``. Ctrl-C works from the start, even while Python still imports modules."""

import gc
import sys
import threading
from typing import Any

_DELAY_SECONDS = 0.05


def main() -> None:
    """Run the command line. Ctrl-C before it has started, or while it exits, ends it without a traceback."""
    sys.unraisablehook = interrupt_again
    gc.disable()  # until the command is imported: of modules nothing is garbage, and looking takes a tenth of the time
    try:
        from labctl.cli.main import main as run  # noqa: PLC0415 - inside the try

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # nor are they at the end


def interrupt_again(ignored: Any) -> None:
    """Repeat a Ctrl-C that Python ignored because it arrived in a destructor or a callback of the import system."""
    if not issubclass(ignored.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
        return
    import signal  # noqa: PLC0415 - only where it is needed

    target = (threading.main_thread().ident, signal.SIGINT)
    timer = threading.Timer(_DELAY_SECONDS, signal.pthread_kill, target)
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    main()
