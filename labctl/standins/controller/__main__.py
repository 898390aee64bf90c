"""``python3 -m labctl.standins.controller --external …``: the controller as a program, and its main loop.

Exit codes: 0 after SIGTERM or SIGINT, 1 if it cannot start or one of its threads has died, 2 for a wrong flag.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from queue import SimpleQueue

from labctl.model.kubernetes import ConfigMap, EndpointSet, Ingress, IngressClass, Service
from labctl.standins.controller.configuration import configure, empty_configuration
from labctl.standins.controller.driver import Driver, Folders
from labctl.standins.controller.flags import Flags, parse_flags
from labctl.standins.controller.haproxy import HAProxy, RuntimeApi
from labctl.standins.controller.routing import Cluster, route
from labctl.standins.errors import FlagError, StandInError
from labctl.standins.kubernetes.watch import (
    ENDPOINT_SLICES,
    INGRESS_CLASSES,
    INGRESSES,
    SERVICES,
    Follower,
    Resource,
    Store,
    Update,
    client_of,
    config_map,
)
from labctl.standins.process import Stop, gather, leave, send_stop

# Seconds: between two looks at what is due; until HAProxy is stopped less gently.
_TICK, _GRACE = 0.1, 5.0
_PYTHON_LEVELS = {"trace": "DEBUG"}

_log = logging.getLogger("labctl.standins.controller")


@dataclass(frozen=True, slots=True)
class HaproxyEnded:
    """HAProxy has ended by itself: its driver has something to do."""


Inbox = SimpleQueue[Update | HaproxyEnded | Stop]


def main() -> int:
    """Run the stand-in. Returns the exit code."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        flags = parse_flags(sys.argv[1:])
    except FlagError as error:
        _log.error("%s", error)
        return 2
    _log.setLevel(_PYTHON_LEVELS.get(flags.log_level, flags.log_level.upper()))
    _log.info("this is labctl's stand-in for the HAProxy Kubernetes Ingress Controller v3.2; it has no TLS")
    try:
        return _serve(flags)
    except (StandInError, OSError) as error:
        _log.error("the controller cannot start: %s", error)
        return 1


def followed_resources(configmap: tuple[str, str] | None) -> tuple[Resource, ...]:
    """The kinds of objects that the controller follows. configmap: (namespace, name)."""
    always = (INGRESSES, INGRESS_CLASSES, SERVICES, ENDPOINT_SLICES)
    return (*always, config_map(*configmap)) if configmap else always


def cluster_of(store: Store) -> Cluster:
    """What the store holds, as the controller uses it."""
    return Cluster(
        ingresses=store.objects(Ingress),
        classes=store.objects(IngressClass),
        services=store.objects(Service),
        endpoints=store.objects(EndpointSet),
        config_map=next(iter(store.objects(ConfigMap)), None),
    )


def _serve(flags: Flags) -> int:
    """Start HAProxy, follow the API, and go on until a Stop, whose status it returns.

    Raises OSError and StandInError at the start only.
    """
    inbox: Inbox = SimpleQueue()
    send_stop(inbox.put)
    folders = Folders(config=flags.config_dir.absolute(), runtime=flags.runtime_dir.absolute())
    haproxy = HAProxy(
        flags.program, folders.haproxy_cfg, folders.master_socket, on_end=lambda: inbox.put(HaproxyEnded())
    )
    driver = Driver(empty_configuration(flags.listen), folders, haproxy, RuntimeApi(folders.runtime_socket))
    driver.start()
    connect = client_of(flags.kubeconfig)
    resources = followed_resources(flags.configmap)
    followers = [Follower(connect, resource, inbox.put) for resource in resources]
    for follower in followers:
        follower.start()
    stop = _loop(inbox, Store(resource.kind for resource in resources), driver, flags)
    level = logging.CRITICAL if stop.status else logging.INFO
    _log.log(level, "stopping the controller and HAProxy: %s", stop.reason)
    for follower in followers:
        follower.stop()
    driver.stop(seconds=_GRACE)
    return stop.status


def _loop(inbox: Inbox, store: Store, driver: Driver, flags: Flags) -> Stop:
    """Bring HAProxy to what the followers have sent, until a Stop."""
    logged: frozenset[str] = frozenset()
    while True:
        different = False
        for message in gather(inbox, seconds=_TICK):
            if isinstance(message, Stop):
                return message
            if not isinstance(message, HaproxyEnded):
                different |= store.apply(message)
        if different and store.complete:
            routing = route(cluster_of(store), flags.selection)
            for problem in routing.problems:
                if problem not in logged:
                    _log.warning("%s", problem)
            logged = frozenset(routing.problems)
            driver.apply(configure(driver.running, routing))
        driver.tick()


if __name__ == "__main__":
    leave(main())
