"""Whether this host reaches the publishers of upstream software: short requests in parallel; none is required.

Machines reach them through this host, with its proxies.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from labctl.host.host import Host
from labctl.model.lab import Lab, Source
from labctl.providers.probe import Finding, Probe, ok, warn
from labctl.sources.upstream import upstreams

# Seconds for each publisher.
_SECONDS = 3


def silent_sites(lab: Lab, host: Host) -> tuple[int, list[str]]:
    """How many sites the lab fetches from, and which of them do not answer. Any HTTP status is an answer."""
    # Ubuntu's are only for a box with Ubuntu in it.
    wanted = [source.url for source in upstreams(lab) if "ubuntu" not in source.name or "debian" not in lab.box.name]
    sites = list(dict.fromkeys(f"{parts.scheme}://{parts.netloc}/" for parts in map(urlsplit, wanted)))
    ask = ["curl", "--silent", "--head", "--max-time", str(_SECONDS), "--output", os.devnull]
    with ThreadPoolExecutor(len(sites)) as pool:
        answers = list(pool.map(lambda site: host.ask([*ask, site], _SECONDS * 2.0), sites))
    return len(sites), [site for site, answer in zip(sites, answers, strict=True) if answer is None]


def _publishers(lab: Lab, host: Host) -> Finding | None:
    if lab.source is Source.DEBIAN:
        default = ", the default on LXC," if lab.provider.traits.default_source is Source.DEBIAN else ""
        return ok(
            f"source debian{default} needs Debian's archive alone; with internet access, `labctl up --source upstream` "
            "installs current releases"
        )
    if lab.mirrors.cache or host.find("curl") is None:
        return None
    total, silent = silent_sites(lab, host)
    if not silent:
        return ok(f"all {total} answer")
    return warn(
        f"{len(silent)} of {total} do not answer within {_SECONDS} s: {', '.join(silent)}",
        "check the connection and the proxies, or use mirrors (sources), `labctl cache pull`, or --source debian",
    )


PROBE = Probe("publishers", "publishers", _publishers)
