"""Python imports this when it starts: a Python that a unit test starts is guarded as the test is."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support import guard

guard.guard_this_process()
sys.path.pop(0)
