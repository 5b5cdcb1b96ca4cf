"""The join doctor finds the joins that are there, and none that are not."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any
from zlib import crc32

from throughline.collector.store import Role, Store
from throughline.correlator.mapping_files import load_mapping
from throughline.correlator.mapping_values import compiled
from throughline.correlator.suggest import LEAST, Column, Suggester, chosen
from throughline.dashboards.demo.scenario import plan
from throughline.dashboards.suggested import mapping_text

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ("Timestamp", "ServiceName", "LogAttributes", "Tenant")


def hidden(service: str, namespace: str) -> str:
    """A name that tells nothing, another one in each system."""
    return f"f{crc32(f'{service} {namespace}'.encode()):08x}"


def firm() -> Iterator[tuple[datetime, str, dict[str, list[str]]]]:
    """What the systems of the demo's firm say: when, which of them, and ids by hidden names."""
    for planned in plan(1, NOW).events:
        keys = {
            hidden(planned.service, namespace): [value] if isinstance(value, str) else list(value)
            for namespace, value in planned.event.keys.items()
        }
        yield planned.time, planned.service, keys


def store_logs(store: Store, tenant: str, said: list[tuple[datetime, str, dict[str, list[str]]]]) -> None:
    """Log records that know nothing of us: ids, and what else a record carries."""
    rng = random.Random(7)
    rows = []
    for number, (time, service, keys) in enumerate(said):
        attributes = {
            name: values[0] if len(values) == 1 else json.dumps(values) for name, values in keys.items()
        }
        attributes |= {
            "line": str(number), "shard": str(rng.randrange(1000, 1200)), "amount": f"{rng.random():.4f}",
            "at": time.isoformat(), "request": f"{rng.getrandbits(64):016x}",
            "ip": f"10.0.0.{rng.randrange(99)}",
        }  # fmt: skip
        rows.append((time, service, attributes, tenant))
    store.insert_rows("otel_logs", rows, COLUMNS, role=Role.LOADER)


def planted(said: list[tuple[datetime, str, dict[str, list[str]]]]) -> set[frozenset[tuple[str, str]]]:
    """Pairs of hidden columns of two systems that share enough ids for anybody to tell."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, service, keys in said:
        for name, ids in keys.items():
            values[service, name] |= set(ids)
    return {
        frozenset((one, other))
        for one, other in combinations(values, 2)
        if one[0] != other[0]
        and len(shared := values[one] & values[other]) >= LEAST
        and len(shared) >= min(len(values[one]), len(values[other])) / 2
    }


def found(answer: dict[str, Any]) -> set[frozenset[tuple[str, str]]]:
    """The suggested pairs."""
    return {
        frozenset((join[side]["service"], join[side]["name"]) for side in ("left", "right"))
        for join in answer["suggestions"]
    }


def test_planted_joins_are_found_and_none_in_shuffled_data(embedded_store: Store) -> None:
    """With names hidden, exactly the joins of the demo's firm; with the ids of each column dealt out anew
    among its rows, which leaves every set of ids as it is, none.
    """
    said = list(firm())
    wanted = planted(said)
    assert len(wanted) >= 3
    store_logs(embedded_store, "firm", said)
    answer = Suggester(embedded_store, "firm").suggest(SINCE)
    assert found(answer) == wanted
    first = answer["suggestions"][0]
    assert first["shared"] >= LEAST
    assert len(first["samples"]) == 5
    assert {one["known"] for one in answer["objects"]} == {False}
    rng = random.Random(3)
    columns: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for _, service, keys in said:
        for name, ids in keys.items():
            columns[service, name].append(ids)
    for dealt in columns.values():
        rng.shuffle(dealt)
    shuffled = [
        (time, service, {name: columns[service, name].pop() for name in keys}) for time, service, keys in said
    ]
    store_logs(embedded_store, "shuffled", shuffled)
    assert Suggester(embedded_store, "shuffled").suggest(SINCE)["suggestions"] == []


def test_ids_of_another_system_that_are_known_keys(embedded_store: Store) -> None:
    """An attribute that holds keys without what stands before them: the known namespace names the object,
    and the mapping that is written says the key whole.
    """
    rows = []
    for number in range(40):
        time = NOW + timedelta(hours=number)
        key = {"business.event": "deal.won", "business.key.crm.deal": f"00D5/006x{number:04d}"}
        rows.append((time, "crm", key, "half"))
        rows.append((time + timedelta(minutes=9), "billing", {"ref": f"006x{number:04d}"}, "half"))
    embedded_store.insert_rows("otel_logs", rows, COLUMNS, role=Role.LOADER)
    answer = Suggester(embedded_store, "half").suggest(SINCE)
    (join,), (thing,) = answer["suggestions"], answer["objects"]
    assert (join["left"]["source"], join["right"]["name"]) == ("keys", "ref")
    assert (join["shared"], join["left_rate"], join["right_rate"]) == (40, 1.0, 1.0)
    assert (thing["namespace"], thing["known"]) == ("crm.deal", True)
    (rule,) = load_mapping(mapping_text(answer)).rules
    value = compiled(rule.set.keys["crm.deal"], "logs", "LogAttributes").text()
    sql = f"SELECT DISTINCT {value} AS made FROM otel_logs WHERE Tenant = 'half' AND ServiceName = 'billing'"
    made = embedded_store.query(f"{sql} ORDER BY made LIMIT 1", role=Role.ADHOC).result_rows
    assert made == [("00D5/006x0000",)]


def test_small_numbers_meet_by_chance() -> None:
    """Two columns of numbers share what any two would: nothing is suggested, whatever their order."""
    columns = {
        ("logs", name, "n"): Column(("logs", name, "n"), 500, 500, 1, "", (1000, 1999)) for name in ("a", "b")
    }
    row = ("logs", "a", "n", "logs", "b", "n", 260, 0.99, 500, 500, 1.0, ["1000"], 0.08, 0.08)
    assert chosen(columns, [row]) == []
    wide = {place: Column(place, 500, 500, 1, "", (1_000_000, 9_999_999)) for place in columns}
    assert len(chosen(wide, [row])) == 1
