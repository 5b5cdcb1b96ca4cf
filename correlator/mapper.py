"""Runs mapping rules behind the insert: over what came lately, and backwards over what is stored.

The cursor is a time, but no time stamp is one by itself when many writers insert (a slow insert that began
earlier commits later): the last 120 s are looked at again, less the inserts that were mapped whole. After a
restart nothing is remembered, and what is stored already is not written again.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store
from throughline.correlator import mapping_sql
from throughline.correlator.mapping_store import SQL
from throughline.correlator.state import EPOCH, utc
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from throughline.correlator.mapping_sql import Named

OVERLAP = timedelta(seconds=120)
"""An insert may take 60 s from its time stamp to its commit."""

SLIDE = timedelta(seconds=60)
"""The cursor moves on in steps of this length."""

ROWS = 200_000
"""Rows looked at by one statement: bounds memory."""

INSERTS = 1000
"""Inserts looked at by one statement: they travel as a parameter."""

LIMITS = {"max_execution_time": 60}
"""Seconds from a row's time stamp to its commit at most, as of any insert."""

ATTEMPTS = 3
"""A rule that fails so often for want of time or memory is quarantined too."""

TIMEOUT, MEMORY = 159, 241
"""The engine's codes."""

STORE_EVERY = timedelta(seconds=10)
"""How far all is mapped is stored so often: after a restart a little more is looked at."""

