"""``labctl watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.watch.watcher import Show, Watcher

PORT = 8050


@click.command()
@click.option("--tui", is_flag=True, help="In the terminal, without a page.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=PORT,
    show_default=True,
    help="The page's port on the host's loopback; 0: any that is free.",
)
@pass_app
def watch(app: Application, *, tui: bool, port: int) -> None:
    """Show the lab live, for the projector: sessions, routes, pods, requests, and what is broken and why.

    It serves one page on this host's loopback and prints its address; a browser follows the lab there until Ctrl-C.
    It changes nothing in the lab.
    """
    app.after_interrupt = "labctl verify --explain"
    if tui:
        _in_terminal(app)
    else:
        _on_page(app, port)


def _watcher(app: Application, show: Show) -> Watcher:
    from labctl.cli.verify import CONNECT_SECONDS
    from labctl.faults.state import faults_file
    from labctl.watch.watcher import Watcher

    lab = app.lab()
    connections = app.connections(lab, deadline=CONNECT_SECONDS)
    return Watcher(lab, connections, faults_file(app.lab_files()), show)


def _on_page(app: Application, port: int) -> None:
    from labctl.watch.server import LOOPBACK, Board, listen, make_server

    board = Board()
    watcher = _watcher(app, board.put)
    with listen(port) as listener, watcher.running():
        app.write(f"http://{LOOPBACK}:{listener.getsockname()[1]}/\n")
        app.note("open this address in a browser on this host; Ctrl-C ends it")
        make_server(board).run([listener])


def _in_terminal(app: Application) -> None:
    from labctl.watch.terminal import Screen

    if not app.out.is_terminal:
        raise click.UsageError("--tui needs a terminal; without it a page is served")
    with Screen(app.out) as screen, _watcher(app, screen.show).running():
        screen.wait()
