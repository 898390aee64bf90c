"""docs/reference/files.md: the files of a lab and the exit codes, from the code."""

from __future__ import annotations

import inspect
from pathlib import Path

from labctl import errors
from labctl.errors import ExitCode, LabctlError
from labctl.lab_directory import LabDirectory
from tools.reference.markdown import code, plain, table

_BASE = Path("/lab")
_CODES = {
    ExitCode.OK: "Done; all checks pass.",
    ExitCode.FAILED: "A step or a check failed; the last lines say which, why, and what to do.",
    ExitCode.USAGE: "Wrong usage, or a wrong labctl.yaml: file, line, key, what is allowed.",
    ExitCode.HOST: "The host lacks something, or there is no lab here; what to run is said.",
    ExitCode.LOCKED: "Another labctl is at work on this lab; its pid and command are said.",
    ExitCode.INTERRUPTED: "Interrupted; the lab is left so that `up` and `destroy` both work.",
}


def page() -> str:
    """The page."""
    return (
        "# Files and exit codes\n\n"
        "`labctl.yaml` is yours, `.labctl/` beside it is labctl's. All that labctl writes elsewhere: the built box in "
        "`~/.cache/labctl` (`LABCTL_CACHE` names another folder), with `hosts --apply` a marked line in `/etc/hosts`, "
        "and while a lab of containers exists its bridge, its nftables table, its cgroup and the notes in "
        "`/run/labctl`, which `destroy` takes away again. `labctl class` also writes `seats/`.\n\n"
        f"## Files\n\n{_files()}\n## Exit codes\n\n{_exit_codes()}"
    )


def _files() -> str:
    files = LabDirectory(_BASE)
    rows = []
    for name, member in inspect.getmembers(LabDirectory, lambda member: isinstance(member, property)):
        path: Path = getattr(files, name)
        rows.append((str(path.relative_to(_BASE)), plain(inspect.getdoc(member) or "")))
    return table(("path", "what"), ((code(path), words) for path, words in sorted(rows)))


def _exit_codes() -> str:
    rows = []
    for number in ExitCode:
        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LabctlError)]
        names = ", ".join(code(kind.__name__) for kind in kinds if kind.exit_code is number)
        rows.append((str(int(number)), _CODES[number], names if number is not ExitCode.OK else ""))
    return table(("code", "meaning", "errors that end with it"), rows)
