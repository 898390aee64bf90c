"""Every value that is quoted for a language is read back by that language exactly, or is refused beforehand.

Many values go through one run of the real program: bash, Ruby, BIRD and systemd's own reader of environment files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import jinja2
import pytest
import ruamel.yaml
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.errors import LabctlError
from labctl.steps import quoting
from labctl.steps.quoting import QuotingError
from labctl.steps.templates import render_template

pytestmark = pytest.mark.real_program("30-systemd-environment-d-generator", "bash", "bird", "birdc", "ruby")

HOSTILE = [
    "",
    " ",
    "plain",
    "two words",
    "'",
    '"',
    "''",
    "it's",
    '"quoted"',
    "\\",
    "\\\\",
    "\\'",
    '\\"',
    "ends with \\",
    "$HOME",
    "${HOME}",
    "$(touch /tmp/labctl-was-here)",
    "`touch /tmp/labctl-was-here`",
    "; touch /tmp/labctl-was-here",
    "#{exit 7}",
    "#comment",
    " # comment",
    "{{ lab.name }}",
    "{% raw %}",
    "{# no #}",
    "%i",
    "%%h",
    "$$",
    "!history",
    "*",
    "~",
    "-n",
    "--",
    "=",
    "a=b",
    "a: b",
    "- a",
    "[a, b]",
    "{a: b}",
    "&anchor",
    "*alias",
    "!!python/object:os.system",
    "|",
    ">",
    "null",
    "yes",
    "on",
    "0x10",
    "010",
    "1_000",
    "1e3",
    ".inf",
    "12:30:45",
    "2024-01-01",
    "protocol",
    "RTS_BGP",
    "ä",
    "日本",
    "😀",
    "\\ud83d\\ude00",
    "\\U0001f600",
    "\u00a0",
    "\u0085",
    "\u2028",
    "\ufeff",
    "<<EOF",
    "__END__",
    "=begin",
]
UNWRITABLE = ["\0", "a\0b", "\n", "a\nb", "\r", "\t", "\x1b[31m", "\x7f"]
UNWRITABLE += ["\ud800", "a\udfff", "\uffff", "\ufdd0", "\U0010fffe"]

# Any text at all: half surrogate pairs and noncharacters included.
ANY_TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=())) | st.sampled_from(HOSTILE + UNWRITABLE)
MANY = st.lists(ANY_TEXT, min_size=20, max_size=60)
# One run of a program per example, so few examples of many values each.
few = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
many = settings(max_examples=100, deadline=None)


def program(name: str) -> str:
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") or pytest.skip(f"{name} is not installed")


def writable(quote: Callable[[object], str], values: list[str]) -> dict[str, str]:
    """The values that are not refused, each with how it is written."""
    written = {}
    for value in values:
        try:
            written[value] = quote(value)
        except QuotingError:
            continue
    return written


@pytest.mark.parametrize("language", ["sh", "rb", "service", "env", "bird", "plain", "conf", "default"])
@pytest.mark.parametrize("value", UNWRITABLE)
def test_what_no_line_can_hold_is_refused(language: str, value: str) -> None:
    with pytest.raises(QuotingError):
        quoting.QUOTES[language](value)


@pytest.mark.parametrize("language", ["yaml", "toml"])
@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_half_a_surrogate_pair_is_refused_where_the_rest_has_escapes(language: str, value: str) -> None:
    with pytest.raises(QuotingError):
        quoting.QUOTES[language](value)


@pytest.mark.parametrize("language", ["sh", "rb", "yaml", "toml", "env"])
def test_ordinary_hostile_values_are_not_refused(language: str) -> None:
    assert list(writable(quoting.QUOTES[language], HOSTILE)) == HOSTILE


def read_by_bash(words: str) -> list[str]:
    script = f'for word in {words}; do printf "%s\\0" "$word"; done'
    done = subprocess.run([program("bash"), "-c", script], capture_output=True, check=True, env={"HOME": "/nowhere"})
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


@few
@given(MANY)
def test_bash_reads_the_value_back(values: list[str]) -> None:
    written = writable(quoting.shell, HOSTILE + UNWRITABLE + values)
    assert read_by_bash(" ".join(written.values())) == list(written)
    assert read_by_bash(quoting.shell(list(written))) == list(written)  # a list becomes several words


@few
@given(MANY)
def test_ruby_reads_the_value_back(values: list[str]) -> None:
    ruby = program("ruby")
    written = writable(quoting.ruby, HOSTILE + UNWRITABLE + values)
    source = "".join(f"STDOUT.write([{text}].pack('u0').unpack1('u'), 0.chr)\n" for text in written.values())
    done = subprocess.run([ruby, "--disable-gems", "-"], input=source.encode(), capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == list(written)


@many
@given(ANY_TEXT)
def test_yaml_reads_the_value_back(value: str) -> None:
    for text, written in writable(quoting.yaml, [value]).items():
        document = f"key: {written} # comment\nflow: [{written}, {written}]\n"
        expected = {"key": text, "flow": [text, text]}
        assert yaml.safe_load(document) == expected
        assert ruamel.yaml.YAML(typ="safe", pure=True).load(document) == expected


SCALARS = st.none() | st.booleans() | st.integers() | ANY_TEXT


@settings(many, max_examples=30)
@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=8))
def test_yaml_reads_collections_back(value: object) -> None:
    try:
        written = quoting.yaml(value)
    except QuotingError:
        assert re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False))
        return
    assert yaml.safe_load(f"key: {written}\n") == {"key": value}


@many
@given(ANY_TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.lists(ANY_TEXT))
def test_toml_reads_the_value_back(value: object) -> None:
    try:
        written = quoting.toml(value)
    except QuotingError:
        assert re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False))
        return
    assert tomllib.loads(f"key = {written} # comment\n") == {"key": value}


def test_toml_has_no_null() -> None:
    with pytest.raises(QuotingError):
        quoting.toml(None)


def read_environment_file(text: str) -> str:
    """The value after ``NAME=`` by the rules of systemd's reader (systemd v252, src/basic/env-file.c)."""
    if not text.startswith('"'):
        assert not re.search(r"[\s\"'\\]", text)
        return text
    value, rest = "", text[1:]
    while not rest.startswith('"'):
        if rest[0] == "\\":
            escaped = rest[1]
            value += escaped if escaped in '"\\`$' else "\\" + escaped
            rest = rest[2:]
        else:
            value += rest[0]
            rest = rest[1:]
    assert rest == '"'
    return value


