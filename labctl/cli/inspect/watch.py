"""``labctl watch``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.inspect.verify import CONNECT_SECONDS
from labctl.faults.state import faults_file
from labctl.watch.server import LOOPBACK, Panels, listen, make_server
from labctl.watch.terminal import Screen
from labctl.watch.watcher import OnView, Watcher

PORT = 8050


@click.command()
@click.option("--tui", is_flag=True, help="In the terminal, without a page.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=PORT,
    show_default=True,
    help="The page's port on the host's loopback; 0: any free one.",
)
@pass_app
def watch(app: Application, *, tui: bool, port: int) -> None:
    """Show the lab live, for the projector: sessions, routes, pods, requests, and what is broken and why.

    labctl serves a page on this host's loopback and prints its address; the page follows the lab until Ctrl-C. Nothing
    in the lab is changed.
    """
    if tui:
        _in_terminal(app)
    else:
        _on_page(app, port)


def _watcher(app: Application, on_view: OnView) -> Watcher:
    lab = app.lab()
    connections = app.connections(lab, deadline=CONNECT_SECONDS)
    return Watcher(lab, connections, faults_file(app.lab_files()), on_view)


def _on_page(app: Application, port: int) -> None:
    panels = Panels()
    watcher = _watcher(app, panels.update)
    with listen(port) as listener, watcher.running():
        app.write(f"http://{LOOPBACK}:{listener.getsockname()[1]}/\n")
        app.note("open this address in a browser on this host; press Ctrl-C to stop")
        make_server(panels).run([listener])


def _in_terminal(app: Application) -> None:
    if not app.out.is_terminal:
        raise click.UsageError("--tui needs a terminal; without --tui, labctl serves a page")
    with Screen(app.out) as screen, _watcher(app, screen.show).running():
        screen.wait()
