"""``labctl hosts``."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.app import Application, pass_app

_HOSTS = Path("/etc/hosts")


@click.command()
@click.option("--apply", "action", flag_value="apply", help="Put the line into /etc/hosts.")
@click.option("--remove", "action", flag_value="remove", help="Take the line out of /etc/hosts.")
@pass_app
def hosts(app: Application, action: str | None) -> None:
    """Print the line for /etc/hosts by which this host finds the application; apply or remove it."""
    from labctl.host.hosts_line import apply_line, hosts_line, remove_line

    lab = app.lab()
    line = hosts_line(lab)
    if action is None:
        app.write(line + "\n")
    elif action == "apply":
        app.note(f"{_HOSTS}: {line}" if apply_line(_HOSTS, lab) else f"{_HOSTS} has that line already")
    else:
        app.note(f"{_HOSTS}: the lab's line is gone" if remove_line(_HOSTS, lab) else f"{_HOSTS} has no line of this lab")
