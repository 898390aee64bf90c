"""The stand-ins for publishers are those of the tests on real machines (tests/lab)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))
