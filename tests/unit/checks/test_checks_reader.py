"""labctl reads the API as a user of its own, who may read what the checks read and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.api_stand_in import api
from support.edits import with_result, with_text
from support.made_facts import make_facts, make_lab, review

from labctl.checks.check import Status
from labctl.checks.verify import judge_facts
from labctl.facts.certificates import READER
from labctl.facts.kubernetes import api_paths, controller_reads, rights_command
from labctl.model.lab import Lab, Source
from labctl.secrets.redact import Redactor
from labctl.secrets.store import SecretStore
from labctl.steps.templates import render_template, templates_folder
from labctl.watch import follower

pytestmark = pytest.mark.real_program("bash", "sh")

LAB = make_lab()
AUTHORITY = "/etc/kubernetes/pki/ca.crt"


@pytest.fixture
def secrets(tmp_path: Path) -> SecretStore:
    store = SecretStore(tmp_path / "secrets")
    store.ensure(LAB)
    return store


def rules(lab: Lab = LAB) -> list[dict[str, Any]]:
    text = render_template(templates_folder(), "scripts/files/reader-objects.yaml.j2", {"lab": lab})
    role, binding = yaml.safe_load_all(text)
    assert binding["roleRef"]["name"] == role["metadata"]["name"] == "labctl-reader"
    assert [(item["kind"], item["name"]) for item in binding["subjects"]] == [("Group", "labctl:readers")]
    return list(role["rules"])


@pytest.mark.parametrize(
    "lab",
    [LAB, make_lab(more="source: upstream\n"), make_lab(more="source: upstream\nversions: {calico: '3.33'}\n")],
    ids=["debian", "3.32", "3.33"],
)
def test_the_reader_may_read_what_is_read_and_nothing_else(lab: Lab) -> None:
    allowed = {
        (group, name)
        for rule in rules(lab)
        if rule["verbs"] == ["get", "list", "watch"]
        for group in rule["apiGroups"]
        for name in rule["resources"]
    }
    needed = set()
    for path in api_paths(lab.calico_api).values():
        words = path.split("/")
        if words[1] in ("api", "apis"):
            needed.add((words[2] if words[1] == "apis" else "", words[-1]))
    assert allowed == needed
    others = [rule for rule in rules(lab) if rule["verbs"] != ["get", "list", "watch"]]
    assert others == [
        {"nonResourceURLs": ["/readyz", "/version"], "verbs": ["get"]},
        {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
    ]


def pair_in(store: SecretStore) -> Path:
    return store.folder / "machines/controlplane/reader.pem"


def test_curl_asks_in_the_readers_name_what_the_controller_may_read(secrets: SecretStore, tmp_path: Path) -> None:
    """One process and one connection; the answers are what the check reads."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")

    def answer(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        kind = asked["spec"]["resourceAttributes"]["resource"]
        return 201, {**asked, "status": {"allowed": kind != "services"}}

    with api(tmp_path, secrets._authority("ca"), answer) as server:
        command = rights_command(LAB.controlplane.address, Source.UPSTREAM, 1.0).replace(READER, str(pair_in(secrets)))
        command = command.replace(AUTHORITY, str(tmp_path / "ca.crt"))
        command = command.replace(f"https://{LAB.controlplane.address}:6443", server.url)
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert "Impersonate" not in command
    assert {seen[:4] for seen in server.seen} == {
        ("labctl-reader", "labctl:readers", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
    }
    assert len(server.seen) == len(controller_reads(Source.UPSTREAM)) == 7
    assert len({port for *_, port in server.seen}) == 1
    facts = with_result(make_facts(LAB), "controlplane", "controller-rights", stdout=done.stdout)
    outcome = judge_facts(LAB, facts).result("proxy.rights").outcome
    assert outcome.cause.startswith("the controller may not read services (forbidden): no ClusterRole")


def test_watch_reads_in_the_readers_name(secrets: SecretStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (follower.READER, follower.AUTHORITY) == (READER, AUTHORITY)
    monkeypatch.setattr(follower, "READER", str(pair_in(secrets)))
    monkeypatch.setattr(follower, "AUTHORITY", str(tmp_path / "ca.crt"))
    with api(tmp_path, secrets._authority("ca"), lambda _: (200, {"items": []})) as server:
        said = follower.Api(server.url, "/api/v1/nodes /api/v1/pods").ask()
    assert said.count("labctl-url 200 ") == 2
    assert [seen[:4] for seen in server.seen] == [
        ("labctl-reader", "labctl:readers", "GET", path) for path in ("/api/v1/nodes", "/api/v1/pods")
    ]


def test_the_readers_key_is_never_shown(secrets: SecretStore) -> None:
    key = pair_in(secrets).read_text().partition("PRIVATE KEY-----\n")[2].splitlines()
    hidden = Redactor(secrets.folder)(f"{pair_in(secrets).read_text()}\n{key[0]}")
    assert not any(line in hidden for line in key[:-1])
    assert pair_in(secrets).stat().st_mode & 0o777 == 0o600


def before_the_reader(lab: Lab) -> Any:
    """What a lab that an older labctl brought up answers: there is no certificate, and curl 8.14 says so."""
    said = "curl: (58) could not load PEM client certificate from /etc/labctl/reader.pem, OpenSSL error error:80000002:system library::No such file or directory, (no key found, wrong pass phrase, or wrong file format?)"  # noqa: E501
    facts = make_facts(lab)
    for probe in ("api", "controller-rights"):
        facts = with_result(facts, "controlplane", probe, status=58, stdout="", stderr=said)
    blocks = facts.on("controlplane").results["certificates"].stdout.split(f"{READER}\n")
    end = "-----END CERTIFICATE-----\n"
    older = blocks[0] + blocks[1].partition(end)[2]
    sed = f"sed: can't read {READER}: No such file or directory"
    return with_result(facts, "controlplane", "certificates", status=2, stdout=older, stderr=sed)


def test_a_lab_of_an_older_labctl_is_told_to_go_up_again() -> None:
    report = judge_facts(LAB, before_the_reader(LAB))
    assert tuple(map(str, report.root_causes)) == ("machine.certificates.controlplane",)
    outcome = report.result("machine.certificates.controlplane").outcome
    assert outcome.hint == "labctl up"
    assert "controlplane has no /etc/labctl/reader.pem" in outcome.cause
    assert "an older labctl brought this lab up" in outcome.cause
    assert report.result("cluster.api").status is Status.BLOCKED


def test_rights_that_were_taken_from_the_reader_are_named() -> None:
    """The API's words on Kubernetes 1.36.2 about a client without rights."""
    why = 'pods is forbidden: User \\"labctl-reader\\" cannot list resource \\"pods\\" in API group \\"\\" at the cluster scope'  # noqa: E501
    url = f"https://{LAB.controlplane.address}:6443{api_paths(LAB.calico_api)['pods']}\n"

    def refuse(text: str) -> str:
        before, _, after = text.partition(f"labctl-url 200 {url}")
        start = before.rindex("\nlabctl-url") + 1
        start = before.index("\n", start) + 1
        return f'{before[:start]}{{"kind":"Status","message":"{why}","code":403}}\nlabctl-url 403 {url}{after}'

    report = judge_facts(LAB, with_text(make_facts(LAB), "controlplane", "api", refuse))
    assert tuple(map(str, report.root_causes)) == ("cluster.api",)
    outcome = report.result("cluster.api").outcome
    assert 'User "labctl-reader" cannot list resource "pods"' in outcome.observed
    assert "the ClusterRole labctl-reader is not as `labctl up` makes it" in outcome.cause
    assert outcome.hint == "labctl up"


def test_what_the_controller_may_not_read_is_named() -> None:
    def forbid(text: str) -> str:
        return text.replace(
            review("networking.k8s.io", "ingresses"), review("networking.k8s.io", "ingresses", allowed=False)
        )

    report = judge_facts(LAB, with_text(make_facts(LAB), "controlplane", "controller-rights", forbid))
    assert tuple(map(str, report.root_causes)) == ("proxy.rights",)
    assert "the controller may not read ingresses (forbidden)" in report.result("proxy.rights").outcome.cause


@pytest.mark.parametrize("said", ["", '{"kind":"Status","message":"subjectaccessreviews is forbidden"}\n', "{", "{}"])
def test_an_api_that_does_not_say_what_the_controller_may_read_is_no_pass(said: str) -> None:
    facts = with_result(make_facts(LAB), "controlplane", "controller-rights", stdout=said)
    assert judge_facts(LAB, facts).result("proxy.rights").status is Status.FAIL


def test_the_question_is_well_formed() -> None:
    words = rights_command(LAB.controlplane.address, Source.DEBIAN, 1.0).split("--data ")[1:]
    bodies = [json.loads(part[1 : part.index("}}}") + 3]) for part in words]
    assert [body["spec"]["resourceAttributes"]["resource"] for body in bodies] == [
        kind for _, kind in controller_reads(Source.DEBIAN)
    ]
