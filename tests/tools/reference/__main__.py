"""The program: ``PYTHONPATH=tests python -m tools.reference``."""

from tools.reference import write

write()
