"""The lab's secrets on disk: made once, kept, private, and no more of them than the lab needs."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import paramiko
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from labctl.model.lab import Lab, Role
from labctl.secrets import keys
from labctl.secrets.store import SecretStore
from labctl.steps.tree import render_tree

pytestmark = pytest.mark.real_program("bash", "openssl", "ssh-keygen")

MakeLab = Callable[..., Lab]


@pytest.fixture
def store(tmp_path: Path, article_lab: Lab) -> SecretStore:
    made = SecretStore(tmp_path / "secrets")
    made.ensure(article_lab)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def certificate(store: SecretStore, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((store.folder / name).read_bytes())


def common_name(found: x509.Certificate) -> str:
    return str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def groups(found: x509.Certificate) -> list[str]:
    return [str(part.value) for part in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def client_certificate(kubeconfig: bytes) -> x509.Certificate:
    user = json.loads(kubeconfig)["users"][0]["user"]
    return x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))


def test_every_file_is_only_its_owners_to_read(store: SecretStore) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [store.folder, *store.folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_open_permissions_are_closed_again(store: SecretStore, article_lab: Lab) -> None:
    store.folder.chmod(0o755)
    (store.folder / "ssh").chmod(0o755)
    (store.folder / "admin.kubeconfig").chmod(0o644)
    store.ensure(article_lab)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((store.folder / "ssh").stat().st_mode) == 0o700
    assert stat.S_IMODE((store.folder / "admin.kubeconfig").stat().st_mode) == 0o600


def test_secrets_are_made_once_and_reused(store: SecretStore, article_lab: Lab) -> None:
    before = contents(store.folder)
    SecretStore(store.folder).ensure(article_lab)
    assert contents(store.folder) == before


def test_two_labs_share_no_secret(store: SecretStore, tmp_path: Path, article_lab: Lab) -> None:
    other = SecretStore(tmp_path / "other")
    other.ensure(article_lab)
    ours, theirs = contents(store.folder), contents(other.folder)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] == theirs[name]] == []


def test_each_machine_gets_its_own_secrets_and_no_more(store: SecretStore) -> None:
    found = {
        machine: sorted(contents(store.folder / "machines" / machine))
        for machine in ("ingress", "controlplane", "worker1", "worker2")
    }
    worker = ["bootstrap-token", "ca.crt", "calico-node.kubeconfig"]
    kubeconfigs = [f"kubeconfigs/{name}.conf" for name in ("controller-manager", "kubelet", "scheduler")]
    own = ["admin.conf", "reader.pem", *kubeconfigs]
    authorities = ["ca.crt", "ca.key", "etcd/ca.crt", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"]
    leaves = ["apiserver-etcd-client.crt", "apiserver-etcd-client.key", "etcd/server.crt", "etcd/server.key"]
    assert found == {
        "ingress": ["controller.kubeconfig"],
        "controlplane": sorted([*worker, *own, *(f"pki/{name}" for name in authorities + leaves)]),
        "worker1": worker,
        "worker2": worker,
    }


def test_clients_are_who_the_cluster_s_rights_say(store: SecretStore) -> None:
    clients = {
        "admin.kubeconfig": ("kubernetes-admin", ["system:masters"]),
        "machines/ingress/controller.kubeconfig": ("haproxy-ingress", ["labctl:ingress-controllers"]),
        "machines/controlplane/kubeconfigs/kubelet.conf": ("system:node:controlplane", ["system:nodes"]),
        "machines/controlplane/kubeconfigs/controller-manager.conf": ("system:kube-controller-manager", []),
        "machines/controlplane/kubeconfigs/scheduler.conf": ("system:kube-scheduler", []),
        "machines/worker2/calico-node.kubeconfig": ("system:labctl:calico-node:worker2", ["labctl:calico-nodes"]),
    }
    authority = certificate(store, "pki/ca.crt")
    for name, expected in clients.items():
        kubeconfig = (store.folder / name).read_bytes()
        found = client_certificate(kubeconfig)
        assert (common_name(found), groups(found)) == expected
        found.verify_directly_issued_by(authority)
        cluster = json.loads(kubeconfig)["clusters"][0]["cluster"]
        assert cluster["server"] == "https://192.168.50.22:6443"
        assert base64.b64decode(cluster["certificate-authority-data"]) == (store.folder / "pki/ca.crt").read_bytes()


def test_labctl_reads_the_cluster_as_a_user_of_its_own(store: SecretStore) -> None:
    found = certificate(store, "machines/controlplane/reader.pem")
    assert (common_name(found), groups(found)) == ("labctl-reader", ["labctl:readers"])
    found.verify_directly_issued_by(certificate(store, "pki/ca.crt"))


def test_etcd_s_certificate_names_where_it_is_reached(store: SecretStore) -> None:
    names = certificate(store, "pki/etcd-server.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost", "controlplane"]
    addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.168.50.22")]
    assert names.value.get_values_for_type(x509.IPAddress) == addresses


def test_openssl_accepts_every_chain(store: SecretStore) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    pki_folder = store.folder / "pki"
    chains = {"ca": ["admin", "controller", "calico-worker1"], "etcd-ca": ["etcd-server", "apiserver-etcd-client"]}
    for authority, leaves in chains.items():
        files = [str(pki_folder / f"{leaf}.crt") for leaf in leaves]
        for purpose in ("sslserver", "sslclient"):
            command = [openssl, "verify", "-x509_strict", "-purpose", purpose]
            subprocess.run([*command, "-CAfile", str(pki_folder / f"{authority}.crt"), *files], check=True)
    wrong = [openssl, "verify", "-CAfile", str(pki_folder / "etcd-ca.crt"), str(pki_folder / "admin.crt")]
    assert subprocess.run(wrong, capture_output=True, check=False).returncode != 0


def test_the_join_hash_is_what_kubeadm_s_documentation_computes(store: SecretStore) -> None:
    """kubernetes.io, "kubeadm join", "Token-based discovery with CA pinning"; ``pkey`` takes any kind of key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key = 'openssl x509 -pubkey -noout -in "$0" | openssl pkey -pubin -outform DER'
    command = f'{key} | openssl dgst -sha256 -hex | sed "s/.* //"'
    done = subprocess.run(
        ["bash", "-c", command, str(store.folder / "pki/ca.crt")], capture_output=True, text=True, check=True
    )
    assert store.join_hash() == f"sha256:{done.stdout.strip()}"


