"""labctl's stand-in for the HAProxy Kubernetes Ingress Controller v3.2 in external mode.

Debian's archive has no such controller. This one watches Ingress, IngressClass, Service, endpoints and one ConfigMap
and drives a real HAProxy, under the real one's flags, file names, backend and server names, so that the real binary can
take its place by configuration. What it leaves out is refused or logged, never passed over in silence.

Order of work, one file each: flags, api, watch, objects, store -> rules (annotations, maps) -> slots, config ->
change -> driver (runtime API or a reload of the process); controller is the loop.

Source of names and behaviour: HAProxy Kubernetes Ingress Controller v3.2 (documentation/controller.md,
pkg/utils/flags.go, pkg/controller/controller.go, pkg/service, pkg/route).
"""
