"""Examples for each command's --help, and what one does next after it."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": ("mkdir lab && cd lab && labctl init",),
    "doctor": ("labctl doctor", "labctl doctor --fix"),
    "render": ("labctl render", "labctl render --out /tmp/look"),
    "plan": ("labctl plan", "labctl plan --until bgp-peers"),
    "up": (
        "labctl up",
        "labctl up --workers 3",
        "labctl up --until controller --until app",
        "labctl up --offline",
    ),
    "verify": (
        "labctl verify",
        "labctl verify --explain",
        "labctl verify --layer bgp --layer route",
        "labctl verify --check bgp.ingress.worker1",
        "labctl verify --wait 90 --output json",
    ),
    "status": ("labctl status", "labctl status --output json"),
    "ssh": (
        "labctl ssh worker1",
        "labctl ssh ingress -- ip route",
        "labctl ssh worker1 -- 'journalctl -u bird | tail'",
    ),
    "kubectl": ("labctl kubectl get pods -o wide", "labctl kubectl scale deployment app --replicas=8"),
    "birdc": ("labctl birdc ingress show protocols", "labctl birdc ingress show route protocol worker1"),
    "calicoctl": ("labctl calicoctl node status", "labctl calicoctl get bgppeers -o yaml"),
    "kubeconfig": ("labctl kubeconfig > kubeconfig && KUBECONFIG=kubeconfig kubectl get nodes",),
    "ssh-config": ("labctl ssh-config > ssh_config && ssh -F ssh_config worker1",),
    "hosts": ("labctl hosts", "labctl hosts --apply"),
    "inventory": ("labctl inventory > lab.ini && ansible -i lab.ini all -m ping",),
    "logs": ("labctl logs", "labctl logs worker1", "labctl logs worker1 join"),
    "graph": ("labctl graph", "labctl graph --live", "labctl graph --live --format svg > lab.svg"),
    "break": (
        "labctl break --list --level 1",
        "labctl break bgp-filtered",
        "labctl break --random --hidden",
    ),
    "repair": ("labctl repair", "labctl repair bgp-filtered"),
    "report": ("labctl report --out report.html", "labctl report --fresh --format md", "labctl report --of tour"),
    "tour": (
        "labctl tour",
        "labctl tour --from kernel",
        "labctl tour --exercise",
        "labctl tour --export html --out handout.html",
    ),
    "watch": ("labctl watch", "labctl watch --port 8080", "labctl watch --tui"),
    "support-bundle": ("labctl support-bundle", "labctl support-bundle --out broken-lab.tar.gz"),
    "versions": ("labctl versions", "labctl versions --output markdown"),
    "halt": ("labctl halt",),
    "destroy": ("labctl destroy", "labctl destroy --yes"),
    "bench": (
        "labctl bench path --rounds 2",
        "labctl bench failover --case worker",
    ),
    "class": (
        "labctl class up --seats 4 --dry-run",
        "labctl class up --seats 4",
        "labctl class break --seed 7 --level 1 --hidden",
        "labctl class grade --output junit > marks.xml",
    ),
    "box": ("labctl box list", "labctl box build", "labctl box remove --all"),
    "cache": ("labctl cache pull", "labctl cache serve"),
    "completion": (
        'eval "$(labctl completion bash)"',
        "labctl completion zsh > ~/.zfunc/_labctl",
        "labctl completion fish > ~/.config/fish/completions/labctl.fish",
    ),
}

# By the exit status: what is said after a command at a terminal. Commands that say it themselves are not here.
NEXT: dict[str, dict[int, str]] = {
    "init": {0: "labctl up"},
    "render": {0: "labctl up"},
    "plan": {0: "labctl up"},
    "status": {0: "labctl verify judges it"},
    "verify": {0: "labctl tour, or labctl break --random --hidden", 1: "labctl verify --explain"},
    "graph": {0: "labctl graph --live --format svg > lab.svg"},
    "report": {0: "open it in a browser", 1: "labctl verify --explain"},
    "tour": {0: "labctl break --random --hidden, then find what is broken", 1: "labctl verify --explain"},
    "halt": {0: "labctl up starts the machines again"},
    "destroy": {0: "labctl up builds the lab anew; labctl box list shows the boxes that stay"},
}

_UP_OR_DESTROY = "labctl up goes on from here; labctl destroy removes the lab"
# What is said after a command that changes something and was interrupted.
AFTER_INTERRUPT: dict[str, str] = {
    "up": _UP_OR_DESTROY,
    "halt": _UP_OR_DESTROY,
    "destroy": _UP_OR_DESTROY,
    "break": "labctl repair; labctl verify --explain",
    "repair": "labctl repair goes on",
    "bench": "labctl up puts the lab right, if anything is left",
    "box": "the same command again; what was done is kept",
    "class": "labctl class up goes on from here; labctl class down removes the seats",
}
