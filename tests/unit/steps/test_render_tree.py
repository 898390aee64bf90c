"""What a rendered tree consists of, and how it is written: repeatable, tidy, and never outside its folder."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath

import pytest
from support.fake_host import FakeHost

from labctl.errors import LabctlError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.steps.templates import render_template
from labctl.steps.tree import RenderedFile, Tree, machine_tree, render_tree
from labctl.steps.write import prepare, write_tree

JOIN_HASH = "sha256:" + "ab" * 32


def rendered(lab: Lab) -> Tree:
    return render_tree(lab, join_hash=JOIN_HASH, box_file=None)


def small(**files: str) -> Tree:
    return {PurePosixPath(name.replace("__", "/")): RenderedFile(text.encode()) for name, text in files.items()}


def digests(lab: Lab, machine: str) -> dict[str, str]:
    content = machine_tree(lab, lab.machine(machine), join_hash=JOIN_HASH)[PurePosixPath("digests")].content
    return dict(line.split() for line in content.decode().splitlines())


def test_same_lab_same_bytes(article_lab: Lab) -> None:
    first, second = rendered(article_lab), rendered(article_lab)
    assert first == second
    other = replace(article_lab, app=replace(article_lab.app, replicas=article_lab.app.replicas + 1))
    assert rendered(other) != first


def test_each_machine_gets_its_own_steps(article_lab: Lab) -> None:
    tree = rendered(article_lab)

    def steps(machine: str) -> set[str]:
        folder = PurePosixPath("machines", machine, "steps")
        return {path.name.split(".")[0] for path in tree if path.parent == folder}

    assert steps("ingress") == {"base", "haproxy", "controller", "bird"}
    assert steps("controlplane") == {"base", "runtime", "kubernetes", "control-plane", "calico", "bgp-peers", "app"}
    assert steps("worker1") == steps("worker2") == {"base", "runtime", "kubernetes", "join", "calico"}
    assert tree[PurePosixPath("machines/worker1/run")].mode == 0o755
    assert tree[PurePosixPath("machines/worker1/steps/join.sh")].mode == 0o755
    assert tree[PurePosixPath("machines/ingress/files/bird.conf")].mode == 0o644


def test_programs_for_the_machines_hold_no_leftovers(article_lab: Lab) -> None:
    programs = [path for path in rendered(article_lab) if "programs" in path.parts]
    assert PurePosixPath("machines/ingress/programs/labctl/standins/controller/haproxy.cfg.j2") in programs
    assert PurePosixPath("machines/worker1/programs/labctl/model/blocks.py") in programs
    assert not [path for path in programs if "__pycache__" in path.parts or path.suffix == ".pyc"]
    assert not [path for path in programs if path.parts[4] in {"engine", "secrets", "cli"}]


def test_programs_have_unix_line_endings_in_a_checkout_on_windows(
    article_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path).replace(b"\n", b"\r\n"))
    programs = [file for path, file in rendered(article_lab).items() if "programs" in path.parts]
    assert programs
    assert not any(b"\r" in file.content for file in programs)


def test_only_the_steps_that_a_change_concerns_run_again(article_lab: Lab) -> None:
    app = replace(article_lab, app=replace(article_lab.app, host="other.example"))
    before, after = digests(article_lab, "controlplane"), digests(app, "controlplane")
    assert {step for step in before if before[step] != after[step]} == {"app"}
    assert digests(article_lab, "worker1") == digests(app, "worker1")
    network = replace(article_lab, network=replace(article_lab.network, as_number=64999))
    before, after = digests(article_lab, "ingress"), digests(network, "ingress")
    assert {step for step in before if before[step] != after[step]} == {"bird"}
    before, after = digests(article_lab, "controlplane"), digests(network, "controlplane")
    assert {step for step in before if before[step] != after[step]} == {"bgp-peers"}


def test_a_changed_program_is_copied_and_what_it_is_started_by_runs_again(
    article_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(machine: str) -> set[str]:
        with monkeypatch.context() as patch:
            before = digests(article_lab, machine)
            patch.setattr("labctl.steps.tree._programs", lambda: small(programs__labctl__new="print()"))
            after = digests(article_lab, machine)
        return {step for step in before if before[step] != after[step]}

    assert changed("worker1") == changed("controlplane") == {"base", "calico"}
    assert changed("ingress") == {"base", "controller"}


def test_lab_json_says_what_the_lab_is(article_lab: Lab) -> None:
    lab = json.loads(rendered(article_lab)[PurePosixPath("lab.json")].content)
    assert lab["provider"] == "lxc"
    assert [(machine["name"], machine["address"]) for machine in lab["machines"]] == [
        ("ingress", "192.168.50.21"),
        ("controlplane", "192.168.50.22"),
        ("worker1", "192.168.50.23"),
        ("worker2", "192.168.50.24"),
    ]


def test_no_secret_is_in_a_rendered_file(article_lab: Lab, tmp_path: Path) -> None:
    files = LabDirectory(tmp_path)
    prepare(article_lab, files, box_file=None, host=FakeHost())
    token = (files.secrets / "bootstrap-token").read_bytes().strip()
    secret_files = [path for path in files.secrets.rglob("*") if path.is_file()]
    keys = [path for path in secret_files if b"PRIVATE KEY" in path.read_bytes()[:64]]
    private = {line for path in keys for line in path.read_bytes().splitlines() if len(line) > 30}
    assert len(keys) > 10
    assert len(private) > 30
    others = [path for path in files.folder.rglob("*") if path.is_file() and files.secrets not in path.parents]
    assert len(others) > 50
    for path in others:
        content = path.read_bytes()
        assert token not in content, path
        assert b"-----BEGIN" not in content, path
        assert not [line for line in private if line in content], path


def test_what_did_not_change_is_not_written(tmp_path: Path) -> None:
    tree = {**small(a="1", deep__b="2"), PurePosixPath("run"): RenderedFile(b"3", 0o755)}
    assert write_tree(tmp_path, tree) == [PurePosixPath("a"), PurePosixPath("deep/b"), PurePosixPath("run")]
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755
    written = (tmp_path / "a").stat().st_mtime_ns
    assert write_tree(tmp_path, tree) == []
    assert (tmp_path / "a").stat().st_mtime_ns == written
    (tmp_path / "a").write_text("changed by hand")
    assert write_tree(tmp_path, tree) == [PurePosixPath("a")]
    assert (tmp_path / "a").read_text() == "1"


def test_stale_files_go_with_their_folders_and_nothing_else(tmp_path: Path) -> None:
    write_tree(tmp_path, small(a="1", machines__worker2__steps__join="2", machines__worker1__run="3"))
    (tmp_path / "notes.txt").write_text("the user's")
    changed = write_tree(tmp_path, small(a="1", machines__worker1__run="3"))
    assert changed == [PurePosixPath("machines/worker2/steps/join")]
    assert not (tmp_path / "machines/worker2").exists()
    assert (tmp_path / "machines/worker1/run").read_text() == "3"
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.parametrize(
    "names",
    [
        lambda folder: json.dumps(["../victim"]),
        lambda folder: json.dumps(["sub/../../victim"]),
        lambda folder: json.dumps([str(folder / "victim")]),
        lambda folder: json.dumps({"../victim": 1}),
        lambda folder: json.dumps([["../victim"], None, 7, "", "."]),
        lambda folder: '"../victim"',
        lambda folder: json.dumps(["nul\0", "surrogate\ud800"]),
        lambda folder: "not json",
        lambda folder: "[" * 100_000,
        lambda folder: "\udcff",
    ],
)
def test_a_hostile_list_of_rendered_files_is_harmless(tmp_path: Path, names: Callable[[Path], str]) -> None:
    (tmp_path / "victim").write_text("stays")
    folder = tmp_path / "lab"
    (folder / "sub").mkdir(parents=True)
    (folder / "rendered.json").write_bytes(names(tmp_path).encode(errors="surrogateescape"))
    write_tree(folder, small(a="1"))
    assert (tmp_path / "victim").read_text() == "stays"
    assert (folder / "a").read_text() == "1"


def test_a_listed_link_out_of_the_folder_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "victim").write_text("stays")
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "rendered.json").write_text(json.dumps(["link/victim"]))
    write_tree(folder, small(a="1"))
    assert (tmp_path / "outside" / "victim").exists()


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(LabctlError) as caught:
        write_tree(tmp_path, small(a="1"))
    assert caught.value.where == str(tmp_path / "a")


def test_an_undefined_variable_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "step.sh.j2").write_text("echo {{ nobody_set_this }}\n")
    with pytest.raises(LabctlError) as caught:
        render_template(tmp_path, "step.sh.j2", {})
    assert "nobody_set_this" in caught.value.why
    assert caught.value.where == "step.sh.j2"


@pytest.mark.parametrize("text", ["{{ open", "{% if %}", "{{ 'x' | no_such_filter }}", "{{ lab.no_such_field }}"])
def test_a_broken_template_is_a_labctl_error(tmp_path: Path, article_lab: Lab, text: str) -> None:
    (tmp_path / "step.sh.j2").write_text(text)
    with pytest.raises(LabctlError):
        render_template(tmp_path, "step.sh.j2", {"lab": article_lab})


def test_a_missing_template_is_a_labctl_error(tmp_path: Path) -> None:
    with pytest.raises(LabctlError):
        render_template(tmp_path, "none.sh.j2", {})


def test_values_are_quoted_for_the_language_of_the_file(tmp_path: Path) -> None:
    values: dict[str, object] = {"word": "a b#{c}$d", "address": IPv4Address("10.0.0.1")}
    expected = {
        "step.sh.j2": "'a b#{c}$d' 10.0.0.1",
        "Vagrantfile.j2": "'a b#{c}$d' '10.0.0.1'",
        "x.yaml.j2": '"a b#{c}$d" "10.0.0.1"',
        "x.env.j2": '"a b#{c}\\$d" 10.0.0.1',
        "bird.conf.j2": '"a b#{c}$d" 10.0.0.1',
    }
    for name, text in expected.items():
        (tmp_path / name).write_text("{{ word }} {{ address }}")
        assert render_template(tmp_path, name, values) == text
    (tmp_path / "hosts.j2").write_text("{{ word }}")
    with pytest.raises(LabctlError):
        render_template(tmp_path, "hosts.j2", values)
