"""The one place where errors become text and exit codes. `labctl --help` imports it, so nothing heavy at the top."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.commands import COMMANDS
from labctl.errors import ConfigError, ExitCode, LabctlError

if TYPE_CHECKING:
    from labctl.cli.app import Application


def show_error(error: BaseException, app: Application) -> ExitCode:
    """Print on standard error what happened, where, why and what to do next; return the exit code."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        row = COMMANDS.get(app.command)
        _print(app, "interrupted", next_step=app.after_interrupt or (row.after_interrupt if row else ""))
        return ExitCode.INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    if isinstance(error, click.ClickException):
        return _show_usage(error, app)
    if isinstance(error, LabctlError):
        print_error(error, app)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        drop_output()
        return ExitCode.FAILED
    _show_unexpected(error, app)
    return ExitCode.FAILED


def drop_output() -> None:
    """Discard further output: nobody reads standard output, and Python would report an error at exit."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # not a real stream
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _show_usage(error: click.ClickException, app: Application) -> ExitCode:
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    help_line = f"{ctx.command_path} --help" if ctx is not None else "labctl --help"
    text = error.format_message()
    _print(app, text if text.endswith("...") else text.removesuffix("."), next_step=_misplaced(error) or help_line)
    return ExitCode.USAGE if error.exit_code == ExitCode.USAGE else ExitCode.FAILED


def _misplaced(error: click.ClickException) -> str:
    """For a global option after the command: where it belongs."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return ""
    top, name = error.ctx.find_root(), error.option_name
    if error.ctx is top or not any(name in option.opts for option in top.command.params):
        return ""
    program, _, command = error.ctx.command_path.partition(" ")
    return f"put {name} before the command: {program} {name} {command}"


def print_error(error: LabctlError, app: Application) -> None:
    """Print one of labctl's own errors on standard error."""
    if "labctl.log" in sys.modules:  # otherwise no log was started
        from labctl.log import lab_log  # noqa: PLC0415

        lab_log().error("%s %s %s", error.what, error.where, error.why)
    problems = error.problems if isinstance(error, ConfigError) else ()
    where = "" if error.where in error.what else error.where
    _print(app, error.what, where=where, why=error.why, problems=problems, next_step=_or_wait(error.next_step, app))
    if app.verbosity > 0 and _log_traceback(error, app):
        click.echo(f"  more:  the traceback is in {_log_name(app)}", err=True)


def _or_wait(next_step: str, app: Application) -> str:
    """Wait, instead of `labctl up`, while another labctl works on the lab."""
    if next_step != "labctl up":
        return next_step
    from labctl.engine.lock import lock_holder  # noqa: PLC0415

    holder = lock_holder(app.lab_files().lock, app.host)
    return f"wait for the labctl that is working on this lab ({holder})" if holder else next_step


def _show_unexpected(error: BaseException, app: Application) -> None:
    from labctl.host.files import disk_remedy  # noqa: PLC0415

    if isinstance(error, OSError) and (next_step := disk_remedy(error)):
        what = f"cannot write {error.filename or 'a file'}: {error.strerror}"
        _print(app, what, next_step=next_step)
        return
    if isinstance(error, PermissionError) and error.filename:
        _print(
            app, f"{error.filename}: permission denied", next_step=f"run the same command as {_owner(error.filename)}"
        )
        return
    what = f"internal error: {type(error).__name__}: {error}"
    if app.verbosity > 0 and _log_traceback(error, app):
        _print(app, what, why=f"the traceback is in {_log_name(app)}")
    else:
        _print(app, what, next_step=f"run it again with -v (labctl -v …) to get a traceback in {_log_name(app)}")


def _owner(file: object) -> str:
    """Who may do what was denied."""
    try:
        owner = Path(str(file)).owner()
    except (OSError, KeyError, NotImplementedError):
        return "the user who created the lab, or as root"
    return f"{owner}, who owns the file, or as root"


def _print(
    app: Application,
    what: str,
    *,
    where: str = "",
    why: str = "",
    problems: tuple[str, ...] = (),
    next_step: str = "",
) -> None:
    from labctl.text import printable  # noqa: PLC0415 - `labctl --help` needs no JSON

    color = False if app.no_color or app.host.environment.get("NO_COLOR") else None
    click.secho("error: ", fg="red", bold=True, nl=False, err=True, color=color)
    lines = [what, *(f"  {problem}" for problem in problems)]
    for label, text in (("where", where), ("why", why), ("next", next_step)):
        starts = [f"  {label + ':':<7}", " " * 9]
        lines += [starts[number > 0] + line for number, line in enumerate(text.splitlines())]
    for line in lines:
        click.echo(printable(line.expandtabs(1)), err=True)


def _log_name(app: Application) -> str:
    return str(app.directory / ".labctl" / "labctl.log")


def _log_traceback(error: BaseException, app: Application) -> bool:
    """Write the traceback to labctl's log; returns whether that worked."""
    import traceback  # noqa: PLC0415

    from labctl.log import lab_log, start_log  # noqa: PLC0415

    log = app.lab_files().log
    try:
        log.parent.mkdir(exist_ok=True)
    except OSError:
        return False
    start_log(log.parent)
    lab_log().error("".join(traceback.format_exception(error)))
    return log.is_file()
