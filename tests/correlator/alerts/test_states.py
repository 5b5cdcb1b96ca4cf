"""The state machine of one alert, alone and against a plain reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from throughline.correlator.alerts.states import Standing, Timing, due, step

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def run(timing: Timing, seen: list[tuple[bool | None, str]]) -> list[tuple[str, bool]]:
    """The state after each minute, and whether the minute made a transition."""
    found: list[tuple[str, bool]] = []
    standing: Standing | None = None
    for number, (present, held) in enumerate(seen):
        moved = step(timing, standing, present=present, held=held, now=START + number * MINUTE)
        before = standing.state if standing else "inactive"
        if moved is not None:
            standing = moved.after
            assert bool(moved.reason) == (moved.after.state != before)
        found.append((standing.state if standing else "inactive", bool(moved and moved.reason)))
    return found


def states(timing: Timing, seen: str) -> str:
    """The states by their first letters. `x` holds, `.` does not, `?` unknown, `h` holds but is held."""
    told: dict[str, tuple[bool | None, str]] = {"x": (True, ""), ".": (False, ""), "?": (None, "")}
    told |= {"h": (True, "blind"), "-": (False, "blind")}
    return "".join(state[0] for state, _ in run(timing, [told[one] for one in seen]))


def test_for_and_keep_firing_for() -> None:
    """It fires once its condition has held for `for`, and ends once that was gone for `keep_firing_for`."""
    at_once = Timing(timedelta(), timedelta())
    assert states(at_once, "x.x..") == "frfrr"
    waiting = Timing(2 * MINUTE, timedelta())
    assert states(waiting, "xx.xxxx.") == "ppippffr"
    keeping = Timing(timedelta(), 2 * MINUTE)
    assert states(keeping, "x..x...x") == "ffffffrf"


def test_what_is_not_known_changes_nothing() -> None:
    """A query that fails neither begins nor ends an alert, and does not restart its clock."""
    assert states(Timing(2 * MINUTE, timedelta()), "x?x???.") == "ppffffr"


def test_held_alerts_neither_fire_nor_end() -> None:
    """While data are blind an alert waits; after that its `for` begins anew."""
    assert states(Timing(timedelta(), timedelta()), "hhx.") == "ppfr"
    assert states(Timing(2 * MINUTE, timedelta()), "xhhxxx") == "pppppf"
    assert states(Timing(timedelta(), timedelta()), "x--.") == "fffr"


@given(
    st.integers(0, 4),
    st.integers(0, 4),
    st.lists(st.sampled_from([True, False]), max_size=40),
)
def test_against_a_reference(wait: int, keep: int, seen: list[bool]) -> None:
    """Without holds: it fires if the condition held at the last `wait` + 1 evaluations, and goes on while it
    held at any of the last `keep` + 1.
    """
    found = [state for state, _ in run(Timing(wait * MINUTE, keep * MINUTE), [(one, "") for one in seen])]
    firing = False
    for at in range(len(seen)):
        if firing:
            firing = any(seen[max(0, at - keep) : at + 1])
        else:
            firing = at >= wait and all(seen[at - wait : at + 1]) and _pending_since(found, at, wait)
        assert (found[at] == "firing") == firing, (at, found)


def _pending_since(found: list[str], at: int, wait: int) -> bool:
    """Whether it was pending all the while: what fired before must have ended first."""
    return all(state == "pending" for state in found[at - wait : at])


def test_evaluations_are_aligned() -> None:
    """The time of an evaluation is a multiple of the interval, whenever the engine began."""
    at = datetime(2026, 3, 2, 9, 17, 43, 5, tzinfo=UTC)
    assert due(at, MINUTE) == datetime(2026, 3, 2, 9, 17, tzinfo=UTC)
    assert due(at, timedelta(hours=6)) == datetime(2026, 3, 2, 6, tzinfo=UTC)
