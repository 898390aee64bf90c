"""``python -m labctl``."""

from labctl.cli.main import main

if __name__ == "__main__":
    main()
