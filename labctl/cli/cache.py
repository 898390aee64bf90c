"""``labctl cache``."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.lazy import LazyGroup
from labctl.cli.table import Row
from labctl.model.lab import Lab, Source
from labctl.sources.upstream import CACHE_PORT

TABLE = {
    "pull": Row("labctl.cli.cache:pull", "Fetch everything that the lab needs into a folder; run again, continue."),
    "serve": Row("labctl.cli.cache:serve", "Serve that folder to machines and classrooms, until Ctrl-C."),
}
_FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The cache's folder.  [default: that of sources.cache in labctl.yaml, else ~/.cache/labctl/upstream]",
)


@click.group(cls=LazyGroup, table=TABLE)
def cache() -> None:
    """Everything that a lab of the source upstream needs, fetched once: for `labctl up --offline` and for classrooms.

    Packages with their publishers' signed lists, archives, manifests, container images, the public box: each checked
    by its publisher's signature or checksum. A lab of the source debian needs none of it, once its box is built.
    """


def default_folder(app: Application) -> Path:
    """Where a cache is kept that nobody gave a folder."""
    return app.host.cache.absolute() / "upstream"


def folder_of(app: Application, lab: Lab, given: Path | None) -> Path:
    """The cache's folder: the given one, that of labctl.yaml, or the default."""
    return (given or Path(lab.mirrors.folder or default_folder(app))).absolute()


@click.command()
@_FOLDER
@pass_app
def pull(app: Application, folder: Path | None) -> None:
    """Fetch what a lab like this one needs, for machines of this host's architecture."""
    from labctl.box.mirror import host_arch
    from labctl.cache.fetcher import Fetcher
    from labctl.cache.pull import Pull

    app.after_interrupt = "labctl cache pull goes on from here"
    lab = upstream_lab(app)
    home = folder_of(app, lab, folder)
    pins = app.lab_files().pins
    fetcher = Fetcher(home, pins, app.host)
    filled = Pull(lab, fetcher, host_arch(app.host), status=_box_status(app, lab), note=app.note).run()
    app.note(f"{home} has all of it: {filled / 1e6:.0f} MB")
    app.note("next: labctl up --offline; or labctl cache serve, for other machines")


def upstream_lab(app: Application) -> Lab:
    """The lab that labctl.yaml describes, if its software is upstream's. Raises click's usage error if it is not."""
    lab = app.lab()
    if lab.source is not Source.UPSTREAM:
        raise click.UsageError("this lab's software is Debian's, all in its box (labctl box build): it needs no cache")
    return lab


def _box_status(app: Application, lab: Lab) -> Path | None:
    """dpkg's list of what labctl's own box has; a public box counts as empty. Raises HostError if there is no box."""
    if lab.provider.traits.public_box:
        return None
    from labctl.cli.boxes import box_file_of
    from labctl.errors import HostError

    box = box_file_of(app, lab)
    status = box.parent / "rootfs/var/lib/dpkg/status" if box else None
    if status is None or not status.is_file():
        raise HostError("the machines' box is not built yet", next_step="labctl box build")
    return status


@click.command()
@_FOLDER
@click.option(
    "--address", metavar="A", help="Serve at this address.  [default: that on the lab's network, else loopback]"
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", default=CACHE_PORT, show_default=True)
@pass_app
def serve(app: Application, folder: Path | None, address: str | None, port: int) -> None:
    """Serve a cache. Other labs name it: `sources: {cache: "http://ADDRESS:PORT"}` in labctl.yaml.

    Whoever reaches the address can read the cache; nobody can change it.
    """
    from labctl.cache.serve import listen, make_server
    from labctl.errors import HostError

    lab = app.lab()
    home = folder_of(app, lab, folder)
    if not home.is_dir():
        raise HostError(f"there is no cache in {home}", next_step="labctl cache pull")
    try:
        chosen = IPv4Address(address) if address else _own_address(lab)
    except AddressValueError as error:
        raise click.BadParameter(f"{address!r} is no IPv4 address", param_hint="--address") from error
    app.after_interrupt = "labctl cache serve serves it again"
    with listen(chosen, port) as listener:
        app.write(f"http://{chosen}:{port}\n")
        app.note(f"serving {home}; Ctrl-C ends it")
        make_server(home).run([listener])


def _own_address(lab: Lab) -> IPv4Address:
    """This host's address on the lab's network while the lab is there, else loopback."""
    import psutil

    own = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    return lab.network.gateway if str(lab.network.gateway) in own else IPv4Address("127.0.0.1")


def require_cache(app: Application, lab: Lab) -> None:
    """Before anything starts: everything that a lab without the internet needs is here. Raises HostError otherwise."""
    from labctl.cli.boxes import box_file_of
    from labctl.errors import HostError

    box = box_file_of(app, lab)
    lacking = [f"the machines' box {lab.box.name}"] if box is not None and not box.is_file() else []
    if lab.source is Source.UPSTREAM:
        from labctl.box.mirror import host_arch
        from labctl.cache.contents import missing

        lacking += missing(lab, host_arch(app.host))
    if lacking:
        raise HostError(
            "this lab cannot come up without the internet: something is missing",
            where=lab.mirrors.folder or lab.mirrors.cache,
            why="\n".join(lacking),
            next_step="where there is a network: labctl box build (for labctl's own box), labctl cache pull",
        )
