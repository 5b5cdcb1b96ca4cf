"""Linking rule 5 within a level: renewals, sub-projects, lines, loops, against the real correlator."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.correlator import reference
from tests.correlator.cases import Case, CaseFunction, case, play, say
from tests.correlator.facts import Said, World
from tests.correlator.reference import ENDLESS, Level
from throughline.collector.store import Role, Store

LEVELS = (
    Level(("crm.deal", "erp.deal"), max_children=3),
    Level(("psa.project", "erp.job"), max_roots=2),
    Level(("erp.invoice",), max_roots=2),
)
LONGEST = 4
"""Instead of 64: a layer costs a statement."""

CASES: list[CaseFunction] = []


def renewal(name: str, of: str, deal: str, time: int = 0) -> Said:
    """A deal that says it is the renewal of another."""
    return Said(name, time=time, keys=(f"crm.deal:{deal}",), links=(f"crm.deal:{of}>crm.deal:{deal}",))


def projects(*pairs: str) -> tuple[str, ...]:
    """`p>q`: project q is a sub-project of p."""
    named = (pair.split(">") for pair in pairs)
    return tuple(f"psa.project:{parent}>psa.project:{child}" for parent, child in named)


@pytest.fixture(scope="module")
def played(embedded_store: Store) -> dict[str, Exception | None]:
    """All cases, run side by side on one engine: what went wrong in each."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("throughline.correlator.link", "throughline.correlator.passes", reference.__name__):
            patch.setattr(f"{module}.MAX_LINE", LONGEST)
        return play(World(embedded_store, "lines", LEVELS), CASES)


@case(CASES)
def a_renewal_joins_the_journey_of_the_first() -> Case:
    """With everything below it, in whatever order things arrive; its own journey is absorbed."""
    apart = yield say(
        Said("p", keys=("crm.deal:r2", "psa.project:p")),
        renewal("r2", "r1", "r2"),
    )
    assert apart.journeys == {"crm.deal:r1": {"p", "r2"}}
    joined = yield say(renewal("r1", "d", "r1"), Said("d", keys=("crm.deal:d",)))
    assert joined.journeys == {"crm.deal:d": {"d", "r1", "r2", "p"}}
    assert joined.roots["crm.deal:r2"] == {"crm.deal:d"}
    assert (joined.depths["crm.deal:d"], joined.depths["crm.deal:r2"]) == (0, 2)
    cut = yield say(Said("cut", time=1, cuts=("crm.deal:d>crm.deal:r1",)))
    assert cut.journeys == {"crm.deal:d": {"d"}, "crm.deal:r1": {"r1", "r2", "p"}}


@case(CASES)
def a_renewal_of_two_belongs_to_both() -> Case:
    """Two contracts that are renewed as one."""
    result = yield say(
        Said("a", keys=("crm.deal:a",)),
        Said("b", keys=("crm.deal:b",)),
        renewal("r", "a", "r"),
        Said("s", links=("crm.deal:b>crm.deal:r",)),
    )
    assert result.journeys == {"crm.deal:a": {"a", "r"}, "crm.deal:b": {"b", "r"}}


@case(CASES)
def a_sub_project_has_the_roots_of_both_sides() -> Case:
    """Of its project and of its own deal; what is below it has them too."""
    result = yield say(
        Said("p", keys=("crm.deal:d", "psa.project:p")),
        Said("q", keys=("crm.deal:e", "psa.project:q"), links=projects("p>q")),
        Said("i", keys=("psa.project:q", "erp.invoice:i"), subject="erp.invoice"),
    )
    assert result.roots["psa.project:q"] == {"crm.deal:d", "crm.deal:e"}
    assert result.journeys == {"crm.deal:d": {"p", "i"}, "crm.deal:e": {"q", "i"}}


@case(CASES)
def an_orphan_takes_its_sub_projects_along() -> Case:
    """They are in its journey, and move with it."""
    orphan = yield say(
        Said("q", keys=("psa.project:q",), links=projects("p>q", "q>r")),
        Said("r", keys=("psa.project:r",)),
    )
    assert orphan.journeys == {"psa.project:p": {"q", "r"}}
    assert orphan.states["psa.project:q"] == "linked"
    found = yield say(Said("p", keys=("crm.deal:d", "psa.project:p")))
    assert found.journeys == {"crm.deal:d": {"p", "q", "r"}}


@case(CASES)
def names_of_one_object_are_not_above_each_other() -> Case:
    """A link between them counts until it is known that they are the same."""
    before = yield say(Said("a", links=("psa.project:p>erp.job:j",)), Said("j", keys=("erp.job:j",)))
    assert before.journeys == {"psa.project:p": {"j"}}
    same = yield say(Said("b", event="", keys=("psa.project:p", "erp.job:j")))
    assert (same.edges, same.depths) == (set(), {"psa.project:p": 0})


@case(CASES)
def a_loop_is_not_in_force_until_it_is_cut() -> Case:
    """Nor are links that lead from it; the other parents of its objects are."""
    line = ("p>q", "q>r", "r>s")
    yield say(
        Said("d", keys=("crm.deal:d", "psa.project:p")),
        *(Said(name, keys=(f"psa.project:{name}",)) for name in "qrs"),
        Said("line", event="", links=projects(*line)),
    )
    closed = yield say(Said("back", event="", time=1, links=projects("r>p")))
    assert closed.depths == {"crm.deal:d": 0} | {f"psa.project:{name}": ENDLESS for name in "pqrs"}
    assert closed.journeys == {
        "crm.deal:d": {"d"},
        "psa.project:q": {"q"},
        "psa.project:r": {"r"},
        "psa.project:s": {"s"},
    }
    opened = yield say(Said("cut", event="", time=2, cuts=projects("r>p")))
    assert opened.journeys == {"crm.deal:d": {"d", "q", "r", "s"}}
    assert opened.depths["psa.project:s"] == 3
    again = yield say(Said("again", event="", time=3, links=projects("r>p")))
    assert again.depths["psa.project:s"] == ENDLESS
    other = yield say(Said("line", event="", time=1, links=projects("p>q", "r>s")))
    assert other.journeys == {"psa.project:r": {"q", "r", "s"}, "crm.deal:d": {"d", "q"}}


