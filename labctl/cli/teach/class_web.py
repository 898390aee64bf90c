"""``labctl class serve`` and ``labctl class links``."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import click

from labctl.classroom.inventory import read_inventory
from labctl.classroom.seats import existing_seats, write_access_files
from labctl.classroom.side_by_side import bring_seat_up
from labctl.cli.app import Application, pass_app
from labctl.cli.inspect.verify import CONNECT_SECONDS
from labctl.cli.lab.snapshot import lab_now
from labctl.cli.options import output_option
from labctl.cli.sudo import become_root
from labctl.cli.teach.class_group import any_lab, print_errors, seat_app
from labctl.cli.teach.class_reset import reset_seat
from labctl.cli.teach.class_results import links_of_servers, of_servers, status_of_servers
from labctl.config.loader import load_config
from labctl.engine.snapshots import OF_UP, saved
from labctl.errors import HostError, LabctlError
from labctl.watch.server import LOOPBACK, listen
from labctl.web import links as shown
from labctl.web.app import make_server
from labctl.web.certificate import ensure_certificate
from labctl.web.classroom import Classroom
from labctl.web.links import Link, make_links, make_tokens
from labctl.web.seat import SeatLab
from labctl.web.store import DATABASE, WEB_FOLDER, Store

PORT = 8443
_DESTROY_SECONDS = 300.0
_MOST_FILES = 16384


class _Address(click.ParamType[tuple[str, int]]):
    """ADDRESS:PORT, an IPv4 address of this host."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Read it."""
        if isinstance(value, tuple):
            return value
        address, _, port = str(value).rpartition(":")
        if not address or not port.isdigit() or int(port) > 65535:
            self.fail(f"{value!r}: expected ADDRESS:PORT, for example 192.168.1.10:{PORT}", param, ctx)
        return address, int(port)


