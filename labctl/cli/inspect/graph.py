"""``labctl graph``."""

from __future__ import annotations

import click

from labctl.checks.collect import collect
from labctl.cli.app import Application, pass_app
from labctl.graph.diagrams import as_dot, as_mermaid
from labctl.graph.live import picture_of_facts
from labctl.graph.picture import Picture, picture_of_model
from labctl.graph.svg import as_svg
from labctl.graph.text import as_text
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections

_FORMATS = {"svg": as_svg, "mermaid": as_mermaid, "dot": as_dot, "text": as_text}


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    envvar="LABCTL_GRAPH_FORMAT",
)
@click.option("--live", is_flag=True, help="Ask the machines: sessions, blocks, pods, HAProxy's servers.")
@pass_app
def graph(app: Application, form: str, live: bool) -> None:
    """Draw the lab: labctl graph --format svg > lab.svg. Without --live, no machine is asked."""
    lab = app.lab()
    if live:
        with app.connections(lab) as connections:
            picture = live_picture(app, lab, connections)
    else:
        picture = picture_of_model(lab)
    app.write(_FORMATS[form](picture))


def live_picture(app: Application, lab: Lab, connections: Connections) -> Picture:
    """A picture of the lab as its machines answer now."""
    with app.working("asking the machines"):
        return picture_of_facts(lab, collect(lab, connections))
