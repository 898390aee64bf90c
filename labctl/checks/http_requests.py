"""Requests from the host through ingress, as a browser would send them."""

from __future__ import annotations

import http.client
import re
import time
from concurrent.futures import ThreadPoolExecutor

from labctl.checks.facts import HttpAnswer, HttpFacts
from labctl.model.lab import Lab

UNKNOWN_HOST = "nobody.invalid"  # RFC 2606: no such name
HTTP_PORT = 80
_SECONDS = 2.0
_FEWEST, _MOST, _ROUNDS = 3, 20, 3
_AT_ONCE = 16
_SERVED_BY = re.compile(r"^Request served by (\S+)", re.MULTILINE)


def ask_through_ingress(lab: Lab, servers: int) -> HttpFacts:
    """Ask for the application until every one of its servers has answered, three times round at most; and once for an
    unknown host. The requests of a round go out together, so that silence costs one time-out.

    servers: how many pods should answer.
    """
    address = str(lab.entry)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        unknown = pool.submit(ask, address, HTTP_PORT, UNKNOWN_HOST)
        direct = pool.submit(_ask_each, lab) if lab.vip else None
        answers: list[HttpAnswer] = []
        for _ in range(_ROUNDS):
            number = max(_FEWEST, min(_MOST, servers))
            answers += pool.map(lambda _: ask(address, HTTP_PORT, lab.app.host), range(number))
            seen = {answer.server for answer in answers if answer.server}
            if len(seen) >= servers or any(answer.error for answer in answers):
                break
        return HttpFacts(tuple(answers), unknown.result(), direct.result() if direct else {})


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
