"""The lab's secrets on disk: reused while they are valid, otherwise created.

Layout below ``secrets/`` (folders 0700, files 0600)::

    ssh/lab_ed25519            the user's key            ssh/known_hosts    the machines' pinned host keys
    ssh/<machine>/             host_ed25519, authorized_keys: what the machine's sshd reads
    pki/…                      certificate authorities and certificates
    admin.kubeconfig           the cluster's administrator
    machines/<machine>/…       what is copied to that machine
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from labctl.host.files import write_atomically
from labctl.model.lab import Lab, Machine, Role
from labctl.secrets import keys, validity
from labctl.secrets.keys import KeyPair, Subject, new_ssh_key, ssh_public_key


def kubeconfig(server: str, authority: bytes, client: KeyPair, *, cluster: str, user: str) -> bytes:
    """A kubeconfig with embedded certificates, as JSON, which is valid YAML and needs no special quoting."""
    context = f"{user}@{cluster}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": _b64(authority)}}],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _b64(client.certificate),
                    "client-key-data": _b64(client.key),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_CALICO = "calico-"  # a node's certificate for Calico; the node's name follows
_LOOPBACK = IPv4Address("127.0.0.1")


class SecretStore:
    """The secrets of one lab."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def join_hash(self) -> str:
        """The hash of the cluster's CA for kubeadm join; empty if that CA is missing or damaged. Creates nothing."""
        if not validity.has_valid_authority(self.folder, "ca"):
            return ""
        return keys.join_hash(self._authority("ca"))

    def ensure(self, lab: Lab) -> None:
        """Create every secret that is missing, damaged or outdated; remove those that no machine needs.

        Machines that were created with a secret that is replaced now become unusable: see labctl/secrets/validity.py.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._ssh(lab)
        server = f"https://{lab.controlplane.address}:6443"
        admin = self._certificate("ca", "admin", Subject("kubernetes-admin", ("system:masters",)))
        self._put("admin.kubeconfig", self._kubeconfig(lab, server, admin, "kubernetes-admin"))
        for machine in lab.machines:
            self._machine(lab, machine, server)
        self._remove_unused(lab)

    def _machine(self, lab: Lab, machine: Machine, server: str) -> None:
        folder = f"machines/{machine.name}"
        self._folder(folder)  # Vagrant copies it, even if it is empty
        if machine.role is Role.CONTROLPLANE:
            self._controlplane(folder, machine)
            self._kubeadm(lab, f"{folder}/kubeconfigs", server)
        self._password(lab, machine)
        if machine.role is Role.INGRESS:
            client = self._certificate("ca", "controller", Subject("haproxy-ingress", ("labctl:ingress-controllers",)))
            self._put(f"{folder}/controller.kubeconfig", self._kubeconfig(lab, server, client, "haproxy-ingress"))
            return
        if not machine.is_node:
            return
        self._put(f"{folder}/ca.crt", self._authority("ca").certificate)
        self._put(
            f"{folder}/bootstrap-token", self._create_once("bootstrap-token", _bootstrap_token, validity.is_token)
        )
        user = f"system:labctl:calico-node:{machine.name}"
        client = self._certificate("ca", f"{_CALICO}{machine.name}", Subject(user, ("labctl:calico-nodes",)))
        self._put(f"{folder}/calico-node.kubeconfig", self._kubeconfig(lab, server, client, user))

    def _password(self, lab: Lab, machine: Machine) -> None:
        """The password of the BGP sessions: for BIRD outside the cluster, and for the Secret that Calico reads."""
        names = dict.fromkeys((Role.INGRESS, Role.ROUTER), "bgp-password.conf") | {Role.CONTROLPLANE: "bgp-password"}
        if machine.role not in names:
            return
        name = f"machines/{machine.name}/{names[machine.role]}"
        if not lab.bgp.password:
            (self.folder / name).unlink(missing_ok=True)
            return
        password = self._create_once("bgp-password", _password, validity.is_password)
        self._put(name, password if machine.role is Role.CONTROLPLANE else b'password "' + password + b'";\n')

    def _controlplane(self, folder: str, machine: Machine) -> None:
        for name, target in (("ca", "ca"), ("front-proxy-ca", "front-proxy-ca"), ("etcd-ca", "etcd/ca")):
            authority = self._authority(name)
            self._put(f"{folder}/pki/{target}.crt", authority.certificate)
            if name != "etcd-ca":
                self._put(f"{folder}/pki/{target}.key", authority.key)
        account = self._create_once("pki/sa.key", keys.new_key, keys.is_key)
        self._put(f"{folder}/pki/sa.key", account)
        self._put(f"{folder}/pki/sa.pub", keys.public_key(account))
        names = Subject("etcd", (), ("localhost", machine.name), (_LOOPBACK, machine.address))
        for name, subject in (("etcd-server", names), ("apiserver-etcd-client", Subject("kube-apiserver-etcd-client"))):
            pair = self._certificate("etcd-ca", name, subject)
            target = "etcd/server" if name == "etcd-server" else name
            self._put(f"{folder}/pki/{target}.crt", pair.certificate)
            self._put(f"{folder}/pki/{target}.key", pair.key)
        self._put(f"{folder}/admin.conf", self._get("admin.kubeconfig"))
        reader = self._certificate("ca", "reader", Subject("labctl-reader", ("labctl:readers",)))
        self._put(f"{folder}/reader.pem", reader.certificate + reader.key)

    def _kubeadm(self, lab: Lab, folder: str, server: str) -> None:
        """What kubeadm init would make with keys of its own, which takes it a second."""
        node = lab.controlplane.name
        for name, subject in (
            ("kubelet", Subject(f"system:node:{node}", ("system:nodes",))),
            ("controller-manager", Subject("system:kube-controller-manager")),
            ("scheduler", Subject("system:kube-scheduler")),
        ):
            client = self._certificate("ca", name, subject)
            self._put(f"{folder}/{name}.conf", self._kubeconfig(lab, server, client, subject.common_name))

    def _ssh(self, lab: Lab) -> None:
        own = self._create_once("ssh/lab_ed25519", new_ssh_key, validity.is_ssh_key)
        authorized = ssh_public_key(own, f"labctl-{lab.name}") + "\n"
        known = []
        for machine in lab.machines:
            host = self._create_once(f"ssh/{machine.name}/host_ed25519", new_ssh_key, validity.is_ssh_key)
            public = ssh_public_key(host, machine.name)
            self._put(f"ssh/{machine.name}/host_ed25519.pub", public.encode() + b"\n")
            self._put(f"ssh/{machine.name}/authorized_keys", authorized.encode())
            known.append(f"{machine.address} {public}\n")
        self._put("ssh/known_hosts", "".join(known).encode())

    def _kubeconfig(self, lab: Lab, server: str, client: KeyPair, user: str) -> bytes:
        return kubeconfig(server, self._authority("ca").certificate, client, cluster=lab.name, user=user)

    def _authority(self, name: str) -> KeyPair:
        if not validity.has_valid_authority(self.folder, name):
            made = keys.new_authority(validity.AUTHORITIES[name])
            self._put(f"pki/{name}.crt", made.certificate)
            self._put(f"pki/{name}.key", made.key)
        return KeyPair(self._get(f"pki/{name}.crt"), self._get(f"pki/{name}.key"))

    def _certificate(self, authority_name: str, name: str, subject: Subject) -> KeyPair:
        authority = self._authority(authority_name)
        if all((self.folder / f"pki/{name}.{end}").exists() for end in ("crt", "key")):
            existing = KeyPair(self._get(f"pki/{name}.crt"), self._get(f"pki/{name}.key"))
            if keys.is_still_valid(existing, authority, subject):
                return existing
        made = keys.issue(authority, subject)
        self._put(f"pki/{name}.crt", made.certificate)
        self._put(f"pki/{name}.key", made.key)
        return made

    def _create_once(self, name: str, make: Callable[[], bytes], fits: Callable[[bytes], bool]) -> bytes:
        if not validity.has_valid_file(self.folder / name, fits):
            self._put(name, make())
        return self._get(name)

    def _remove_unused(self, lab: Lab) -> None:
        """Remove the secrets of machines that the lab no longer has."""
        wanted = {machine.name for machine in lab.machines}
        for parent in (self.folder / "machines", self.folder / "ssh"):
            for folder in parent.iterdir():
                if folder.is_dir() and folder.name not in wanted:
                    shutil.rmtree(folder)
        for file in (self.folder / "pki").glob(f"{_CALICO}*"):
            if file.stem.removeprefix(_CALICO) not in wanted:
                file.unlink()

    def _get(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def _put(self, name: str, data: bytes) -> None:
        path = self.folder / name
        self._folder(str(path.parent.relative_to(self.folder)))
        write_atomically(path, data, mode=0o600)

    def _folder(self, name: str) -> None:
        path = self.folder / name
        for folder in reversed([path, *path.parents][: len(Path(name).parts) + 1]):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)


def _password() -> bytes:
    """40 letters and digits: Calico takes up to 80, and BIRD's strings have no escapes."""
    return secrets.token_hex(20).encode()


def _bootstrap_token() -> bytes:
    """A kubeadm bootstrap token: 6 and 16 of [a-z0-9] (kubernetes.io, "Authenticating with Bootstrap Tokens")."""
    return f"{secrets.token_hex(3)}.{secrets.token_hex(8)}\n".encode()