def test_the_token_has_kubeadm_s_form_and_is_the_same_on_every_node(store: SecretStore) -> None:
    tokens = {(store.folder / f"machines/{name}/bootstrap-token").read_text() for name in ("controlplane", "worker1")}
    assert len(tokens) == 1
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}\n", tokens.pop())


def test_ssh_reads_the_pinned_host_keys(store: SecretStore, article_lab: Lab) -> None:
    known = paramiko.HostKeys(str(store.folder / "ssh/known_hosts"))
    for machine in article_lab.machines:
        host = paramiko.Ed25519Key(filename=str(store.folder / f"ssh/{machine.name}/host_ed25519"))
        assert known.check(str(machine.address), host)
        public = (store.folder / f"ssh/{machine.name}/host_ed25519.pub").read_text().split()
        assert public == ["ssh-ed25519", host.get_base64(), machine.name]
    user = paramiko.Ed25519Key(filename=str(store.folder / "ssh/lab_ed25519"))
    files = [store.folder / f"ssh/{machine.name}/authorized_keys" for machine in article_lab.machines]
    authorized = {file.read_text() for file in files}
    assert authorized == {f"ssh-ed25519 {user.get_base64()} labctl-lab\n"}


def test_ssh_keygen_reads_the_keys(store: SecretStore) -> None:
    keygen = shutil.which("ssh-keygen") or pytest.skip("ssh-keygen is not installed")
    done = subprocess.run(
        [keygen, "-y", "-f", str(store.folder / "ssh/lab_ed25519")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[:2] == (store.folder / "ssh/ingress/authorized_keys").read_text().split()[:2]


def moved(lab: Lab, name: str, address: str) -> Lab:
    machines = tuple(
        replace(machine, address=IPv4Address(address)) if machine.name == name else machine for machine in lab.machines
    )
    return replace(lab, machines=machines)


def test_a_changed_address_makes_only_the_certificate_that_names_it_anew(store: SecretStore, article_lab: Lab) -> None:
    before = contents(store.folder)
    store.ensure(moved(article_lab, "controlplane", "192.168.50.99"))
    after = contents(store.folder)
    changed = {name for name in after if before[name] != after[name]}
    in_machines = {name for name in changed if name.startswith("machines/")}
    assert in_machines == {
        "machines/controlplane/pki/etcd/server.crt",
        "machines/controlplane/pki/etcd/server.key",
        "machines/controlplane/admin.conf",
        *(f"machines/controlplane/kubeconfigs/{name}.conf" for name in ("controller-manager", "kubelet", "scheduler")),
        "machines/ingress/controller.kubeconfig",
        *(f"machines/{name}/calico-node.kubeconfig" for name in ("controlplane", "worker1", "worker2")),
    }
    leaf = {"pki/etcd-server.crt", "pki/etcd-server.key"}
    assert changed - in_machines == leaf | {"admin.kubeconfig", "ssh/known_hosts"}
    assert json.loads(after["admin.kubeconfig"])["clusters"][0]["cluster"]["server"] == "https://192.168.50.99:6443"
    assert b"192.168.50.22" not in after["ssh/known_hosts"]


def test_a_worker_that_leaves_takes_its_secrets_along(store: SecretStore, article_lab: Lab) -> None:
    fewer = replace(article_lab, machines=tuple(m for m in article_lab.machines if m.name != "worker2"))
    kept = {name: data for name, data in contents(store.folder).items() if "worker2" not in name}
    store.ensure(fewer)
    after = contents(store.folder)
    assert [name for name in after if "worker2" in name] == []
    assert not any((store.folder / parent / "worker2").exists() for parent in ("ssh", "machines"))
    assert b"worker2" not in after["ssh/known_hosts"]
    del kept["ssh/known_hosts"], after["ssh/known_hosts"]
    assert after == kept


def test_a_worker_that_joins_changes_nobody_else_s_secrets(store: SecretStore, make_lab: MakeLab) -> None:
    before = contents(store.folder)
    store.ensure(make_lab(workers=3))
    after = contents(store.folder)
    assert [name for name in before if before[name] != after[name]] == ["ssh/known_hosts"]
    assert {name for name in after if name not in before} >= {
        "machines/worker3/bootstrap-token",
        "machines/worker3/calico-node.kubeconfig",
        "ssh/worker3/host_ed25519",
    }


@pytest.mark.parametrize("damage", ["other key", "empty certificate", "no certificate", "garbage key"])
def test_a_damaged_leaf_is_issued_again(store: SecretStore, article_lab: Lab, damage: str) -> None:
    """A crash between a certificate and its key leaves a pair that does not belong together."""
    crt, key = store.folder / "pki/controller.crt", store.folder / "pki/controller.key"
    if damage == "other key":
        key.write_bytes(keys.new_key())
    elif damage == "empty certificate":
        crt.write_bytes(b"")
    elif damage == "no certificate":
        crt.unlink()
    else:
        key.write_bytes(b"garbage")
    store.ensure(article_lab)
    kubeconfig = json.loads((store.folder / "machines/ingress/controller.kubeconfig").read_bytes())["users"][0]["user"]
    assert base64.b64decode(kubeconfig["client-key-data"]) == key.read_bytes()
    made = certificate(store, "pki/controller.crt")
    made.verify_directly_issued_by(certificate(store, "pki/ca.crt"))
    spki = keys.public_key(key.read_bytes())
    assert keys.public_key(base64.b64decode(kubeconfig["client-key-data"])) == spki
    assert spki == public_pem(made)


def public_pem(found: x509.Certificate) -> bytes:
    return found.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_certificate_fits_only_its_subject_its_authority_and_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    authority, other = keys.new_authority("one"), keys.new_authority("one")
    subject = keys.Subject("name", ("group",), ("dns",), (IPv4Address("10.0.0.1"),))
    pair = keys.issue(authority, subject)
    assert keys.is_still_valid(pair, authority, subject)
    assert not keys.is_still_valid(pair, other, subject)
    for wrong in (
        replace(subject, common_name="other"),
        replace(subject, groups=()),
        replace(subject, names=("other",)),
        replace(subject, addresses=()),
    ):
        assert not keys.is_still_valid(pair, authority, wrong)
    monkeypatch.setattr("labctl.secrets.keys._LEAF_LIFETIME", datetime.timedelta(days=29))
    assert not keys.is_still_valid(keys.issue(authority, subject), authority, subject)


def test_no_secret_stands_in_any_rendered_file(store: SecretStore, article_lab: Lab) -> None:
    tree = render_tree(article_lab, join_hash=store.join_hash(), box_file=Path("/boxes/a.box"))
    rendered = b"\n".join(file.content for file in tree.values())
    secrets = set()
    for name, data in contents(store.folder).items():
        if name.endswith("bootstrap-token"):
            secrets.add(data.strip())
            secrets.update(data.strip().split(b"."))
        if b"PRIVATE KEY" in data:
            secrets.update(line for line in data.splitlines() if len(line) > 20 and not line.startswith(b"-----"))
        if name.endswith(("kubeconfig", ".conf")):
            user = json.loads(data)["users"][0]["user"]
            secrets.add(user["client-key-data"].encode())
    assert len(secrets) > 20
    assert [secret for secret in secrets if secret in rendered] == []
    assert b"PRIVATE KEY" not in rendered
    assert store.join_hash().encode() in rendered  # the search would find one


def test_only_nodes_know_the_token_and_only_the_control_plane_an_authority_s_key(store: SecretStore) -> None:
    token = (store.folder / "bootstrap-token").read_bytes()
    key = (store.folder / "pki/ca.key").read_bytes()
    for machine in ("ingress", "worker1"):
        held = b"".join(contents(store.folder / "machines" / machine).values())
        assert key not in held
        assert (token in held) == (machine != Role.INGRESS.value)
