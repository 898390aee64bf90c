"""``labctl hosts``."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.app import Application, pass_app


@click.command()
@click.option("--apply", "action", flag_value="apply", help="Write the line into /etc/hosts; needs root.")
@click.option("--remove", "action", flag_value="remove", help="Take the line out of /etc/hosts; needs root.")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), hidden=True)
@pass_app
def hosts(app: Application, action: str | None, file: Path | None) -> None:
    """Print the application's line for /etc/hosts; with --apply or --remove, write or remove it."""
    from labctl.host import hosts_file

    lab = app.lab()
    file = file or app.host.path(hosts_file.HOSTS_FILE)
    line = hosts_file.hosts_line(lab)
    if action is None:
        app.write(line + "\n")
    elif action == "remove":
        changed = hosts_file.remove_line(lab.name, file)
        app.note(f"removed from {file}: {line}" if changed else f"{file} has no line of the lab {lab.name}")
    else:
        changed = hosts_file.apply_line(lab, file)
        app.note(f"{'written to' if changed else 'already in'} {file}: {line}")
        for rival in hosts_file.rivals(file.read_text(errors="replace"), lab):
            app.note(f"warning: {file} gives {lab.app.host} another address as well: {rival}")
