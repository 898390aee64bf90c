"""``python3 -m labctl.standins.controller --external …``: labctl's stand-in for the controller.

Exit codes: 0 after SIGTERM or SIGINT, 1 where it cannot start or one of its threads has died, 2 for a wrong flag.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from labctl.standins.controller.config import empty, listen_from
from labctl.standins.controller.controller import Controller, Ended, Message, Stop
from labctl.standins.controller.driver import Driver, folders_of
from labctl.standins.controller.errors import ApiError, ControllerError, FlagError
from labctl.standins.controller.flags import Flags, parse_flags
from labctl.standins.controller.process import HAProxy
from labctl.standins.controller.rules import Ours
from labctl.standins.controller.runtime import RuntimeApi
from labctl.standins.controller.watch import ListsAndWatches, resources
from labctl.standins.ending import end_when_a_thread_dies, leave

logger = logging.getLogger("labctl.standins.controller")

_LEVELS = {"trace": "DEBUG"}


def main() -> int:
    """Run the stand-in; returns the exit code."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        flags = parse_flags(sys.argv[1:])
    except FlagError as error:
        logger.error("%s", error)
        return 2
    logger.setLevel(_LEVELS.get(flags.log_level, flags.log_level.upper()))
    logger.info("this is labctl's stand-in for the HAProxy Kubernetes Ingress Controller v3.2; it has no TLS")
    try:
        return _controller(flags).run(api_of(flags.kubeconfig))
    except (ControllerError, OSError) as error:
        logger.error("the controller cannot start: %s", error)
        return 1


def _controller(flags: Flags) -> Controller:
    inbox: SimpleQueue[Message] = SimpleQueue()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda number, _frame: inbox.put(Stop(signal.Signals(number).name)))
    end_when_a_thread_dies(lambda reason: inbox.put(Stop(reason, status=1)))
    folders = folders_of(flags.config_dir, flags.runtime_dir)
    haproxy = HAProxy(flags.program, folders, on_end=lambda: inbox.put(Ended()))
    driver = Driver(empty(listen_from(flags)), folders, haproxy, RuntimeApi(folders.runtime_socket))
    ours = Ours(
        ingress_class=flags.ingress_class,
        empty_ingress_class=flags.empty_ingress_class,
        namespaces_only=flags.namespaces_only,
        namespaces_never=flags.namespaces_never,
    )
    return Controller(resources(flags.configmap), ours, driver, inbox)


def api_of(kubeconfig: Path) -> Callable[[], ListsAndWatches]:
    """What makes the API's client: one for all, made anew when the kubeconfig changes (ApiError without one)."""
    made: dict[int, ListsAndWatches] = {}
    lock = threading.Lock()

    def api() -> ListsAndWatches:
        from labctl.standins.controller.api import Api  # noqa: PLC0415 - half a second: HAProxy starts before it

        with lock:
            try:
                version = kubeconfig.stat().st_mtime_ns
            except OSError as error:
                raise ApiError(f"no kubeconfig: {error}") from error
            if version not in made:
                made.clear()
                made[version] = Api(kubeconfig)
            return made[version]

    return api


if __name__ == "__main__":
    leave(main())
