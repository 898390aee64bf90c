"""Commands on machines, over SSH."""

import sys

# paramiko imports invoke, which takes a tenth of a second, only for `Match exec` in ~/.ssh/config; labctl does not read
# that file. With None here the import fails (docs.python.org, "The import system"), and paramiko goes on without it.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
