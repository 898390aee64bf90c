"""How Vagrant is called and what becomes of its errors. ``vagrant`` is a STAND-IN here: a small script that notes its
arguments and its environment. The real one is at work in tests/lab."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fake_host import FakeHost
from support.stand_ins import StandIns

from labctl.errors import HostError, LabctlError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider
from labctl.providers.registry import provider_of
from labctl.providers.snapshots import Snapshot
from labctl.providers.vagrant import Vagrant
from labctl.steps.write import prepare

pytestmark = pytest.mark.real_program("bash", "python", "timeout")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return StandIns(folder)


@pytest.fixture
def files(tmp_path: Path) -> LabDirectory:
    made = LabDirectory(tmp_path / "lab")
    made.folder.mkdir(parents=True)
    return made


def machines(lab: Lab, files: LabDirectory) -> Any:
    """The provider's object, which runs the stand-in."""
    return provider_of(lab, files, Host())


def vagrant(lab: Lab, files: LabDirectory) -> Vagrant:
    """Its Vagrant."""
    found: Vagrant = machines(lab, files).vagrant
    return found


def nobody(_: str) -> None:
    """Hears nothing."""


def test_all_machines_are_booted_with_one_call_without_provisioning(
    programs: StandIns, files: LabDirectory, article_lab: Lab
) -> None:
    programs.add("vagrant", r"print('==> \x1b[1mworker1: Importing\x1b[0m')")
    heard: list[str] = []
    names = [machine.name for machine in article_lab.machines]
    machines(article_lab, files).boot(names, heard.append)
    assert len(programs.calls) == 1
    assert programs.calls[0][0] == "up"
    assert {"--no-provision", "--provider=lxc"} == {word for word in programs.calls[0][1:] if word != "--"}
    assert programs.folders == [str(files.folder)]
    assert heard == ["==> worker1: Importing"]


def test_plugins_that_the_user_installed_are_in_the_labs_own_vagrant_home(
    programs: StandIns, files: LabDirectory, article_lab: Lab, tmp_path: Path
) -> None:
    """As Debian 13's users install vagrant-lxc: `vagrant plugin install` writes to the user's Vagrant home."""
    programs.add("vagrant")
    home = tmp_path / "home/.vagrant.d"
    (home / "gems/3.3.8/gems/vagrant-lxc-1.4.3").mkdir(parents=True)
    (home / "plugins.json").write_text('{"installed": {"vagrant-lxc": {}}}')
    lab = Vagrant(article_lab, files, Host(home=home.parent), errors=(), deadlines={"halt": 60})
    for _ in range(2):
        lab.halt()
        own = Path(programs.environment["VAGRANT_HOME"])
        assert own != home
        assert "vagrant-lxc" in (own / "plugins.json").read_text()
        assert (own / "gems/3.3.8/gems/vagrant-lxc-1.4.3").is_dir()
    shutil.rmtree(home)
    lab.halt()
    assert not (own / "gems").exists()


def test_some_machines_are_named_by_a_pattern_that_fits_them_alone(
    programs: StandIns, files: LabDirectory, article_lab: Lab
) -> None:
    import re

    programs.add("vagrant")
    machines(article_lab, files).boot(["worker1", "ingress"], nobody)
    pattern = next(word for word in programs.calls[0] if word.startswith("/"))
    assert pattern.endswith("/")
    fitting = [name for name in ("ingress", "controlplane", "worker1", "worker10") if re.search(pattern[1:-1], name)]
    assert fitting == ["ingress", "worker1"]


