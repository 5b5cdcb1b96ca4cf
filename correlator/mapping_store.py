"""The mapping rules in force, in the store: every meaning a rule ever had has a number of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.mapping import Mapping
from throughline.correlator.mapping_files import rules_of
from throughline.correlator.mapping_sql import REVISION_BITS, Named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from throughline.correlator.mapping import Rule

SQL = load_queries("throughline.correlator", "mapping")
_COLUMNS = ("Tenant", "Version", "Position", "Rule", "Signal", "Revision", "Hash", "Mapping", "Definition")
_MICROSECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a rule in force did for a tenant; `error` and `failed_at` if it is quarantined."""

    rule: str
    mapping: str
    signal: str
    revision: int
    quarantined: bool
    error: str
    failed_at: datetime | None
    mapped: int
    last_at: datetime | None


class MappingStore:
    """Publishes rules and tells how they do."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def publish(self, mappings: Sequence[Mapping], now: datetime) -> list[Named]:
        """Let these rules be in force, in this order, and return them; written only if they are not yet.

        A rule whose content and predecessors are as they were keeps its number; any other gets one greater
        than all before, so that what it makes of a row counts more than what was made of it earlier.
        Raises: StoreError.
        """
        named = self.number(mappings)
        rows = self._rows(mappings, named)
        present = [tuple(row) for row in self._ask("rules")]
        if [row[2:] for row in rows] != present:
            last = int(self._ask("last_version")[0][0])
            version = max(int(now.timestamp() * _MICROSECOND), last + 1)
            written = [(row[0], version, *row[2:]) for row in rows]
            self._store.insert_rows("mapping_rules", written, _COLUMNS, role=Role.CORRELATOR)
        return named

    def number(self, mappings: Sequence[Mapping]) -> list[Named]:
        """The rules with the numbers of their meanings; new meanings get the next ones."""
        known = {
            str(rule): (str(content), int(number)) for rule, content, number, _ in self._ask("revisions")
        }
        last = max((number for _, number in known.values()), default=0)
        named: list[Named] = []
        for name, rule, tenants, content in _chained(mappings):
            stored, number = known.get(name, ("", 0))
            if stored != content:
                last += 1
                number = last
            named.append(Named(name, number % 2**REVISION_BITS, rule, tenants))
        return named

    def remembered(self) -> list[Mapping]:
        """The mappings in force, as they were published last."""
        found: dict[str, Mapping] = {}
        for row in self._ask("rules"):
            try:
                if row[6]:
                    found[str(row[5])] = Mapping.model_validate_json(str(row[6]))
            except ValidationError:
                continue  # written by a version that knew other fields
        return list(found.values())

    def states(self, tenant: str, role: Role = Role.PAGES) -> list[RuleState]:
        """How each rule that is in force for a tenant does."""
        rows = self._store.query(SQL["states"], {"tenant": tenant}, role=role).result_rows
        return [
            RuleState(
                str(rule), str(mapping), str(signal), int(revision), bool(failed), str(error),
                _utc(failed_at) if failed else None, int(mapped), _utc(last_at),
            )
            for rule, mapping, signal, revision, failed, error, failed_at, mapped, last_at in rows
        ]  # fmt: skip

    def failed(self) -> list[str]:
        """A sentence for each rule in force that is quarantined, of any tenant."""
        return [quarantine(str(rule), str(tenant), str(error)) for tenant, rule, error in self._ask("failed")]

    def _rows(self, mappings: Sequence[Mapping], named: Sequence[Named]) -> list[tuple[Any, ...]]:
        """The rows to store; the first says that there are rules at all, or none."""
        texts = {one.mapping: one.model_dump_json(by_alias=True) for one in mappings}
        contents = {name: content for name, _, _, content in _chained(mappings)}
        rows: list[tuple[Any, ...]] = [("", 0, 0, "", "", 0, "", "", "")]
        for position, one in enumerate(named, 1):
            mapping = one.name.partition("/")[0]
            rows.append(
                ("", 0, position, one.name, one.rule.signal, one.revision, contents[one.name], mapping,
                 texts[mapping])
            )  # fmt: skip
        return rows

    def _ask(self, name: str) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._store.query(SQL[name], role=Role.CORRELATOR).result_rows
        return rows


def quarantine(rule: str, tenant: str, error: str) -> str:
    """What to say of a quarantined rule."""
    return f"the mapping rule {rule} is quarantined for tenant {tenant}: {error}; correct it in its file"


def _chained(mappings: Iterable[Mapping]) -> list[tuple[str, Rule, tuple[str, ...], str]]:
    """Every rule with a hash of its content and of the rules of its signal before it: those decide what is
    left for it.
    """
    before = {"spans": "", "logs": ""}
    found = []
    for mapping in mappings:
        for name, rule in rules_of(mapping):
            content = json.dumps([name, mapping.tenants, rule.model_dump(mode="json", by_alias=True)])
            digest = sha256(f"{before[rule.signal]}{content}".encode()).hexdigest()[:32]
            before[rule.signal] = digest
            found.append((name, rule, mapping.tenants, digest))
    return found


def _utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
