"""Writes kubeconfig files."""

from __future__ import annotations

import base64
import json

from labctl.secrets.pki import KeyPair


def kubeconfig(server: str, authority: bytes, client: KeyPair, *, cluster: str, user: str) -> bytes:
    """A kubeconfig with embedded certificates, as JSON, which is valid YAML and needs no special quoting."""
    context = f"{user}@{cluster}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": _b64(authority)}}],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _b64(client.certificate),
                    "client-key-data": _b64(client.key),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
