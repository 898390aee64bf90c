"""Reading YAML: labctl.yaml as data, with the line of every key. Refuses aliases, tags and deep nesting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from labctl.config.keys import KeyPath
from labctl.config.problems import Mark, Places, Problem, dotted, quoted, shown

MAX_DEPTH = 8
# What YAML 1.2 (§5.1) lets a file contain, plus tab, line feed and carriage return.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Document:
    """data: for the schema. places: of the keys, for messages. problems: what is wrong with the YAML itself."""

    data: dict[str, Any] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    problems: list[Problem] = field(default_factory=list)


def read_document(content: bytes) -> Document:
    """Read the bytes of a labctl.yaml. Wrong content does not raise: it is in the document's problems."""
    document = Document()
    text = _decode(content, document.problems)
    if text is None:
        return document
    try:
        refused, root = _composed(text)
        document.problems += refused
    except MarkedYAMLError as error:
        document.problems.append(_from_yaml(error))
        return document
    except (YAMLError, ValueError, OverflowError):
        # ValueError, OverflowError: numbers in escapes and directives, which ruamel.yaml hands to int() and chr().
        document.problems.append(Problem(1, 1, "", "not YAML: an escape or a directive out of range"))
        return document
    if isinstance(root, MappingNode):
        document.data = _mapping(root, (), document)
    elif root is not None and not _is_null(root):
        document.problems.append(Problem(*_position(root), "", _text(root), "keys and values, such as workers: 2"))
    return document


@lru_cache(maxsize=4)  # `up` reads the lab's file, and the same one as it was carried out, several times
def _composed(text: str) -> tuple[list[Problem], Node | None]:
    """What is refused in it, and the tree of what is not. Raises what ruamel.yaml does."""
    refused = _refused(text)
    return refused, None if refused else _reader().compose(text)


def _reader() -> YAML:
    return YAML(typ="safe", pure=True)


def _decode(content: bytes, problems: list[Problem]) -> str | None:
    """The text of the file: UTF-8, a byte order mark before it allowed. None if it is something else."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        problems.append(Problem(1, 1, "", "text in UTF-16", "text in UTF-8"))
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"a byte that is not UTF-8 (0x{content[error.start]:02x})"
        problems.append(Problem(line, 1, "", found, "text in UTF-8"))
        return None
    for match in _UNPRINTABLE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        problems.append(Problem(line, column, "", f"a character that can't be printed (U+{ord(match.group()):04X})"))
        return None
    return text


def _refused(text: str) -> list[Problem]:
    """Aliases, anchors, tags, further documents and deep nesting, found in the events before anything is built."""
    problems: list[Problem] = []
    depth = documents = 0
    for event in _reader().parse(text):
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        documents += isinstance(event, DocumentStartEvent)
        if depth > MAX_DEPTH:
            return [*problems, _at(event, "a value nested too deeply", f"at most {MAX_DEPTH} levels")]
        if documents > 1:
            return [*problems, _at(event, "a second document (---)", "one document")]
        problems += _refused_event(event)
    return problems


def _refused_event(event: Event) -> list[Problem]:
    if isinstance(event, AliasEvent):
        return [_at(event, f"an alias (*{shown(str(event.anchor))})", "the value itself, written out")]
    if not isinstance(event, NodeEvent):
        return []
    found = []
    if event.anchor is not None:
        found.append(_at(event, f"an anchor (&{shown(str(event.anchor))})", "plain keys and values"))
    if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
        found.append(
            _at(event, f"a tag ({shown(str(event.tag).replace('tag:yaml.org,2002:', '!!'))})", "plain keys and values")
        )
    return found


def _at(event: Event, found: str, allowed: str) -> Problem:
    mark = event.start_mark
    return Problem(mark.line + 1, mark.column + 1, "", found, allowed)


def _from_yaml(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(line, column, "", f"not YAML: {shown(reason) if len(reason) < 60 else _plain(reason)}")


def _plain(reason: str) -> str:
    """A reader's own sentence: not cut, but in one printable line."""
    return "".join(char for char in reason if char.isprintable())[:200]


def _mapping(node: MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    """A mapping as a dict; notes places, reports duplicate keys. A key without a value has its default."""
    data: dict[str, Any] = {}
    first: dict[str, int] = {}
    for key_node, value_node in node.value:
        line, column = _position(key_node)
        if not isinstance(key_node, ScalarNode):
            found = f"{_text(key_node)} as a key"
            document.problems.append(Problem(line, column, dotted(path), found, "a word as a key"))
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key in first:
            found = f"the same key a second time (first in line {first[key]})"
            document.problems.append(Problem(line, column, dotted(here), found, "each key once"))
            continue
        first[key] = line
        document.places.marks[here] = Mark(line, column)
        if _is_null(value_node):
            continue
        document.places.texts[here] = _text(value_node)
        data[key] = _mapping(value_node, here, document) if isinstance(value_node, MappingNode) else _value(value_node)
    return data


def _value(node: Node) -> object:
    """A plain value: text, whole number, number or truth value; a list where the file has one (no key takes a list)."""
    if not isinstance(node, ScalarNode):
        return []
    kind = str(node.tag).rpartition(":")[2]
    text = str(node.value)
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    if kind == "int":
        return _whole_number(text)
    return _number(text) if kind == "float" else text


def _number(text: str) -> float | str:
    """The number; the text itself where it is none that labctl.yaml allows (.inf, .nan)."""
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return text


def _whole_number(text: str) -> int | str:
    """The number; the text itself where it is too long to be one that labctl.yaml allows."""
    plain = text.replace("_", "")
    if len(plain) > 32:
        return text
    try:
        return int(plain, 0) if re.match(r"[-+]?0[xob]", plain) else int(plain)
    except ValueError:
        return text


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag).endswith(":null")


def _text(node: Node) -> str:
    """A value as messages show it."""
    if isinstance(node, ScalarNode):
        text = str(node.value)
        kind = str(node.tag).rpartition(":")[2]
        return shown(text) if kind in {"int", "float", "bool"} else quoted(text)
    return "a section" if isinstance(node, MappingNode) else "a list"


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
