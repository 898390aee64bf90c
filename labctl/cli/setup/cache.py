"""``labctl cache``: everything that a lab with source upstream needs, for `labctl up --offline` and for classrooms."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import click

from labctl.box.mirror import host_arch
from labctl.cache.contents import missing
from labctl.cli.app import Application, pass_app
from labctl.cli.setup.box import box_file_of
from labctl.errors import HostError
from labctl.host.host import Host
from labctl.model.lab import Lab, Source
from labctl.sources.upstream import CACHE_PORT

_FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The cache's folder.  [default: that of sources.cache in labctl.yaml, else ~/.cache/labctl/upstream]",
)


@click.group()
def cache() -> None:
    """Download once what a lab with source upstream needs: for `labctl up --offline` and for classrooms.

    The cache holds packages with their publishers' signed lists, archives, manifests, container images and the public
    box. labctl verifies each with its publisher's signature or checksum. A lab with source debian needs only its box.
    """


@cache.command(short_help="Download everything that the lab needs to a folder; when run again, continue.")
@_FOLDER
@pass_app
def pull(app: Application, folder: Path | None) -> None:
    """Download what a lab like this one needs, for machines of this host's architecture."""
    from labctl.cache.fetcher import Fetcher  # noqa: PLC0415 - `labctl up` imports this file, too
    from labctl.cache.pull import Pull  # noqa: PLC0415

    app.after_interrupt = "labctl cache pull continues from here"
    lab = app.lab()
    if lab.source is not Source.UPSTREAM:
        raise click.UsageError("this lab needs no cache: its software is Debian's, in its box (labctl box build)")
    home = _folder_of(app, lab, folder)
    pins = app.lab_files().pins
    fetcher = Fetcher(home, pins, app.host)
    size = Pull(lab, fetcher, host_arch(app.host), status=box_status(app, lab), note=app.note).run()
    app.note(f"{home} is complete: {size / 1e6:.0f} MB")
    app.note("next: labctl up --offline; or, for other machines, labctl cache serve")


@cache.command(short_help="Serve that folder to machines and classrooms, until Ctrl-C.")
@_FOLDER
@click.option(
    "--address", metavar="A", help="Serve at this address.  [default: that on the lab's network, else loopback]"
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", default=CACHE_PORT, show_default=True)
@pass_app
def serve(app: Application, folder: Path | None, address: str | None, port: int) -> None:
    """Serve a cache. Other labs use it with `sources: {cache: "http://ADDRESS:PORT"}` in labctl.yaml.

    Anyone who can reach the address can read the cache; nobody can change it.
    """
    from labctl.cache.serve import is_served, listen, make_server  # noqa: PLC0415 - a web server

    lab = app.lab()
    home = _folder_of(app, lab, folder)
    if not home.is_dir():
        raise HostError(f"there is no cache in {home}", next_step="labctl cache pull")
    try:
        chosen = IPv4Address(address) if address else _own_address(lab, app.host)
    except AddressValueError as error:
        raise click.BadParameter(f"{address!r} is not an IPv4 address", param_hint="--address") from error
    app.after_interrupt = "labctl cache serve serves it again"
    if is_served(home, chosen, port):
        app.note(f"another labctl serves {home} at {chosen}:{port}; this one goes on when that ends")
    with listen(home, chosen, port) as listener:
        app.write(f"http://{chosen}:{port}\n")
        app.note(f"serving {home}; press Ctrl-C to stop")
        make_server(home).run([listener])


def default_folder(app: Application) -> Path:
    """The cache's folder if neither an option nor labctl.yaml names one."""
    return app.host.cache.absolute() / "upstream"


def require_cache(app: Application, lab: Lab) -> None:
    """Raise HostError unless this host has everything that a lab without the internet needs."""
    box = box_file_of(app, lab)
    lacking = [f"the machines' box {lab.box.name}"] if box is not None and not box.is_file() else []
    if lab.source is Source.UPSTREAM:
        lacking += missing(lab, host_arch(app.host))
    if lacking:
        raise HostError(
            "something is missing to bring up this lab without the internet",
            where=lab.mirrors.folder or lab.mirrors.cache,
            why="\n".join(lacking),
            next_step="where there is internet: labctl box build (for labctl's own box), labctl cache pull",
        )


def _folder_of(app: Application, lab: Lab, given: Path | None) -> Path:
    """The cache's folder: the given one, that of labctl.yaml, or the default."""
    return (given or Path(lab.mirrors.folder or default_folder(app))).absolute()


def box_status(app: Application, lab: Lab) -> Path | None:
    """dpkg's list of what labctl's own box contains; None for a public box. Raises HostError if there is no box."""
    if lab.provider.traits.public_box:
        return None
    box = box_file_of(app, lab)
    status = box.parent / "rootfs/var/lib/dpkg/status" if box else None
    if status is None or not status.is_file():
        raise HostError("the machines' box is not built yet", next_step="labctl box build")
    return status


def _own_address(lab: Lab, host: Host) -> IPv4Address:
    """This host's address on the lab's network while it has one, otherwise loopback."""
    return lab.network.gateway if str(lab.network.gateway) in host.addresses() else IPv4Address("127.0.0.1")
