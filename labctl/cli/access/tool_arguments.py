"""Arguments of kubectl and calicoctl, as far as labctl must understand them to run the tools on another machine.

The tools run on the control plane, so they would look for a file after ``-f`` there. If that file exists here, it is
sent as the tool's standard input (``-f -``). If not, it is left alone: it may exist on the machine. Other options that
name files (``--from-file``, ``-k``, ``cp``) are not translated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import UsageError

# In these commands -f means something else: "follow" for logs; the words of the command itself for exec.
_OTHER_MEANING = {"logs", "log", "exec"}
_INTERACTIVE = re.compile(r"--(stdin|interactive)(=true)?|-[a-zA-Z]*i[a-zA-Z]*|--?|/dev/stdin|.*=(-|/dev/stdin)|-f-")
# Options of kubectl that take their value as the next word, so that it is not taken for the command.
_TAKES_VALUE = {"-n", "--namespace", "--context", "--cluster", "--user", "--kubeconfig", "-s", "--server", "-v"}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What to run. file: a local file for standard input. reads_stdin: whether the tool reads our standard input."""

    arguments: tuple[str, ...]
    file: Path | None
    reads_stdin: bool


def prepare_call(arguments: Sequence[str], base: Path) -> ToolCall:
    """The call with a local file replaced by standard input. base: what relative file names start from.

    Raises UsageError if more than one local file is named, or a folder.
    """
    own = _before_dashes(arguments)
    places = [] if _command(own) in _OTHER_MEANING else _local_files(own, base)
    if len(places) > 1:
        raise UsageError(
            f"labctl can send only one file, not {len(places)}",
            next_step=f"cat {' '.join(str(place.file) for place in places)} | labctl kubectl … -f -",
        )
    if not places:
        return ToolCall(tuple(arguments), None, any(_INTERACTIVE.fullmatch(word) for word in own))
    place = places[0]
    if not (base / place.file).is_file():
        raise UsageError(
            f"labctl can send only a file, and {place.file} is a folder",
            next_step="run the command for each file in it",
        )
    changed = [*arguments[: place.start], "-f", "-", *arguments[place.end :]]
    return ToolCall(tuple(changed), base / place.file, reads_stdin=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where arguments[start:end] names a file."""

    start: int
    end: int
    file: Path


def _local_files(words: Sequence[str], base: Path) -> list[_Place]:
    places = []
    for index, word in enumerate(words):
        if word in {"-f", "--filename"} and index + 1 < len(words):
            place = _Place(index, index + 2, Path(words[index + 1]))
        elif match := re.fullmatch(r"(?:--filename=|-f=?)(.+)", word, re.DOTALL):
            place = _Place(index, index + 1, Path(match.group(1)))
        else:
            continue
        if "\0" not in str(place.file) and (base / place.file).exists():
            places.append(place)
    return places


def _before_dashes(arguments: Sequence[str]) -> list[str]:
    """The tool's own arguments: those before ``--``."""
    words = list(arguments)
    return words[: words.index("--")] if "--" in words else words


def _command(words: Sequence[str]) -> str:
    """The tool's command: its first word that is neither an option nor an option's value."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _TAKES_VALUE:
            skip = True
        elif not word.startswith("-"):
            return word
    return ""
