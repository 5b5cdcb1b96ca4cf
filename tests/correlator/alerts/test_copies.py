"""Views are copied for rules that read them, events as far back as those rules look; answers are the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from tests.dashboards.seed import seed
from tests.dashboards.seed_firm import NOW
from throughline.collector.store import Role, Store
from throughline.correlator.alerts.asking import Limits, ask
from throughline.correlator.alerts.copies import Copies
from throughline.correlator.alerts.expression import EVENTS, read
from throughline.correlator.alerts.rule_files import Ready, parse_rules

HOUR = timedelta(hours=1)
COUNT = "SELECT count() AS value FROM events"


_LATELY = "WHERE time > now() - INTERVAL"


@pytest.mark.parametrize(
    ("text", "back"),
    [
        (f"{COUNT} {_LATELY} 6 HOUR", 6 * HOUR),
        (f"{COUNT} AS e WHERE failed AND e.time >= now64() - INTERVAL '2' DAY AND time < now()", 48 * HOUR),
        (f"{COUNT} {_LATELY} 1 WEEK AND time > now() - INTERVAL 90 MINUTE", 1.5 * HOUR),
        (f"WITH a AS ({COUNT} {_LATELY} 1 HOUR) {COUNT}, a {_LATELY} 3 HOUR", None),
        (
            f"WITH a AS ({COUNT} {_LATELY} 3 HOUR), b AS ({COUNT} {_LATELY} 1 HOUR) SELECT value FROM a",
            3 * HOUR,
        ),
        (COUNT, None),
        (f"{COUNT} WHERE time < now() - INTERVAL 6 HOUR", None),
        (f"{COUNT} {_LATELY} 6 HOUR OR failed", None),
        (f"{COUNT} WHERE NOT (time > now() - INTERVAL 6 HOUR)", None),
        (f"{COUNT} {_LATELY} 1 MONTH", None),
        (f"{COUNT} WHERE received_at > now() - INTERVAL 6 HOUR", None),
        (f"SELECT time + INTERVAL 1 DAY AS time, 1 AS value FROM events {_LATELY} 6 HOUR", None),
        (f"{COUNT} {_LATELY} 6 HOUR AND ({COUNT}) > 1", None),
        (f"SELECT count() AS value FROM journeys INNER JOIN events ON id = journey {_LATELY} 6 HOUR", None),
        ("SELECT count() AS value FROM journeys", None),
    ],
)
def test_how_far_a_rule_looks_back(text: str, back: timedelta | None) -> None:
    """Only what certainly bounds every place where events are read counts."""
    assert read(text).looks_back == back


def test_answers_from_copies_are_those_of_views(embedded_store: Store) -> None:
    """Rules of several widths, and one without any, which reads the view."""
    seed(embedded_store, tenant="copies", count=60)
    where = [f" WHERE time > now() - INTERVAL {hours} HOUR" for hours in (1, 24, 24 * 7, 24 * 60)]
    texts = [
        *(f"SELECT event, count() AS value FROM events{one} GROUP BY event" for one in [*where, ""]),
        *(
            f"SELECT status, count() AS value FROM journeys GROUP BY status HAVING value > {n}"
            for n in range(3)
        ),
    ]
    lines = "".join(f'      - {{alert: R{n}, expr: "{text}"}}\n' for n, text in enumerate(texts))
    rules = parse_rules(f"groups:\n  - name: own\n    rules:\n{lines}").groups[0].rules
    with Copies(embedded_store, "me", Limits()).shared("copies", rules, NOW) as shared:
        assert [EVENTS in shared.of(one) for one in rules[:5]] == [True, True, True, False, False]
        assert {"journeys"} <= set(shared.of(rules[5]))
        for rule in rules:
            assert answered(embedded_store, rule, shared.of(rule)) == answered(embedded_store, rule, {})
    left = "SELECT count() FROM system.tables WHERE name LIKE 'alert_copy%'"
    kept = embedded_store.query(left, role=Role.ALERTS)
    assert kept.result_rows == [(0,)]


def answered(
    store: Store, rule: Ready, sources: Mapping[str, str]
) -> list[tuple[dict[str, str], float | None]]:
    """Labels and values in an order of their own."""
    result = ask(store, "copies", rule, NOW, limits=Limits(), sources=sources).result
    assert isinstance(result, tuple)
    return sorted(((dict(one.labels), one.value) for one in result), key=str)
