"""``labctl``, and ``python -m labctl``: Ctrl-C counts from the first moment, while Python still loads what it needs."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C before it listens, or while it says its last words, ends it without a traceback."""
    try:
        from labctl.cli.main import main as run  # noqa: PLC0415 - inside the try

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