def test_vagrant_looks_up_nothing_and_keeps_the_lab_s_data_with_the_lab(
    programs: StandIns, files: LabDirectory, article_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAGRANT_HOME", "/elsewhere")
    monkeypatch.setenv("VAGRANT_DEFAULT_PROVIDER", "virtualbox")
    monkeypatch.setenv("OF_THE_USER", "kept")
    monkeypatch.setenv("LC_ALL", "C")
    programs.add("vagrant")
    vagrant(article_lab, files).halt()
    assert programs.environment["VAGRANT_CHECKPOINT_DISABLE"] == "1"
    assert programs.environment["VAGRANT_BOX_UPDATE_CHECK_DISABLE"] == "1"
    assert programs.environment["VAGRANT_DEFAULT_PROVIDER"] == "lxc"
    assert programs.environment["VAGRANT_HOME"] == str(files.vagrant_home)
    assert programs.environment["OF_THE_USER"] == "kept"
    assert programs.environment["LC_ALL"] == "C.UTF-8"  # or Ruby fails on a path with an umlaut
    assert os.environ["VAGRANT_HOME"] == "/elsewhere"
    vagrant(replace(article_lab, provider=Provider.VIRTUALBOX), files).halt()
    assert programs.environment["VAGRANT_HOME"] == "/elsewhere"  # a public box is shared by the user's labs


def test_halt_and_destroy_ask_no_question(programs: StandIns, files: LabDirectory, article_lab: Lab) -> None:
    programs.add("vagrant")
    vagrant(article_lab, files).halt()
    vagrant(article_lab, files).destroy()
    assert programs.calls == [["halt"], ["destroy", "--force"]]


def test_states_are_read_from_vagrant_s_machine_readable_output(
    programs: StandIns, files: LabDirectory, article_lab: Lab
) -> None:
    lines = [
        f"1700000000,{name},{kind},{value}"
        for name, state in (("ingress", "running"), ("worker1", "not_created"))
        for kind, value in (("metadata", "provider,lxc"), ("provider-name", "lxc"), ("state", state))
    ]
    programs.add("vagrant", f"print({chr(10).join(lines)!r})")
    assert vagrant(article_lab, files).states() == {"ingress": "running", "worker1": "not_created"}
    assert programs.calls == [["status", "--machine-readable"]]


Call = Callable[[Vagrant], object]
CALLS: dict[str, Call] = {
    "up": lambda vagrant: vagrant.up(["worker1"], nobody),
    "halt": lambda vagrant: vagrant.halt(),
    "destroy": lambda vagrant: vagrant.destroy(),
    "status": lambda vagrant: vagrant.states(),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_failure_carries_vagrant_s_last_lines_of_this_call_only(
    programs: StandIns, files: LabDirectory, article_lab: Lab, what: str
) -> None:
    log = files.logs / "vagrant.log"
    log.parent.mkdir()
    log.write_text("an error of yesterday\n")
    words = "for n in range(30): print('line', n, file=sys.stderr)"
    programs.add("vagrant", f"{words}\nsys.exit('\\x1b[31mthe cause\\x1b[0m\\n')")
    with pytest.raises(LabctlError) as caught:
        CALLS[what](vagrant(article_lab, files))
    assert caught.value.what == f"vagrant {what} failed"
    assert caught.value.where == str(files.folder)
    lines = caught.value.why.splitlines()
    assert (len(lines), lines[-2:]) == (12, ["line 29", "the cause"])
    assert caught.value.next_step == f"labctl {what}"
    assert log.read_text().startswith("an error of yesterday\n")


def test_a_failure_without_a_word_gives_the_status(programs: StandIns, files: LabDirectory, article_lab: Lab) -> None:
    (files.folder / "logs").mkdir()
    (files.folder / "logs/vagrant.log").write_text("an error of yesterday\n")
    programs.add("vagrant", "sys.exit(9)")
    with pytest.raises(LabctlError) as caught:
        vagrant(article_lab, files).halt()
    assert caught.value.why == "exit status 9"


@pytest.mark.parametrize(
    ("content", "stays"),
    [(b'{"version":1,"machines":{}}', True), (b"", True), (b"\x80", False), (b'{"ver', False), (b"[]", False)],
)
def test_an_index_that_vagrant_would_stumble_over_is_dropped(
    programs: StandIns, files: LabDirectory, article_lab: Lab, content: bytes, stays: bool
) -> None:
    index = files.vagrant_home / "data" / "machine-index" / "index"
    index.parent.mkdir(parents=True)
    index.write_bytes(content)
    programs.add("vagrant")
    vagrant(article_lab, files).halt()
    assert index.exists() is stays


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.host_file("/proc")
def test_a_vagrant_that_hangs_is_ended_and_says_how_long_it_was_waited_for(
    programs: StandIns, files: LabDirectory, article_lab: Lab, platform: str
) -> None:
    programs.add("vagrant", "import time; print('==> worker1: Stopping', flush=True); time.sleep(60)")
    host = replace(Host(), platform=platform)
    with pytest.raises(LabctlError) as caught:
        Vagrant(article_lab, files, host, errors=(), deadlines={"halt": 1}).halt()
    assert caught.value.what == "vagrant halt failed"
    assert caught.value.why == "it did not end within 1 s; the last that it printed:\n==> worker1: Stopping"
    assert caught.value.next_step == "labctl halt"


@pytest.mark.parametrize("what", CALLS)
def test_without_vagrant_the_host_lacks_something(
    programs: StandIns, files: LabDirectory, article_lab: Lab, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("PATH", str(programs.folder))
    assert shutil.which("vagrant") is None
    with pytest.raises(HostError) as caught:
        CALLS[what](vagrant(article_lab, files))
    assert caught.value.what == "Vagrant is not installed"
    assert "apt install" in caught.value.next_step


def test_a_vagrant_that_still_works_is_waited_for(
    programs: StandIns, files: LabDirectory, article_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Vagrant says when a machine is locked, wrapped as it wraps its lines (Vagrant 2.3.4, locales/en.yml)."""
    said = "Vagrant can't use the requested machine because it is locked! This\nmeans that another process is already "
    said += "executing an action on the\nmachine. Machine name: worker1. Locked by process ID: 4711"
    noted = programs.folder / "calls.json"
    busy = f"if len(open({str(noted)!r}).readlines()) < 3:\n    print({said!r}, file=sys.stderr)\n    sys.exit(1)"
    programs.add("vagrant", busy)
    monkeypatch.setattr("labctl.providers.vagrant.time.sleep", lambda _: None)
    vagrant(article_lab, files).halt()
    assert programs.calls == [["halt"]] * 3


def test_what_a_terminal_writes_over_is_not_told(programs: StandIns, files: LabDirectory, article_lab: Lab) -> None:
    programs.add("vagrant", r"print('\x1b[KProgress: 1%\x1b[KProgress: 2%\r\x1b[K==> worker1: Importing\x1b[0m')")
    heard: list[str] = []
    machines(article_lab, files).boot(["worker1"], heard.append)
    assert heard == ["==> worker1: Importing"]


def test_virtual_machines_get_their_keys_from_vagrant(
    programs: StandIns, files: LabDirectory, article_lab: Lab
) -> None:
    programs.add("vagrant")
    machines(replace(article_lab, provider=Provider.LIBVIRT), files).boot(["worker1"], nobody)
    assert programs.calls == [["up", "/^(worker1)$/", "--provider=libvirt", "--provision-with", "copy-keys,keys"]]


def test_a_known_error_is_said_in_words(programs: StandIns, files: LabDirectory, article_lab: Lab) -> None:
    programs.add("vagrant", "sys.exit('Stderr: VBoxManage: error: VT-x is not available (VERR_VMX_NO_VMX)')")
    with pytest.raises(LabctlError) as caught:
        machines(replace(article_lab, provider=Provider.VIRTUALBOX), files).boot(["worker1"], nobody)
    assert caught.value.what == (
        "vagrant up failed: the processor's virtualization (VT-x, AMD-V) is off, or missing on this host "
        "(no-virtualization)"
    )
    assert caught.value.why == "Stderr: VBoxManage: error: VT-x is not available (VERR_VMX_NO_VMX)"
    assert caught.value.next_step == "switch it on in the firmware; or use --provider lxc on Linux"


def made_by_vagrant(files: LabDirectory, name: str, *notes: str) -> None:
    """What Vagrant keeps of a machine (lib/vagrant/machine.rb)."""
    for note in notes:
        path = files.folder / ".vagrant/machines" / name / "virtualbox" / note
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1.5:x")


def test_a_virtual_machine_that_the_lab_no_longer_has_is_destroyed_by_vagrant(
    programs: StandIns, files: LabDirectory, article_lab: Lab
) -> None:
    lab = replace(article_lab, provider=Provider.VIRTUALBOX)
    prepare(lab, files, box_file=Path("/box/labctl.box"), host=FakeHost())
    before = files.vagrantfile.read_bytes()
    made_by_vagrant(files, "worker2", "id")
    made_by_vagrant(files, "worker3", "id")
    seen = files.base / "seen"
    programs.add("vagrant", f"open({str(seen)!r}, 'w').write(open({str(files.vagrantfile)!r}).read())")
    on_virtualbox = machines(lab, files)
    assert on_virtualbox.machines() == {"worker2", "worker3"}
    on_virtualbox.remove({"worker3"})
    assert programs.calls == [["destroy", "/^(worker3)$/", "--force"]]
    assert "{ name: 'worker3'" in seen.read_text()
    assert files.vagrantfile.read_bytes() == before
    assert on_virtualbox.machines() == {"worker2"}
    assert not (files.machines / "worker3").exists()


def test_a_first_boot_that_was_cut_off_is_begun_again(
    programs: StandIns, files: LabDirectory, article_lab: Lab
) -> None:
    """Vagrant notes action_provision when network and SSH are there; without it the machine is switched off first."""
    lab = replace(article_lab, provider=Provider.VIRTUALBOX)
    states = [
        f"1,{machine.name},{kind},{value}"
        for machine in lab.machines
        for kind, value in (("metadata", "provider,virtualbox"), ("provider-name", "virtualbox"), ("state", "running"))
    ]
    programs.add("vagrant", f"if 'status' in sys.argv: print(*{states!r}, sep=chr(10))")
    for machine in lab.machines:
        made_by_vagrant(files, machine.name, "id", *(["action_provision"] if machine.name != "worker1" else []))

    to_boot = machines(lab, files).machines_to_boot(lambda name: name != "worker2", lambda *_: None)
    assert to_boot == {"worker1", "worker2"}
    assert [call for call in programs.calls if "halt" in call] == [["halt", "/^(worker1)$/", "--force"]]


# Vagrant 2.3.4, plugins/commands/snapshot/command/list.rb, without colours.
LISTED = """\
==> ingress: No snapshots have been taken yet!
    ingress: You can take a snapshot using `vagrant snapshot save`. Note that
    ingress: not all providers support this yet. Once a snapshot is taken, you
    ingress: can list them using this command, and use commands such as
    ingress: `vagrant snapshot restore` to go back to a certain snapshot.
==> worker1:{space}
last
before the exam
""".format(space=" ")


def test_vagrant_s_own_snapshots_are_used(
    programs: StandIns, files: LabDirectory, make_lab: Callable[..., Lab]
) -> None:
    programs.add("vagrant", f"if sys.argv[1:3] == ['snapshot', 'list']: print({LISTED!r}, end='')")
    lab = make_lab("provider: virtualbox\n")
    snapshots = provider_of(lab, files, Host()).snapshots
    assert snapshots is not None
    one = Snapshot("before the exam", files.folder / "x", 0.0, ("worker1",), {})
    snapshots.require(one)
    snapshots.save(one)
    snapshots.restore(one)
    snapshots.delete(one)
    assert [words for words in programs.calls if words[1] != "list"] == [
        ["snapshot", "save", "before the exam"],
        ["snapshot", "restore", "--no-provision", "before the exam"],
        ["snapshot", "delete", "worker1", "before the exam"],
    ]
    with pytest.raises(LabctlError) as error:
        snapshots.require(replace(one, machines=("ingress", "worker1")))
    assert error.value.why.startswith("ingress: ")


def test_a_provider_without_snapshots_says_so_at_once(
    programs: StandIns, files: LabDirectory, make_lab: Callable[..., Lab]
) -> None:
    said = "==> ingress: This provider doesn't support snapshots."
    programs.add("vagrant", f"print({said!r}, file=sys.stderr); sys.exit(1)")
    snapshots = provider_of(make_lab("provider: libvirt\nemulated: true\n"), files, Host()).snapshots
    assert snapshots is not None
    with pytest.raises(LabctlError, match="cannot take snapshots"):
        snapshots.require(None)


@pytest.mark.parametrize(("emulated", "seconds"), [("false", "900"), ("true", "7200")])
def test_vagrant_has_more_time_for_emulated_machines(
    programs: StandIns, files: LabDirectory, make_lab: Callable[..., Lab], emulated: str, seconds: str
) -> None:
    programs.add("vagrant")
    programs.add("timeout")
    vagrant(make_lab(f"provider: libvirt\nemulated: {emulated}\n"), files).halt()
    assert [call[1] for call in programs.calls] == [seconds]
