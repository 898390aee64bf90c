"""What both stand-ins do with the Kubernetes API: a client, and a watch on kinds of objects."""
