"""The servers of a class, from an Ansible inventory: how to reach each of them, and which seats it has.

The syntax is that of Ansible's plugins ini and yaml, without templates and Vault. Other variables are ignored.
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from labctl.errors import ConfigError

GROUP = "servers"
"""The group that the playbook runs on. An inventory without it is a list of servers as a whole."""
CLASS_FOLDER = "/srv/class"
_MOST_BYTES, _MOST_SERVERS, _MOST_DEPTH = 256 * 1024, 200, 10
_SECTION = re.compile(r"\[([\w.-]+)(?::(vars|children))?\]\s*(?:#.*)?")
_RANGE = re.compile(r"\[(\d+):(\d+)\]")
# What changes how Ansible logs in, and labctl cannot do. Values are never shown: they may be passwords.
_NOT_READ = ("ansible_password", "ansible_ssh_pass", "ansible_become_password", "ansible_ssh_common_args")

Variables = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the class.

    local: it is this host. key_file: None for the user's own keys. folder: where its labctl.yaml is.
    seats, first_seat: None if the inventory does not say.
    """

    name: str
    address: str
    port: int
    user: str
    key_file: Path | None
    local: bool
    folder: str
    seats: int | None
    first_seat: int | None


@dataclass(slots=True)
class _Group:
    hosts: dict[str, Variables] = field(default_factory=dict)
    variables: Variables = field(default_factory=dict)
    children: list[str] = field(default_factory=list)


class _Inventory:
    """The groups of a file, and what is wrong with it."""

    def __init__(self) -> None:
        self.groups: dict[str, _Group] = {"all": _Group()}
        self.problems: list[str] = []

    def group(self, name: str) -> _Group:
        return self.groups.setdefault(name, _Group())

    def add_host(self, group: str, pattern: str, variables: Variables, place: str) -> None:
        names = list(_expanded(pattern))
        if len(names) > _MOST_SERVERS or not all(re.fullmatch(r"[\w.:-]+", name) for name in names):
            self.problems.append(f"{place}: {pattern}: expected a name such as server1 or server[1:3]")
            return
        for name in names:
            self.group(group).hosts.setdefault(name, {}).update(variables)

    def hosts(self) -> dict[str, Variables]:
        """The variables of each server: those of its groups, then its own, which win."""
        found: dict[str, Variables] = {}
        names = set(self._below(GROUP if GROUP in self.groups else "all", 0))
        for group in self._outer_first():
            for name in self._below(group, 0):
                if name in names:
                    found.setdefault(name, {}).update(self.groups[group].variables)
        for one in self.groups.values():
            for name, variables in one.hosts.items():
                if name in names:
                    found[name].update(variables)
        return found

    def _below(self, group: str, depth: int) -> Iterator[str]:
        """The servers of a group and of its children."""
        groups = self.groups if group == "all" else {group: self.groups.get(group, _Group())}
        for one in groups.values():
            yield from one.hosts
            if depth < _MOST_DEPTH:
                for child in one.children:
                    yield from self._below(child, depth + 1)

    def _outer_first(self) -> list[str]:
        """All groups, parents before their children."""
        depth = dict.fromkeys(self.groups, 1) | {"all": 0}
        for _ in range(_MOST_DEPTH):
            for name, group in self.groups.items():
                for child in group.children:
                    depth[child] = max(depth.get(child, 1), min(_MOST_DEPTH, depth[name] + 1))
        return sorted(self.groups, key=lambda name: depth[name])


def read_inventory(file: Path) -> tuple[Server, ...]:
    """The servers in an inventory, in its order. Raises ConfigError with all problems."""
    inventory = _Inventory()
    try:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ValueError("it is too large")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text file, or larger than 256 KiB"
        raise ConfigError(f"cannot read {file}", problems=[why]) from error
    is_yaml = file.suffix in (".yml", ".yaml", ".json")
    (_read_yaml if is_yaml else _read_ini)(text, file.name, inventory)
    servers = [_server(name, variables, inventory.problems) for name, variables in inventory.hosts().items()]
    problems = inventory.problems or list(_shared_seats(servers))
    if not servers and not problems:
        problems = [f"{file.name}: it has no servers"]
    if problems:
        raise ConfigError(f"{file} is not an inventory that labctl can use", problems=problems)
    return tuple(servers)


