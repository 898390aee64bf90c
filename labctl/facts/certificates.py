"""The certificates by which a machine's programs identify themselves. No key and no password is read."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from labctl.facts.fact import Fact, ParseError, T_co
from labctl.model.lab import Lab, Machine, Role, Source

PKI = "/etc/kubernetes/pki"
CONTROLLER_KUBECONFIG = "/etc/haproxy-ingress/kubeconfig"
READER = "/etc/labctl/reader.pem"
"""The certificate and key by which labctl reads the API. Its rights: scripts/files/reader-objects.yaml.j2."""
KUBELET_KUBECONFIG = "/etc/kubernetes/kubelet.conf"
"""It names the kubelet's certificate by its file."""

_KUBEADMS = ("apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client")
_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


def certificates_of(machine: Machine, source: Source) -> tuple[str, ...]:
    """The files with certificates that this machine's programs need: kubeadm's, the kubelet's, labctl's own."""
    if machine.role is Role.INGRESS:
        return (CONTROLLER_KUBECONFIG,)
    if not machine.is_node:
        return ()
    files = [f"{PKI}/ca.crt", "/var/lib/kubelet/pki/kubelet-client-current.pem", KUBELET_KUBECONFIG]
    if machine.role is Role.CONTROLPLANE:
        files += [READER, *(f"{PKI}/{name}.crt" for name in _KUBEADMS)]
        files += [f"/etc/kubernetes/{name}.conf" for name in ("admin", "controller-manager", "scheduler")]
        files += _of_etcd(source)
    if source is Source.DEBIAN:
        files.append("/etc/labctl/calico-node.kubeconfig")
    return tuple(files)


def _of_etcd(source: Source) -> list[str]:
    if source is Source.DEBIAN:
        return ["/etc/etcd-pki/server.crt"]
    return [f"{PKI}/etcd/{name}.crt" for name in ("server", "peer", "healthcheck-client")]


def certificates_command(files: tuple[str, ...]) -> str:
    """The command that prints these files' certificates, and of their keys nothing: one sed for all.

    Each file's name comes first; in a kubeconfig a certificate stands in base64, after client-certificate-data, and the
    API's address after server.
    """
    server = r's/.*server"\?: *"\?\(https[^" ]*\).*/server \1/p'
    encoded = r's/.*client-certificate-data"\?: *"\?\([A-Za-z0-9+\/=]*\).*/data \1/p'
    return f"sed -sn '1F;/BEGIN CERTIFICATE/,/END CERTIFICATE/p;{server};{encoded}' {shlex.join(files)}"


class _CertificateFiles(Fact[T_co]):
    name = "certificates"

    def asked_on(self, lab: Lab, machine: Machine) -> bool:
        """Where there are such files."""
        return bool(certificates_of(machine, lab.source))

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """As certificates_command."""
        return certificates_command(certificates_of(machine, lab.source))


@dataclass(frozen=True, slots=True)
class Validity:
    """A certificate in a file: from when until when it is valid."""

    file: str
    begin: datetime
    end: datetime


class Certificates(_CertificateFiles[tuple[Validity, ...]]):
    """The certificates in the files that this machine's programs need."""

    def parse(self, output: str) -> tuple[Validity, ...]:
        """Each file's name stands before its certificates."""
        from cryptography import x509  # noqa: PLC0415 - labctl starts without it

        found = []
        try:
            for file, pem in _pem_blocks(output):
                certificate = x509.load_pem_x509_certificate(pem.encode())
                found.append(Validity(file, certificate.not_valid_before_utc, certificate.not_valid_after_utc))
        except (ValueError, x509.InvalidVersion) as error:
            raise ParseError(f"a certificate: {error}") from error
        return tuple(found)


def _pem_blocks(text: str) -> list[tuple[str, str]]:
    """Each certificate, PEM, with its file. Raises ValueError."""
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
            found.append((file, "\n".join(lines[lines.index(_BEGIN) : end]) + "\n"))
            lines = lines[end:]
    return found


class KubeconfigServers(_CertificateFiles[Mapping[str, str]]):
    """The API's address in each kubeconfig among the same files, by file."""

    def parse(self, output: str) -> Mapping[str, str]:
        """The address stands after the file's name and the word `server`."""
        found: dict[str, str] = {}
        file = ""
        for line in output.splitlines():
            if line.startswith("/") and line.endswith((".conf", "kubeconfig")):
                file = line
            elif line.startswith("server ") and file:
                found.setdefault(file, line.partition(" ")[2])
        return found
