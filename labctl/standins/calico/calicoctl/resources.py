"""``get``, ``apply``, ``create`` and ``delete``: Calico's objects, read from files and the API."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from labctl.standins.calico.api import (
    BGP_CONFIGURATION,
    BGP_PEER,
    BLOCK_AFFINITY,
    GROUP,
    IP_POOL,
    NODE,
    VERSION,
    Api,
    ApiError,
    ConflictError,
    MissingError,
)
from labctl.standins.calico.calicoctl.errors import CalicoctlError
from labctl.standins.calico.calicoctl.kinds import Shown, kind_called, node_object
from labctl.standins.calico.calicoctl.tables import columns
from labctl.standins.calico.objects import DEFAULT_AS_NUMBER, Json, name_of

_API_KINDS = {kind.name: kind for kind in (BGP_CONFIGURATION, BGP_PEER, BLOCK_AFFINITY, IP_POOL, NODE)}


def get(api: Api, shown: Shown, names: Sequence[str], output: str) -> str:
    """What ``calicoctl get`` prints. output: ps, wide, yaml or json. Raises CalicoctlError, ApiError."""
    kind = _API_KINDS[shown.kind]
    items = [_found(api, shown, name) for name in names] if names else api.list(kind)[0]
    found = [_clean(shown, node_object(item) if kind is NODE else item) for item in items]
    found.sort(key=name_of)
    if output in {"yaml", "json"}:
        return _document(shown, found, single=len(names) == 1, output=output)
    header = shown.header(wide=output == "wide")
    as_number = _cluster_as_number(api) if kind is NODE else DEFAULT_AS_NUMBER
    return columns(header, [[shown.columns[title](item, as_number) for title in header] for item in found])


def write(api: Api, action: str, items: Sequence[dict[str, Any]]) -> str:
    """Apply, create or delete objects, in their order; what calicoctl says afterwards. Raises CalicoctlError."""
    done = {"apply": "applied", "create": "created", "delete": "deleted"}[action]
    for count, item in enumerate(items):
        shown = kind_called(str(item.get("kind")))
        try:
            _write_one(api, action, shown, item)
        except ApiError as error:
            before = f"Partial success: {done} the first {count} out of {len(items)} resources:\n" if count else ""
            raise CalicoctlError(f"{before}Failed to {action} '{shown.kind}' resource: [{error}]") from error
    kinds = {kind_called(str(item["kind"])).kind for item in items}
    if not items:
        return "No resources specified\n"
    of_kind = f" '{kinds.pop()}'" if len(kinds) == 1 else ""
    return f"Successfully {done} {len(items)}{of_kind} resource(s)\n"


def read_objects(file: str) -> list[dict[str, Any]]:
    """The objects in a file of YAML or JSON, ``-`` for standard input; lists are opened. Raises CalicoctlError."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CalicoctlError(f"Failed to execute command: {error}") from error
    objects: list[dict[str, Any]] = []
    for document in documents:
        parts = document.get("items", [document]) if isinstance(document, dict) else document
        objects.extend(parts if isinstance(parts, list) else [parts])
    for item in objects:
        if not isinstance(item, dict) or item.get("apiVersion") != f"{GROUP}/{VERSION}" or not name_of(item):
            raise CalicoctlError(f"Failed to execute command: not a named object of {GROUP}/{VERSION}: {item}")
    return objects


def _write_one(api: Api, action: str, shown: Shown, item: dict[str, Any]) -> None:
    kind, name = _API_KINDS[shown.kind], name_of(item)
    if kind is NODE:
        raise CalicoctlError("nodes are changed with kubectl here")
    if action == "delete":
        api.delete(kind, name)
        return
    try:
        api.create(kind, {**item, "metadata": _fresh(item["metadata"])})
    except ConflictError:
        if action == "create":
            raise
        version = api.get(kind, name)["metadata"]["resourceVersion"]
        metadata = {**item["metadata"], "resourceVersion": version}
        api.replace(kind, name, {**item, "metadata": metadata})


def _fresh(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata without what only the API gives: so what ``get`` printed can be applied again after a ``delete``."""
    return {key: value for key, value in metadata.items() if key not in {"creationTimestamp", "resourceVersion", "uid"}}


def _found(api: Api, shown: Shown, name: str) -> dict[str, Any]:
    try:
        return api.get(_API_KINDS[shown.kind], name)
    except MissingError as error:
        raise CalicoctlError(
            f"Failed to get resources: resource does not exist: {shown.kind}({name}) with error: {error}"
        ) from error


def _clean(shown: Shown, item: Json) -> dict[str, Any]:
    """The object without what the API keeps for itself."""
    hidden = {"managedFields", "selfLink", "generation"}
    metadata = {key: value for key, value in item.get("metadata", {}).items() if key not in hidden}
    return {**item, "apiVersion": f"{GROUP}/{VERSION}", "kind": shown.kind, "metadata": metadata}


def _document(shown: Shown, items: list[dict[str, Any]], *, single: bool, output: str) -> str:
    whole: dict[str, Any] = (
        items[0]
        if single
        else {"apiVersion": f"{GROUP}/{VERSION}", "items": items, "kind": f"{shown.kind}List", "metadata": {}}
    )
    if output == "json":
        return json.dumps(whole, indent=2, sort_keys=True) + "\n"
    return str(yaml.safe_dump(whole, sort_keys=True, default_flow_style=False))


def _cluster_as_number(api: Api) -> int:
    try:
        return int(api.get(BGP_CONFIGURATION, "default")["spec"].get("asNumber", DEFAULT_AS_NUMBER))
    except MissingError:
        return DEFAULT_AS_NUMBER