@many
@given(ANY_TEXT)
def test_an_environment_file_holds_the_value_by_systemd_s_rules(value: str) -> None:
    for text, written in writable(quoting.environment, [value]).items():
        assert read_environment_file(written) == text
        assert "\n" not in written
        assert "\r" not in written


GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")


@few
@given(MANY)
def test_systemd_itself_reads_an_environment_file_back(tmp_path: Path, values: list[str]) -> None:
    """systemd's generator reads such files with the same code.

    Left out are values with ``$``, which it then expands, and with ``~``, which it does not quote when it prints.
    """
    if not GENERATOR.is_file():
        pytest.skip("systemd's environment generator is not installed")
    # It leaves empty values out, and prints the others as a shell reads them.
    wanted = [text for text in HOSTILE + UNWRITABLE + values if text and not set(text) & set("$~")]
    written = writable(quoting.environment, wanted)
    folder = tmp_path / "environment.d"
    folder.mkdir(exist_ok=True)
    lines = [f"LABCTL_{index}={line}\n" for index, line in enumerate(written.values())]
    (folder / "a.conf").write_text("".join(lines), encoding="utf-8")
    home = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([GENERATOR], env=home, capture_output=True, check=True)
    assert done.stderr == b""
    script = done.stdout + b"for name in ${!LABCTL_*}; do printf '%s=%s\\0' $name \"${!name}\"; done\n"
    printed = subprocess.run([program("bash"), "-s"], input=script, env=home, capture_output=True, check=True).stdout
    read = dict(entry.split("=", 1) for entry in printed.decode().split("\0") if entry)
    assert [read[f"LABCTL_{index}"] for index in range(len(written))] == list(written)


def read_command_line_word(text: str) -> str:
    """One word of ``ExecStart=`` (systemd.service(5), "Command lines"; systemd.syntax(7), "Quoting")."""
    if text.startswith('"'):
        assert text.endswith('"')
        text = re.sub(r'\\(["\\])', r"\1", text[1:-1])
    else:
        assert not re.search(r"[\s\"'\\;]", text)
    assert "%" not in text.replace("%%", "")
    assert "$" not in text.replace("$$", "")
    return text.replace("%%", "%").replace("$$", "$")


@many
@given(ANY_TEXT)
def test_a_word_of_a_unit_s_command_line_is_read_back_by_systemd_s_rules(value: str) -> None:
    for text, written in writable(quoting.systemd, [value]).items():
        assert read_command_line_word(written) == text


