"""Faults of BGP: BIRD on ingress and on the nodes."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault
from labctl.model.lab import Role, Source

FAULTS = (
    Fault(
        name="bird-stopped-on-ingress",
        layer=Layer.BGP,
        level=1,
        lesson="HAProxy loses all pods at once: what they have in common.",
        answer="BIRD is stopped on ingress",
        role=Role.INGRESS,
        root_causes=(Layer.BGP.check(machine="ingress"),),
        cause="bird.service on {machine} was stopped",
        apply="stop_unit bird.service",
        undo="start_units",
    ),
    Fault(
        name="bird-stopped-on-worker",
        layer=Layer.BGP,
        level=1,
        lesson="HAProxy loses the pods of one node, though they run: which end of a session to look at.",
        answer="BIRD is stopped on a worker",
        role=Role.WORKER,
        root_causes=(Layer.BGP.check("ingress", "{machine}"),),
        cause="nothing listens on {machine}'s port 179",
        apply="stop_unit bird.service",
        undo="start_units",
        sources=(Source.DEBIAN,),
    ),
    Fault(
        name="ingress-as-wrong",
        layer=Layer.BGP,
        level=1,
        lesson="A BGP OPEN message that is rejected: where BIRD says why.",
        answer="BIRD on ingress has AS number 65010",
        role=Role.INGRESS,
        root_causes=(Layer.BGP.check("config", "ingress"),),
        cause="local AS is 65010",
        apply="edit_bird_conf 's/^\\(  local .* as \\)[0-9]*;/\\165010;/'",
        undo="restore_bird_conf",
    ),
    Fault(
        name="neighbor-as-wrong",
        layer=Layer.BGP,
        level=2,
        lesson="One session of several fails: compare it with those that are up.",
        answer="BIRD on ingress expects AS 65077 from one worker",
        role=Role.WORKER,
        runs_on=Role.INGRESS,
        root_causes=(Layer.BGP.check("config", "ingress"),),
        cause="{machine}: neighbor AS is 65077",
        apply='edit_bird_conf "s/^\\(  neighbor $ADDRESS as \\)[0-9]*;/\\165077;/"',
        undo="restore_bird_conf",
    ),
    Fault(
        name="session-missing",
        layer=Layer.BGP,
        level=2,
        lesson="A missing session logs nothing: compare the list of sessions with the list of nodes.",
        answer="bird.conf on ingress has no session for one worker",
        role=Role.WORKER,
        runs_on=Role.INGRESS,
        root_causes=(Layer.BGP.check("config", "ingress"),),
        cause="no session with {machine}",
        apply='edit_bird_conf "/^protocol bgp .*from node {/{N;/neighbor $ADDRESS as/{N;d}}"',
        undo="restore_bird_conf",
    ),
    Fault(
        name="session-disabled",
        layer=Layer.BGP,
        level=1,
        lesson="Down and Active are not the same: what each state of a session means.",
        answer="one worker's session is disabled in BIRD on ingress",
        role=Role.WORKER,
        runs_on=Role.INGRESS,
        root_causes=(Layer.BGP.check("ingress", "{machine}"),),
        cause="is disabled in BIRD on ingress",
        apply="""
session=$(session_with "$ADDRESS")
[ -n "$session" ] || die "BIRD has no session with $MACHINE"
save_value session "$session"
birdc disable "$session"
""",
        undo='[ -z "$(saved_value session)" ] || birdc enable "$(saved_value session)"',
    ),
    Fault(
        name="bird-configuration-broken",
        layer=Layer.BGP,
        level=2,
        lesson="A daemon that no longer starts: how to check a configuration before it is used.",
        answer="bird.conf on ingress has a syntax error, and BIRD was restarted",
        role=Role.INGRESS,
        root_causes=(Layer.BGP.check(machine="ingress"),),
        cause="syntax error",
        apply="""
back_up_file /etc/bird/bird.conf
sed -i 's/^  hold time /  hold tiem /' /etc/bird/bird.conf
systemctl restart bird.service 2>/dev/null || true
""",
        undo="""
restore_files
systemctl reset-failed bird.service 2>/dev/null || true
systemctl restart bird.service
""",
    ),
)
