"""Commands that need only the lab and its files."""

import json
import os

from labctl.config import Overrides
from labctl.providers.load import load_lab


def test_init_writes_a_file_that_is_the_articles_lab(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without = load_lab(tmp_path, overrides=Overrides(provider="lxc"))
    result = run("init")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "wrote labctl.yaml; every key in it is optional. Next: labctl up\n"
    assert load_lab(tmp_path, overrides=Overrides(provider="lxc")) == without


def test_init_leaves_a_file_alone(run, lab_folder):
    result = run("init")
    assert (result.exit_code, lab_folder.config.read_text()) == (2, "provider: lxc\n")
    assert result.stderr == ("error: labctl.yaml already exists\n  next:  labctl init --force overwrites it\n")
    assert run("-q", "init", "--force").output == ""
    assert lab_folder.config.read_text() != "provider: lxc\n"


def test_ssh_config(run, lab_folder):
    lab_folder.config.write_text("provider: lxc\nworkers: 1\n")
    base = lab_folder.base
    hosts = {"ingress": 21, "controlplane": 22, "worker1": 23}
    assert run("ssh-config").output == "\n".join(
        f"Host {name} {name}.lab\n"
        f"  HostName 192.168.50.{number}\n"
        "  User root\n"
        "  Port 22\n"
        f'  IdentityFile "{base}/.labctl/secrets/ssh/lab_ed25519"\n'
        "  IdentitiesOnly yes\n"
        f'  UserKnownHostsFile "{base}/.labctl/secrets/ssh/known_hosts"\n'
        "  GlobalKnownHostsFile none\n"
        "  StrictHostKeyChecking yes\n"
        "  LogLevel ERROR\n"
        "  ServerAliveInterval 15\n"
        for name, number in hosts.items()
    )


def test_inventory_ini(run, lab_folder):
    base = lab_folder.base
    known_hosts = f"'UserKnownHostsFile=\"{base}/.labctl/secrets/ssh/known_hosts\"'"
    assert run("inventory").output == (
        "[ingresses]\ningress ansible_host=192.168.50.21\n\n"
        "[controlplanes]\ncontrolplane ansible_host=192.168.50.22\n\n"
        "[workers]\nworker1 ansible_host=192.168.50.23\nworker2 ansible_host=192.168.50.24\n\n"
        "[nodes:children]\ncontrolplanes\nworkers\n\n"
        "[all:vars]\n"
        "ansible_user=root\n"
        "ansible_port=22\n"
        f"ansible_ssh_private_key_file={base}/.labctl/secrets/ssh/lab_ed25519\n"
        f"ansible_ssh_common_args=-o IdentitiesOnly=yes -o {known_hosts}"
        " -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes\n"
        "ansible_python_interpreter=/usr/bin/python3\n"
    )


def test_inventory_json_says_the_same(run, lab_folder):
    everything = json.loads(run("inventory", "--output", "json").stdout)["all"]
    assert everything["vars"]["ansible_user"] == "root"
    assert everything["children"]["workers"]["hosts"]["worker2"] == {"ansible_host": "192.168.50.24"}
    assert everything["children"]["nodes"] == {"children": {"controlplanes": {}, "workers": {}}}


def test_kubeconfig_comes_byte_for_byte(run, lab_folder):
    assert run("kubeconfig").stdout_bytes == b"apiVersion: v1\n\xc3\xa4\n"


def test_kubeconfig_without_a_lab(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("kubeconfig")
    assert (result.exit_code, result.output) == (3, f"error: there is no lab in {tmp_path}\n  next:  labctl up\n")


def written_log(lab_folder, machine, step, text, when):
    file = lab_folder.logs / machine / f"{step}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    os.utime(file, (when, when))


def test_logs(run, lab_folder, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    written_log(lab_folder, "ingress", "bird", b"two\xff\n", 1_700_000_060)
    written_log(lab_folder, "ingress", "base", b"one\n", 1_700_000_000)
    written_log(lab_folder, "worker1", "base", b"", 1_700_000_030)
    assert run("logs").output.splitlines() == [
        "machine  step  written              bytes",
        "ingress  base  2023-11-14 22:13:20  4    ",
        "worker1  base  2023-11-14 22:13:50  0    ",
        "ingress  bird  2023-11-14 22:14:20  5    ",
    ]
    assert run("logs", "ingress").stdout_bytes == b"==> ingress base <==\none\n==> ingress bird <==\ntwo\xff\n"
    assert run("logs", "ingress", "bird").stdout_bytes == b"two\xff\n"
    assert run("logs", "ingress", "brid").stderr == (
        "error: no log of ingress for a step 'brid'; did you mean bird?\n  next:  labctl logs --help\n"
    )
    assert run("logs", "..").exit_code == 2


def test_logs_before_any_step(run, lab_folder):
    result = run("logs")
    assert (result.exit_code, result.output) == (
        3,
        f"error: no step has run in {lab_folder.base}\n  next:  labctl up\n",
    )


def test_hosts_apply_twice_and_remove(run, lab_folder):
    file = lab_folder.base / "hosts"
    file.write_text("127.0.0.1 localhost\n10.0.0.1 test.local")
    result = run("hosts", "--file", str(file), "--apply")
    assert result.stderr == (
        f"written to {file}: 192.168.50.21 test.local # labctl:lab\n"
        f"warning: {file} also has another address for test.local: 10.0.0.1 test.local\n"
    )
    assert file.read_text() == "127.0.0.1 localhost\n10.0.0.1 test.local\n192.168.50.21 test.local # labctl:lab\n"
    assert run("-q", "hosts", "--file", str(file), "--apply").exit_code == 0
    assert run("hosts", "--file", str(file), "--remove").stderr == (
        f"removed from {file}: 192.168.50.21 test.local # labctl:lab\n"
    )
    assert file.read_text() == "127.0.0.1 localhost\n10.0.0.1 test.local\n"
    assert run("hosts", "--file", str(file), "--remove").stderr == f'{file} has no line for lab "lab"\n'


def test_virtual_machines_are_entered_as_vagrant(run, lab_folder):
    lab_folder.config.write_text("provider: virtualbox\n")
    assert "  User vagrant\n" in run("ssh-config").output
    assert "ansible_user=vagrant\n" in run("inventory").output
