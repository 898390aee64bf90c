"""calicoctl's command line: words, options and exit codes of the real one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from labctl import __version__
from labctl.standins.calico.calicoctl.errors import CalicoctlError

_STANDS_IN_FOR = "v3.32.1"
_ADMIN_KUBECONFIG = Path("/etc/kubernetes/admin.conf")


def main(arguments: list[str]) -> int:
    """Run one command. Returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(_run(options))
    except CalicoctlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(options: argparse.Namespace) -> str:
    if options.command == "version":
        return f"Client Version:    labctl {__version__}, in the place of calicoctl {_STANDS_IN_FOR}\n"
    if options.command == "node":
        from labctl.standins.calico.calicoctl.node_status import node_status  # noqa: PLC0415 - only what is used

        return node_status()
    return _with_api(options)


def _with_api(options: argparse.Namespace) -> str:
    # The client library takes half a second to import; what does not need it must not wait.
    from labctl.standins.calico.api import Api, ApiError  # noqa: PLC0415
    from labctl.standins.calico.calicoctl.kinds import kind_called  # noqa: PLC0415
    from labctl.standins.calico.calicoctl.resources import get, read_objects, write  # noqa: PLC0415

    try:
        if options.command == "get":
            return get(Api(_kubeconfig()), kind_called(options.kind), options.names, options.output)
        if options.filename:
            items = read_objects(options.filename)
        elif options.command == "delete" and options.kind and options.names:
            kind = kind_called(options.kind).kind
            items = [{"kind": kind, "metadata": {"name": name}} for name in options.names]
        else:
            raise CalicoctlError(f"Invalid option: 'calicoctl {options.command}' needs a file or a kind and a name.")
        return write(Api(_kubeconfig()), options.command, items)
    except ApiError as error:
        raise CalicoctlError(f"Failed to execute command: {error}") from error


def _kubeconfig() -> Path:
    named = os.environ.get("KUBECONFIG")
    if named:
        return Path(named)
    own = Path.home() / ".kube" / "config"
    return own if own.exists() else _ADMIN_KUBECONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="calicoctl", description="labctl's stand-in for calicoctl: the part of it that the lab shows."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--allow-version-mismatch", action="store_true", help="accepted, as by the real one")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("version", parents=[common], help="display the version of this binary")
    node = commands.add_parser("node", help="about the node on which it is called")
    node.add_subparsers(required=True, metavar="status").add_parser(
        "status", parents=[common], help="view the current status of a Calico node"
    )
    get = commands.add_parser("get", parents=[common], help="get a resource identified by type and name")
    get.add_argument("kind")
    get.add_argument("names", nargs="*", metavar="name")
    get.add_argument("-o", "--output", choices=("ps", "wide", "yaml", "json"), default="ps")
    for command, text in (("apply", "create or replace"), ("create", "create"), ("delete", "delete")):
        one = commands.add_parser(command, parents=[common], help=f"{text} resources by file, stdin or name")
        one.add_argument("-f", "--filename", help="YAML or JSON; - for stdin")
        if command == "delete":
            one.add_argument("kind", nargs="?")
            one.add_argument("names", nargs="*", metavar="name")
    return parser
