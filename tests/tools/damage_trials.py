"""What can happen to a lab's files and its host, done to a real lab: does `up` converge, does `destroy` get everything?

Run as root. It makes a lab of its own and does every trial, or each TRIAL that is named, in turn. Each ends in a
verified lab or in a host as it was before. What followed goes to standard output; with --report FILE, these trials'
rows between two marks of the file are replaced.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
from support.host_state import differences, look_at_host
from support.lab_under_test import Done, LabUnderTest, run, wait_until

from tools.kill_trials import CONFIG, lab_options, write_report

_MARKS = ("<!-- damage_trials begin -->", "<!-- damage_trials end -->")
# A file on a machine that a recreated machine does not have.
_WITNESS = "/var/lib/labctl-trial"
_GARBAGE = bytes(range(256)) * 3
_KINDS: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "garbage": lambda content: _GARBAGE,
}
# One after the other, each with another kind of damage in turn. The first ones can be put right without a machine.
STATE = (
    "choices.json", "applied.yaml", "rendered.json", "faults.json", "lock.json", "Vagrantfile", "last/verify.json",
    "host/prepare.sh", "machines/worker1/steps/join.sh", "machines/ingress/files/bird.conf", "secrets/ssh/known_hosts",
    "secrets/admin.kubeconfig", "secrets/pki/controller.key", "secrets/machines/worker1/bootstrap-token",
    ".vagrant/machines/worker1/lxc/id", "vagrant/data/machine-index/index",
)  # fmt: skip
# The secrets of the machines: without them the machines are recreated.
IDENTITY = ("secrets/ssh/worker1/host_ed25519", "secrets/pki/ca.key")


@dataclass(frozen=True)
class Row:
    """One trial. what: was done. seen: what followed, for the table. wrong: what should not have been."""

    what: str
    seen: str
    wrong: str = ""
    seconds: float = 0.0


class WrongError(Exception):
    """A trial went otherwise than it must."""


class DamageTrials:
    """Does one thing after the other to a lab. The lab is destroyed at the end by whoever made this."""

    def __init__(self, lab: LabUnderTest, other: LabUnderTest) -> None:
        self.lab, self.other = lab, other
        self.config = (lab.folder / "labctl.yaml").read_text()
        mine = [rf"{re.escape(one.folder.name)}\b" for one in (lab, other)]
        network = re.escape(str(lab.model.network.subnet.network_address).rpartition(".")[0])
        self.mine = re.compile("|".join([*mine, rf"\b{network}\."]))
        self.before = look_at_host()

    def files_are_gone(self) -> str:
        """.labctl deleted while the lab runs, then `destroy`"""
        self.is_up()
        shutil.rmtree(self.lab.own)
        return self.leaves_nothing()

    def files_are_gone_and_up(self) -> str:
        """.labctl deleted while the lab runs, then `up`"""
        self.is_up()
        shutil.rmtree(self.lab.own)
        return self.converges()

    def files_are_gone_and_halt(self) -> str:
        """.labctl deleted while the lab runs, then `halt`, then `up`"""
        self.is_up()
        shutil.rmtree(self.lab.own)
        self.is_clean(self.lab.labctl("halt", seconds=300), "halt")
        left = check(run(["lxc-ls", "-1", "--running"])).stdout.split()
        if any(name.startswith(f"labctl-{self.lab.folder.name}-") for name in left):
            raise WrongError(f"halt left these running: {left}")
        return f"halted, {self.converges()}"

    def config_is_gone(self) -> str:
        """labctl.yaml deleted while the lab runs, then `destroy`"""
        self.is_up()
        (self.lab.folder / "labctl.yaml").unlink()
        return self.leaves_nothing()

    def all_files_are_gone(self) -> str:
        """labctl.yaml and .labctl deleted while the lab runs, then `destroy`"""
        self.is_up()
        (self.lab.folder / "labctl.yaml").unlink()
        shutil.rmtree(self.lab.own)
        return self.leaves_nothing()

    def state_is_damaged(self) -> str:
        """16 files of .labctl cut off, emptied or overwritten in turn, `up` after each; then `halt` and `up`"""
        self.is_up()
        for machine in self.lab.model.machines:
            self.lab.on(machine.name, f"touch {_WITNESS}")
        for number, name in enumerate(STATE):
            self.damage(name, list(_KINDS)[number % len(_KINDS)])
            self.converges(f"{name} damaged")
        for name in STATE[-2:]:  # what Vagrant reads only where a machine stops or starts
            self.damage(name, "garbage")
        self.is_clean(self.lab.labctl("halt", seconds=300), "halt")
        self.converges("after halt")
        for machine in self.lab.model.machines:
            if self.lab.labctl("ssh", machine.name, "--", f"test -e {_WITNESS}", status=None).status != 0:
                raise WrongError(f"{machine.name} was recreated")
        return f"converged, {len(STATE)} times; no machine recreated"

    def everything_is_damaged(self) -> str:
        """every file of .labctl but Vagrant's boxes and labctl.log overwritten with garbage, then `destroy`"""
        self.is_up()
        for path in self.lab.own.rglob("*"):
            if path.is_file() and not path.is_symlink() and "boxes" not in path.parts and path.name != "labctl.log":
                path.write_bytes(_GARBAGE)
        return self.leaves_nothing()

    def a_host_key_is_damaged(self) -> str:
        """a machine's host key cut off, then `up`"""
        self.is_up()
        self.damage(IDENTITY[0], "cut off")
        return self.converges()

    def an_authority_is_damaged(self) -> str:
        """the key of the cluster's authority cut off, then `up`"""
        self.is_up()
        self.damage(IDENTITY[1], "cut off")
        return self.converges()

    def the_host_reboots(self) -> str:
        """the host reboots (machines killed; bridge, NAT, /run/labctl, cgroups gone; settings as at boot), then `up`"""
        self.is_up()
        self.reboot()
        return self.converges()

    def the_host_reboots_and_destroy(self) -> str:
        """the same, then `destroy`"""
        self.is_up()
        self.reboot()
        return self.leaves_nothing()

    def the_disk_is_full(self) -> str:
        """a disk with 0, 40, 400 and 4000 KiB left for .labctl before `up`"""
        self.is_absent()
        with suppress(FileNotFoundError):
            shutil.rmtree(self.lab.own)
        seen = []
        check(run(["mount", "-t", "tmpfs", "-o", "size=16m", "labctl-trial", str(self.lab.folder)]))
        (self.lab.folder / "labctl.yaml").write_text(self.config)
        filler = self.lab.folder / "filler"
        try:
            for left in (0, 40, 400, 4000):  # KiB
                fill(filler, left)
                done = self.lab.labctl("up", status=None, seconds=600)
                self.is_clean(done, "up on a full disk")
                seen.append(str(done.status))
                filler.unlink(missing_ok=True)
            self.converges()
            fill(filler, 0)
            done = self.lab.labctl("destroy", "--yes", status=None, seconds=300)
            self.is_clean(done, "destroy on a full disk")
            if done.status != 0 or self.lab.own.exists():
                raise WrongError(f"destroy on a full disk: {done.text}")
        finally:
            run(["umount", "--lazy", str(self.lab.folder)])
        return f"exit {', '.join(seen)}; converged; {self.leaves_nothing()}"  # also at `destroy` it was full

    def two_labs_at_once(self) -> str:
        """`up` of two labs with overlapping networks in the same second"""
        self.is_absent()
        both = [one.start("up") for one in (self.lab, self.other)]
        ended = [(one.communicate(timeout=600), one.returncode) for one in both]
        statuses = sorted(status for _, status in ended)
        said = " ".join(errors for (_, errors), _ in ended)
        if statuses != [0, 2] or "conflicts with another lab" not in said:
            raise WrongError(f"exit {statuses}: {said[-1500:]}")
        self.other.destroy()
        return f"one came up, the other one was refused (exit 2); {self.leaves_nothing()}"

    def the_connection_is_lost(self) -> str:
        """the network of a machine away for 60 s in the middle of `up`"""
        self.is_absent()
        started = self.lab.start("up")
        try:
            self.worker_is_at_work()
            port = link_of(f"labctl-{self.lab.folder.name}-worker1")
            check(run(["ip", "link", "set", port, "down"]))
            time.sleep(60)
            check(run(["ip", "link", "set", port, "up"]))
            _, errors = started.communicate(timeout=600)
        finally:
            started.kill()
        return self.ended_in_words(started.returncode, errors)

    def ended_in_words(self, status: int, errors: str) -> str:
        """`up` may fail where a machine could not be reached, but says so; the next one must converge."""
        if status not in (0, 1) or "Traceback" in errors:
            raise WrongError(f"exit {status}: {errors[-1500:]}")
        return f"exit {status}, then {self.converges()}"

    def sshd_is_killed(self) -> str:
        """every SSH connection of a machine cut off three times in the middle of `up`"""
        self.is_absent()
        started = self.lab.start("up")
        try:
            self.worker_is_at_work()
            for _ in range(3):
                run(["lxc-attach", "--name", f"labctl-{self.lab.folder.name}-worker1", "--", "pkill", "-KILL", "sshd"])
                time.sleep(2)
            _, errors = started.communicate(timeout=600)
        finally:
            started.kill()
        return self.ended_in_words(started.returncode, errors)

    def a_machine_dies_under_a_command(self) -> str:
        """controlplane loses its power under `labctl kubectl get pods --watch`, then `up`"""
        self.is_up()
        waiting = self.lab.start("kubectl", "get", "pods", "--watch")
        try:
            time.sleep(3)
            check(run(["lxc-stop", "--kill", "--name", f"labctl-{self.lab.folder.name}-controlplane"]))
            begin = time.monotonic()
            _, errors = waiting.communicate(timeout=180)
        finally:
            waiting.kill()
        if waiting.returncode == 0 or "Traceback" in errors or "controlplane" not in errors:
            raise WrongError(f"exit {waiting.returncode}: {errors[-1500:]}")
        return f"exit {waiting.returncode} after {time.monotonic() - begin:.0f} s; {self.converges()}"

    def is_up(self) -> None:
        """The lab is up, whatever was before."""
        (self.lab.folder / "labctl.yaml").write_text(self.config)
        self.converges("before the trial")

    def is_absent(self) -> None:
        """There is no lab."""
        (self.lab.folder / "labctl.yaml").write_text(self.config)
        self.lab.destroy()
        self.other.destroy()

    def converges(self, why: str = "") -> str:
        """`up`, then verify."""
        done = self.lab.labctl("up", status=None, seconds=600)
        self.is_clean(done, f"up {why}")
        if done.status != 0:
            raise WrongError(f"up {why}: exit {done.status}: {done.text[-2000:]}")
        done = self.lab.labctl("verify", "--wait", "60", status=None, seconds=180)
        if done.status != 0:
            raise WrongError(f"verify {why}: {done.text[-2000:]}")
        return "converged"

    def leaves_nothing(self) -> str:
        """`destroy`, and the host is as it was."""
        done = self.lab.labctl("destroy", "--yes", status=None, seconds=300)
        self.is_clean(done, "destroy")
        if done.status != 0:
            raise WrongError(f"destroy: exit {done.status}: {done.text[-2000:]}")
        left: list[str] = []
        for _ in range(20):  # the kernel takes a moment to forget a network that is gone
            left = differences(self.before, look_at_host(), self.mine)
            left += [str(path) for path in self.lab.folder.iterdir() if path.name != "labctl.yaml"]
            if not left:
                return "nothing left"
            time.sleep(0.5)
        raise WrongError(f"left behind: {left}")

    def worker_is_at_work(self) -> None:
        """`up` has come to where worker1 does a step of its own."""
        log = self.lab.own / "logs" / "worker1" / "runtime.log"
        wait_until("worker1 is at work", log.exists, seconds=300)

    def is_clean(self, done: Done, what: str) -> None:
        """Nobody saw a traceback."""
        if "Traceback" in done.text or "labctl itself failed" in done.text:
            raise WrongError(f"{what}: {done.text[-2000:]}")

    def damage(self, name: str, kind: str) -> None:
        """Spoil a file; one that is not there is made."""
        path = self.lab.own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_KINDS[kind](path.read_bytes() if path.is_file() else b"{}\n"))

    def reboot(self) -> None:
        """What of a lab does not outlive its host's reboot. Another lab's share of it stays."""
        name, bridge = self.lab.folder.name, self.lab.model.bridge
        for machine in self.lab.model.machines:
            check(run(["lxc-stop", "--kill", "--name", f"labctl-{name}-{machine.name}"]))
        check(run(["ip", "link", "delete", bridge]))
        check(run(["nft", "delete", "table", "ip", f"labctl-{name}"]))
        notes = Path("/run/labctl")
        (notes / "labs" / name).unlink()
        if not any((notes / "labs").iterdir()):
            for setting in (notes / "kernel").iterdir():
                Path("/proc/sys", setting.name.replace(".", "/")).write_text(setting.read_text())
            shutil.rmtree(notes)


