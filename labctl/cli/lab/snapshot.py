"""``labctl snapshot``: save the whole lab, and put it back."""

from __future__ import annotations

import time

import click

from labctl.checks.check import counted
from labctl.checks.report import Report
from labctl.checks.table import render_table, summary
from labctl.checks.verify import verify, wait
from labctl.cli.app import Application, pass_app
from labctl.cli.commands import LazyGroup, Row
from labctl.cli.inspect.verify import report_saver
from labctl.cli.options import output_option
from labctl.cli.output import ago, duration, table, write_json
from labctl.cli.sudo import become_root, give_files
from labctl.engine import snapshots as engine
from labctl.engine.applied import applied_lab
from labctl.engine.claim import require_free_networks, require_own_name
from labctl.engine.context import Context
from labctl.engine.lock import lab_lock
from labctl.engine.services import start_services
from labctl.errors import LabctlError, UsageError
from labctl.model.lab import Lab
from labctl.providers.provider import MachineProvider
from labctl.providers.registry import provider_of
from labctl.providers.snapshots import Snapshot

# A whole lab boots meanwhile.
_SETTLE_SECONDS = 120
_LONGEST_NAME = 100

TABLE = {
    "save": Row("lab.snapshot:save", "Save the lab: all machines at one moment, and its files."),
    "list": Row("lab.snapshot:list_", "List the snapshots: name, age, size, versions."),
    "restore": Row("lab.snapshot:restore", "Put the lab back as it was when the snapshot was saved."),
    "delete": Row("lab.snapshot:delete", "Remove a snapshot."),
}


@click.group("snapshot", cls=LazyGroup, table=TABLE)
def snapshot() -> None:
    """Save the whole lab, and go back to it: before an exercise, after an experiment."""


