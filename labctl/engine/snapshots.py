"""Snapshots: a lab's machines and the files that belong to them, saved together and put back together.

A snapshot is a folder with a record that says whether it is whole; the record is written last. A restore is noted
before it begins, so that the next labctl finishes it. So at any moment the lab or the snapshot is whole, or both are.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from labctl import __version__
from labctl.engine.applied import applied_lab
from labctl.engine.context import Context
from labctl.engine.lab_files import put_back, save_files
from labctl.engine.services import start_services, stop_services
from labctl.errors import HostError, LabctlError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.processes import end_leftovers
from labctl.providers.provider import MachineProvider
from labctl.providers.snapshots import Snapshot, Snapshots
from labctl.text import read_json

# The name of a snapshot that was given none, and of the one that `up` saves.
LAST, OF_UP = "last", "up"
_RECORD, _RESTORING = "snapshot.json", "restoring"


def snapshots_of(provider: MachineProvider) -> Snapshots:
    """How the provider keeps snapshots. Raises HostError if it has none."""
    if provider.snapshots is None:
        raise HostError(
            f"labctl cannot take snapshots of machines of provider {provider.lab.provider.value}",
            next_step="labctl destroy, then labctl up, gives a new lab",
        )
    return provider.snapshots


def saved(provider: MachineProvider) -> list[Snapshot]:
    """The snapshots that are whole and that this user may read, the oldest first; of one name, the newest."""
    if provider.snapshots is None:
        return []
    whole = [snapshot for snapshot, is_whole in _records(provider.snapshots.folder) if is_whole]
    newest = {snapshot.name: snapshot for snapshot in sorted(whole, key=lambda one: one.taken)}
    return sorted(newest.values(), key=lambda one: one.taken)


def find(provider: MachineProvider, name: str) -> Snapshot:
    """The snapshot of that name. Raises HostError if there is none."""
    snapshots_of(provider)
    found = {snapshot.name: snapshot for snapshot in saved(provider)}
    if name not in found:
        names = ", ".join(found)
        raise HostError(
            f"there is no snapshot {name} of the lab {provider.lab.name}",
            why=f"its snapshots are: {names}" if names else "it has none",
            next_step=f"labctl snapshot restore {list(found)[-1]}" if found else "labctl snapshot save",
        )
    return found[name]


def save(context: Context, name: str) -> tuple[Snapshot, float]:
    """Save the lab, whose lock is held; an older snapshot of the same name is replaced.

    Returns also the seconds for which the lab stood still.
    Raises LabctlError, also if the disk is full: then the lab runs on, and nothing is left of the snapshot.
    """
    provider, folder = context.provider, snapshots_of(context.provider).folder
    machines = tuple(sorted(provider.machines()))
    if not machines:
        raise HostError(f"the lab {context.lab.name} has no machines", next_step="labctl up")
    snapshots_of(provider).require(None)
    before = [snapshot for snapshot in saved(provider) if snapshot.name == name]
    if not snapshots_of(provider).copies:
        for snapshot in before:  # Vagrant's names are unique
            delete(provider, snapshot)
    versions = {"labctl": __version__, **_versions(context.lab)}
    snapshot = Snapshot(name, folder / uuid.uuid4().hex, time.time(), machines, versions)
    try:
        pause = _save(context, snapshot)
        whole = replace(snapshot, size=_own_bytes(snapshot.folder) if snapshots_of(provider).copies else None)
        if hasattr(os, "sync"):
            os.sync()  # what the record calls whole is on the disk
        _write_record(whole, whole=True)
    except OSError as error:
        _discard(provider, snapshot)
        raise LabctlError(
            f"the snapshot {name} cannot be saved", where=str(folder), why=f"{error.filename}: {error.strerror}"
        ) from error
    except BaseException:
        _discard(provider, snapshot)
        raise
    _remove_replaced(provider, whole)
    return whole, pause


def _save(context: Context, snapshot: Snapshot) -> float:
    snapshot.folder.mkdir(parents=True)
    _write_record(snapshot, whole=False)
    save_files(context.files, snapshot.files)
    began = time.monotonic()
    try:
        stop_services(context.lab, snapshot.machines, context.host, context.connections)
        snapshots_of(context.provider).save(snapshot)
    finally:
        snapshots_of(context.provider).thaw(snapshot.machines)
        start_services(context.lab, snapshot.machines, context.host, context.connections)
    return time.monotonic() - began


def restore(provider: MachineProvider, snapshot: Snapshot) -> list[str]:
    """Put the lab back as it was: its machines, and its files; the machines run then. Returns notes for the user.

    The lab's lock must be held; provider is of the lab as the snapshot has it (`lab_in`).
    Raises LabctlError. What was begun is finished by the next `finish_interrupted`, or by another restore.
    """
    snapshots = snapshots_of(provider)
    snapshots.require(snapshot)
    end_leftovers(provider.lab, provider.files.folder, provider.host, by_labctl=True)
    there = provider.machines()
    gone = there if snapshots.copies else there - set(snapshot.machines)
    try:
        _note_restore(snapshots, snapshot)
    except OSError:  # a full disk; what fills it may be a machine
        provider.remove(gone)
        _note_restore(snapshots, snapshot)
    provider.remove(gone)
    notes = put_back(provider.files, snapshot.files)
    provider.prepare_host()
    snapshots.restore(snapshot)
    (snapshots.folder / _RESTORING).unlink(missing_ok=True)
    return notes


def delete(provider: MachineProvider, snapshot: Snapshot) -> None:
    """Remove a snapshot, whole or not. Raises LabctlError."""
    snapshots_of(provider).delete(snapshot)
    try:
        if snapshot.folder.exists():
            (snapshot.folder / _RECORD).unlink(missing_ok=True)  # from now on it is not whole
            shutil.rmtree(snapshot.folder)
        with suppress(OSError):  # there are others
            snapshot.folder.parent.rmdir()
    except OSError as error:
        raise LabctlError(
            f"the snapshot {snapshot.name} cannot be removed", why=f"{error.filename}: {error.strerror}"
        ) from error


def lab_in(snapshot: Snapshot, files: LabDirectory) -> Lab:
    """The lab as the snapshot has it. Raises LabctlError if its files are damaged."""
    lab = applied_lab(LabDirectory(files.base, snapshot.files))
    if lab is None:
        raise LabctlError(f"the snapshot {snapshot.name} is damaged", where=str(snapshot.files))
    return lab


def interrupted_restore(provider: MachineProvider) -> Snapshot | None:
    """The snapshot that a labctl was restoring when it was killed; None if there was none."""
    if provider.snapshots is None:
        return None
    with suppress(OSError):
        name = (provider.snapshots.folder / _RESTORING).read_text().strip()
        return next((one for one in saved(provider) if one.folder.name == name), None)
    return None


def remove_incomplete(provider: MachineProvider) -> list[str]:
    """Remove the snapshots that a killed labctl left half saved, and let the machines run on; returns their names."""
    if provider.snapshots is None:
        return []
    incomplete = [snapshot for snapshot, is_whole in _records(provider.snapshots.folder) if not is_whole]
    if incomplete:
        end_leftovers(provider.lab, provider.files.folder, provider.host, by_labctl=True)
    for snapshot in incomplete:
        machines = provider.machines()
        provider.snapshots.thaw(machines)
        start_services(provider.lab, machines, provider.host, None)
        delete(provider, snapshot)
    for snapshot in saved(provider):
        _remove_replaced(provider, snapshot)
    return [snapshot.name for snapshot in incomplete]


def _note_restore(snapshots: Snapshots, snapshot: Snapshot) -> None:
    write_atomically(snapshots.folder / _RESTORING, snapshot.folder.name.encode())


def _discard(provider: MachineProvider, snapshot: Snapshot) -> None:
    with suppress(LabctlError):  # what stays is incomplete, and the next command removes it
        delete(provider, snapshot)


def _remove_replaced(provider: MachineProvider, newest: Snapshot) -> None:
    for snapshot, _ in _records(newest.folder.parent):
        if snapshot.name == newest.name and snapshot.taken < newest.taken:
            delete(provider, snapshot)


def _records(folder: Path) -> Iterator[tuple[Snapshot, bool]]:
    """Each snapshot's folder, whole or not; one without a record that can be read is not."""
    try:
        found = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    except OSError:
        return
    for path in found:
        try:
            record: dict[str, Any] = read_json((path / _RECORD).read_text())
            whole = bool(record.pop("whole"))
            yield Snapshot(**{**record, "folder": path, "machines": tuple(record["machines"])}), whole
        except PermissionError:
            continue
        except (OSError, ValueError, KeyError, TypeError):
            yield Snapshot(path.name, path, 0.0, (), {}), False


def _write_record(snapshot: Snapshot, *, whole: bool) -> None:
    record = {**asdict(snapshot), "whole": whole}
    del record["folder"]
    write_atomically(snapshot.folder / _RECORD, (json.dumps(record) + "\n").encode())


def _versions(lab: Lab) -> dict[str, str]:
    return {"source": lab.source.value, **asdict(lab.versions)}


def _own_bytes(folder: Path) -> int:
    """Bytes on the disk of the files that nothing else links to."""
    found = (Path(place, name).lstat() for place, _, names in os.walk(folder) for name in names)
    return sum(512 * status.st_blocks for status in found if status.st_nlink == 1)