@click.command()
@click.option(
    "--listen",
    "address",
    type=_Address(),
    metavar="ADDRESS:PORT",
    default=f"{LOOPBACK}:{PORT}",
    show_default=True,
    help="Where the server listens; 0.0.0.0 for all addresses of this host.",
)
@click.option("--url", metavar="URL", help="What students open.  [default: https:// and the address of --listen]")
@click.option("--behind-proxy", "proxy", metavar="ADDRESS", help="Serve plain HTTP to this reverse proxy.")
@of_servers("The teacher's page also shows the seats of all servers in this Ansible inventory.")
@pass_app
def serve(
    app: Application, address: tuple[str, int], url: str | None, proxy: str | None, inventory: Path | None
) -> None:
    """Serve a page for each student and one for the teacher, until Ctrl-C.

    \b
    labctl class serve --listen 0.0.0.0:8443 --url https://class.example.org:8443

    A student's page has the live picture of the seat, a terminal on each machine, and tasks. The teacher's page shows
    all seats, breaks and resets them, and runs exams. TLS uses a certificate from the class's own authority, which is
    seats/web/authority.crt. With --behind-proxy, the proxy serves TLS, and --url is its address.
    """
    base, url = app.directory.resolve(), _url(address, url, proxy)
    become_root(app, any_lab(app, ()), "reach all seats, and to break and reset them")
    seats, folder = existing_seats(base), base / WEB_FOLDER
    store = Store(folder / DATABASE)
    store.put("url", url)
    ask = partial(status_of_servers, app, read_inventory(inventory)) if inventory else None
    labs, at_once = [_seat_lab(app, seat) for seat in seats], max(1, app.host.cpus // 2)
    room = Classroom(labs, store, partial(_reset, app), at_once, ask)
    files = _own_tls(folder, url) if proxy is None else {"proxy_headers": True, "forwarded_allow_ips": proxy}
    _allow_many_files()
    with listen(address[1], address[0], other="labctl class serve --listen ADDRESS:PORT") as listener:
        app.write(shown.as_text(_issue(store, folder, seats, url)))
        app.note(f"{url} serves {len(seats)} seats; press Ctrl-C to stop")
        room.start()
        try:
            make_server(room, url, **files).run([listener])
        finally:
            room.stop()
            app.host.end(app.host.children())


def _url(address: tuple[str, int], url: str | None, proxy: str | None) -> str:
    if url is None and (proxy is not None or address[0] == "0.0.0.0"):  # noqa: S104 - compared, not bound
        raise click.UsageError("say with --url which address students open")
    url = (url or f"https://{address[0]}:{address[1]}").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise click.UsageError(f"--url {url}: expected https://NAME or https://NAME:PORT")
    return url


def _own_tls(folder: Path, url: str) -> dict[str, object]:
    certificate, key = ensure_certificate(folder, urlsplit(url).hostname or "")
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def _seat_lab(app: Application, directory: Path) -> SeatLab:
    seat = seat_app(app, directory)
    lab = seat.lab()
    return SeatLab(lab, seat.lab_files(), lambda: seat.connections(lab, deadline=CONNECT_SECONDS))


def _reset(app: Application, directory: Path, on_step: Callable[[str, str], None]) -> None:
    """Put a seat back as it was after `class up`; without a snapshot, destroy it and bring it up again."""
    seat = seat_app(app, directory)
    if any(one.name == OF_UP for one in saved(lab_now(seat))):
        reset_seat(seat)
        return
    on_step(directory.name, "destroy")
    command = [sys.executable, "-m", "labctl", "-C", str(directory), "destroy", "--yes"]
    done = app.host.run(command, deadline=_DESTROY_SECONDS)
    if not done.ok:
        raise LabctlError(f"{directory.name} was not destroyed", why=done.stderr.strip()[-300:])
    bring_seat_up(directory, app.host, on_step=on_step)
    seat = seat_app(app, directory)
    write_access_files(seat.lab(), seat.lab_files())


def _allow_many_files() -> None:
    """Each connection is an open file, and a shell's usual limit is 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, _MOST_FILES), most))


@click.command()
@output_option("text", "csv", "json", "cards", text="cards: a page with QR codes, for the printer.")
@click.option("--new", is_flag=True, help="Make new links; the old ones and their sessions end at once.")
@click.option("--url", metavar="URL", help="What students open.  [default: as `labctl class serve` said]")
@of_servers("The links of all servers in this Ansible inventory, in place of this one's.")
@pass_app
def links(app: Application, output: str, new: bool, url: str | None, inventory: Path | None) -> int:
    """Print the link of each seat and of the teacher. Anyone who has a link can use that page: hand it out with care.

    \b
    labctl class links --output cards >cards.html
    """
    if inventory is None:
        name, found, no_errors = *_links_here(app, url, new=new), True
    elif url is not None:
        raise click.UsageError("--url: with --inventory, class_url in the inventory is what students open")
    else:
        name = load_config(app.directory).name
        results = links_of_servers(app, read_inventory(inventory), new=new)
        found = tuple(link for result in results for link in result.value or ())
        no_errors = print_errors(app, results)
    app.write(shown.as_cards(name, found) if output == "cards" else shown.FORMATS[output](found))
    return 0 if no_errors else 1


def _links_here(app: Application, url: str | None, *, new: bool) -> tuple[str, tuple[Link, ...]]:
    """The class's name, and its links."""
    base = app.directory.resolve()
    seats, folder = existing_seats(base), base / WEB_FOLDER
    if not (folder / DATABASE).exists():
        raise HostError("this class has not been served yet, so it has no address", next_step="labctl class serve")
    store = Store(folder / DATABASE)
    name = seat_app(app, seats[0]).lab().name.rpartition("-")[0]
    return name, _issue(store, folder, seats, url or store.get("url"), new=new)


def _issue(store: Store, folder: Path, seats: Sequence[Path], url: str, *, new: bool = False) -> tuple[Link, ...]:
    tokens = make_tokens(folder, (seat.name for seat in seats), new=new)
    store.issue(tokens)
    return make_links(url, tokens)


def print_links(app: Application, base: Path) -> None:
    """Print the links of a class that has been served before; otherwise, say how."""
    folder = base / WEB_FOLDER
    if (folder / DATABASE).exists():
        store = Store(folder / DATABASE)
        app.write(shown.as_text(_issue(store, folder, existing_seats(base), store.get("url"))))
    app.note("`labctl class serve` serves a page for each student and the teacher, and prints their links")