def fill(filler: Path, left: int) -> None:
    """Take the disk's room but for so many KiB."""
    room = shutil.disk_usage(filler.parent).free - left * 1024
    with suppress(OSError), filler.open("wb") as stream:
        stream.write(b"\0" * max(0, room))


def link_of(container: str) -> str:
    """The host's end of a container's cable."""
    shown = check(run(["lxc-info", "--name", container])).stdout
    return next(line.split()[1] for line in shown.splitlines() if line.startswith("Link:"))


def check(done: Done) -> Done:
    """The command worked."""
    if done.status != 0:
        raise WrongError(done.text)
    return done


TRIALS = {
    trial.__name__.replace("_", "-"): trial
    for trial in (
        DamageTrials.files_are_gone, DamageTrials.files_are_gone_and_up, DamageTrials.files_are_gone_and_halt,
        DamageTrials.config_is_gone, DamageTrials.all_files_are_gone, DamageTrials.state_is_damaged,
        DamageTrials.a_host_key_is_damaged,
        DamageTrials.an_authority_is_damaged, DamageTrials.everything_is_damaged, DamageTrials.the_host_reboots,
        DamageTrials.the_host_reboots_and_destroy, DamageTrials.the_disk_is_full, DamageTrials.two_labs_at_once,
        DamageTrials.the_connection_is_lost, DamageTrials.sshd_is_killed,
        DamageTrials.a_machine_dies_under_a_command,
    )
}  # fmt: skip


