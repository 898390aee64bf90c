"""Requests from the host through ingress, as a browser would send them."""

from __future__ import annotations

import http.client
import re
import time

from labctl.checks.facts import HttpAnswer, HttpFacts
from labctl.facts.fact import ANSWER_SECONDS, CONNECT_SECONDS
from labctl.model.lab import Lab
from labctl.scheduler import InterruptiblePool

UNKNOWN_HOST = "nobody.invalid"  # RFC 2606: no such name
HTTP_PORT = 80
_FEWEST, _MOST = 3, 20
_AT_ONCE = 16
_SERVED_BY = re.compile(r"^Request served by (\S+)", re.MULTILINE)


def ask_through_ingress(lab: Lab, patience: float = 1.0) -> HttpFacts:
    """Ask for the application, as often as the lab has pods, and once for an unknown host.

    All requests go out together, so that silence costs one time-out.
    """

    def get(address: object, host: str) -> HttpAnswer:
        return ask(str(address), HTTP_PORT, host, seconds=ANSWER_SECONDS * patience, connect=CONNECT_SECONDS * patience)

    with InterruptiblePool(max_workers=_AT_ONCE) as pool:
        unknown = pool.submit(get, lab.entry, UNKNOWN_HOST)
        each = lab.ingresses if lab.vip else ()
        direct = {ingress.name: pool.submit(get, ingress.address, lab.app.host) for ingress in each}
        number = max(_FEWEST, min(_MOST, lab.app.replicas))
        answers = list(pool.map(lambda _: get(lab.entry, lab.app.host), range(number)))
        return HttpFacts(tuple(answers), unknown.result(), {name: one.result() for name, one in direct.items()})


def ask(
    address: str, port: int, host: str, *, seconds: float = ANSWER_SECONDS, connect: float | None = None
) -> HttpAnswer:
    """One GET / with that Host header on a connection of its own, so many seconds at most for each part of the answer.

    connect: the same for the connection; as for the answer if not given.
    """
    started = time.monotonic()
    connect = seconds if connect is None else connect
    connection = http.client.HTTPConnection(address, port, timeout=connect)
    try:
        try:
            connection.connect()
        except TimeoutError:
            return HttpAnswer(0, error=f"no connection within {connect:.2g} s", seconds=time.monotonic() - started)
        connection.sock.settimeout(seconds)
        connection.request("GET", "/", headers={"Host": host, "User-Agent": "labctl", "Connection": "close"})
        response = connection.getresponse()
        body = response.read(100_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return HttpAnswer(0, error=_words(error, seconds), seconds=time.monotonic() - started)
    finally:
        connection.close()
    served = _SERVED_BY.search(body)
    return HttpAnswer(response.status, served[1] if served else "", seconds=time.monotonic() - started)


def _words(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.2g} s"
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
