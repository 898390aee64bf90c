"""labctl's stand-in for the HAProxy Kubernetes Ingress Controller v3.2 in external mode.

Debian's archive has no such controller. This one watches Ingress, IngressClass, Service, endpoints and one ConfigMap
and drives a real HAProxy, with the real one's flags, file names, backend and server names, so that the real binary can
take its place by configuration. What it leaves out is refused or logged, never ignored silently.

A change passes through: kubernetes/watch (objects) -> routing, annotations (backends and routes) -> configuration
(slots, maps, haproxy.cfg, and whether it needs a reload) -> driver -> haproxy (runtime API or reload).

Source of names and behaviour: HAProxy Kubernetes Ingress Controller v3.2 (documentation/controller.md,
pkg/utils/flags.go, pkg/controller/controller.go, pkg/service, pkg/route), and what version 3.2.11 answered in
tests/unit/standins/controller/controller-3.2.11.json.
"""
