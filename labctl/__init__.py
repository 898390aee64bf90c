"""labctl: an external HAProxy ingress and a BGP-routed Kubernetes cluster as a classroom lab."""

__version__ = "0.2.0"
