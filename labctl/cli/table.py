"""The commands of labctl: where each lives and what it does, so that --help imports none of them."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One command. target: ``module:object`` of the click command. help: its line in ``labctl --help``."""

    target: str
    help: str


COMMANDS: dict[str, Row] = {
    "init": Row("labctl.cli.init:init", "Write a commented labctl.yaml."),
    "doctor": Row("labctl.cli.doctor:doctor", "Say what this host lacks for a provider; --fix does what is safe."),
    "render": Row(
        "labctl.cli.render:render", "Write the Vagrantfile, the scripts and all other files; touch nothing else."
    ),
    "plan": Row("labctl.cli.plan:plan", "Show the steps, per machine, in order, with what each needs."),
    "up": Row("labctl.cli.up:up", "Bring the lab up, to a verified one; run again, continue where it stopped."),
    "verify": Row("labctl.cli.verify:verify", "Run every check, now, and name the root cause where some fail."),
    "status": Row("labctl.cli.status:status", "Show machines, cluster, sessions and routes at a glance."),
    "ssh": Row("labctl.cli.ssh:ssh", "Open a shell on a machine, or run one command there."),
    "kubectl": Row("labctl.cli.kubectl:kubectl", "Run kubectl on the control plane."),
    "birdc": Row("labctl.cli.birdc:birdc", "Run birdc on a machine."),
    "calicoctl": Row("labctl.cli.calicoctl:calicoctl", "Run calicoctl on the control plane."),
    "kubeconfig": Row("labctl.cli.kubeconfig:kubeconfig", "Print the administrator's kubeconfig for this host."),
    "ssh-config": Row("labctl.cli.ssh_config:ssh_config", "Print an ssh_config for the machines."),
    "hosts": Row("labctl.cli.hosts:hosts", "Print the application's line for /etc/hosts; apply or remove it."),
    "inventory": Row("labctl.cli.inventory:inventory", "Print an Ansible inventory of the machines."),
    "logs": Row("labctl.cli.logs:logs", "Show what a step printed."),
    "support-bundle": Row("labctl.cli.support_bundle:support_bundle", "Pack logs, state, versions for a bug report."),
    "graph": Row("labctl.cli.graph:graph", "Draw the lab as text, SVG, Mermaid or DOT; --live with what runs."),
    "break": Row("labctl.cli.break_:break_", "Break the lab in one place, as a lesson; list the faults."),
    "repair": Row("labctl.cli.repair:repair", "Undo what break did."),
    "report": Row(
        "labctl.cli.report:report", "Write down the last verify or tour, with the picture, as HTML or Markdown."
    ),
    "tour": Row("labctl.cli.tour:tour", "Walk through the article on the running lab, stop by stop."),
    "watch": Row("labctl.cli.watch:watch", "Show the lab live on a page for the projector, or in the terminal."),
    "bench": Row("labctl.cli.bench:bench", "Measure the lab's two layouts and its failover."),
    "class": Row(
        "labctl.cli.class_:class_", "Many seats on one server: up, status, verify, grade, break, repair, down."
    ),
    "versions": Row("labctl.cli.versions:versions", "Show upstream versions, and what is tested together."),
    "halt": Row("labctl.cli.halt:halt", "Stop the machines."),
    "destroy": Row("labctl.cli.destroy:destroy", "Remove everything that up made, on this host too."),
    "box": Row("labctl.cli.box:box", "List, build and remove the boxes that machines start from."),
    "cache": Row("labctl.cli.cache:cache", "Fetch what a lab needs once, and serve it where there is no internet."),
    "completion": Row("labctl.cli.completion:completion", "Print a shell's completion script."),
}
