"""``labctl``: the global options, and the one place where every error ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from labctl import __version__
from labctl.cli.app import Application
from labctl.cli.commands import COMMANDS, LazyGroup
from labctl.cli.errors import drop_output, show_error
from labctl.errors import ExitCode


class Labctl(LazyGroup):
    """The top-level group: turns whatever is raised into a message and an exit code."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command; the application remembers its name."""
        if isinstance(ctx.obj, Application):
            ctx.obj.command = cmd_name
        return super().get_command(ctx, cmd_name)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run one command line and exit."""
        app = extra.pop("obj", None) or Application()
        try:
            outcome = super().main(args, prog_name or "labctl", obj=app, **{**extra, "standalone_mode": False})
            status = outcome if isinstance(outcome, int) else ExitCode.OK
            sys.stdout.flush()
            _show_next(app, int(status))
        except BaseException as error:  # noqa: BLE001 - the one place where everything ends
            status = _status_of(error, app)
        sys.exit(int(status))


def _show_next(app: Application, status: int) -> None:
    """A hint about the next command, at a terminal."""
    row = COMMANDS.get(app.command)
    hint = row.next.get(status) if row else None
    if hint and app.show_next and sys.stderr.isatty():
        app.note(f"next: {hint}")


def _status_of(error: BaseException, app: Application) -> int:
    """The exit status for whatever ended a run."""
    if isinstance(error, SystemExit):
        drop_output()
        return error.code if isinstance(error.code, int) else ExitCode.FAILED
    return show_error(error, app)


@click.group(
    "labctl",
    cls=Labctl,
    table=COMMANDS,
    context_settings={"auto_envvar_prefix": "LABCTL", "help_option_names": ["--help"], "max_content_width": 100},
    epilog="Environment variables set options, too: LABCTL_DIRECTORY, LABCTL_UP_WORKERS and so on.",
)
@click.option(
    "-C",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    metavar="DIR",
    help="The lab's directory.  [default: .]",
)
@click.option("-v", "--verbose", is_flag=True, help="Print more; write tracebacks to .labctl/labctl.log.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the requested data, and errors.")
@click.option("--no-color", is_flag=True, help="Do not use colors.")
@click.version_option(__version__, prog_name="labctl", message="%(prog)s %(version)s", allow_from_autoenv=False)
@click.pass_obj
def cli(app: Application, directory: Path, verbose: bool, quiet: bool, no_color: bool) -> None:
    """Build, check and remove a lab: HAProxy's ingress controller outside Kubernetes, with pod routes over BGP."""
    app.directory = directory
    app.verbosity = 1 if verbose else -1 if quiet else 0
    app.no_color = no_color


def main() -> NoReturn:
    """The program. SIGTERM ends it like Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ["PATH"] = with_system_programs(os.environ.get("PATH", os.defpath))
    try:
        cli.main()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED and threading.active_count() > 1:
            _leave()
        raise


def _leave() -> NoReturn:
    """End at once: end the processes that labctl started, and do not wait for threads."""
    from labctl.host.host import Host  # noqa: PLC0415

    try:
        sys.stdout.flush()
        host = Host()
        host.end(host.children())
    finally:
        os._exit(ExitCode.INTERRUPTED)


def with_system_programs(path: str) -> str:
    """The PATH with the folders of system programs, such as nft, which Debian leaves out for ordinary users.

    Source: Debian Policy 9.1, FHS 4.10.
    """
    folders = path.split(os.pathsep)
    return os.pathsep.join([*folders, *(folder for folder in ("/usr/sbin", "/sbin") if folder not in folders)])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
