"""Alerts in the control store, on SQLite and on PostgreSQL: all of a group or nothing, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from throughline.collector.alert_store import (
    KEPT,
    AlertStore,
    Change,
    GroupRecord,
    RuleRecord,
    StaleEvaluation,
    StoredAlert,
)
from throughline.collector.control import ControlStore
from throughline.probes.errors import LeaseLost

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALERT = StoredAlert(
    rule="own/Stuck",
    fingerprint="f",
    group_name="own",
    alert="Stuck",
    labels={"region": "Köln"},
    annotations={"summary": "six"},
    value=6.0,
    state="firing",
    active_at=NOW,
    fired_at=NOW,
    gone_at=None,
    resolved_at=None,
    held="",
    revision=1,
    evaluated_at=NOW,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControlStore]:
    """A migrated, empty control store of either kind."""
    sqlite = request.param == "sqlite"
    opened = ControlStore.open(tmp_path / "control.db" if sqlite else request.getfixturevalue("postgres_url"))
    opened.migrate()
    yield opened
    opened.close()


def test_a_group_is_stored_whole_and_once(control: ControlStore) -> None:
    """A change that was made on another revision, or a lease that is lost, stores nothing of its group; what
    is stored is read back, and numbers of transitions grow.
    """
    store = AlertStore(control)
    lease = control.acquire_lease("alerts:a", "me", MINUTE, NOW)
    first = Change(ALERT, 0, "inactive", "the condition holds")
    rule = RuleRecord("own/Stuck", "own", "hash", NOW, 0.1, 1)
    assert store.commit("a", GroupRecord("own", NOW, 0), [first], [rule], lease=lease) == 1
    assert store.alerts("a") == store.alerts("a", "own") == [ALERT]
    assert store.rules("a") == {"own/Stuck": rule}
    assert store.alerts("b") == []
    with pytest.raises(StaleEvaluation):
        store.commit("a", GroupRecord("own", NOW, 0), [], [], lease=lease)
    later = replace(ALERT, state="resolved", resolved_at=NOW + MINUTE, revision=2, evaluated_at=NOW + MINUTE)
    end = Change(later, 1, "firing", "the condition is gone")
    stale = Change(replace(later, fingerprint="g"), 7, "firing", "made on what was not there")
    with pytest.raises(StaleEvaluation):
        store.commit("a", GroupRecord("own", NOW + MINUTE, 0), [end, stale], [], lease=lease)
    assert store.alerts("a") == [ALERT]
    assert control.acquire_lease("alerts:a", "other", MINUTE, NOW + 2 * MINUTE)
    with pytest.raises(LeaseLost):
        store.commit("a", GroupRecord("own", NOW + MINUTE, 0), [end], [], lease=lease)
    assert store.commit("a", GroupRecord("own", NOW + MINUTE, 2), [end], [], lease=None) == 1
    made = store.transitions("a")
    assert [(one.old, one.new, one.ends_at) for one in made] == [
        ("inactive", "firing", None),
        ("firing", "resolved", NOW + MINUTE),
    ]
    assert made[0].labels == {"region": "Köln"}
    assert store.transitions("a", after=made[0].number) == made[1:]
    assert store.groups("a")["own"] == GroupRecord("own", NOW + MINUTE, 2)
    store.forget("a", [], NOW + KEPT)
    assert (store.alerts("a"), store.rules("a")) == ([later], {})
    store.forget("a", [], NOW + KEPT + 2 * MINUTE)
    assert store.alerts("a") == []
    assert len(store.waiting()) == 2
