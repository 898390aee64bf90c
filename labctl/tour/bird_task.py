"""The student's part of the exercise: BIRD's configuration on ingress, from an empty one to one that holds."""

from __future__ import annotations

import re

from labctl.errors import LabctlError
from labctl.model.lab import Lab, Mesh
from labctl.tour.call import Call, shell
from labctl.tour.guide import Guide

CONFIG = "/etc/bird/bird.conf"
_KEPT, _TRIED = f"{CONFIG}.before-exercise", f"{CONFIG}.exercise"
_START = """\
log syslog all;
router id {address};

protocol device {{
}}

# What BIRD learns over BGP goes into the kernel's routing table.
protocol kernel {{
  ipv4 {{
    import none;
    export where source = RTS_BGP;
  }};
}}

# Your part: a `protocol bgp` for each node.
"""
_CONFIGURED = re.compile(r"^\s*(protocol|template)\s+bgp\b", re.MULTILINE)


def clear_bird(guide: Guide) -> bool:
    """Put the lab's bird.conf aside, if there is one, until the tour ends; whether there was.

    After `labctl up --until` there may be none: then what the student writes stays.
    """
    ingress = guide.lab.ingress
    if not _CONFIGURED.search(_config(guide)):
        return False
    text = _START.format(address=ingress.address)
    back = f"cp -p {CONFIG} {_TRIED} && mv {_KEPT} {CONFIG} && systemctl restart bird"
    guide.must_undo("bird.conf", shell(ingress.name, f"test ! -e {_KEPT} || {{ {back}; }}"))
    write = f"cat > {CONFIG} <<'END'\n{text}END\n"
    guide.ask(shell(ingress.name, f"cp -p {CONFIG} {_KEPT} && {write}systemctl restart bird"))
    return True


def _config(guide: Guide) -> str:
    return guide.ask(shell(guide.lab.ingress.name, f"cat {CONFIG} 2>/dev/null || true"))


def configured(guide: Guide) -> bool:
    """BIRD reads it, each node is a neighbor, not everything is let in, and where ingress has to reflect, it does."""
    lab, text = guide.lab, re.sub(r"#.*", "", _config(guide))
    if not all(re.search(rf"\bneighbor\s+{re.escape(str(node.address))}\b", text) for node in lab.nodes):
        return False
    if re.search(r"\bimport\s+all\b", text) or not re.search(r"\bimport\s+(where|filter)\b", text):
        return False
    if lab.bgp.mesh is Mesh.REFLECTOR and not re.search(r"\brr\s+client\b", text):
        return False
    return _succeeds(guide, shell(lab.ingress.name, f"bird -p -c {CONFIG}"))


def _succeeds(guide: Guide, call: Call) -> bool:
    try:
        guide.ask(call)
    except LabctlError:
        return False
    return True


def _filter_line(lab: Lab) -> str:
    network = lab.network
    return f"import where net ~ [ {network.pod_cidr}{{{network.block_size},{network.block_size}}} ];"


def what_to_write(lab: Lab) -> str:
    """The task in words, with the lab's own addresses and numbers."""
    nodes = ", ".join(f"{node.name} {node.address}" for node in lab.nodes)
    text = (
        f"Edit {CONFIG} on ingress: one `protocol bgp` for each node ({nodes}). The nodes are AS "
        f"{lab.network.as_number}, ingress is AS {lab.network.ingress_as_number}. Let in the blocks of the pod network "
        f"{lab.network.pod_cidr} and nothing else."
    )
    if lab.bgp.mesh is Mesh.REFLECTOR:
        text += " There is no mesh: make each node an `rr client` and tell it what the others told you."
    if lab.bgp.password:
        text += " Each session has a `password`; here on the host it is in .labctl/secrets/bgp-password."
    return text


def one_protocol(lab: Lab) -> str:
    """One of the sessions that the task asks for, written out."""
    node = lab.workers[0] if lab.workers else lab.controlplane
    reflects = lab.bgp.mesh is Mesh.REFLECTOR
    lines = [
        f"local {lab.ingress.address} as {lab.network.ingress_as_number};",
        f"neighbor {node.address} as {lab.network.as_number};",
        "direct;",
        *(["rr client;"] if reflects else []),
        *(['password "...";'] if lab.bgp.password else []),
        "ipv4 {",
        f"  {_filter_line(lab)}",
        f"  export {'where source = RTS_BGP' if reflects else 'none'};",
        "};",
    ]
    return "\n".join([f"protocol bgp {node.name} {{", *(f"  {line}" for line in lines), "}"])
