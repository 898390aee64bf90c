"""Values that would be code elsewhere, at every key that takes text: each is refused, in exactly these words.

What a refusal does not stop is written by quoting (tests/unit/steps/test_quoting.py), which holds on its own.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.config import parse
from labctl.config.keys import KeyPath, all_keys, allowed_at, section_at
from labctl.config.problems import quoted
from labctl.errors import ConfigError

# A value of each key that takes text that is right, in a labctl.yaml of its own.
RIGHT: dict[str, str] = {
    "name": "lab", "provider": "lxc", "source": "debian", "network.subnet": "192.168.50.0/24",
    "network.pod_cidr": "172.16.0.0/16", "network.service_cidr": "10.96.0.0/12", "network.encapsulation": "none",
    "ingress.vip": "192.168.50.20", "bgp.next_hop": "auto", "bgp.mesh": "full", "app.host": "test.local",
    "app.image": "jmalloc/echo-server:latest", "versions.kubernetes": "1.35", "versions.calico": "3.32.1",
    "versions.controller": "3.2.11", "versions.haproxy": "3.2", "sources.cache": "/srv/cache",
    "sources.kubernetes": "http://mirror/k", "sources.containerd": "https://m.example/c",
    "sources.calico": "https://mirror", "sources.controller": "http://m",
    "sources.haproxy": "http://m:80/x", "sources.images": "http://m/", "sources.distribution": "http://m/debian",
    "sources.boxes": "http://m/~x", "box.name": "bento/debian-13", "box.version": "202510.26.0",
    "box.mirror": "http://deb.debian.org/debian", "classroom.first_subnet": "192.168.101.0/24",
    "classroom.first_service_cidr": "10.101.0.0/16",
}  # fmt: skip
# For a shell, Ruby, ERB, Jinja2, systemd, YAML, BIRD, HAProxy and a terminal; and what no name of anything has.
HOSTILE = [
    "'", '"', "\\", "`id`", "$(id)", "${HOME}", "$HOME", ";id", "|id", "&&id", ">x", "<x", "*", "?", "!x", "(x)", "[x]",
    "{x}", "#{exit 7}", "<%= exit 7 %>", "{{ lab.name }}", "{% raw %}", "{# x #}", "%n", "$$", " x", "x ", " # x",
    ": x", "\n", "\nx: y", "\r\n", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\u00a0", "\u200b", "\u2028", "\u202e",
    "\ufeff", "ä", "٣", "😀", "\U0010fffe", "'; exec id; '", '"; }\nprotocol static {} #', "\n  stats socket /x",
    "\nExecStartPre=/bin/id\n", "@x\n", "=", ",",
]  # fmt: skip
LONG = 100_000


def document(key: str, value: str) -> bytes:
    """A labctl.yaml with one value, written with YAML's escapes."""
    section, _, name = key.rpartition(".")
    text = "".join(char if " " <= char <= "~" else f"\\U{ord(char):08x}" for char in value.replace("\\", "\\\\"))
    line = '{}: "{}"\n'.format(name, text.replace('"', '\\"'))
    return f"{section}:\n  {line}".encode() if section else line.encode()


def problems(key: str, value: str) -> tuple[str, ...]:
    try:
        parse(document(key, value))
    except ConfigError as error:
        return tuple(error.problems)
    return ()


def place(key: str) -> str:
    return f"labctl.yaml:{1 + key.count('.')}: {key}"


def test_every_key_that_takes_text_is_here() -> None:
    def takes_text(path: KeyPath) -> bool:
        return section_at(path) is None and not allowed_at(path).startswith(("a whole number", "a number", "true or"))

    assert set(RIGHT) == {".".join(path) for path in all_keys() if takes_text(path)}


@pytest.mark.parametrize("key", RIGHT)
def test_what_would_be_code_is_refused_wherever_it_stands(key: str) -> None:
    right = RIGHT[key]
    assert not any(problem.startswith(f"{place(key)}: {quoted(right)}") for problem in problems(key, right))
    half = len(right) // 2
    for hostile in HOSTILE:
        for value in (hostile, right + hostile, hostile + right, right[:half] + hostile + right[half:]):
            said = problems(key, value)
            start = f"{place(key)}: {quoted(value)}; allowed: {allowed_at(tuple(key.split('.')))}"
            assert [problem.partition("; did you mean")[0] for problem in said] == [start]
            assert said[0].isprintable() and len(said[0]) < 500


@pytest.mark.parametrize("key", RIGHT)
def test_what_is_too_long_is_refused_and_not_shown_whole(key: str) -> None:
    right = RIGHT[key]
    for value in ("a" * LONG, right + "a" * LONG, right + "/a" * LONG, right + "1" * LONG, right + ".1" * LONG):
        (said,) = problems(key, value)
        assert said.startswith(f"{place(key)}: {quoted(value)}; allowed: ")
        assert len(said) < 500


@pytest.mark.parametrize("key", RIGHT)
@settings(max_examples=30)
@given(value=st.text(max_size=60))
def test_what_is_taken_is_a_plain_word(key: str, value: str) -> None:
    """None of what any of the languages gives a meaning to, and nothing that is not on every keyboard."""
    if any(problem.startswith(place(key)) for problem in problems(key, value)):
        return
    assert not set(value) & set(" '\"\\`$;|&<>*?!()[]{}#=,\n\r\t\0")
    assert value.isascii() and value.isprintable()


def test_ten_megabytes_are_not_read_to_their_end() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b'name: "' + b"a" * 10_000_000 + b'"\n')
    assert caught.value.problems == ("labctl.yaml:1: a file that is too large; allowed: at most 256 KiB",)


def test_a_bomb_of_anchors_is_refused_at_its_first_anchor() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)]
    with pytest.raises(ConfigError) as caught:
        parse("\n".join(lines).encode())
    assert caught.value.problems[:2] == (
        "labctl.yaml:1: an anchor (&a); allowed: plain keys and values",
        "labctl.yaml:2: an anchor (&b); allowed: plain keys and values",
    )


def test_the_written_value_is_the_value() -> None:
    """The document above says what it is meant to say."""
    import yaml

    for hostile in HOSTILE:
        assert yaml.safe_load(document("app.host", hostile)) == {"app": {"host": hostile}}, json.dumps(hostile)