def _name(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    """A name as `vagrant snapshot` takes it: any text that fits on a line."""
    if name.strip() != name or not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME or name.startswith("-"):
        raise click.BadParameter(
            f"{name!r}; allowed: up to {_LONGEST_NAME} characters on one line, without - at the start"
        )
    return name


_some_name = click.argument("name", default=engine.LAST, callback=_name, metavar="[NAME]")


@click.command()
@_some_name
@click.option("-f", "--force", is_flag=True, help="Replace a snapshot of that name.")
@output_option("text", "json")
@pass_app
def save(app: Application, name: str, force: bool, output: str) -> None:
    """Save the lab. The machines stop for a few seconds and run on. Without NAME: `last`, which is replaced."""
    provider = lab_now(app)
    app.lab_files().require()
    engine.snapshots_of(provider)
    become_root(app, provider.lab, "save the lab's containers")
    with lab_lock(app.lab_files().lock):
        finish_interrupted(app, provider)
        if name != engine.LAST and not force and any(one.name == name for one in engine.saved(provider)):
            raise UsageError(f"there is a snapshot {name} already", next_step=f"labctl snapshot save --force {name}")
        saved, pause = save_lab(app, provider, name)
    if output == "json":
        write_json(app, {**as_dict(saved), "pause": round(pause, 2)})


def save_lab(app: Application, provider: MachineProvider, name: str) -> tuple[Snapshot, float]:
    """Save a snapshot of the lab, whose lock is held; returns also for how many seconds the lab stood still.

    The pods of the control plane are not ready for some seconds after that: if the lab was well before, wait until it
    is well again.
    """
    lab = provider.lab
    with app.connections(lab) as connections, app.working("saving"):
        was_well = verify(lab, connections).ok
        context = Context(provider, connections, lambda _: None)
        saved, pause = engine.save(context, name)
        if was_well:
            wait(lab, connections, _SETTLE_SECONDS * lab.patience)
    size = f", {_size(saved)}" if saved.size is not None else ""
    app.note(f"saved the snapshot {name}{size}; the lab stood still for {duration(pause)}")
    return saved, pause


@click.command("list")
@output_option("table", "json")
@pass_app
def list_(app: Application, output: str) -> None:
    """List the snapshots of the lab, the oldest first."""
    found = engine.saved(lab_now(app))
    if output == "json":
        write_json(app, {"snapshots": [as_dict(one) for one in found]})
    elif found:
        app.out.print(snapshot_table(found))
    else:
        app.note("there are no snapshots; labctl snapshot save makes one")


def snapshot_table(snapshots: list[Snapshot]) -> object:
    """A row for each snapshot."""
    rows = [
        (one.name, ago(one.taken), _size(one), str(len(one.machines)), ", ".join(f"{k} {v}" for k, v in _versions(one)))
        for one in snapshots
    ]
    return table(("snapshot", "saved", "size", "machines", "versions"), rows)


def as_dict(one: Snapshot) -> dict[str, object]:
    """For JSON: ``size`` in bytes, ``saved`` in seconds since 1970."""
    return {
        "name": one.name,
        "saved": one.taken,
        "size": one.size,
        "machines": list(one.machines),
        "versions": dict(one.versions),
    }


def _versions(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(name, version) for name, version in snapshot.versions.items() if version]


def _size(snapshot: Snapshot) -> str:
    return "" if snapshot.size is None else f"{snapshot.size / (1 << 20):.0f} MiB"


@click.command()
@_some_name
@pass_app
def restore(app: Application, name: str) -> int:
    """Put the lab back as it was when the snapshot was saved, and verify it. Without NAME: `last`.

    Whatever happened since is gone: faults, changes, other machines. labctl.yaml is put back only if it describes
    another lab now; yours is kept beside it.
    """
    return 0 if restored(app, name) else 1


def restored(app: Application, name: str) -> bool:
    """Restore that snapshot, as root, and show the result; returns whether the lab is verified."""
    started = time.monotonic()
    become_root(app, lab_now(app).lab, "restore the lab's containers")
    report = go_back(app, name)
    if not report.ok:
        app.err.print(render_table(report))
        return False
    if app.verbosity >= 0:
        app.err.print(summary(report))
    app.note(f"the lab is as it was in the snapshot {name}, and verified ({duration(time.monotonic() - started)})")
    return True


def go_back(app: Application, name: str) -> Report:
    """Restore that snapshot; the report of the lab, once it has started. Raises LabctlError."""
    with lab_lock(app.lab_files().lock, needed=False):
        provider = lab_now(app)
        engine.remove_incomplete(provider)
        _restore(app, engine.find(provider, name))
        return _verify(app)


@click.command()
@click.argument("name", callback=_name)
@pass_app
def delete(app: Application, name: str) -> None:
    """Remove a snapshot."""
    provider = lab_now(app)
    become_root(app, provider.lab, "remove a snapshot of the lab's containers")
    with lab_lock(app.lab_files().lock, needed=False):
        finish_interrupted(app, provider)
        engine.delete(provider, engine.find(provider, name))
    app.note(f"removed the snapshot {name}")


def lab_now(app: Application) -> MachineProvider:
    """The lab as it is, which labctl.yaml may no longer describe."""
    files = app.lab_files()
    return provider_of(applied_lab(files) or app.lab(), files, app.host)


def _restore(app: Application, snapshot: Snapshot) -> None:
    """Put the lab back as it was, whose lock is held; its machines run then."""
    files = app.lab_files()
    owner = (files.folder if files.folder.exists() else files.base).stat()
    lab = engine.lab_in(snapshot, files)
    require_own_name(lab, files, app.host)
    require_free_networks(lab, files, app.host)
    provider = provider_of(lab, files, app.host)
    try:
        with app.working(f"restoring {snapshot.name}"):
            notes = engine.restore(provider, snapshot)
    except OSError as error:
        raise LabctlError(
            f"the snapshot {snapshot.name} cannot be restored",
            where=str(error.filename),
            why=error.strerror or "",
            next_step=f"free some disk space; then: labctl snapshot restore {snapshot.name}",
        ) from error
    if app.host.is_root and owner.st_uid:
        give_files(files, owner.st_uid, owner.st_gid)
    with app.connections(lab) as connections, app.working("starting"):
        start_services(lab, snapshot.machines, app.host, connections)
    for note in notes:
        app.note(note)


def _verify(app: Application) -> Report:
    """Verify the lab, waiting until it has started."""
    lab: Lab = app.lab()
    with app.connections(lab) as connections, app.working("checking"):
        return wait(lab, connections, _SETTLE_SECONDS * lab.patience, keep=report_saver(app, lab))


def finish_interrupted(app: Application, provider: MachineProvider) -> bool:
    """Do what a killed labctl left undone: finish its restore, remove what it saved in part. The lock must be held.

    Returns whether the lab was restored.
    """
    incomplete = engine.remove_incomplete(provider)
    if incomplete:
        app.note(f"removed {counted(len(incomplete), 'incomplete snapshot')}")
    half = engine.interrupted_restore(provider)
    if half is None:
        return False
    app.note(f"a restore of the snapshot {half.name} was interrupted: finishing it")
    _restore(app, half)
    return True


def restore_hint(app: Application) -> str:
    """What to type to go back to the newest snapshot; empty if there is none."""
    found = engine.saved(lab_now(app))
    return f"labctl snapshot restore {found[-1].name}" if found else ""
