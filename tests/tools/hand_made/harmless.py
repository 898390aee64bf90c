"""Changes to the application's own objects, to Calico's and to nodes, after which the lab does what it did.

Rows for harmless_trials.py: what is changed, how, and how it is put back. All run on the control plane.
"""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import HandMade, objects

_WORDS = r"""
APP=/root/lab/files/app.yaml
rolled() { kubectl rollout status --timeout=100s "${1:-deployment/app}"; }
put_back() { sed "/^kind: Service/,/^---/s/^spec:/spec:\n  clusterIP: $(kubectl get service app -o 'jsonpath={.spec.clusterIP}')/" $APP | kubectl replace -f - && kubectl apply -f $APP; }  # replace drops what apply noted
again() { put_back || put_back || put_back; rolled; }
patched() { kubectl patch "$1" "$2" --type=json -p "$3"; }
template() { patched deployment app "$1"; rolled; }
annotated() { kubectl annotate --overwrite "$@"; sleep 1; }
other() { kubectl get deployment other >/dev/null 2>&1 || { kubectl create deployment other --image=jmalloc/echo-server; kubectl patch deployment other --type=json -p '[{"op":"add","path":"/spec/template/spec/containers/0/imagePullPolicy","value":"IfNotPresent"}]'; kubectl expose deployment other --port=80 --target-port=8080; kubectl rollout status deployment other; }; }
no_other() { kubectl delete deployment,service other --ignore-not-found; }
ingress() { kubectl create -f - <<Y
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: $1, namespace: default, annotations: {$3}}, spec: {$2}}
Y
sleep 1; }
to() { echo "{path: $1, pathType: $2, backend: {service: {name: $3, port: {number: 80}}}}"; }
calico() { kubectl "$1" "$2.projectcalico.org" "${@:3}"; }
pods_like_app() { kubectl get deployment app -o json | python3 -c 'import json,sys; t=json.load(sys.stdin)["spec"]["template"]; t["metadata"]={"labels": json.loads(sys.argv[2])}; print(json.dumps({"apiVersion": "apps/v1", "kind": sys.argv[1], "metadata": {"name": sys.argv[3]}, "spec": {"selector": {"matchLabels": json.loads(sys.argv[2])}, "template": t, **json.loads(sys.argv[4])}}))' "$@" | kubectl create -f -; }
"""
_AGAIN = "again"
_SPEC = "/spec/template/spec"
_BOX = f"{_SPEC}/containers/0"


def _row(name: str, commands: str, undo: str = _AGAIN) -> HandMade:
    return objects(name, f"set -euo pipefail\n{_WORDS}{commands}", _WORDS + undo, cause="")


def _template(name: str, *patches: tuple[str, str]) -> HandMade:
    """Another pod template: (path, JSON), added there."""
    parts = ",".join(f'{{"op":"add","path":"{path}","value":{value}}}' for path, value in patches)
    return _row(name, f"template '[{parts}]'")


def _annotated(name: str, what: str, *words: str) -> HandMade:
    gone = " ".join(word.partition("=")[0] + "-" for word in words)
    return _row(name, f"annotated {what} {' '.join(words)}; sleep 1", f"annotated {what} {gone}; kubectl apply -f $APP")


def _service(name: str, spec: str) -> HandMade:
    return _row(name, f"kubectl patch service app -p '{{\"spec\":{{{spec}}}}}'; sleep 1")


def _ingress(name: str, spec: str, annotations: str = "") -> HandMade:
    """A second Ingress."""
    return _row(name, f'other; ingress mine "{spec}" "{annotations}"', "kubectl delete ingress mine; no_other; sleep 1")


def _own_ingress(name: str, patch: str) -> HandMade:
    return _row(name, f"patched ingress test-ingress '[{patch}]'; sleep 1")


def _peer(name: str, spec: str) -> HandMade:
    return _row(
        name,
        f"calico patch bgppeers ingress --type=merge -p '{{\"spec\":{{{spec}}}}}'; sleep 8",
        "calico delete bgppeers ingress; kubectl apply -f /root/lab/files/bgp-peers.yaml; sleep 8",
    )


_APP_PORT = '{"name":"port-1","port":80,"protocol":"TCP","targetPort":8080}'
_HOST = "rules: [{host: test.local, http: {paths: ["

