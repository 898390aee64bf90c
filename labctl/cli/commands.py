"""The commands of labctl: where each one lives and what it does, so that --help imports none of them."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Row:
    """One command. target: ``module:object`` of the click command, below labctl.cli. help: its line in --help.

    examples: for its own --help. next: what to do next, by exit status. after_interrupt: the same after Ctrl-C.
    """

    target: str
    help: str
    examples: tuple[str, ...] = ()
    next: Mapping[int, str] = field(default_factory=dict)
    after_interrupt: str = ""


_UP_OR_DESTROY = "labctl up continues from here; labctl destroy removes the lab"

COMMANDS: dict[str, Row] = {
    "init": Row(
        "setup.init:init", "Write a commented labctl.yaml.", ("mkdir lab && cd lab && labctl init",), {0: "labctl up"}
    ),
    "doctor": Row(
        "setup.doctor:doctor",
        "Report what this host lacks for a provider; --fix applies the safe fixes.",
        ("labctl doctor", "labctl doctor --fix"),
    ),
    "render": Row(
        "lab.plan:render",
        "Write the Vagrantfile, the scripts and every other file; touch nothing else.",
        ("labctl render", "labctl render --out /tmp/look"),
        {0: "labctl up"},
    ),
    "plan": Row(
        "lab.plan:plan",
        "List the steps for each machine, in order, with what each step needs.",
        ("labctl plan", "labctl plan --until bgp-peers"),
        {0: "labctl up"},
    ),
    "up": Row(
        "lab.up:up",
        "Bring up and verify the lab; when run again, continue where it stopped.",
        (
            "labctl up",
            "labctl up --workers 3",
            "labctl up --until controller --until app",
            "labctl up --offline",
        ),
        after_interrupt=_UP_OR_DESTROY,
    ),
    "verify": Row(
        "inspect.verify:verify",
        "Run every check now and, if any fail, name the root cause.",
        (
            "labctl verify",
            "labctl verify --explain",
            "labctl verify --layer bgp --layer route",
            "labctl verify --check bgp.ingress.worker1",
            "labctl verify --wait 90 --output json",
        ),
        {0: "labctl tour, or labctl break --random --hidden", 1: "labctl verify --explain"},
    ),
    "status": Row(
        "inspect.status:status",
        "Show machines, cluster, sessions and routes at a glance.",
        ("labctl status", "labctl status --output json"),
        {0: "labctl verify checks whether all of it is right"},
    ),
    "ssh": Row(
        "access.tools:ssh",
        "Open a shell on a machine, or run one command there.",
        ("labctl ssh worker1", "labctl ssh ingress -- ip route", "labctl ssh worker1 -- 'journalctl -u bird | tail'"),
    ),
    "kubectl": Row(
        "access.tools:kubectl",
        "Run kubectl on the control plane.",
        ("labctl kubectl get pods -o wide", "labctl kubectl scale deployment app --replicas=8"),
    ),
    "birdc": Row(
        "access.tools:birdc",
        "Run birdc on a machine.",
        ("labctl birdc ingress show protocols", "labctl birdc ingress show route protocol worker1"),
    ),
    "calicoctl": Row(
        "access.tools:calicoctl",
        "Run calicoctl on the control plane.",
        ("labctl calicoctl node status", "labctl calicoctl get bgppeers -o yaml"),
    ),
    "kubeconfig": Row(
        "access.exports:kubeconfig",
        "Print the administrator's kubeconfig for use on this host.",
        ("labctl kubeconfig > kubeconfig && KUBECONFIG=kubeconfig kubectl get nodes",),
    ),
    "ssh-config": Row(
        "access.exports:ssh_config",
        "Print an ssh_config for the machines.",
        ("labctl ssh-config > ssh_config && ssh -F ssh_config worker1",),
    ),
    "hosts": Row(
        "access.exports:hosts",
        "Print the application's line for /etc/hosts; apply or remove it.",
        ("labctl hosts", "labctl hosts --apply"),
    ),
    "inventory": Row(
        "access.exports:inventory",
        "Print an Ansible inventory of the machines.",
        ("labctl inventory > lab.ini && ansible -i lab.ini all -m ping",),
    ),
    "logs": Row(
        "inspect.logs:logs",
        "Show what a step printed.",
        ("labctl logs", "labctl logs worker1", "labctl logs worker1 join"),
    ),
    "support-bundle": Row(
        "inspect.logs:support_bundle",
        "Pack logs, state and versions for a bug report.",
        ("labctl support-bundle", "labctl support-bundle --out broken-lab.tar.gz"),
    ),
    "graph": Row(
        "inspect.report:graph",
        "Draw the lab as text, SVG, Mermaid or DOT; --live shows its current state.",
        ("labctl graph", "labctl graph --live", "labctl graph --live --format svg > lab.svg"),
        {0: "labctl graph --live --format svg > lab.svg"},
    ),
    "break": Row(
        "teach.faults:break_",
        "Break one thing in the lab, as a lesson; --list lists the faults.",
        ("labctl break --list --level 1", "labctl break bgp-filtered", "labctl break --random --hidden"),
        after_interrupt="labctl repair; labctl verify --explain",
    ),
    "repair": Row(
        "teach.faults:repair",
        "Undo what break did.",
        ("labctl repair", "labctl repair bgp-filtered"),
        after_interrupt="labctl repair continues",
    ),
    "report": Row(
        "inspect.report:report",
        "Write a report of the last verify or tour, with a picture, as HTML or Markdown.",
        ("labctl report --out report.html", "labctl report --fresh --format md", "labctl report --of tour"),
        {0: "open it in a browser", 1: "labctl verify --explain"},
    ),
    "tour": Row(
        "teach.tour:tour",
        "Follow the article's walkthrough on the running lab, stop by stop.",
        (
            "labctl tour",
            "labctl tour --from kernel",
            "labctl tour --exercise",
            "labctl tour --export html --out handout.html",
        ),
        {0: "labctl break --random --hidden, then find what is broken", 1: "labctl verify --explain"},
    ),
    "watch": Row(
        "inspect.watch:watch",
        "Show the lab live, on a page for the projector or in the terminal.",
        ("labctl watch", "labctl watch --port 8080", "labctl watch --tui"),
        after_interrupt="labctl verify --explain",
    ),
    "bench": Row(
        "inspect.bench:bench",
        "Measure the lab's two layouts and its failover.",
        ("labctl bench path --rounds 2", "labctl bench failover --case worker"),
        after_interrupt="labctl up repairs the lab if the measurement left anything behind",
    ),
    "class": Row(
        "teach.class_group:class_",
        "Manage many seats on one server: up, status, verify, grade, break, repair, reset, down.",
        (
            "labctl class up --seats 4 --dry-run",
            "labctl class up --seats 4",
            "labctl class break --seed 7 --level 1 --hidden",
            "labctl class grade --output junit > marks.xml",
            "labctl class reset seat03",
        ),
        after_interrupt="labctl class up continues from here; labctl class down removes the seats",
    ),
    "versions": Row(
        "setup.versions:versions",
        "Show the upstream releases, how long they are supported, and what this lab uses.",
        ("labctl versions", "labctl versions --output markdown"),
    ),
    "snapshot": Row(
        "lab.snapshot:snapshot",
        "Save the whole lab, and go back to it: save, list, restore, delete.",
        ("labctl snapshot save", "labctl snapshot restore", "labctl snapshot save before-exam", "labctl snapshot list"),
        after_interrupt="run the same command again; a restore that was begun is finished by it, or by labctl up",
    ),
    "halt": Row(
        "lab.down:halt",
        "Stop the machines.",
        ("labctl halt",),
        {0: "labctl up starts the machines again"},
        _UP_OR_DESTROY,
    ),
    "destroy": Row(
        "lab.down:destroy",
        "Remove everything that up made, including on this host.",
        ("labctl destroy", "labctl destroy --yes"),
        {0: "labctl up builds the lab again; labctl box list shows the boxes, which stay"},
        _UP_OR_DESTROY,
    ),
    "box": Row(
        "setup.box:box",
        "List, build and remove the boxes that machines are created from.",
        ("labctl box list", "labctl box build", "labctl box remove --all"),
        after_interrupt="run the same command again; it keeps finished parts",
    ),
    "cache": Row(
        "setup.cache:cache",
        "Download what a lab needs once, and serve it where there is no internet.",
        ("labctl cache pull", "labctl cache serve"),
    ),
    "completion": Row(
        "setup.completion:completion",
        "Print the completion script for a shell.",
        (
            'eval "$(labctl completion bash)"',
            "labctl completion zsh > ~/.zfunc/_labctl",
            "labctl completion fish > ~/.config/fish/completions/labctl.fish",
        ),
    ),
}


class LazyGroup(click.Group):
    """A group over a table of commands: the table alone serves --help, completion and suggestions."""

    def __init__(self, *args: Any, table: Mapping[str, Row], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and put its examples below its help. None for an unknown name."""
        row = self.table.get(cmd_name)
        if row is None:
            return None
        module, _, name = row.target.partition(":")
        command = getattr(importlib.import_module(f"labctl.cli.{module}"), name)
        gc.enable()
        if not isinstance(command, click.Command):
            raise TypeError(f"{row.target} is not a click command")
        if command.epilog is None and row.examples:
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in row.examples)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; an unknown one is a usage error with a suggestion."""
        if args[0] not in self.table and not args[0].startswith("-") and not ctx.resilient_parsing:
            unknown_word("command", args[0], list(self.table), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in --help, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.help) for name, row in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands from the table; options from click."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only for completion

        names = [name for name in self.table if name.startswith(incomplete)]
        return [CompletionItem(name, help=self.table[name].help) for name in names] + click.Command.shell_complete(
            self, ctx, incomplete
        )


def unknown_word(kind: str, word: str, known: Sequence[str], ctx: click.Context | None = None) -> NoReturn:
    """Raise click's usage error for an unknown word, with the known one that was probably meant."""
    import difflib  # noqa: PLC0415 - only for errors

    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise click.UsageError(f"no {kind} {word!r}{hint}", ctx=ctx)
