"""Layer machine: the certificates by which a machine's programs identify themselves are there and valid now, and so is
the API's address.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from labctl.checks.check import Outcome, counted, failed, listed, passed
from labctl.checks.credentials import API_PORT, CONTROLLER_KUBECONFIG, KUBELET_KUBECONFIG, READER, certificates_of
from labctl.checks.facts import Facts
from labctl.model.lab import Lab, Machine

_END = "-----END CERTIFICATE-----"
_BEGIN = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Validity:
    """A certificate in a file: from when until when it is valid."""

    file: str
    begin: datetime
    end: datetime


def read_certificates(text: str) -> tuple[Validity, ...]:
    """What credentials.certificates_command printed. Raises ValueError for a certificate that can't be read."""
    from cryptography import x509  # noqa: PLC0415 - labctl starts without it

    found = []
    file = ""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("/") and _BEGIN not in lines:  # a line of base64 may begin so, too
            file = line
        elif line.startswith("server "):
            continue
        elif line.startswith("data "):
            lines += base64.b64decode(line[5:]).decode("ascii", "replace").splitlines()
        elif line.strip():
            lines.append(line)
        while _END in lines:
            end = lines.index(_END) + 1
            pem = "\n".join(lines[lines.index(_BEGIN) : end]) + "\n"
            certificate = x509.load_pem_x509_certificate(pem.encode())
            found.append(Validity(file, certificate.not_valid_before_utc, certificate.not_valid_after_utc))
            lines = lines[end:]
    return tuple(found)


def certificates(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Every file that is needed has a certificate, and each is valid by this host's clock."""
    found = read_certificates(facts.on(machine.name).output("certificates"))
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


def read_servers(text: str) -> dict[str, str]:
    """The API's address in each kubeconfig, by file, of what credentials.certificates_command printed."""
    found: dict[str, str] = {}
    file = ""
    for line in text.splitlines():
        if line.startswith("/") and line.endswith((".conf", "kubeconfig")):
            file = line
        elif line.startswith("server ") and file:
            found.setdefault(file, line.partition(" ")[2])
    return found


def kubeconfigs(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Each kubeconfig leads to the API; the controller's own is tried out instead (proxy.access)."""
    found = read_servers(facts.on(machine.name).output("certificates"))
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
