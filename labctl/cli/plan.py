"""``labctl plan``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app


@click.command()
@click.option("--until", metavar="STEP", help="Only that step and what it needs.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def plan(app: Application, until: str | None, output: str) -> None:
    """Show the steps, per machine, in order, with what each needs: what `labctl up` would do."""
    import json

    from rich.table import Table

    from labctl.cli.steps import known_step
    from labctl.plan.plan import make_plan

    tasks = make_plan(app.lab(), until=known_step(until)).tasks
    if output == "json":
        rows = [
            {
                "machine": task.machine.name,
                "step": task.step.name,
                "title": task.step.title,
                "needs": sorted(map(str, task.needs)),
            }
            for task in tasks
        ]
        app.write(json.dumps(rows, indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("machine", "step", "what for", "needs"):
        table.add_column(heading)
    for task in tasks:
        needs = sorted(need.step if need.machine == task.machine.name else str(need) for need in task.needs)
        table.add_row(task.machine.name, task.step.name, task.step.title, ", ".join(needs))
    app.out.print(table)
