"""What systemctl and the journal print, read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl.facts.systemd import KUBELET_UNIT, FailedUnits, LastWords, Unit, Units

SHOW = """Id=bird.service
LoadState=loaded
ActiveState=failed
SubState=failed
Result=exit-code
ExecMainStatus=1
NRestarts=5
StateChangeTimestamp=Mon 2026-11-23 12:00:00 UTC

Id=nonexistent.service
LoadState=not-found
ActiveState=inactive
SubState=dead
"""


def test_units() -> None:
    units = Units().parse(SHOW)
    since = "Mon 2026-11-23 12:00:00 UTC"
    assert units["bird.service"] == Unit("bird.service", "loaded", "failed", "failed", "exit-code", 1, 5, since)
    assert str(units["bird.service"]) == "bird.service: failed (failed), exit-code (status 1)"
    assert str(units["nonexistent.service"]) == "nonexistent.service: not-found"
    assert not units["bird.service"].running
    assert FailedUnits().parse("a.service loaded failed failed A\n● b.mount loaded failed failed B\n\n") == (
        "a.service",
        "b.mount",
    )


words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1)


@given(st.dictionaries(words, st.tuples(words, words, words, words, st.integers(0, 255), st.integers(0, 9999), words)))
def test_units_survive_systemctl_show(wanted: dict[str, tuple[Any, ...]]) -> None:
    keys = ("LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts", "StateChangeTimestamp")
    blocks = [
        "".join(f"{key}={value}\n" for key, value in zip(("Id", *keys), (name, *values), strict=True))
        for name, values in wanted.items()
    ]
    assert Units().parse("\n".join(blocks)) == {name: Unit(name, *values) for name, values in wanted.items()}


# The kubelet of Kubernetes 1.20 whose way to the API a firewall rejects.
KUBELET_SAYS = (
    "E1129 22:47:12.893731    1242 reflector.go:138] k8s.io/kubernetes/pkg/kubelet/config/apiserver.go:46: Failed to "
    'watch *v1.Pod: failed to list *v1.Pod: Get "https://192.168.50.22:6443/api/v1/pods?fieldSelector=spec.nodeName%3Dworker1'
    '&resourceVersion=701": dial tcp 192.168.50.22:6443: connect: no route to host'
)


def test_the_last_words_of_kubernetes_programs_are_their_message() -> None:
    said = LastWords(KUBELET_UNIT).parse(f"Started kubelet.\n{KUBELET_SAYS}\n")
    assert said.startswith("k8s.io/kubernetes/pkg/kubelet/config/apiserver.go:46: Failed to watch *v1.Pod")
    assert said.endswith("dial tcp 192.168.50.22:6443: connect: no route to host")
