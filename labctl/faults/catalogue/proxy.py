"""Faults of the proxy: the ingress controller, its access to the API, and HAProxy."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault
from labctl.model.lab import Role

_RESTART = "systemctl restart haproxy-ingress.service"
_RESTORE = f"restore_files\n{_RESTART}"
_FILE = "/etc/haproxy-ingress/kubeconfig"

FAULTS = (
    Fault(
        name="controller-stopped",
        layer=Layer.PROXY,
        level=1,
        lesson="What starts HAProxy, and what still works when it is gone.",
        answer="the ingress controller is stopped",
        role=Role.INGRESS,
        root_causes=(Layer.PROXY.check("controller"),),
        cause="haproxy-ingress.service on {machine} was stopped",
        apply="stop_unit haproxy-ingress.service",
        undo="start_units",
    ),
    Fault(
        name="controller-class-missing",
        layer=Layer.PROXY,
        level=3,
        lesson="The Ingress is correct and the controller runs: what its flags make it ignore.",
        answer="the controller lacks --empty-ingress-class, and the Ingress has no class",
        role=Role.INGRESS,
        root_causes=(Layer.PROXY.check("servers"),),
        cause="ignored its Ingress",
        apply=f"""
back_up_file /etc/default/haproxy-ingress
sed -i 's/ --empty-ingress-class//' /etc/default/haproxy-ingress
{_RESTART}
""",
        undo=_RESTORE,
    ),
    Fault(
        name="kubeconfig-stale",
        layer=Layer.PROXY,
        level=1,
        lesson="The controller cannot find the API: what it keeps serving meanwhile.",
        answer="the controller's kubeconfig names a wrong address of the API",
        role=Role.INGRESS,
        root_causes=(Layer.PROXY.check("access"),),
        cause=_FILE,
        apply=f"""
back_up_file {_FILE}
sed -i "s#https://$CONTROLPLANE:6443#https://$INGRESS:6443#" {_FILE}
{_RESTART}
""",
        undo=_RESTORE,
    ),
    Fault(
        name="certificate-foreign",
        layer=Layer.PROXY,
        level=2,
        lesson="Unauthorized is not Forbidden: what the API checks first.",
        answer="the controller's certificate is not signed by the cluster's authority",
        role=Role.INGRESS,
        root_causes=(Layer.PROXY.check("access"),),
        cause="the API rejects",
        apply=f"""
back_up_file {_FILE}
folder=$(mktemp -d)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=haproxy-ingress' \\
  -keyout "$folder/key" -out "$folder/crt" 2>/dev/null
sed -i "s#\\(\\"client-certificate-data\\": \\"\\)[^\\"]*#\\1$(base64 -w0 "$folder/crt")#
s#\\(\\"client-key-data\\": \\"\\)[^\\"]*#\\1$(base64 -w0 "$folder/key")#" {_FILE}
rm -rf "$folder"
{_RESTART}
""",
        undo=_RESTORE,
    ),
    Fault(
        name="rights-removed",
        layer=Layer.PROXY,
        level=2,
        lesson="The API knows who is asking and still says no: how permissions are granted in Kubernetes.",
        answer="the ClusterRoleBinding of the controller is deleted",
        role=Role.INGRESS,
        runs_on=Role.CONTROLPLANE,
        root_causes=(Layer.PROXY.check("rights"),),
        cause="orbidden",
        apply="back_up_object clusterrolebinding haproxy-ingress\nkubectl delete clusterrolebinding haproxy-ingress"
        " --ignore-not-found",
        undo="restore_objects",
    ),
    Fault(
        name="haproxy-frozen",
        layer=Layer.PROXY,
        level=3,
        lesson="Connections are accepted and never answered: a process that exists does not have to work.",
        answer="HAProxy is stopped by a signal (SIGSTOP)",
        role=Role.INGRESS,
        root_causes=(Layer.MACHINE.check("processes", "{machine}"),),
        cause="stopped by a signal",
        apply="pkill -STOP -x haproxy || die 'HAProxy does not run'",
        undo="pkill -CONT -x haproxy || true",
    ),
    Fault(
        name="server-in-maintenance",
        layer=Layer.PROXY,
        level=2,
        lesson="All pods are ready, and one gets no requests: what HAProxy itself knows about its servers.",
        answer="one of HAProxy's servers is in maintenance",
        role=Role.INGRESS,
        root_causes=(Layer.PROXY.check("server", "*"),),
        cause="is MAINT",
        apply="""
socket=/run/haproxy-ingress/haproxy-runtime-api.sock
server=$(saved_value server)
if [ -z "$server" ]; then
  server=$(echo 'show stat' | socat - "UNIX-CONNECT:$socket" |
    awk -F, '$1 ~ /_svc_app_/ && $2 ~ /^SRV_/ && $18 ~ /^UP|^no check/ { print $1 "/" $2; exit }')
fi
[ -n "$server" ] || die 'HAProxy has no server that is up'
save_value server "$server"
echo "set server $server state maint" | socat - "UNIX-CONNECT:$socket"
""",
        undo="""
server=$(saved_value server)
if [ -n "$server" ]; then
  echo "set server $server state ready" | socat - UNIX-CONNECT:/run/haproxy-ingress/haproxy-runtime-api.sock || true
fi
""",
    ),
)
