"""How long an HTTP answer is waited for, and curl on the machines."""

from __future__ import annotations

CONNECT_SECONDS = 1.0
"""Until a connection stands: a kernel takes it within milliseconds, however busy its programs are."""
ANSWER_SECONDS = 1.2
"""Until a program has answered over the network: milliseconds, where the host has a processor to spare."""
API_SECONDS = 1.5
"""For all questions of the Kubernetes API together: one that has lost etcd answers each of them late."""


def curl(patience: float) -> tuple[str, ...]:
    """The words of a curl that waits as long as verify does. patience: how many times longer than usual."""
    return (
        *("curl", "-sS"),
        *("--connect-timeout", f"{CONNECT_SECONDS * patience:.3g}"),
        *("--max-time", f"{ANSWER_SECONDS * patience:.3g}"),
    )
