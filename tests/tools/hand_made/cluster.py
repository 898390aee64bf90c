"""What is done to the cluster's objects."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import made, objects

_APP = "kubectl apply --force -f /root/lab/files/app.yaml"
_SERVICE_AGAIN = f"{_APP}; sleep 1"
_INGRESSES = "kubectl apply -f /root/lab/files/ingress-objects.yaml"
OBJECTS = (
    objects("a node is cordoned", "kubectl cordon worker1", "kubectl uncordon worker1", "cluster.node.worker1", cause="cordon", machine="worker1"),
    objects("a node is tainted", "kubectl taint node worker2 a=b:NoExecute", "kubectl taint node worker2 a=b:NoExecute-", "cluster.node.worker2", cause="taint", machine="worker2"),
    objects("a node is drained", "kubectl drain worker2 --ignore-daemonsets --force", "kubectl uncordon worker2", "cluster.node.worker2", cause="cordon", machine="worker2"),
    made("a node is deleted", "host", "lxc-attach --clear-env -n ${CONTAINER}controlplane -- kubectl --kubeconfig=/etc/kubernetes/admin.conf delete node worker2",
         "lxc-attach --clear-env -n ${CONTAINER}worker2 -- systemctl restart kubelet", "cluster.node.worker2", cause="not joined", machine="worker2"),
    objects("the endpoints are edited by hand", "kubectl patch endpoints app --type=json -p '[{\"op\":\"remove\",\"path\":\"/subsets/0/addresses/0\"}]'",
            "kubectl delete endpoints app; sleep 1", "cluster.service", cause="endpoint"),
    objects("a second Ingress for the same host", "kubectl create -f - <<'Y'\n---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: another, namespace: default}, spec: {rules: [{host: test.local, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: kubernetes, port: {number: 443}}}}]}}]}}\nY",
            "kubectl delete ingress another", "cluster.ingress", cause="another"),
    objects("the Ingress has the old annotation of another class", "kubectl annotate ingress test-ingress kubernetes.io/ingress.class=nginx",
            "kubectl annotate ingress test-ingress kubernetes.io/ingress.class-", "cluster.ingress", cause="nginx"),
    objects("a quota allows no pods", "kubectl create quota none --hard=pods=0; kubectl delete pods -l run=app --wait=false", "kubectl delete quota none; kubectl rollout restart deployment app",
            "cluster.app", cause="quota"),
    objects("the pods want more than a node has", "kubectl set resources deployment app --requests=cpu=500", "kubectl set resources deployment app --requests=cpu=0; " + _APP, "cluster.app", cause="nsufficient cpu"),
    objects("the command of the container is wrong", "kubectl patch deployment app -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"app\",\"command\":[\"/no\"]}]}}}}'",
            "kubectl patch deployment app --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/template/spec/containers/0/command\"}]'", "cluster.app", cause="/no"),
    objects("the Service's port has another number", "kubectl patch service app --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/port\",\"value\":8000}]'", _SERVICE_AGAIN,
            "cluster.ingress", cause="no port 80"),
    objects("the Service's port has a name that no container has", "kubectl patch service app --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/targetPort\",\"value\":\"web\"}]'", _SERVICE_AGAIN,
            "cluster.service", cause="web"),
    objects("the Ingress has another path", "kubectl patch ingress test-ingress --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/rules/0/http/paths/0/path\",\"value\":\"/shop\"}]'", _APP,
            "cluster.ingress", cause="/shop"),
    objects("kube-proxy runs nowhere", "kubectl -n kube-system patch ds kube-proxy --type=merge -p '{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"no\":\"where\"}}}}}'",
            "kubectl -n kube-system patch ds kube-proxy --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/template/spec/nodeSelector/no\"}]'", "cluster.system", cause="kube-proxy"),
    objects("the controller's role lacks ingresses", "kubectl get clusterrole haproxy-ingress -o json | sed 's/\"ingresses\"/\"ingressez\"/' | kubectl replace -f -", _INGRESSES,
            "proxy.rights", cause="ingresses", machine="ingress"),
    objects("the IPPool has other addresses", "kubectl delete ippools.projectcalico.org --all", "kubectl apply -f /root/lab/files/calico-pool.yaml", "calico.pool", cause="IPPool"),
    objects("a BGPPeer for a machine that is not there", "kubectl create -f - <<Y\n---\n{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: nobody}, spec: {peerIP: ${INGRESS%.*}.77, asNumber: 65000}}\nY",
            "kubectl delete bgppeers.projectcalico.org nobody", "calico.peer", cause="nobody"),
)  # fmt: skip
