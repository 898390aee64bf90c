"""``labctl graph``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.graph.picture import Picture
    from labctl.model.lab import Lab
    from labctl.ssh.connections import Connections


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["svg", "mermaid", "dot", "text"]),
    default="text",
    show_default=True,
    envvar="LABCTL_GRAPH_FORMAT",
)
@click.option("--live", is_flag=True, help="Ask the machines: sessions, blocks, pods, HAProxy's servers.")
@pass_app
def graph(app: Application, form: str, live: bool) -> None:
    """Draw the lab: labctl graph --format svg > lab.svg. Without --live no machine is asked."""
    from labctl.graph.diagrams import as_dot, as_mermaid
    from labctl.graph.svg import as_svg
    from labctl.graph.text import as_text

    draw = {"svg": as_svg, "mermaid": as_mermaid, "dot": as_dot, "text": as_text}[form]
    app.write(draw(_picture(app, live=live)))


def _picture(app: Application, *, live: bool) -> Picture:
    from labctl.graph.picture import picture_of_model

    lab = app.lab()
    if not live:
        return picture_of_model(lab)
    with app.connections(lab) as connections:
        return live_picture(app, lab, connections)


def live_picture(app: Application, lab: Lab, connections: Connections) -> Picture:
    """The lab as its machines answer now."""
    from labctl.checks.collect import collect
    from labctl.graph.live import picture_of_facts

    with app.working("asking the machines"):
        return picture_of_facts(lab, collect(lab, connections))
