"""calicoctl, as far as the lab needs it: ``python3 -m labctl.standins.calico.calicoctl``.

Words, options and exit codes are the real one's (projectcalico/calico v3.32.1, calicoctl).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl import __version__
from labctl.model.calico import API_VERSION, DEFAULT_AS_NUMBER
from labctl.model.kubernetes import ObjectError, map_at, maps_at, name_of
from labctl.standins.calico.calicoctl_output import Kind, document, kind_named, node_manifest, node_status, table
from labctl.standins.errors import ApiError, CalicoctlError, ConflictError, NotFoundError

if TYPE_CHECKING:
    from labctl.standins.kubernetes.client import Client

_STANDS_IN_FOR = "v3.32.1"
_ADMIN_KUBECONFIG = Path("/etc/kubernetes/admin.conf")
# Fields of metadata that only the API sets; without them the output of ``get`` can be applied after a ``delete``.
_SET_BY_API = frozenset({"creationTimestamp", "resourceVersion", "uid"})
# The fields of metadata (Kubernetes API reference, ObjectMeta) that a manifest may have; none of them is looked into.
_METADATA: Mapping[str, Mapping[str, Any]] = {
    field: {}
    for field in (
        *("annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers"),
        *("generateName", "generation", "labels", "managedFields", "name", "namespace", "ownerReferences"),
        *("resourceVersion", "selfLink", "uid"),
    )
}


def main(arguments: list[str]) -> int:
    """Run one command. Returns the exit code."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as error:  # wrong usage, which the real one answers with 1, or --help
        return 1 if error.code else 0
    try:
        sys.stdout.write(_run(options))
    except ApiError as error:
        sys.stderr.write(f"failed to execute command: {error}\n")
        return 1
    except CalicoctlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def get(client: Client, kind: Kind, names: Sequence[str], output: str) -> str:
    """What ``calicoctl get`` prints. output: ps, wide, yaml or json. Raises CalicoctlError, ApiError."""
    if output not in {"ps", "wide", "yaml", "json"}:
        raise CalicoctlError(f"unrecognized output format '{output}'")
    listed = {} if names else client.get(kind.path)
    items = [_existing(client, kind, name) for name in names] if names else maps_at(listed, "items")
    if kind.name == "Node":
        items = [node_manifest(item) for item in items]
    items = sorted(items, key=name_of)
    if output in {"yaml", "json"}:
        version = map_at(listed, "metadata").get("resourceVersion") if listed else None
        return document(kind, items, version=version, single=len(names) == 1, output=output)
    as_number = _cluster_as_number(client) if kind.name == "Node" else DEFAULT_AS_NUMBER
    return table(kind, items, as_number, wide=output == "wide")


def write(client: Client, action: str, items: Sequence[dict[str, Any]]) -> str:
    """Apply, create or delete objects in their order. Returns what calicoctl prints. Raises CalicoctlError."""
    done = {"apply": "applied", "create": "created", "delete": "deleted"}[action]
    for count, item in enumerate(items):
        kind = kind_named(str(item.get("kind")))
        try:
            _write_one(client, action, kind, item)
        except NotFoundError as error:
            absent = f"resource does not exist: {kind.name}({name_of(item)}) with error: {error}"
            raise CalicoctlError(f"Failed to {action} '{kind.name}' resource: {absent}\n") from error
        except ApiError as error:
            before = f"Partial success: {done} the first {count} out of {len(items)} resources:\n" if count else ""
            raise CalicoctlError(f"{before}Failed to {action} '{kind.name}' resource: [{error}]") from error
    if not items:
        return "No resources specified\n"
    kinds = {kind_named(str(item["kind"])).name for item in items}
    of_kind = f" '{kinds.pop()}'" if len(kinds) == 1 else ""
    return f"Successfully {done} {len(items)}{of_kind} resource(s)\n"