SIGNALS = ("spans", "logs")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of a raw table: a condition and its parameters."""

    condition: str
    parameters: Mapping[str, Any]


class Mapper:
    """Turns telemetry of others into business events, tenant by tenant. One at a time may work on a store
    (the engine holds a lease); its live and its backward part may run at once.

    ``checkpoint`` is called before each statement that changes a stored table: a test raises there to die.
    """

    def __init__(self, store: Store, *, checkpoint: Callable[[str], None] = lambda _: None) -> None:
        self.rules: tuple[Named, ...] = ()
        self._store = store
        self._checkpoint = checkpoint
        self._columns: dict[str, str] = {}
        self._since: datetime | None = None
        self._idle = False
        self._mapped: dict[tuple[str, str, int], int] = {}
        self._writing = threading.Lock()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._stored: datetime | None = None
        self._stages: set[str] = set()

    def use(self, rules: Sequence[Named]) -> None:
        """Let these rules be in force; the last 120 s are mapped by them too."""
        self.rules = tuple(rules)
        self._mapped.clear()

    def turn(self) -> int:
        """Map what has come; returns how many events that made. Raises: StoreError."""
        if not self.rules:
            self._idle, self._since = True, None
            return 0
        started = self._clock()
        since, first = self._cursor(started)
        arrived: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        found: dict[tuple[str, str, int], int] = {}
        for signal, tenant, stamp, rows in self._ask("arrived", since=since):
            key = (str(signal), str(tenant), int(stamp))
            found[key] = int(rows)
            if self._mapped.get(key) != int(rows):
                arrived[key[0], key[1]][key[2]] = int(rows)
        made = 0
        for (signal, tenant), inserts in arrived.items():
            rules = self._in_force(tenant, signal)
            for some in _groups(inserts) if rules else ():
                window = _of_inserts(tenant, some)
                made += self._map(tenant, rules, window, "live", repair=first)
        self._mapped |= found
        self._advance(started, since, moved=bool(arrived))
        return made

    def apply(
        self,
        tenant: str,
        rules: Sequence[Named],
        mapping: str,
        since: datetime,
        report: Callable[[str], None] = lambda _: None,
    ) -> dict[str, int]:
        """Map what is stored since a time by the rules of one mapping; returns how many events each of them
        has made newly.

        `rules` are all that count: a row that an earlier one matches is not theirs. Raises: StoreError.
        """
        only = {one.name for one in rules if one.name.startswith(f"{mapping}/")}
        made: dict[str, int] = defaultdict(int)
        for signal in SIGNALS:
            some = [one for one in rules if one.rule.signal == signal and _concerns(one, tenant)]
            if not only.intersection(one.name for one in some):
                continue
            chunks = self._chunks(tenant, signal, since)
            for number, (low, high) in enumerate(chunks, 1):
                report(f"{signal}: part {number} of {len(chunks)}")
                window = Window(SQL["of_period"], {"tenant": tenant, "low": low, "high": high})
                for name, rows in self._map_each(tenant, some, window, "back", only=only):
                    made[name] += rows
        return dict(made)

    def quarantined(self, tenant: str) -> set[tuple[str, int]]:
        """Rules of a tenant that failed, by name and revision."""
        return {(str(rule), int(revision)) for rule, revision in self._ask("quarantined", tenant=tenant)}

    def count(self, rules: Sequence[Named], window: Window) -> dict[int, int]:
        """How many rows of a window each rule is the first to match, by its number."""
        table = mapping_sql.TABLES[rules[0].rule.signal]
        sql = (
            f"SELECT {mapping_sql.first_match(rules)} AS Number, count() FROM {table}\n"  # noqa: S608 - compiled
            f"WHERE {window.condition} AND Number > 0 GROUP BY Number"
        )
        rows = self._store.query(sql, window.parameters, role=Role.CORRELATOR, settings=LIMITS).result_rows
        return {int(number): int(count) for number, count in rows}

    def _cursor(self, started: datetime) -> tuple[datetime, bool]:
        """Since when to look, and whether this is the first look after a start. The first ever, and that of
        the first rules, begins now: what was stored before is mapped on demand.
        """
        if self._since is not None:
            return self._since, False
        stored = utc(self._ask("watermark")[0][0])
        return (stored if stored > EPOCH and not self._idle else started) - OVERLAP, True

    def _advance(self, started: datetime, since: datetime, *, moved: bool) -> None:
        """Store how far all is mapped, and forget inserts that are too old to matter."""
        if self._stored is None or (moved and started - self._stored >= STORE_EVERY):
            self._checkpoint("progress")
            columns = ("Tenant", "Watermark")
            self._store.insert_rows("mapping_progress", [("", started)], columns, role=Role.CORRELATOR)
            self._stored = started
        horizon = started - OVERLAP
        self._since = since if horizon - since < SLIDE else horizon
        oldest = int(self._since.timestamp() * 1_000_000)
        self._mapped = {key: rows for key, rows in self._mapped.items() if key[2] > oldest}

    def _in_force(self, tenant: str, signal: str) -> list[Named]:
        return [one for one in self.rules if one.rule.signal == signal and _concerns(one, tenant)]

    def _map(self, tenant: str, rules: Sequence[Named], window: Window, stage: str, *, repair: bool) -> int:
        return sum(rows for _, rows in self._map_each(tenant, rules, window, stage, repair=repair))

    def _map_each(
        self,
        tenant: str,
        rules: Sequence[Named],
        window: Window,
        stage: str,
        *,
        repair: bool = False,
        only: Collection[str] | None = None,
    ) -> list[tuple[str, int]]:
        """Map a window by each rule that it concerns; one that fails for good is quarantined, the others go
        on.
        """
        failed = self.quarantined(tenant)
        rules = [one for one in rules if (one.name, one.revision) not in failed]
        made: list[tuple[str, int]] = []
        try:
            matching = self.count(rules, window) if rules else {}
        except StoreError as error:
            if not self._is_to_blame(error, tenant, ""):
                raise
            rules = self._without_failing(tenant, rules, window)
            matching = self.count(rules, window) if rules else {}
        for number in sorted(matching):
            one = rules[number - 1]
            if only is not None and one.name not in only:
                continue
            try:
                rows = self._write(tenant, rules, number, window, stage, repair=repair)
            except StoreError as error:
                if not self._is_to_blame(error, tenant, one.name):
                    raise
                self._quarantine(tenant, one, error)
                continue
            made.append((one.name, rows))
        return made

    def _without_failing(self, tenant: str, rules: Sequence[Named], window: Window) -> list[Named]:
        """Try each rule alone; those that fail are quarantined."""
        kept = []
        for one in rules:
            try:
                self.count([one], window)
            except StoreError as error:
                if not (error.permanent or _too_heavy(error)):
                    raise
                self._quarantine(tenant, one, error)
            else:
                kept.append(one)
        return kept

    def _is_to_blame(self, error: StoreError, tenant: str, rule: str) -> bool:
        """Whether a statement failed for its own sake: for good, or for want of time or memory again and
        again.
        """
        if error.permanent or not _too_heavy(error):
            return error.permanent
        self._failures[tenant, rule] += 1
        return self._failures[tenant, rule] % ATTEMPTS == 0

    def _quarantine(self, tenant: str, one: Named, error: StoreError) -> None:
        log.error("the mapping rule %s of tenant %s is quarantined: %s", one.name, tenant, error)
        self._note(tenant, one, "quarantined", 0, str(error))

    def _write(
        self, tenant: str, rules: Sequence[Named], number: int, window: Window, stage: str, *, repair: bool
    ) -> int:
        """Store the events that one rule makes of a window, each once, effects before causes.

        1. Make them beside the stored ones.
        2. Say that their spans are events.
        3. Store those that are not stored yet; a view puts them in the inbox, and journeys follow.
        """
        one, name = rules[number - 1], f"mapping_stage_{stage}"
        self._empty(name)
        columns = self._columns_of(rules, number, window)
        made = mapping_sql.events(rules, number, window.condition)
        self._do(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM (\n{made}\n)", window.parameters)  # noqa: S608 - compiled
        with self._writing:
            staged, known = self._value("staged", name), self._value("known", name, tenant=tenant)
            if known < staged:
                self._step("edges", name, tenant)
                self._step("events", name, tenant, columns)
            if known and repair:
                self._step("inbox", name, tenant)
            if known < staged:
                self._note(tenant, one, "mapped" if stage == "live" else "applied", staged - known, "")
        return staged - known

    def _columns_of(self, rules: Sequence[Named], number: int, window: Window) -> str:
        """The columns that the view of a signal fills."""
        signal = rules[number - 1].rule.signal
        if signal not in self._columns:
            text = f"{mapping_sql.events(rules, number, window.condition)} LIMIT 0"
            found = self._store.query(text, window.parameters, role=Role.CORRELATOR)
            self._columns[signal] = ", ".join(found.column_names)
        return self._columns[signal]

    def _empty(self, stage: str) -> None:
        if stage in self._stages:
            self._store.command(f"TRUNCATE TABLE {stage}", role=Role.CORRELATOR)
            return
        self._store.command(f"DROP TABLE IF EXISTS {stage}", role=Role.CORRELATOR)
        self._store.command(f"CREATE TABLE {stage} AS business_events ENGINE = Memory", role=Role.CORRELATOR)
        self._stages.add(stage)

    def _step(self, name: str, stage: str, tenant: str, columns: str = "") -> None:
        self._checkpoint(name)
        text = SQL[name].replace("@stage", stage).replace("${columns}", columns)
        self._do(text, {"tenant": tenant})

    def _do(self, text: str, parameters: Mapping[str, Any]) -> None:
        self._store.command(text, parameters, role=Role.CORRELATOR, settings=LIMITS)

    def _value(self, name: str, stage: str, **parameters: object) -> int:
        text = SQL[name].replace("@stage", stage)
        return int(self._store.query(text, parameters, role=Role.CORRELATOR).result_rows[0][0])

    def _note(self, tenant: str, one: Named, what: str, rows: int, error: str) -> None:
        row = (tenant, one.name, one.revision, self._clock(), what, rows, error)
        columns = ("Tenant", "Rule", "Revision", "At", "What", "Rows", "Error")
        self._store.insert_rows("mapping_activity", [row], columns, role=Role.CORRELATOR)

    def _chunks(self, tenant: str, signal: str, since: datetime) -> list[tuple[int, int]]:
        """A stored period in parts of about `ROWS` rows, in microseconds since 1970."""
        parts: list[tuple[int, int]] = []
        low, rows = None, 0
        for minute, count in self._ask(f"minutes_of_{signal}", tenant=tenant, since=since):
            start = int(minute) * 1_000_000
            if low is not None and rows + int(count) > ROWS:
                parts.append((low, start))
                low, rows = None, 0
            low, rows, end = start if low is None else low, rows + int(count), start + 60_000_000
        if low is not None:
            parts.append((low, end))
        start = int(since.timestamp() * 1_000_000)
        return [(max(low, start), high) for low, high in parts]

    def _clock(self) -> datetime:
        return utc(self._ask("clock")[0][0])

    def _ask(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._store.query(
            SQL[name], parameters, role=Role.CORRELATOR
        ).result_rows
        return rows


def _too_heavy(error: StoreError) -> bool:
    """Whether the statement needs more than one may; when all together do, it is not to blame."""
    return error.code == TIMEOUT or (error.code == MEMORY and "Query memory limit" in str(error))


def _concerns(one: Named, tenant: str) -> bool:
    return not one.tenants or tenant in one.tenants


def _groups(inserts: Mapping[int, int]) -> list[list[int]]:
    """Inserts, the oldest first, in groups of about `ROWS` rows."""
    groups: list[list[int]] = []
    rows = 0
    for stamp, count in sorted(inserts.items()):
        if not groups or rows + count > ROWS or len(groups[-1]) >= INSERTS:
            groups.append([])
            rows = 0
        groups[-1].append(stamp)
        rows += count
    return groups


def _of_inserts(tenant: str, stamps: Sequence[int]) -> Window:
    low, high = min(stamps), max(stamps)
    return Window(SQL["of_inserts"], {"tenant": tenant, "low": low, "high": high, "inserts": list(stamps)})
