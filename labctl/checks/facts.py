"""All facts of one verify, as they were fetched. Nothing here asks anything; checks read these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address

from labctl.checks.cluster_objects import Cluster
from labctl.checks.collector import TIMED_OUT
from labctl.checks.read_api import read_cluster
from labctl.facts.bgp_sessions import BgpSession, parse_sessions
from labctl.facts.birdc import Route, parse_routes
from labctl.facts.figures import Filesystem, parse_df, parse_meminfo, parse_sysctls
from labctl.facts.firewall import DropRule, parse_drop_rules
from labctl.facts.haproxy import ConfigServer, ServerStatus, parse_config_servers, parse_server_status
from labctl.facts.iproute import (
    KernelRoute,
    Neighbour,
    Nic,
    Rule,
    parse_kernel_routes,
    parse_neighbours,
    parse_nics,
    parse_rules,
)
from labctl.facts.sockets import Listener, parse_listeners
from labctl.facts.systemctl import Unit, parse_unit_names, parse_units
from labctl.host.command import CommandResult
from labctl.json_text import read_json

NO_PYTHON = "python3 does not run there"
_SYSTEMD_SAYS = ("Started ", "Stopped ", "Stopping ", "Starting ", "Failed to start ")  # in every unit's journal


class MissingFact(Exception):  # noqa: N818  (it is no error of labctl, but a finding)
    """A fact that a check asked for could not be fetched; the text says which and why."""


@dataclass(frozen=True)
class MachineFacts:
    """What one machine answered.

    error: why it could not be asked; empty if it could. results: by probe name. clock_offset: seconds that its clock
    is ahead of the host's, as near to zero as the measurement allows. seconds: from the first packet to the last.
    """

    name: str
    error: str = ""
    results: Mapping[str, CommandResult] = field(default_factory=dict)
    clock_offset: float = 0.0
    seconds: float = 0.0

    @property
    def reachable(self) -> bool:
        """Whether the machine answered over SSH."""
        return not self.error

    def result(self, probe: str) -> CommandResult:
        """The result of a probe. Raises MissingFact if there is none."""
        if self.error:
            raise MissingFact(f"{self.name}: {self.error}")
        if probe not in self.results:
            raise MissingFact(f"{self.name} gave no answer to `{probe}`")
        return self.results[probe]

    def output(self, probe: str) -> str:
        """What a probe printed. Raises MissingFact if there is no result, or it failed and printed nothing."""
        result = self.result(probe)
        if result.status == TIMED_OUT:
            raise MissingFact(f"no end of `{result.command}` in time")
        if not result.ok and not result.stdout.strip():
            why = result.stderr.strip().splitlines()
            raise MissingFact(why[-1] if why else f"status {result.status} from `{result.command}`")
        return result.stdout

    @cached_property
    def nics(self) -> tuple[Nic, ...]:
        """Its network interfaces."""
        return parse_nics(self.output("addresses"))

    @cached_property
    def routes(self) -> tuple[KernelRoute, ...]:
        """The kernel's main routing table."""
        return parse_kernel_routes(self.output("routes"))

    @cached_property
    def local_routes(self) -> tuple[KernelRoute, ...]:
        """The addresses that the kernel takes for its own; none where that was not asked."""
        result = self.results.get("local-routes")
        return parse_kernel_routes(result.stdout) if result and result.ok else ()

    @cached_property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Its ARP table."""
        return parse_neighbours(self.output("neighbours"))

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of its routing policy."""
        return parse_rules(self.output("rules"))

    @cached_property
    def listeners(self) -> tuple[Listener, ...]:
        """Its listening TCP sockets."""
        return parse_listeners(self.output("listeners"))

    @cached_property
    def units(self) -> Mapping[str, Unit]:
        """The units that it must run."""
        return parse_units(self.output("units"))

    @cached_property
    def failed_units(self) -> tuple[str, ...]:
        """Names of all units that systemd calls failed."""
        return parse_unit_names(self.result("failed-units").stdout)

    @cached_property
    def filesystems(self) -> tuple[Filesystem, ...]:
        """Its file systems, but for the kernel's own and those of single containers. Sizes in KiB."""
        return _lasting(parse_df(self.output("disk")))

    @cached_property
    def inodes(self) -> tuple[Filesystem, ...]:
        """The same file systems, counted in inodes."""
        return _lasting(parse_df(self.output("inodes")))

    @cached_property
    def memory(self) -> Mapping[str, int]:
        """Its /proc/meminfo, KiB."""
        return parse_meminfo(self.output("memory"))

    @cached_property
    def sysctls(self) -> Mapping[str, str]:
        """Its kernel settings for forwarding and reverse path filters."""
        return parse_sysctls(self.output("sysctls"))

    @cached_property
    def drop_rules(self) -> tuple[DropRule, ...]:
        """Firewall rules that drop or reject."""
        return parse_drop_rules(self.result("firewall").stdout)

    @cached_property
    def sessions(self) -> tuple[BgpSession, ...]:
        """BIRD's BGP sessions."""
        return parse_sessions(self.output("protocols"))

    def session_with(self, peer: IPv4Address) -> BgpSession | None:
        """BIRD's session with that peer, if it is configured."""
        return next((session for session in self.sessions if session.peer == peer), None)

    @cached_property
    def bird_routes(self) -> tuple[Route, ...]:
        """BIRD's table."""
        return parse_routes(self.output("bird-routes"))

    @cached_property
    def config_servers(self) -> tuple[ConfigServer, ...]:
        """The servers in haproxy.cfg."""
        return parse_config_servers(self.output("haproxy-config"))

    @cached_property
    def server_status(self) -> tuple[ServerStatus, ...]:
        """HAProxy's servers as they run."""
        return parse_server_status(self.output("haproxy-status"))

    def last_words(self, unit: str) -> str:
        """The last line of a unit's journal, if it was asked for."""
        result = self.results.get(f"journal {unit}")
        lines = [line.strip() for line in result.stdout.splitlines() if line.strip()] if result else []
        own = [line for line in lines if not line.startswith((f"{unit}:", *_SYSTEMD_SAYS))]
        return _sentence((own or [""])[-1])[:300]


