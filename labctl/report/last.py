"""The last verify and the last tour of a lab, saved in .labctl/last/ for `labctl report`: one file each, no secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import TypeAdapter

from labctl.checks.report import Report, as_dict, from_dict
from labctl.errors import LabctlError
from labctl.graph.picture import Picture
from labctl.host.files import write_private
from labctl.lab_directory import LabDirectory
from labctl.secrets.redact import Redactor
from labctl.text import read_json
from labctl.tour.runner import Claim, ShownCommand, Stop, Visit

if TYPE_CHECKING:
    from labctl.tour.runner import TourRunner


@dataclass(frozen=True, slots=True)
class LastVerify:
    """when: seconds since 1970. picture: the lab as its machines answered then."""

    when: float
    report: Report
    picture: Picture


@dataclass(frozen=True, slots=True)
class LastTour:
    """when: seconds since 1970, at its end. picture: the lab as its machines answered before it began."""

    when: float
    visits: tuple[Visit, ...]
    picture: Picture


def save_verify(files: LabDirectory, last: LastVerify) -> None:
    """Save it, replacing the one before. Raises OSError."""
    redact = Redactor(files.secrets)
    report = as_dict(last.report)
    for check in report["checks"]:
        check.update({key: redact(check[key]) for key in ("observed", "cause")})
    _write(files, files.last_verify, {"when": last.when, "report": report, "picture": asdict(last.picture)})


def last_verify(files: LabDirectory) -> LastVerify | None:
    """The last verify; None if there was none. Raises LabctlError if the file can't be read."""
    data = _read(files.last_verify)
    if data is None:
        return None
    try:
        return LastVerify(float(data["when"]), from_dict(data["report"]), _picture(data))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(files.last_verify, error) from error


def save_tour(files: LabDirectory, last: LastTour) -> None:
    """Save it, replacing the one before. Raises OSError."""
    redact = Redactor(files.secrets)
    visits = [_visit(visit, redact) for visit in last.visits]
    _write(files, files.last_tour, {"when": last.when, "visits": visits, "picture": asdict(last.picture)})


def last_tour(files: LabDirectory) -> LastTour | None:
    """The last tour; None if there was none. Raises LabctlError if the file can't be read."""
    data = _read(files.last_tour)
    if data is None:
        return None
    try:
        return LastTour(float(data["when"]), tuple(map(_visited, data["visits"])), _picture(data))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(files.last_tour, error) from error


def _picture(data: Mapping[str, Any]) -> Picture:
    return TypeAdapter(Picture).validate_python(data["picture"])


def _visit(visit: Visit, redact: Redactor) -> dict[str, Any]:
    stop = visit.stop
    return {
        "stop": {"name": stop.name, "title": stop.title, "why": stop.why},
        "number": visit.number,
        "shots": [{**asdict(command), "output": redact(command.output)} for command in visit.commands],
        "claims": [{**asdict(claim), "seen": redact(claim.seen)} for claim in visit.claims],
    }


def _visited(item: Mapping[str, Any]) -> Visit:
    commands = [ShownCommand(**{**command, "marks": tuple(command["marks"])}) for command in item["shots"]]
    claims = [Claim(**claim) for claim in item["claims"]]
    return Visit(Stop(**item["stop"], play=_cannot_play), int(item["number"]), commands=commands, claims=claims)


def _cannot_play(_guide: TourRunner) -> NoReturn:
    raise NotImplementedError("a stop that was read from a file cannot be played")


def _write(files: LabDirectory, path: Path, data: Mapping[str, object]) -> None:
    """Readable by its owner only, as it contains what the machines printed."""
    write_private(path, (json.dumps(data, ensure_ascii=False) + "\n").encode(), like=files.folder)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        data = read_json(text)
    except ValueError as error:
        raise _unreadable(path, error) from error
    if not isinstance(data, dict):
        raise _unreadable(path, TypeError("no object"))
    return data


def _unreadable(path: Path, error: Exception) -> LabctlError:
    why = str(error).partition("\n")[0]
    next_step = f"`labctl {path.stem}` writes a new one"
    return LabctlError(f"{path} can't be read", where=str(path), why=why, next_step=next_step)