def one_row(trials: DamageTrials, trial: Callable[[DamageTrials], str]) -> Row:
    """Do one trial."""
    what, begin = (trial.__doc__ or "").strip(), time.monotonic()
    try:
        seen, wrong = trial(trials), ""
    except (WrongError, AssertionError, subprocess.TimeoutExpired) as error:
        seen, wrong = "WRONG", str(error)
    return Row(what, seen, wrong, time.monotonic() - begin)


def table(rows: list[Row], before: str = "") -> str:
    """The rows, as a part of docs/reliability.md. before: that part as it was; trials not done now keep their row."""
    kept = {line.split(" | ")[0]: line for line in before.splitlines() if line.startswith("| ")}
    now = {f"| {row.what}": f"| {row.what} | {row.seen} | {time.strftime('%Y-%m-%d')} |" for row in rows}
    lines = [(kept | now).get(f"| {(trial.__doc__ or '').strip()}") for trial in TRIALS.values()]
    return "\n".join(["| what happened | what followed | on |", "|---|---|---|", *filter(None, lines)]) + "\n"


@click.command(help=__doc__, epilog=f"Trials: {', '.join(TRIALS)}.")
@click.argument("trial", nargs=-1, metavar="[TRIAL]...", type=click.Choice(list(TRIALS)))
@lab_options("labtest-damage")
def main(trial: tuple[str, ...], name: str, subnet: str, services: str, report: Path | None) -> None:
    """Do the trials; exit status 1 if one went wrong."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config = CONFIG.format(subnet=subnet, services=services)
    lab, other = LabUnderTest(name, config), LabUnderTest(f"{name}-2", config)
    rows: list[Row] = []
    try:
        for made in (lab, other):
            made.destroy()
        trials = DamageTrials(lab, other)
        for one in trial or TRIALS:
            rows.append(one_row(trials, TRIALS[one]))
            print(f"{one}: {rows[-1].seen} ({rows[-1].seconds:.0f} s) {rows[-1].wrong}", flush=True)
            if report:  # now: those that follow may be interrupted
                before = report.read_text(encoding="utf-8").partition(_MARKS[0])[2].partition(_MARKS[1])[0]
                write_report(report, table(rows, before), _MARKS)
    finally:
        (lab.folder / "labctl.yaml").write_text(f"name: {name}\n{config}")
        for made in (lab, other):
            made.destroy()
    sys.exit(1 if any(row.wrong for row in rows) else 0)


if __name__ == "__main__":
    main()