HARMLESS_TO_THE_LABS_OWN = (
    # The Deployment
    _template("pods declare two ports", (f"{_BOX}/ports/0", '{"containerPort":9090}')),
    _row(
        "pods declare another port only",
        f'template \'[{{"op":"replace","path":"{_BOX}/ports","value":[{{"containerPort":9090}}]}}]\'',
    ),
    _row("pods declare no port", f'template \'[{{"op":"remove","path":"{_BOX}/ports"}}]\''),
    _template(
        "a sidecar comes first",
        (
            f"{_SPEC}/containers/0",
            '{"name":"side","image":"jmalloc/echo-server","imagePullPolicy":"IfNotPresent","env":[{"name":"PORT","value":"9090"}],"ports":[{"containerPort":9090}]}',
        ),
    ),
    _template(
        "a readiness and a liveness probe",
        (f"{_BOX}/readinessProbe", '{"httpGet":{"path":"/","port":8080}}'),
        (f"{_BOX}/livenessProbe", '{"tcpSocket":{"port":8080}}'),
    ),
    _template(
        "requests and limits",
        (f"{_BOX}/resources", '{"requests":{"cpu":"10m","memory":"16Mi"},"limits":{"memory":"64Mi"}}'),
    ),
    _template("all pods on one worker", (f"{_SPEC}/nodeSelector", '{"kubernetes.io/hostname":"worker1"}')),
    _template(
        "pods on the control plane, too",
        (f"{_SPEC}/tolerations", '[{"operator":"Exists"}]'),
        (
            f"{_SPEC}/topologySpreadConstraints",
            '[{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{"matchLabels":{"run":"app"}}}]',
        ),
    ),
    _template(
        "labels and annotations on the pods",
        ("/spec/template/metadata/labels/tier", '"web"'),
        ("/spec/template/metadata/annotations", '{"note":"mine"}'),
    ),
    _template("another name for the pods' host", (f"{_SPEC}/hostname", '"web"')),
    _template(
        "the strategy Recreate",
        ("/spec/strategy", '{"type":"Recreate"}'),
        ("/spec/template/metadata/annotations", '{"note":"again"}'),
    ),
    _row("50 pods", "kubectl scale deployment app --replicas=50; rolled; sleep 1"),
    _row("one pod", "kubectl scale deployment app --replicas=1; sleep 2"),
    _row(
        "pods with hostNetwork",
        f'kubectl scale deployment app --replicas=2; sleep 2; template \'[{{"op":"add","path":"{_SPEC}/hostNetwork","value":true}}]\'; sleep 1',
        "kubectl scale deployment app --replicas=2; again",
    ),
    _row(
        "a rollout that is paused",
        "kubectl rollout pause deployment app; kubectl set env deployment app COLOUR=blue",
        "kubectl rollout resume deployment app; again",
    ),
    _row("a rollout that is complete", "kubectl rollout restart deployment app; rolled; sleep 2"),
    _row(
        "a second Deployment behind the Service",
        'pods_like_app Deployment \'{"run":"app","track":"canary"}\' canary \'{"replicas":2}\'; rolled deployment/canary; sleep 1',
        "kubectl delete deployment canary --wait; again",
    ),
    _row(
        "a StatefulSet in the Deployment's place",
        'pods_like_app StatefulSet \'{"run":"app","kind":"set"}\' set \'{"replicas":2,"serviceName":"app"}\'; rolled statefulset/set; kubectl scale deployment app --replicas=0; sleep 3',
        "kubectl delete statefulset set; again",
    ),
    _row(
        "a DaemonSet behind the Service",
        'pods_like_app DaemonSet \'{"run":"app","kind":"daemon"}\' daemon \'{}\'; rolled daemonset/daemon; sleep 1',
        "kubectl delete daemonset daemon; again",
    ),
    _row(
        "a pod that has ended, with the application's label",
        "kubectl run ended --image=jmalloc/echo-server --image-pull-policy=IfNotPresent --labels=run=app --restart=Never --overrides='{\"spec\":{\"activeDeadlineSeconds\":1}}'; until kubectl get pod ended -o jsonpath='{.status.phase}' | grep -q Failed; do sleep 0.5; done; sleep 1",
        "kubectl delete pod ended; again",
    ),
    _row(
        "a HorizontalPodAutoscaler", "kubectl autoscale deployment app --min=5 --max=7", "kubectl delete hpa app; again"
    ),
    _row(
        "a PodDisruptionBudget", "kubectl create pdb app --selector=run=app --min-available=2", "kubectl delete pdb app"
    ),
    _row(
        "a ResourceQuota and a LimitRange",
        "kubectl create quota mine --hard=pods=100; kubectl create -f - <<'Y'\n---\n{apiVersion: v1, kind: LimitRange, metadata: {name: mine}, spec: {limits: [{type: Container, defaultRequest: {cpu: 5m}}]}}\nY",
        "kubectl delete quota/mine limits/mine",
    ),
    _row(
        "a NetworkPolicy that lets everything in",
        "kubectl create -f - <<'Y'\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: mine}, spec: {podSelector: {}, ingress: [{}]}}\nY",
        "kubectl delete networkpolicy mine",
    ),
    # The Service
    _service(
        "a second port of the Service", f'"ports":[{_APP_PORT},{{"name":"metrics","port":9090,"targetPort":9090}}]'
    ),
    _service(
        "a second port for UDP", f'"ports":[{_APP_PORT},{{"name":"dns","port":53,"protocol":"UDP","targetPort":53}}]'
    ),
    _service("session affinity", '"sessionAffinity":"ClientIP"'),
    _service("a Service of type NodePort", '"type":"NodePort"'),
    _service("a Service of type LoadBalancer", '"type":"LoadBalancer"'),
    _service("addresses of pods that are not ready are published", '"publishNotReadyAddresses":true'),
    _row(
        "a headless Service",
        "kubectl delete service app; sed '/^kind: Service/,/^---/s/^spec:/spec:\\n  clusterIP: None/' $APP | kubectl apply -f -; sleep 2",
        "kubectl delete service app; kubectl apply -f $APP; sleep 2",
    ),
    _row(
        "another name of the Service's port",
        'patched service app \'[{"op":"replace","path":"/spec/ports/0/name","value":"web"}]\'; sleep 2',
    ),
    _row(
        "another port of the Service, and the Ingress follows",
        'patched service app \'[{"op":"replace","path":"/spec/ports/0/port","value":8088}]\'; patched ingress test-ingress \'[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/port","value":{"number":8088}}]\'; sleep 2',
    ),
    _row(
        "a target port by name",
        f'template \'[{{"op":"add","path":"{_BOX}/ports/0/name","value":"web"}}]\'; patched service app \'[{{"op":"replace","path":"/spec/ports/0/targetPort","value":"web"}}]\'; sleep 2',
        "again",
    ),
    *(
        _annotated(f"requests are balanced: {way}", "service app", f"haproxy.org/load-balance={way}")
        for way in ("random", "leastconn", "source", "first", "static-rr", "uri", "'hdr(Host)'")
    ),
    _annotated("no health checks", "service app", "haproxy.org/check=false"),
    _annotated("another check interval", "service app", "haproxy.org/check-interval=700ms"),
    _annotated("X-Forwarded-For is off", "service app", "haproxy.org/forwarded-for=false"),
    _annotated("fewer slots for servers", "service app", "haproxy.org/scale-server-slots=10"),
    _annotated(
        "limits and time-outs for the pods",
        "service app",
        "haproxy.org/pod-maxconn=20",
        "haproxy.org/timeout-server=20s",
    ),
    # Ingresses
    _ingress("an Exact path beside the Prefix", f"{_HOST}$(to / Exact other)]}}}}]"),
    _ingress("another path of the same host", f"{_HOST}$(to /api Prefix other)]}}}}]"),
    _ingress("the same Ingress twice", f"{_HOST}$(to / Prefix app)]}}}}]"),
    _ingress(
        "the same host in an Ingress of another class", f"ingressClassName: nginx, {_HOST}$(to / Prefix other)]}}}}]"
    ),
    _ingress("an Ingress with a default backend only", "defaultBackend: {service: {name: other, port: {number: 80}}}"),
    _ingress("an Ingress for every host", "rules: [{http: {paths: [$(to /all Prefix other), $(to / Prefix other)]}}]"),
    _ingress("a wildcard beside the host", "rules: [{host: '*.local', http: {paths: [$(to / Prefix other)]}}]"),
    _ingress(
        "a Service of type ExternalName behind another host",
        "rules: [{host: else.local, http: {paths: [$(to / Prefix other)]}}]",
    ),
    _annotated("the old annotation names another class", "ingress test-ingress", "kubernetes.io/ingress.class=nginx"),
    _annotated("an annotation of the controller's", "ingress test-ingress", "haproxy.org/timeout-connect=3s"),
    _own_ingress("the Ingress names its class", '{"op":"add","path":"/spec/ingressClassName","value":"haproxy"}'),
    _own_ingress(
        "a second host",
        '{"op":"add","path":"/spec/rules/1","value":{"host":"b.local","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"app","port":{"number":80}}}}]}}}',
    ),
    _own_ingress(
        "an Exact path alone", '{"op":"replace","path":"/spec/rules/0/http/paths/0/pathType","value":"Exact"}'
    ),
    _own_ingress(
        "a path type of the controller's choice",
        '{"op":"replace","path":"/spec/rules/0/http/paths/0/pathType","value":"ImplementationSpecific"}',
    ),
    _own_ingress(
        "the Service's port by name",
        '{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/port","value":{"name":"port-1"}}',
    ),
    _own_ingress(
        "a default backend in the application's Ingress",
        '{"op":"add","path":"/spec/defaultBackend","value":{"service":{"name":"app","port":{"number":80}}}}',
    ),
    _own_ingress(
        "the default backend serves the host",
        '{"op":"add","path":"/spec/defaultBackend","value":{"service":{"name":"app","port":{"number":80}}}},{"op":"remove","path":"/spec/rules"}',
    ),
    _row(
        "a default class",
        "annotated ingressclass haproxy ingressclass.kubernetes.io/is-default-class=true",
        "annotated ingressclass haproxy ingressclass.kubernetes.io/is-default-class-",
    ),
    # The ConfigMap
    *(
        _row(
            f"the controller's ConfigMap: {key}",
            f'kubectl create configmap haproxy-kubernetes-ingress 2>/dev/null || true; kubectl patch configmap haproxy-kubernetes-ingress -p \'{{"data":{{"{key}":"{value}"}}}}\'; sleep 2',
            f'kubectl patch configmap haproxy-kubernetes-ingress -p \'{{"data":{{"{key}":null}}}}\'; sleep 1',
        )
        for key, value in (("timeout-client", "10s"), ("load-balance", "random"), ("check-interval", "1s"))
    ),
    # Calico
    _peer("a BGPPeer for nodes with a label", '"nodeSelector":"has(kubernetes.io/hostname)"'),
    _peer(
        "a BGPPeer for a list of nodes",
        '"nodeSelector":"kubernetes.io/hostname in {\\"controlplane\\", \\"worker1\\", \\"worker2\\"}"',
    ),
    _peer(
        "a BGPPeer for all nodes but one that is not there",
        '"nodeSelector":"kubernetes.io/hostname != \\"elsewhere\\""',
    ),
    _row(
        "a BGPPeer per node",
        "for n in controlplane worker1 worker2; do printf '{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: mine-%s}, spec: {node: %s, peerIP: %s, asNumber: 65000}}\\n---\\n' $n $n $INGRESS; done | sed 1i--- | kubectl create -f -; calico delete bgppeers ingress; sleep 8",
        "kubectl apply -f /root/lab/files/bgp-peers.yaml; calico delete bgppeers mine-controlplane mine-worker1 mine-worker2; sleep 8",
    ),
    _row(
        "a second BGPPeer for ingress",
        "kubectl create -f - <<Y\n---\n{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: mine}, spec: {peerIP: $INGRESS, asNumber: 65000, nodeSelector: 'has(nothing)'}}\nY\nsleep 2",
        "calico delete bgppeers mine; sleep 2",
    ),
    _row(
        "Calico logs more",
        'calico patch bgpconfigurations default --type=merge -p \'{"spec":{"logSeverityScreen":"Debug"}}\'; sleep 3',
        'calico patch bgpconfigurations default --type=merge -p \'{"spec":{"logSeverityScreen":"Info"}}\'; sleep 3',
    ),
    _row(
        "a second IPPool, for no node",
        "kubectl create -f - <<'Y'\n---\n{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: mine}, spec: {cidr: 10.77.0.0/16, nodeSelector: 'has(nothing)'}}\nY\nsleep 2",
        "calico delete ippools mine; sleep 2",
    ),
    _row(
        "the IPPool has a selector for all nodes",
        'calico patch ippools default-ipv4-ippool --type=merge -p \'{"spec":{"nodeSelector":"has(kubernetes.io/hostname)"}}\'; sleep 2',
        'calico patch ippools default-ipv4-ippool --type=merge -p \'{"spec":{"nodeSelector":"all()"}}\'; sleep 2',
    ),
    # Nodes
    _row(
        "a taint that pods may ignore",
        "kubectl taint node worker1 a=b:PreferNoSchedule",
        "kubectl taint node worker1 a-",
    ),
    _row(
        "roles, labels and annotations on nodes",
        "kubectl label node worker1 worker2 node-role.kubernetes.io/worker=; kubectl label node worker1 zone=a; kubectl annotate node worker2 note=mine",
        "kubectl label node worker1 worker2 node-role.kubernetes.io/worker- zone-; kubectl annotate node worker2 note-",
    ),
    _row(
        "a node names the lab's own AS number",
        "kubectl annotate node worker1 projectcalico.org/ASNumber=65000; sleep 2",
        "kubectl annotate node worker1 projectcalico.org/ASNumber-; sleep 2",
    ),
)
