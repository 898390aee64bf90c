"""Layer machine: the certificates by which a machine's programs identify themselves are there and valid now, and so is
the API's address.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from labctl.checks.check import Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.facts.certificates import (
    CONTROLLER_KUBECONFIG,
    KUBELET_KUBECONFIG,
    READER,
    Certificates,
    KubeconfigServers,
    certificates_of,
)
from labctl.facts.kubernetes import API_PORT
from labctl.model.lab import Lab, Machine


def certificates(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Every file that is needed has a certificate, and each is valid by this host's clock."""
    found = facts.on(machine.name)[Certificates]
    files = certificates_of(machine, lab.source)
    files = tuple(file for file in files if file != KUBELET_KUBECONFIG)
    missing = [file for file in files if not any(item.file == file for item in found)]
    if missing == [READER]:
        return failed(f"missing: {READER}", no_reader(machine.name), "labctl up")
    if missing:
        cause = f"{machine.name} has no certificate in {missing[0]}: the program that needs it can't identify itself"
        return failed(f"missing: {listed(missing, most=3)}", cause, f"labctl ssh {machine.name} -- ls -l {missing[0]}")
    now = datetime.fromtimestamp(facts.host.clock, UTC) if facts.host.clock else datetime.now(UTC)
    wrong = [item for item in found if not item.begin <= now <= item.end]
    if wrong:
        item = wrong[0]
        words = (
            f"has expired on {item.end:%Y-%m-%d %H:%M} UTC"
            if item.end < now
            else f"is valid only from {item.begin:%c} UTC"
        )
        hint = f"labctl ssh {machine.name} -- openssl x509 -noout -dates -in {item.file}"
        return failed(f"{item.file} {words}", f"the certificate in {item.file} on {machine.name} {words}", hint)
    first = min(found, key=lambda item: item.end)
    return passed(f"{counted(len(found), 'certificate')}, the first ends on {first.end:%Y-%m-%d} ({first.file})")


def no_reader(machine: str) -> str:
    """What is said where labctl's own certificate is not on the control plane."""
    return f"{machine} has no {READER}, by which labctl reads the API: an older labctl brought this lab up"


def kubeconfigs(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Each kubeconfig leads to the API; the controller's own is tried out instead (proxy.access)."""
    found = dict(facts.on(machine.name)[KubeconfigServers])
    found.pop(CONTROLLER_KUBECONFIG, "")
    api = lab.controlplane
    known = {str(api.address), api.name, "127.0.0.1", "localhost"} if machine == api else {str(api.address), api.name}
    for file, server in found.items():
        url = urlsplit(server)
        if url.hostname not in known or url.port != API_PORT:
            right = f"https://{api.address}:{API_PORT}"
            cause = f"{file} on {machine.name} leads to {server}, the API is at {right}"
            return failed(f"{file}: {server}", cause, f"labctl ssh {machine.name} -- grep -n server: {file}")
    return passed(counted(len(found), "kubeconfig"))