def read_manifests(file: str) -> list[dict[str, Any]]:
    """The objects in a file of YAML or JSON, ``-`` for standard input, with those in lists.

    Raises CalicoctlError: also for a field that the stand-in's definitions (crds.yaml) do not have. The real calicoctl
    decodes strictly, too (sigs.k8s.io/yaml, UnmarshalStrict).
    """
    import yaml  # noqa: PLC0415 - only what reads or prints YAML waits for it

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        documents = [found for found in yaml.safe_load_all(text) if found is not None]
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CalicoctlError(f"failed to execute command: open {file}: {why}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise CalicoctlError(f"failed to execute command: {error}") from error
    items: list[dict[str, Any]] = []
    for found in documents:
        parts = found.get("items", [found]) if isinstance(found, dict) else found
        items.extend(parts if isinstance(parts, list) else [parts])
    for item in items:
        if not isinstance(item, dict) or item.get("apiVersion") != API_VERSION or not _name_or_empty(item):
            raise CalicoctlError(f"failed to execute command: not a named object of {API_VERSION}: {item}")
    definitions = yaml.safe_load_all(Path(__file__).with_name("crds.yaml").read_text(encoding="utf-8"))
    schemas = {
        definition["spec"]["names"]["kind"]: definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for definition in definitions
    }
    for item in items:
        kind = kind_named(str(item.get("kind"))).name
        if kind in schemas:
            _check_fields(kind, item, schemas[kind])
    return items


def _check_fields(where: str, value: object, schema: Mapping[str, Any]) -> None:
    """Raises CalicoctlError for the first field that the schema does not have; where: for the message."""
    properties = _METADATA if where.endswith(".metadata") else schema.get("properties")
    if not isinstance(value, dict) or properties is None:
        return
    for key, inner in value.items():
        if key not in properties:
            raise CalicoctlError(
                "failed to execute command: error unmarshaling JSON: while decoding JSON: json: unknown field "
                f'"{key}" (this stand-in\'s {where} has {", ".join(sorted(properties))})'
            )
        _check_fields(f"{where}.{key}", inner, properties[key])


def _name_or_empty(item: dict[str, Any]) -> str:
    try:
        return name_of(item)
    except ObjectError:
        return ""


def _run(options: argparse.Namespace) -> str:
    if options.command == "version":
        return f"Client Version:    labctl {__version__}, in the place of calicoctl {_STANDS_IN_FOR}\n"
    if options.command == "node":
        return node_status()
    # The Kubernetes client library takes half a second to import: the other commands must not wait for it.
    from labctl.standins.kubernetes.client import Client  # noqa: PLC0415

    if options.command == "get":
        try:
            kind = kind_named(options.kind)
        except CalicoctlError as error:
            raise CalicoctlError(f"failed to get resources: {error}") from error
        return get(Client(_kubeconfig()), kind, options.names, options.output)
    if options.filename:
        items = read_manifests(options.filename)
    elif options.command == "delete" and options.kind and options.names:
        named = kind_named(options.kind).name
        items = [{"kind": named, "metadata": {"name": name}} for name in options.names]
    else:
        raise CalicoctlError(f"Invalid option: 'calicoctl {options.command}' needs a file or a kind and a name.")
    return write(Client(_kubeconfig()), options.command, items)


def _kubeconfig() -> Path:
    named = os.environ.get("KUBECONFIG")
    if named:
        return Path(named)
    own = Path.home() / ".kube" / "config"
    return own if own.exists() else _ADMIN_KUBECONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="calicoctl", description="labctl's stand-in for calicoctl, with the commands that the lab uses."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--allow-version-mismatch", action="store_true", help="accepted for compatibility")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("version", parents=[common], help="display the version of this binary")
    node = commands.add_parser("node", help="about the node on which it is called")
    node.add_subparsers(required=True, metavar="status").add_parser(
        "status", parents=[common], help="view the current status of a Calico node"
    )
    get_parser = commands.add_parser("get", parents=[common], help="get a resource identified by type and name")
    get_parser.add_argument("kind")
    get_parser.add_argument("names", nargs="*", metavar="name")
    get_parser.add_argument("-o", "--output", metavar="ps|wide|yaml|json", default="ps")
    for command, text in (("apply", "create or replace"), ("create", "create"), ("delete", "delete")):
        write_parser = commands.add_parser(command, parents=[common], help=f"{text} resources by file, stdin or name")
        write_parser.add_argument("-f", "--filename", help="YAML or JSON; - for stdin")
        if command == "delete":
            write_parser.add_argument("kind", nargs="?")
            write_parser.add_argument("names", nargs="*", metavar="name")
    return parser


def _write_one(client: Client, action: str, kind: Kind, item: dict[str, Any]) -> None:
    if kind.name == "Node":
        raise CalicoctlError("This stand-in does not change nodes; use kubectl.")
    path = f"{kind.path}/{name_of(item)}"
    if action == "delete":
        client.delete(path)
        return
    metadata = {key: value for key, value in item["metadata"].items() if key not in _SET_BY_API}
    try:
        client.create(kind.path, {**item, "metadata": metadata})
    except ConflictError:
        if action == "create":
            raise
        version = client.get(path)["metadata"]["resourceVersion"]
        client.replace(path, {**item, "metadata": {**item["metadata"], "resourceVersion": version}})


def _existing(client: Client, kind: Kind, name: str) -> dict[str, Any]:
    try:
        return client.get(f"{kind.path}/{name}")
    except NotFoundError as error:
        raise CalicoctlError(f"resource does not exist: {kind.name}({name}) with error: {error}") from error


def _cluster_as_number(client: Client) -> int:
    try:
        configuration = client.get(f"{kind_named('bgpconfig').path}/default")
    except NotFoundError:
        return DEFAULT_AS_NUMBER
    return int(map_at(configuration, "spec").get("asNumber", DEFAULT_AS_NUMBER))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
