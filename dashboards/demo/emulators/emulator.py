"""What every emulator does: turn facts into messages, batch them, send them as badly as the platform does.

    Fact      what happened in the business, in nobody's words
    Message   what the platform says about one or more facts
    Delivery  one attempt that reaches the receiver, signed when it is sent
    Plan      all of them in the order of arrival, and what the platform lost for good

Pure: all is drawn from the seed; `http.deliver` sends a plan.
"""

from __future__ import annotations

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

from throughline.probes.errors import DemoError
from throughline.probes.platforms.adapter import Connection, HookRequest
from throughline.probes.vocabulary import KEY_PREFIX

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
PUBLIC_URL: Final = "https://probe.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened in the business."""

    event: str
    """A name of `vocabulary.EVENTS`."""
    time: datetime
    ids: Mapping[str, str]
    """Short names of objects (letters and digits, at most 12), by role: `project`, `invoice`..."""
    amount: Decimal | None = None
    currency: str = "USD"
    entity: str = "US01"
    customer: str = ""
    references: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Keys of other records that the record holds, by namespace; a custom field each (`Emulator.refers`)."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What else the record says, by attribute; a custom field each (`Emulator.tells`)."""
    error: str = ""
    """The platform failed to do it, with this code."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what can go wrong does; each between 0 and 1."""

    unreachable: float = 0.0
    """An attempt does not reach the receiver."""
    unanswered: float = 0.0
    """An attempt arrives, its answer does not: it is repeated though it was heard."""
    delayed: float = 0.0
    """A message is late, so that later ones come before it."""
    dropped: float = 0.0
    """The platform never sends a message, in one of the ways that its documentation admits."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes into one request."""

    items: tuple[Any, ...]
    facts: tuple[Fact, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt that reaches the receiver."""

    message: Message
    at: datetime
    attempt: int
    """0 is the first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What arrives, in this order, and what never does."""

    deliveries: tuple[Delivery, ...]
    lost: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """What the platform says about one fact; `facts` is empty for what means nothing to us."""

    content: Any
    facts: tuple[Fact, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Emulator(ABC):
    """A platform; subclasses say how it speaks."""

    platform: ClassVar[str] = ""
    says: ClassVar[frozenset[str]] = frozenset()
    """Events of the facts that it can tell."""
    retries: ClassVar[tuple[timedelta, ...]] = ()
    """Between one attempt and the next."""
    batch: ClassVar[int] = 1
    """The most items of one request."""
    kinds: ClassVar[tuple[str, ...]] = ()
    """Object types that have the custom fields of `refers`."""
    custom: ClassVar[str] = "{}"
    """How the platform names a custom field."""
    gap: ClassVar[timedelta] = timedelta(0)
    """Between two requests at least: how the platform throttles itself."""

    seed: int = 0
    secret: bytes = b"emulator-secret"
    faults: Faults = field(default_factory=Faults)
    id: str = "emulated"
    refers: tuple[str, ...] = ()
    """Namespaces of other records for whose keys the customer made custom fields."""
    tells: tuple[str, ...] = ()
    """Attributes for which the customer made custom fields."""

    def connection(self) -> Connection:
        """The connection that understands this platform, as `connections.yaml` would have it."""
        return Connection(
            id=self.id,
            platform=self.platform,
            secrets=(self.secret,),
            public_url=PUBLIC_URL,
            options=self.options(),
            objects=self.objects(),
        )

    def options(self) -> dict[str, str]:
        """Options of the connection."""
        return {}

    def objects(self) -> dict[str, dict[str, str]]:
        """What the connection calls the custom fields."""
        names = {self.field_of(namespace): f"{KEY_PREFIX}{namespace} = {{}}" for namespace in self.refers}
        names |= {self.field_of(attribute): attribute for attribute in self.tells}
        return {kind: names for kind in self.kinds if names}

    def field_of(self, namespace: str) -> str:
        """The custom field that holds keys of a namespace, or an attribute."""
        return self.custom.format(namespace.replace(".", "_"))

    def references(self, fact: Fact) -> dict[str, Any]:
        """The custom fields of the fact's record; several keys are a list."""
        named = ((namespace, fact.references.get(namespace)) for namespace in self.refers)
        found = {
            self.field_of(namespace): list(value) if isinstance(value, tuple) else value
            for namespace, value in named
            if value
        }
        return found | {self.field_of(one): fact.details[one] for one in self.tells if one in fact.details}

    @abstractmethod
    def key(self, fact: Fact, role: str) -> str:
        """The key of an object of the fact, as events of this platform have it."""

    def speaks(self) -> frozenset[str]:
        """Events of the facts that it can tell as it is set up."""
        return self.says

    @abstractmethod
    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """What the platform says about a fact."""

    def merged(self, items: list[Item]) -> list[Item]:
        """The items as they leave: most platforms merge nothing."""
        return items

    @abstractmethod
    def body(self, delivery: Delivery) -> bytes:
        """The body of an attempt."""

    @abstractmethod
    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """The headers, signature included, of a request sent at that time."""

    def schedule(self) -> tuple[timedelta, ...]:
        """Pauses between one attempt and the next."""
        return self.retries

    def most(self) -> int:
        """The most items of one request."""
        return self.batch

    def path(self) -> str:
        """Path and query that the platform was told to call."""
        return f"/hooks/{self.platform}/{self.id}"

    def plan(self, facts: Sequence[Fact]) -> Plan:
        """What arrives of the facts, and when.

        1. Say and merge; put up to `batch` items that are neighbours in time into one message.
        2. Some messages are never sent; some start late.
        3. Attempts follow `schedule` until one is answered; without an answer at the end it is lost, unless
           one was heard.
        4. Arrivals are put in order and kept `gap` apart.

        Raises: DemoError: the platform cannot say one of the facts.
        """
        rng = random.Random(f"{self.seed}/{self.platform}/{self.id}")
        said: list[Item] = []
        for fact in facts:
            if fact.event not in self.speaks():
                raise DemoError(f"The emulator of {self.platform} cannot say {fact.event}.")
            said += self.items(fact, rng)
        deliveries: list[Delivery] = []
        lost: list[Fact] = []
        for message in self._messages(self.merged(said), rng):
            heard = [] if rng.random() < self.faults.dropped else self._attempts(message, rng)
            deliveries += heard
            lost += [] if heard else message.facts
        deliveries.sort(key=lambda delivery: delivery.at)
        return Plan(self._throttled(deliveries), tuple(lost))

    def request(
        self, delivery: Delivery, *, url: str = PUBLIC_URL, at: datetime | None = None
    ) -> HookRequest:
        """The request of an attempt, signed for the URL and the time (default: as planned)."""
        moment = at or delivery.at
        body, address = self.body(delivery), url + self.path()
        return HookRequest("POST", address, self.headers(delivery, body, address, moment), body, moment)

    def _messages(self, items: list[Item], rng: random.Random) -> list[Message]:
        found, start = [], 0
        in_order = sorted(items, key=lambda item: item.at)
        while start < len(in_order):
            some = in_order[start : start + rng.randint(1, rng.randint(1, self.most()))]
            start += len(some)
            facts = tuple(fact for item in some for fact in item.facts)
            found.append(Message(tuple(item.content for item in some), facts, some[-1].at))
        return found

    def _attempts(self, message: Message, rng: random.Random) -> list[Delivery]:
        late = rng.uniform(60, 1800) if rng.random() < self.faults.delayed else rng.uniform(0.1, 2.0)
        at, heard = message.at + timedelta(seconds=late), []
        for attempt, pause in enumerate((*self.schedule(), None)):
            fate = rng.random()
            if fate >= self.faults.unreachable:
                heard.append(Delivery(message, at, attempt))
                if fate >= self.faults.unreachable + self.faults.unanswered:
                    break
            at += (pause or SECOND) * rng.uniform(1.0, 1.2)
        return heard

    def _throttled(self, deliveries: list[Delivery]) -> tuple[Delivery, ...]:
        found: list[Delivery] = []
        for delivery in deliveries:
            at = max(delivery.at, found[-1].at + self.gap) if found else delivery.at
            found.append(Delivery(delivery.message, at, delivery.attempt))
        return tuple(found)


def number(name: str, digits: int = 9) -> int:
    """The number of an object on a platform that has numbers; one that is a number already keeps it."""
    if name.isdigit():
        return int(name)
    lowest = int(10 ** (digits - 1))
    return lowest + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % (9 * lowest)


def uuid_of(rng: random.Random) -> str:
    """A drawn UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def milliseconds(moment: datetime) -> int:
    """Ms since 1970."""
    return int(moment.timestamp() * 1000)