def _sentence(line: str) -> str:
    """A line of a log as one would say it: of one in JSON (etcd: zap), the message and the error."""
    if not line.startswith("{"):
        return line
    try:
        said = read_json(line)
    except ValueError:
        return line
    return ": ".join(str(said[key]) for key in ("msg", "error") if said.get(key)) or line


PASSING = ("/run/containerd/", "/var/lib/kubelet/pods/", "/run/credentials/", "/proc", "/sys", "/dev", "/snap/")


def _lasting(found: tuple[Filesystem, ...]) -> tuple[Filesystem, ...]:
    return tuple(item for item in found if not item.mount.startswith(PASSING))


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP request from the host.

    status: 0 where none came; error says why. server: who served it, in the application's words.
    """

    status: int
    server: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def words(self) -> str:
        """Status and server, or the error."""
        if self.error:
            return self.error
        return f"HTTP {self.status}" + (f", served by {self.server}" if self.server else "")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the host itself knows. route: its result of `ip -json route get INGRESS`; neighbours: of `ip -json neigh`.

    name_addresses: what the application's host name resolves to here (empty: it does not). pinged: of the machines that
    do not answer over SSH, the addresses of those that answer ping. ways: of the same machines, by address, the result
    of `ip -json route get ADDRESS`. links: the result of `ip -json link`. clock: seconds since 1970 when it was asked.
    inside: of the same machines, by name, what was found by going around their network (inside.py), where that is
    possible. firewall: the result of `nft list ruleset`, where this host lets us ask.
    load: how many processes were at work or waited, over a minute.
    """

    route: CommandResult
    neighbours: CommandResult
    name_addresses: tuple[str, ...] = ()
    pinged: tuple[str, ...] = ()
    ways: Mapping[str, CommandResult] = field(default_factory=dict)
    links: CommandResult | None = None
    clock: float = 0.0
    inside: Mapping[str, MachineFacts] = field(default_factory=dict)
    firewall: CommandResult | None = None
    load: float = 0.0


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """Requests from the host through ingress.

    answers: for the application's host; unknown: for a host that nobody serves. direct: for the application's host
    at each ingress machine's own address, by its name, where clients ask an address that the machines share.
    """

    answers: tuple[HttpAnswer, ...] = ()
    unknown: HttpAnswer = HttpAnswer(0, error="not asked")
    direct: Mapping[str, HttpAnswer] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Everything that one verify knows.

    reach: what ingress's second round trip found, by probe name; reach_of_others: the same of further ingress machines.
    """

    host: HostFacts
    machines: Mapping[str, MachineFacts]
    reach: MachineFacts
    http: HttpFacts
    controlplane: str
    reach_of_others: Mapping[str, MachineFacts] = field(default_factory=dict)

    @cached_property
    def cluster(self) -> Cluster:
        """What the API answered; with the machine's error in every place if the machine did not answer."""
        facts = self.machines[self.controlplane]
        result = facts.results.get("api")
        return read_cluster(result or CommandResult("", 255, "", facts.error or "the API was not asked", 0.0))

    def reach_from(self, ingress: str) -> MachineFacts:
        """What that ingress machine's second round trip found."""
        return self.reach_of_others.get(ingress, self.reach)

    def seconds(self, machine: str, probe: str) -> float:
        """How long a question took; 0 where it was not asked.

        Questions of the API are answered on the control plane.
        """
        asked = (
            (self.machines.get(self.controlplane), self.reach)
            if probe == "api"
            else (self.machines.get(machine), self.reach_from(machine))
        )
        return next((facts.results[probe].seconds for facts in asked if facts and probe in facts.results), 0.0)

    def on(self, machine: str) -> MachineFacts:
        """The facts of one machine."""
        return self.machines[machine]