def _read_ini(text: str, file: str, inventory: _Inventory) -> None:
    group, kind = "all", None
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        place = f"{file}:{number}"
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and (section := _SECTION.fullmatch(line)):
            group, kind = section.groups()
            inventory.group(group)
            continue
        try:
            words = shlex.split(line, comments=kind != "vars")
        except ValueError as error:
            inventory.problems.append(f"{place}: {error}")  # "No closing quotation", without the text
            continue
        if kind == "children":
            inventory.group(group).children.append(words[0])
            inventory.group(words[0])
        elif kind == "vars":
            name, equals, value = line.partition("=")
            if equals:
                inventory.group(group).variables[name.strip()] = value.strip().strip("\"'")
            else:
                inventory.problems.append(f"{place}: expected NAME=VALUE")
        else:
            pairs = [word.partition("=") for word in words[1:]]
            if all(equals for _, equals, _ in pairs):
                inventory.add_host(group, words[0], {name: value for name, _, value in pairs}, place)
            else:
                inventory.problems.append(f"{place}: expected a server's name, and NAME=VALUE after it")


def _read_yaml(text: str, file: str, inventory: _Inventory) -> None:
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark else file
        inventory.problems.append(f"{place}: {getattr(error, 'problem', None) or 'it is not valid YAML'}")
        return
    _read_groups(data, file, inventory, parent="", depth=0)


def _read_groups(data: object, place: str, inventory: _Inventory, *, parent: str, depth: int) -> None:
    if len(inventory.groups) > _MOST_SERVERS or depth > _MOST_DEPTH:
        inventory.problems.append(f"{place}: too many groups")
        return
    for name, content in _mapping(data, place, inventory).items():
        at, keys = f"{place}: {name}", _mapping(content, f"{place}: {name}", inventory)
        group = inventory.group(name)
        if parent and name not in inventory.group(parent).children:
            inventory.group(parent).children.append(name)
        for host, variables in _mapping(keys.get("hosts"), f"{at}.hosts", inventory).items():
            inventory.add_host(name, host, _mapping(variables, f"{at}.hosts.{host}", inventory), f"{at}.hosts")
        group.variables.update(_mapping(keys.get("vars"), f"{at}.vars", inventory))
        inventory.problems += [f"{at}: unknown key {key}" for key in keys if key not in ("hosts", "vars", "children")]
        if "children" in keys and not inventory.problems:
            _read_groups(keys["children"], at, inventory, parent="" if name == "all" else name, depth=depth + 1)


def _mapping(data: object, place: str, inventory: _Inventory) -> dict[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        inventory.problems.append(f"{place}: expected names with values, as in `name: value`")
        return {}
    return {str(key): value for key, value in data.items()}


def _expanded(pattern: str) -> Iterator[str]:
    """``server[01:03]`` is three servers."""
    found = _RANGE.search(pattern)
    if not found:
        yield pattern
        return
    first, last = found.groups()
    for number in range(int(first), min(int(last), int(first) + _MOST_SERVERS) + 1):
        yield from _expanded(f"{pattern[: found.start()]}{number:0{len(first)}}{pattern[found.end() :]}")


def _server(name: str, variables: Variables, problems: list[str]) -> Server:
    def text(*names: str, default: str = "") -> str:
        found = next((str(variables[known]) for known in names if variables.get(known) is not None), default)
        if "{{" in found:
            problems.append(f"{name}: {names[0]}: labctl does not evaluate templates")
        return found

    def number(*names: str, most: int) -> int | None:
        found = text(*names)
        if found and not (found.isascii() and found.isdigit() and 1 <= int(found) <= most):
            problems.append(f"{name}: {names[0]}: {found}; allowed: a number from 1 to {most}")
            return None
        return int(found) if found else None

    problems += [
        f"{name}: {unread}: labctl cannot use it; it logs in with a key" for unread in _NOT_READ if unread in variables
    ]
    key, folder = (
        text("ansible_ssh_private_key_file", "ansible_private_key_file"),
        text("class_folder", default=CLASS_FOLDER),
    )
    if not folder.startswith("/"):
        problems.append(f"{name}: class_folder: {folder}; allowed: an absolute path")
    return Server(
        name=name,
        address=text("ansible_host", "ansible_ssh_host", default=name),
        port=number("ansible_port", "ansible_ssh_port", most=65535) or 22,
        user=text("ansible_user", "ansible_ssh_user") or getpass.getuser(),
        key_file=Path(key).expanduser() if key else None,
        local=text("ansible_connection") == "local",
        folder=folder,
        seats=number("seats", most=99),
        first_seat=number("first_seat", most=99),
    )


def _shared_seats(servers: list[Server]) -> Iterator[str]:
    """Seats that two servers have: their names say nothing any more."""
    owner: dict[int, str] = {}
    for server in servers:
        if server.seats is None or server.first_seat is None:
            continue
        first = server.first_seat
        shared = {owner[number] for number in range(first, first + server.seats) if number in owner}
        if shared:
            others, last = ", ".join(sorted(shared)), first + server.seats - 1
            yield f"{server.name}: some of its seats, {first} to {last}, belong to {others}, too; change first_seat"
        owner.update(dict.fromkeys(range(first, first + server.seats), server.name))
