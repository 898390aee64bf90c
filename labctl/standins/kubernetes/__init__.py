"""How both stand-ins use the Kubernetes API: a client, and watches on kinds of objects."""