@case(CASES)
def two_say_they_renew_each_other() -> Case:
    """Each keeps its own journey."""
    result = yield say(renewal("a", "b", "a"), renewal("b", "a", "b"), renewal("c", "b", "c"))
    assert result.journeys == {"crm.deal:a": {"a"}, "crm.deal:b": {"b"}, "crm.deal:c": {"c"}}
    assert set(result.depths.values()) == {ENDLESS}


@case(CASES)
def a_line_has_an_end() -> Case:
    """An object with too many above it gives nothing on, until the line is cut."""
    names = [f"n{number}" for number in range(LONGEST + 4)]
    pairs = [f"{parent}>{child}" for parent, child in pairwise(names)]
    long = yield say(
        Said("all", event="", links=projects(*pairs)),
        Said("last", keys=(f"psa.project:{names[-1]}",)),
        Said("first", keys=(f"psa.project:{names[LONGEST + 1]}",)),
    )
    assert long.journeys == {"psa.project:n0": {"first"}, f"psa.project:{names[-1]}": {"last"}}
    assert sorted(long.depths.values())[-4:] == [LONGEST, ENDLESS, ENDLESS, ENDLESS]
    longer = yield say(Said("above", event="", links=projects("top>n0")))
    assert longer.journeys == {
        name: {said}
        for name, said in (
            (f"psa.project:{names[-1]}", "last"),
            (f"psa.project:{names[LONGEST + 1]}", "first"),
        )
    }
    cut = yield say(Said("cut", event="", time=1, cuts=projects("n1>n2")))
    assert cut.journeys == {"psa.project:n2": {"first", "last"}}


@case(CASES)
def a_hub_gives_its_sub_projects_nothing() -> Case:
    """As anything else below it."""
    hub = yield say(
        *(Said(str(n), event="", keys=(f"crm.deal:d{n}", "psa.project:p")) for n in (1, 2, 3)),
        Said("q", keys=("psa.project:q",), links=projects("p>q")),
    )
    assert (hub.states["psa.project:p"], hub.states["psa.project:q"]) == ("hub", "detached")
    back = yield say(Said("3", event="", time=1))
    assert back.journeys == {"crm.deal:d1": {"q"}, "crm.deal:d2": {"q"}}


@case(CASES)
def renewals_are_children_of_what_they_renew() -> Case:
    """Too many quarantine it, loop or not."""
    renewals = [renewal(str(n), "d", f"r{n}") for n in (1, 2, 3)]
    crowded = yield say(*renewals, Said("p", keys=("crm.deal:d", "psa.project:p")))
    assert crowded.named("crowded") == {"crm.deal:d"}
    assert crowded.named("detached") == {"crm.deal:r1", "crm.deal:r2", "crm.deal:r3", "psa.project:p"}
    loop = yield say(Said("loop", event="", links=("crm.deal:r1>crm.deal:d",)))
    assert loop.named("crowded") == {"crm.deal:d"}
    assert loop.journeys == {f"crm.deal:r{n}": {str(n)} for n in (1, 2, 3)}


@case(CASES)
def the_last_word_on_a_link_counts() -> Case:
    """A newer version of the only event that said it takes it back, with what hung on it."""
    below = Said("x", keys=("crm.deal:r", "psa.project:x"))
    yield say(renewal("r", "d", "r"), Said("d", keys=("crm.deal:d",)), below)
    result = yield say(Said("r", time=1, keys=("crm.deal:r",)))
    assert result.journeys == {"crm.deal:d": {"d"}, "crm.deal:r": {"r", "x"}}


@pytest.mark.parametrize("name", [function.__name__ for function in CASES])
def test_line(played: dict[str, Exception | None], name: str) -> None:
    """Each case above holds, live and rebuilt."""
    if error := played[name]:
        raise error


def test_the_view_says_which_links_are_in_force(embedded_store: Store) -> None:
    """Each link within a level that is not cut; a loop is not in force."""
    world = World(embedded_store, "relations", LEVELS)
    world.settle(
        renewal("a", "b", "a"),
        renewal("b", "a", "b"),
        renewal("s", "r", "s"),
        Said("p", event="", keys=("crm.deal:r", "psa.project:p"), links=projects("p>q", "p>o")),
        Said("cut", event="", time=1, cuts=projects("p>o")),
    )
    clock = "tenant = {t:String}, now = {n:DateTime64(6, 'UTC')}"
    sql = f"SELECT parent, child, in_force, statements FROM relations_at({clock}) ORDER BY ALL"
    parameters = {"t": world.tenant, "n": world.now.strftime("%Y-%m-%d %H:%M:%S.%f")}
    assert embedded_store.query(sql, parameters, role=Role.PAGES).result_rows == [
        ("crm.deal:a", "crm.deal:b", 0, 1),
        ("crm.deal:b", "crm.deal:a", 0, 1),
        ("crm.deal:r", "crm.deal:s", 1, 1),
        ("psa.project:p", "psa.project:q", 1, 1),
    ]
