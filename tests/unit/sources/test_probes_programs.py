"""Each program that verify starts on a machine is there: the steps of that machine install the package that has it."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labctl.checks.catalogue import probes_for
from labctl.checks.closer_look import closer_probes
from labctl.checks.questions import as_probes, pod_facts
from labctl.facts.pods import FirstHop
from labctl.model.lab import Lab, Machine
from labctl.providers.load import load_lab
from labctl.steps.tree import machine_tree

# Which package has a program: Debian 12 and 13, Ubuntu 22.04 and 24.04 (dpkg -S); crictl and kubectl: pkgs.k8s.io.
PACKAGES = {
    "bird": "bird2", "birdc": "bird2", "crictl": "cri-tools", "curl": "curl", "ip": "iproute2", "kubectl": "kubectl",
    "nft": "nftables", "ping": "iputils-ping", "ps": "procps", "socat": "socat", "ss": "iproute2", "tc": "iproute2",
}  # fmt: skip
# In every Debian and Ubuntu that boots with systemd, and words of the shell itself.
EVERYWHERE = {
    *("cat", "df", "echo", "find", "getent", "grep", "head", "journalctl", "ls", "runuser", "sed", "sleep"),
    *("systemctl", "tail", "true", "uname", "do", "done", "for", "if", "then", "fi", "case", "esac"),
}
# Only asked where nft is missing, and started by calico-node's container.
ELSEWHERE = {"iptables-save", "iptables-legacy-save"}
CONFIG = "provider: virtualbox\nsource: upstream\nrouter: true\ningress: {count: 2}\n"


def programs(command: str) -> set[str]:
    """The words where a shell expects a program."""
    plain = re.sub(r"'[^']*'", "''", command)
    found = re.findall(r"(?:^|[|;&]|\$\(|\bdo |\becho \"\$\(| -- )\s*(?:! )?([a-z][\w.-]*)(?![\w=])", plain)
    return {word for word in found if not re.search(rf"\b{re.escape(word)}=", plain)}


def commands(lab: Lab, machine: Machine) -> list[str]:
    probes = [*probes_for(lab, machine), *closer_probes(lab, machine)]
    if machine in lab.ingresses:
        pod = IPv4Address("172.16.0.1")
        probes += as_probes([*pod_facts(pod, 1500), FirstHop(pod)], lab, machine)
    return [probe.command for probe in probes]


def installed(lab: Lab, machine: Machine) -> set[str]:
    """The packages that the machine's steps install."""
    tree = machine_tree(lab, machine, join_hash="sha256:0")
    scripts = "".join(file.content.decode() for path, file in tree.items() if path.parts[0] == "steps")
    lines = re.findall(r"^ *(?:need_packages|hold_packages|for name in) (.*)", scripts, re.MULTILINE)
    return {word for line in lines for word in re.findall(r"[a-z][\w-]+", line)}


@pytest.fixture(name="lab")
def upstream_lab(tmp_path: Path) -> Lab:
    (tmp_path / "labctl.yaml").write_text(CONFIG)
    return load_lab(tmp_path)


def test_programs_are_found_in_commands() -> None:
    assert programs("a -x | b 'c | d'; e $(f) && ! g || h -- i j") == set("abefghi")


@pytest.mark.parametrize("name", ["ingress", "router1", "controlplane", "worker1"])
def test_each_machine_has_the_programs_that_verify_starts(lab: Lab, name: str) -> None:
    machine = lab.machine(name)
    wanted = set().union(*map(programs, commands(lab, machine))) - EVERYWHERE - ELSEWHERE
    assert wanted <= PACKAGES.keys(), "say in PACKAGES which package has it"
    assert {PACKAGES[word] for word in wanted} <= installed(lab, machine)
    assert {"ip", "nft", "ss"} <= wanted, "the commands were read"
