"""All facts of one verify, as they were fetched. Nothing here asks anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from labctl.checks.collector import TIMED_OUT
from labctl.facts.cluster import Cluster
from labctl.facts.fact import AnyFact, Fact, ParseError
from labctl.facts.kubernetes import Api, read_cluster
from labctl.facts.systemd import LastWords
from labctl.host.command import CommandResult
from labctl.model.lab import Lab

T = TypeVar("T")
NO_PYTHON = "python3 does not run there"


class MissingFact(Exception):  # noqa: N818  (it is no error of labctl, but a finding)
    """A fact that a check asked for could not be fetched; the text says which and why."""


@dataclass(frozen=True)
class MachineFacts:
    """What one machine answered.

    error: why it could not be asked; empty if it could. results: by the facts' names. clock_offset: seconds that its
    clock is ahead of the host's, as near to zero as the measurement allows. seconds: from the first packet to the last.
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

    def result(self, fact: AnyFact) -> CommandResult:
        """The answer to a fact's command, as it came. Raises MissingFact if there is none."""
        if self.error:
            raise MissingFact(f"{self.name}: {self.error}")
        if fact.name not in self.results:
            raise MissingFact(f"{self.name} gave no answer to `{fact.name}`")
        return self.results[fact.name]

    def __getitem__(self, fact: type[Fact[T]] | Fact[T]) -> T:
        """What the fact says; read once.

        Raises MissingFact where there is no answer, ParseError where it can't be read. An empty answer of a command
        that failed is none, unless the fact says otherwise (Fact.may_fail).
        """
        parsed: dict[tuple[type, str], Any] = self.__dict__.setdefault("_parsed", {})
        fact = fact() if isinstance(fact, type) else fact
        key = (type(fact), fact.name)
        if key not in parsed:
            parsed[key] = fact.parse(self._output(fact))
        return cast(T, parsed[key])

    def get(self, fact: type[Fact[T]] | Fact[T]) -> T | None:
        """What the fact says; None where there is no answer, or none that can be read."""
        try:
            return self[fact]
        except (MissingFact, ParseError):
            return None

    def _output(self, fact: Fact[Any]) -> str:
        result = self.result(fact)
        if fact.may_fail:
            return result.stdout
        if result.status == TIMED_OUT:
            raise MissingFact(f"no end of `{result.command}` in time")
        if not result.ok and not result.stdout.strip():
            why = result.stderr.strip().splitlines()
            raise MissingFact(why[-1] if why else f"status {result.status} from `{result.command}`")
        return result.stdout

    def last_words(self, unit: str) -> str:
        """The last line of a unit's journal, if it was asked for."""
        return self.get(LastWords(unit)) or ""


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
    inside: of the same machines, by name, what was found by going around their network, where that is
    possible. firewall: the result of `nft list ruleset`, where this host lets us ask, with iptables-legacy's rules.
    filters_bridges: whether packets within a bridge pass the rules for forwarded ones (br_netfilter).
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
    filters_bridges: bool = False

    @property
    def unread_firewall(self) -> str:
        """To be added to a cause: what may reject packets between machines, unseen; empty if nothing may."""
        if self.firewall is not None or not self.filters_bridges:
            return ""
        return "; this host's firewall may reject the machines' packets, and only root may read it (sudo labctl verify)"


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
        result = facts.results.get(Api.name)
        return read_cluster(result or CommandResult("", 255, "", facts.error or "the API was not asked", 0.0))

    def require_api(self, *names: str) -> None:
        """Raises MissingFact if the API did not answer one of these questions (kubernetes.API_PATHS)."""
        for name in names:
            if name in self.cluster.errors:
                raise MissingFact(f"{name}: {self.cluster.errors[name]}")

    def reach_from(self, ingress: str) -> MachineFacts:
        """What that ingress machine's second round trip found."""
        return self.reach_of_others.get(ingress, self.reach)

    def seconds(self, machine: str, fact: AnyFact) -> float:
        """How long a question took; 0 where it was not asked.

        Questions of the API are answered on the control plane.
        """
        probe = fact.name
        asked = (
            (self.machines.get(self.controlplane), self.reach)
            if fact is Api
            else (self.machines.get(machine), self.reach_from(machine))
        )
        return next((facts.results[probe].seconds for facts in asked if facts and probe in facts.results), 0.0)

    def on(self, machine: str) -> MachineFacts:
        """The facts of one machine."""
        return self.machines[machine]


def empty_facts(lab: Lab) -> Facts:
    """Nothing is known of any machine."""
    nothing = CommandResult("", 127, "", "not asked", 0.0)
    machines = {machine.name: MachineFacts(machine.name, "not asked") for machine in lab.machines}
    return Facts(HostFacts(nothing, nothing), machines, machines[lab.ingress.name], HttpFacts(), lab.controlplane.name)
