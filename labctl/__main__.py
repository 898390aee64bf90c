"""``labctl``, and ``python -m labctl``: Ctrl-C counts from the first moment, while Python still loads what it needs."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from labctl.cli.main import main as run  # noqa: PLC0415 - inside the try
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
