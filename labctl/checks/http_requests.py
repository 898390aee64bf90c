"""Requests from the host through ingress, as a browser would send them."""

from __future__ import annotations

import http.client
import re
import time

from labctl.checks.facts import HttpAnswer, HttpFacts
from labctl.model.lab import Lab

UNKNOWN_HOST = "nobody.invalid"  # RFC 2606: no such name
HTTP_PORT = 80
_SECONDS = 2.0
_FEWEST, _MOST = 3, 60
_BROKEN_ENOUGH = 2
_SERVED_BY = re.compile(r"^Request served by (\S+)", re.MULTILINE)


def ask_through_ingress(lab: Lab, servers: int) -> HttpFacts:
    """Ask for the application until every one of its servers has answered, three times round at most; and once for an
    unknown host.

    servers: how many pods should answer.
    """
    address = str(lab.entry)
    direct = _ask_each(lab) if lab.vip else {}
    unknown = ask(address, HTTP_PORT, UNKNOWN_HOST)
    answers: list[HttpAnswer] = []
    if unknown.error:
        return HttpFacts((ask(address, HTTP_PORT, lab.app.host),), unknown, direct)
    for number in range(max(_FEWEST, min(_MOST, 3 * servers))):
        answers.append(ask(address, HTTP_PORT, lab.app.host))
        seen = {answer.server for answer in answers if answer.server}
        broken = sum(1 for answer in answers if answer.error)
        if broken >= _BROKEN_ENOUGH or (number + 1 >= _FEWEST and len(seen) >= servers):
            break
    return HttpFacts(tuple(answers), unknown, direct)


def _ask_each(lab: Lab) -> dict[str, HttpAnswer]:
    """The application, asked at every ingress machine's own address."""
    return {ingress.name: ask(str(ingress.address), HTTP_PORT, lab.app.host) for ingress in lab.ingresses}


def ask(address: str, port: int, host: str, *, seconds: float = _SECONDS) -> HttpAnswer:
    """One GET / with that Host header on a connection of its own, so many seconds at most for each part."""
    started = time.monotonic()
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
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
        return f"no answer within {seconds:g} s"
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
