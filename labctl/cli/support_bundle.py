"""``labctl support-bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.errors import HostError, LabctlError

if TYPE_CHECKING:
    from labctl.model.lab import Lab


@click.command("support-bundle")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file.  [default: labctl-support.tar.gz]"
)
@pass_app
def support_bundle(app: Application, out: Path | None) -> None:
    """Pack logs, state, versions and configuration of the lab into one tar.gz, for a bug report.

    Keys, certificates' keys and tokens are left out, and taken out of every text. Look into it before you send it.
    """
    from labctl.host.files import write_atomically
    from labctl.report.support_bundle import support_bundle as pack

    files = app.lab_files()
    if not files.folder.is_dir():
        raise HostError(f"there is no lab in {files.base}", next_step="labctl up")
    lab, more = _lab(app)
    target = out or Path("labctl-support.tar.gz")
    with app.working("packing"):
        data = pack(files, lab, more, app.host)
    try:
        write_atomically(target, data, mode=0o600)
    except OSError as error:
        raise LabctlError(f"{target} cannot be written", where=str(target), why=error.strerror or "") from error
    app.note(f"wrote {target} ({len(data) / 1000:.0f} kB)")


def _lab(app: Application) -> tuple[Lab | None, dict[str, str]]:
    """The lab, and what verify says of it now; where that fails, why."""
    try:
        lab = app.lab()
    except LabctlError as error:
        return None, {"verify.txt": f"{error.what}\n{error.why}\n"}
    try:
        from labctl.checks.report import as_json
        from labctl.checks.verify import verify
        from labctl.cli.verify import CONNECT_SECONDS

        with app.connections(lab, deadline=CONNECT_SECONDS) as connections:
            return lab, {"verify.json": as_json(verify(lab, connections))}
    except LabctlError as error:
        return lab, {"verify.txt": f"{error.what}\n{error.why}\n"}