@few
@given(MANY)
def test_bird_reads_the_value_back(tmp_path: Path, values: list[str]) -> None:
    """A real BIRD, without any routes, is given the values as descriptions and asked for them."""
    bird, birdc = program("bird"), program("birdc")
    written = {
        text: line
        for text, line in writable(quoting.bird, HOSTILE + UNWRITABLE + values).items()
        if not re.search(r"[\x80-\x9f\u2028\u2029]", text)  # birdc's answer is read in lines
    }
    config, control = tmp_path / "bird.conf", tmp_path / "bird.ctl"
    blocks = [
        f"protocol static p{index} {{\n  disabled;\n  description {line};\n  ipv4;\n}}\n"
        for index, line in enumerate(written.values())
    ]
    config.write_text("router id 10.0.0.1;\n" + "".join(blocks), encoding="utf-8")
    subprocess.run([bird, "-p", "-c", config], check=True)
    daemon = subprocess.Popen([bird, "-f", "-c", config, "-s", control, "-P", tmp_path / "pid"])
    try:
        ask, until = [birdc, "-s", control, "show", "protocols", "all"], time.monotonic() + 10
        while (done := subprocess.run(ask, capture_output=True, check=False)).returncode and time.monotonic() < until:
            time.sleep(0.01)  # the socket is there a moment before BIRD listens
        assert done.returncode == 0, done.stderr
    finally:
        daemon.kill()
        daemon.wait()
        control.unlink(missing_ok=True)
    shown = re.split(r"^(p[0-9]+) .*\n", done.stdout.decode(), flags=re.MULTILINE)[1:]
    answers = dict(zip(shown[::2], shown[1::2], strict=True))
    for index, text in enumerate(written):
        found = re.search(r"^  Description:    (.*)$", answers[f"p{index}"], flags=re.MULTILINE)
        assert (found[1] if found else "") == text


def test_bird_gets_text_in_quotes_even_where_it_looks_like_a_name() -> None:
    assert quoting.bird("protocol") == '"protocol"'
    with pytest.raises(QuotingError):
        quoting.bird('a"b')


@pytest.mark.parametrize("value", ["worker-1", "", "1a", "a b", "a;", "a\n", "ä", "'a'"])
def test_only_a_name_becomes_a_bird_symbol(value: str) -> None:
    with pytest.raises(QuotingError):
        quoting.bird_symbol(value)
    assert quoting.bird_symbol("worker1") == "worker1"


@many
@given(ANY_TEXT)
def test_a_plain_word_is_one_word_without_a_comment(value: str) -> None:
    for text, written in writable(quoting.plain, [value]).items():
        assert written == text
        assert re.fullmatch(r"[!-~]+", text)
        assert not set(text) & set("#;\"'\\$`")


@pytest.mark.parametrize("language", ["sh", "yaml", "toml", "bird", "plain", "env", "conf"])
@pytest.mark.parametrize("value", [IPv4Address("10.0.0.1"), IPv4Network("10.0.0.0/8"), 65000])
def test_numbers_addresses_and_networks_are_written_as_they_are(language: str, value: object) -> None:
    assert quoting.QUOTES[language](value).strip('"') == str(value)


@pytest.mark.parametrize(("language", "expected"), [("rb", "true"), ("yaml", "true"), ("toml", "true"), ("sh", "true")])
def test_a_boolean_is_the_language_s_own(language: str, expected: str) -> None:
    assert quoting.QUOTES[language](True) == expected


NAMES = ["a.sh.j2", "Vagrantfile.j2", "a.yaml.j2", "a.toml.j2", "a.env.j2", "bird.conf.j2", "hosts.j2"]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_s_file_name_decides_the_language(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{{ value }}")
    language = {"Vagrantfile.j2": "rb", "bird.conf.j2": "bird", "hosts.j2": "plain"}.get(name) or name.split(".")[1]
    value = "word" if language == "plain" else "it's {{ not }} a $word"
    assert render_template(tmp_path, name, {"value": value}) == quoting.QUOTES[language](value)


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\0"])
def test_what_is_put_as_it_is_never_ends_the_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.sh.j2").write_text("# {{ value | raw }}\n")
    assert render_template(tmp_path, "a.sh.j2", {"value": "$(as it is)"}) == "# $(as it is)\n"
    with pytest.raises(LabctlError):
        render_template(tmp_path, "a.sh.j2", {"value": text})


def test_an_undefined_value_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.sh.j2").write_text("echo {{ nowhere }}\n")
    with pytest.raises(LabctlError, match=r"a\.sh\.j2 cannot be rendered") as caught:
        render_template(tmp_path, "a.sh.j2", {})
    assert "nowhere" in caught.value.why
    assert isinstance(caught.value.__cause__, jinja2.UndefinedError)
