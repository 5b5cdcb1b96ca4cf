"""The join doctor: finds attributes whose values are ids of another system, and says how to use them.

Two columns (an attribute, or a key, of one service) join if they share enough ids and pass three tests:

1. Containment: at least half of the ids of one of them stand in the other.
2. Chance: numbers meet by accident; they must share far more than two random choices of the same range.
3. Time: ids appear in both systems in the same order, more or less; or those of a few batches, which have no
   order, appear close together in the system that has many more. Shuffled data share all their ids and fail
   here. Where times say nothing (all at one time, most ids of both), nearly all ids must be shared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

LEAST = 12
"""Distinct ids that a column must have and a pair must share."""

MOST_VALUES = 4_000_000
"""Values looked at; of more, a sample by hash is."""

CONTAINED = 0.5
NEARLY_ALL = 0.9
_ERROR = 0.001
"""Chance of any false suggestion that the test of time allows, for all pairs together."""
_SIGMAS = 5.0

Place = tuple[str, str, str]
"""Source (`spans`, `logs`, `keys`), service, name."""


@dataclass(frozen=True, slots=True)
class Column:
    """Ids in one place: how many, in how many rows, and what stands before them. `spread` and `kurtosis` are
    of their standings in time, from 0 (came first) to 1.
    """

    place: Place
    distinct: int
    rows: int
    prefixes: int
    prefix: str
    numbers: tuple[int, int] | None
    spread: float = 0.0
    kurtosis: float = 0.0


@dataclass(frozen=True, slots=True)
class Join:
    """Two columns that carry the same ids; `left` has them first."""

    left: Column
    right: Column
    shared: int
    correlation: float | None
    samples: tuple[str, ...]

    def shown(self, every: int) -> dict[str, Any]:
        """As the API shows it; numbers of a sample are scaled up."""
        return {
            "left": _shown(self.left, every),
            "right": _shown(self.right, every),
            "shared": self.shared * every,
            "left_rate": round(self.shared / self.left.distinct, 4),
            "right_rate": round(self.shared / self.right.distinct, 4),
            "order_correlation": None if self.correlation is None else round(self.correlation, 4),
            "samples": list(self.samples),
        }


@dataclass(slots=True)
class Group:
    """Columns that all carry ids of one kind of object, under the namespace to give them."""

    namespace: str
    known: bool
    columns: list[Column] = field(default_factory=list)


class Suggester:
    """Looks through a tenant's telemetry. It uses working tables: one at a time."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._sql = load_queries("throughline.correlator", "suggest")

    def suggest(self, since: datetime, report: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Return the joins found since a time, strongest first, and the mapping to make of them.

        Raises: StoreError.
        """
        scope = {"tenant": self._tenant, "since": since}
        size = int(self._rows("size", scope)[0][0] or 0)
        every = max(1, -(-size // MOST_VALUES))
        self._do("drop", {})
        self._do("create", {})
        try:
            for source in ("spans", "logs", "keys"):
                report(f"reading {source}")
                self._do(f"fill_{source}", {**scope, "every": every})
            report("comparing")
            columns = {column.place: column for column in self._columns()}
            joins = chosen(columns, self._rows("pairs", {"least": LEAST}))
        finally:
            self._do("drop", {})
        groups = grouped(joins)
        return {
            "since": since.isoformat(),
            "sampled_one_in": every,
            "columns": len(columns),
            "suggestions": [join.shown(every) for join in joins],
            "objects": [
                {
                    "namespace": group.namespace,
                    "known": group.known,
                    "places": [_shown(column, every) for column in group.columns],
                }
                for group in groups
            ],
        }

    def _columns(self) -> list[Column]:
        found = []
        for row in self._rows("columns", {"least": LEAST}):
            source, service, name, distinct, rows, prefixes, prefix, numbers, low, high, *standing = row
            found.append(
                Column(
                    (str(source), str(service), str(name)), int(distinct), int(rows), int(prefixes),
                    str(prefix), (int(low), int(high)) if numbers else None, *map(float, standing),
                )
            )  # fmt: skip
        return found

    def _text(self, name: str) -> str:
        """A statement with `${standing}` and `${ids(source; select)}` put in."""
        text = self._sql[name].replace("${standing}", self._sql["standing"])
        start, mark, rest = text.partition("${ids(")
        if not mark:
            return text
        source, _, select = rest.rpartition(")}")[0].partition(";")
        return start + self._sql["ids"].replace("$1", source).replace("$2", select.strip())

    def _do(self, name: str, parameters: dict[str, Any]) -> None:
        self._store.command(self._text(name), parameters, role=Role.CORRELATOR)

    def _rows(self, name: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._store.query(
            self._text(name), parameters, role=Role.CORRELATOR
        ).result_rows
        return rows


def chosen(columns: dict[Place, Column], rows: Sequence[Sequence[Any]]) -> list[Join]:
    """The pairs that pass every test and say something new, most shared ids first."""
    found = []
    for row in rows:
        left, right = columns.get(_place(row[:3])), columns.get(_place(row[3:6]))
        if left is None or right is None or _known(left, right):
            continue
        shared, correlation, times = int(row[6]), float(row[7]), min(int(row[8]), int(row[9]))
        told = None if math.isnan(correlation) or times < 2 else correlation  # noqa: PLR2004 - before, after
        if _contained(left, right, shared, told) and _beyond_chance(left, right, shared):
            spreads = ((left, float(row[12])), (right, float(row[13])))
            if _in_time(told, spreads, shared, len(rows)):
                first, second = (left, right) if float(row[10]) >= 0 else (right, left)
                found.append(Join(first, second, shared, told, tuple(str(one) for one in row[11])))
    return found


def grouped(joins: Sequence[Join]) -> list[Group]:
    """What is joined, directly or not, is one kind of object: a known namespace names it, else the column
    that had the ids first.
    """
    groups: dict[Place, Group] = {}
    for join in joins:
        one, other = groups.get(join.left.place), groups.get(join.right.place)
        group = one or other or Group("", known=False)
        if one is not None and other is not None and one is not other:
            one.columns += [column for column in other.columns if column not in one.columns]
        group.columns += [column for column in (join.left, join.right) if column not in group.columns]
        groups |= dict.fromkeys((column.place for column in group.columns), group)
    distinct = list({id(group): group for group in groups.values()}.values())
    for group in distinct:
        keys = [column for column in group.columns if column.place[0] == "keys"]
        first = max(keys, key=lambda column: column.distinct) if keys else group.columns[0]
        group.known = bool(keys)
        group.namespace = first.place[2] if keys else _namespace(first.place)
    return distinct


def _place(row: Sequence[Any]) -> Place:
    return str(row[0]), str(row[1]), str(row[2])


def _known(left: Column, right: Column) -> bool:
    """Keys of one namespace are joined already."""
    return left.place[0] == right.place[0] == "keys" and left.place[2] == right.place[2]


def _contained(left: Column, right: Column, shared: int, told: float | None) -> bool:
    rate = shared / min(left.distinct, right.distinct)
    return rate >= (CONTAINED if told is not None else NEARLY_ALL)


def _beyond_chance(left: Column, right: Column, shared: int) -> bool:
    """Whether numbers share more than two random choices of their range would."""
    if left.numbers is None or right.numbers is None:
        return True
    low, high = min(left.numbers[0], right.numbers[0]), max(left.numbers[1], right.numbers[1])
    expected = left.distinct * right.distinct / (high - low + 1)
    return shared - expected > _SIGMAS * math.sqrt(expected)


def _in_time(told: float | None, spreads: Iterable[tuple[Column, float]], shared: int, pairs: int) -> bool:
    """Whether the times of the ids speak for the join, or say nothing. `spreads`: of their standings."""
    parts = [
        (column, spread)
        for column, spread in spreads
        if column.spread > 0 and shared <= column.distinct * CONTAINED
    ]
    if told is None and not parts:
        return True
    if told is not None and _in_order(told, shared, pairs):
        return True
    return any(_close_together(column, shared, spread, pairs) for column, spread in parts)


def _in_order(correlation: float, shared: int, pairs: int) -> bool:
    """Fisher's test of a rank correlation."""
    bounded = min(max(correlation, -0.9999), 0.9999)
    return math.atanh(bounded) * math.sqrt((shared - 3) / 1.06) > _sigmas(pairs)


def _close_together(column: Column, shared: int, spread: float, pairs: int) -> bool:
    """Whether the ids came within a shorter time than as many of the column by chance would: their spread
    against the column's, in units of what the variance of such a sample varies by.
    """
    varies = column.spread * math.sqrt((column.kurtosis - 1) / shared)
    return column.spread - spread > varies * _sigmas(pairs)


def _sigmas(pairs: int) -> float:
    """How far from chance is far enough, with Bonferroni's allowance for all pairs that were looked at."""
    return NormalDist().inv_cdf(1 - _ERROR / max(pairs, 1))


def _namespace(place: Place) -> str:
    text = f"{place[1]}.{place[2]}" if place[1] else place[2]
    return "".join(one if (one.isalnum() and one.isascii()) or one in "._-" else "_" for one in text)


def _shown(column: Column, every: int) -> dict[str, Any]:
    source, service, name = column.place
    return {
        "source": source, "service": service, "name": name, "distinct": column.distinct * every,
        "rows": column.rows, "unique": round(column.distinct / column.rows, 4),
        "prefix": column.prefix if column.prefixes == 1 else None,
    }  # fmt: skip
