"""Rule cases that run side by side: one pass of the correlator serves a stage of all of them.

A case is a generator: it yields statements and is sent what the tables then say about them, in words.

    @case(CASES)
    def a_link_stays() -> Case:
        "What must hold."
        found = yield say(Said("a", keys=("crm.deal:d",)))
        assert found.journeys == {"crm.deal:d": {"a"}}

`play` gives every case names of its own, so that cases never meet; compares each with the reference after
every stage; and in the end rebuilds everything, which must change nothing. What went wrong is kept per case,
for the test of that name to raise.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.correlator.facts import Span, Statement, World, difference, journeys_of
from tests.correlator.reference import Key, Result


@dataclass(frozen=True)
class Found:
    """What the tables say about one case, in words: keys are `ns:value`, pairs are `parent>child`."""

    journeys: dict[str, set[str]]
    states: dict[str, str]
    roots: dict[str, set[str]]
    depths: dict[str, int]
    canonical: dict[str, str]
    aliases: dict[str, str]
    edges: set[str]
    ambiguous_links: int

    def named(self, state: str) -> set[str]:
        """Objects in one state."""
        return {key for key, found in self.states.items() if found == state}


Case = Generator[Sequence[Statement], Found, None]
CaseFunction = Callable[[], Case]


def case(cases: list[CaseFunction]) -> Callable[[CaseFunction], CaseFunction]:
    """Add a case to those of a module."""

    def add(function: CaseFunction) -> CaseFunction:
        cases.append(function)
        return function

    return add


def say(*statements: Statement) -> tuple[Statement, ...]:
    """What a case yields."""
    return statements


def apart(statement: Statement, mark: str, shared: Sequence[str] = ()) -> Statement:
    """The same statement about other things: names and values are marked, but for keys that are `shared`."""

    def key(text: str) -> str:
        namespace, colon, value = text.partition(":")
        return f"{namespace}:{mark}{value}" if colon and text not in shared else text

    def pair(text: str) -> str:
        return ">".join(key(side) for side in text.split(">"))

    parents = tuple(f"{mark}{parent}" for parent in statement.parents)
    if isinstance(statement, Span):
        return Span(f"{mark}{statement.name}", parents)
    return replace(
        statement,
        name=f"{mark}{statement.name}",
        parents=parents,
        keys=tuple(map(key, statement.keys)),
        context=tuple(map(key, statement.context)),
        links=tuple(map(pair, statement.links)),
        cuts=tuple(map(pair, statement.cuts)),
    )


@dataclass
class Player:
    """One case under way."""

    function: CaseFunction
    mark: str
    generator: Case
    found: Found | None = None
    error: Exception | None = None
    over: bool = False

    def next(self, shared: Sequence[str]) -> list[Statement]:
        """Let the case look at what was found and say more; nothing if it is over."""
        try:
            said = self.generator.send(self.found) if self.found else next(self.generator)
        except StopIteration:
            self.over = True
            return []
        except Exception as error:  # noqa: BLE001 - raised again by the test of this case
            self.error, self.over = error, True
            return []
        return [apart(one, self.mark, shared) for one in said]

    def judge(self, world: World, expected: Result, stored: Result) -> None:
        """Compare this case's part with the reference."""
        mine, theirs = self.part(world, expected), self.part(world, stored)
        if wrong := difference(mine, theirs):
            self.error, self.over = self.error or AssertionError(f"not as the reference: {wrong}"), True
        self.found = self.words(world, theirs)

    def judge_folded(self, *results: Mapping[Key, tuple[int, bool]]) -> None:
        """Compare what folding made of this case's journeys: live, rebuilt, expected."""
        parts = [{key: found for key, found in one.items() if self.owns(key)} for one in results]
        if not parts[0] == parts[1] == parts[2]:
            self.error = AssertionError(f"folded live, rebuilt, expected: {parts}")

    def owns(self, key: Key) -> bool:
        """Whether a key is one of this case."""
        return key[1].startswith(self.mark)

    def part(self, world: World, result: Result) -> Result:
        """What a result says about this case."""
        events = {world.number(one.name) for one in world.said if one.name.startswith(self.mark)}

        def of(found: Mapping[Key, Any]) -> dict[Key, Any]:
            return {key: value for key, value in found.items() if self.owns(key)}

        return Result(
            of(result.journeys),
            of(result.objects),
            of(result.canonical),
            of(result.aliases),
            frozenset(pair for pair in result.edges if self.owns(pair[0])),
            {event: count for event, count in result.ambiguous_links.items() if event in events},
        )

    def words(self, world: World, result: Result) -> Found:
        """A part, without the mark of this case."""
        names = {world.number(one.name): one.name.removeprefix(self.mark) for one in world.said}

        def text(key: Key) -> str:
            return f"{key[0]}:{key[1].removeprefix(self.mark)}"

        return Found(
            journeys={
                text(root): {names[event] for event in found} for root, found in result.journeys.items()
            },
            states={text(key): found.state for key, found in result.objects.items()},
            roots={text(key): set(map(text, found.roots)) for key, found in result.objects.items()},
            depths={text(key): found.depth for key, found in result.objects.items()},
            canonical={text(key): text(found) for key, found in result.canonical.items()},
            aliases={text(key): found for key, found in result.aliases.items()},
            edges={f"{text(parent)}>{text(child)}" for parent, child in result.edges},
            ambiguous_links=sum(result.ambiguous_links.values()),
        )


def play(
    world: World,
    functions: Sequence[CaseFunction],
    shared: Sequence[str] = (),
) -> dict[str, Exception | None]:
    """Run all cases stage by stage, then a rebuild; give what went wrong, by name of the case.

    Key texts that are `shared` are the same for all cases: placeholders.
    """
    players = [Player(function, f"{n}-", function()) for n, function in enumerate(functions)]
    while running := [player for player in players if not player.over]:
        said = [one for player in running for one in player.next(shared)]
        if said:
            world.say(*said)
            world.tick()
            look(world, [player for player in running if not player.over])
    live, folded = world.stored(), world.folded()
    world.rebuild()
    expected, rebuilt = world.expected(), world.stored()
    for player in players:
        if player.error is None:
            player.judge(world, expected, rebuilt)
            player.judge(world, rebuilt, live)
            player.judge_folded(folded, world.folded(), journeys_of(expected))
    return {player.function.__name__: player.error for player in players}


def look(world: World, players: Sequence[Player]) -> None:
    """Compare all cases with the reference."""
    expected, stored = world.expected(), world.stored()
    for player in players:
        player.judge(world, expected, stored)
