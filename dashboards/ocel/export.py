"""The facts of one process as OCEL events and objects, read range by range.

1. Events: everything that linking reads, evidence too. Keys become relations, other attributes stay.
2. Objects: a key each. Parents, aliases and values are what the correlator derived from those events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.link import expand
from throughline.correlator.passes import ranges
from throughline.dashboards.ocel import model
from throughline.dashboards.ocel.model import Event, Object, object_id
from throughline.probes import vocabulary as v
from throughline.probes.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickhouse_connect.driver.query import QueryResult

PAGE = 2_000
"""Events or objects read at once."""

Row = dict[str, Any]
Names = dict[int, tuple[str, str]]


class Export:
    """One process of one tenant. While it is read, events may arrive: they are in it or not."""

    def __init__(self, store: Store, tenant: str, process: str) -> None:
        """Find the process.

        Raises: ConfigurationError when the tenant has no journeys of it; StoreError.
        """
        sql = load_queries("throughline.dashboards", "ocel")
        in_force = load_queries("throughline.correlator", "roots")["in_force"]
        self._sql = {name: expand(text, {"in_force": in_force}, {}) for name, text in sql.items()}
        self._store = store
        self._scope: dict[str, Any] = {"tenant": tenant, "process": process}
        active = {str(name): int(generation) for name, generation in self._values("active")}
        if process not in active:
            there = f"there are {', '.join(active)}" if active else "it has none at all"
            raise ConfigurationError(f"Tenant {tenant} has no journeys of a process {process}: {there}.")
        self._scope["generation"] = active[process]
        ((self.events_at_most, self.objects_at_most),) = self._values("sizes")

    def events(self) -> Iterator[Event]:
        """Events and evidence. Raises: StoreError."""
        for low, high in ranges(2**128, -(-self.events_at_most // PAGE)):
            rows = self._rows("events", lo=low, hi=high)
            names = self._names("names_of_events", low, high)
            yield from (_event(row, names) for row in rows)

    def objects(self) -> Iterator[Object]:
        """Objects; to be read after the events, so that none is missing. Raises: StoreError."""
        for low, high in ranges(2**64, -(-self.objects_at_most // PAGE)):
            rows = self._rows("objects", lo=low, hi=high)
            names = self._names("names_of_objects", low, high)
            parents: dict[int, list[tuple[int, str]]] = {}
            for row in self._rows("parents", lo=low, hi=high):
                parents.setdefault(row["Child"], []).append((row["Parent"], row["ByRule"]))
            values: dict[int, list[tuple[str, int, str]]] = {}
            for row in self._rows("values", lo=low, hi=high):
                history = [(row["Name"], nanos, value) for nanos, _, value in row["History"]]
                values.setdefault(row["Object"], []).extend(history)
            for row in rows:
                identity = object_id(row["Namespace"], row["Value"])
                relations = [_parent(key, rule, names) for key, rule in parents.get(row["Key"], ())]
                if row["Object"] != row["Key"]:
                    relations.append((_named(row["Object"], names), model.ALIAS))
                yield Object(identity, row["Namespace"], values.get(row["Key"], []), relations)

    def _names(self, query: str, low: int, high: int) -> Names:
        return {key: (namespace, value) for key, namespace, value in self._values(query, lo=low, hi=high)}

    def _rows(self, query: str, **parameters: int) -> list[Row]:
        result = self._ask(query, parameters)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def _values(self, query: str, **parameters: int) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._ask(query, parameters).result_rows
        return rows

    def _ask(self, query: str, parameters: Mapping[str, int]) -> QueryResult:
        return self._store.query(self._sql[query], {**self._scope, **parameters}, role=Role.CORRELATOR)


def _event(row: Row, names: Names) -> Event:
    effective: set[int] = set(row["Effective"])
    own = {key for _, key in row["Own"]}
    passed_on = {key for _, key in row["Context"]} - own
    qualifiers = (
        (model.KEY, own & effective),
        (model.CONTEXT_KEY, passed_on & effective),
        (model.INHERITED_KEY, effective - own - passed_on),
        (model.LINK, set(row["Linked"]) - effective),
    )
    relations = [(_named(key, names), qualifier) for qualifier, keys in qualifiers for key in sorted(keys)]
    said = {
        *(v.key(namespace) for namespace in _wholly(row["Own"], effective)),
        *(v.context_key(namespace) for namespace in _wholly(row["Context"], effective - own)),
        v.EVENT,
    }
    attributes = {name: value for name, value in row["Attributes"].items() if name not in said}
    return Event(row["Id"], row["Event"] or model.EVIDENCE, row["Nanos"], attributes | _marks(row), relations)


def _wholly(keys: Sequence[tuple[str, int]], among: set[int]) -> set[str]:
    """The namespaces whose keys are all among some: relations say them, attributes need not."""
    return {namespace for namespace, _ in keys} - {namespace for namespace, key in keys if key not in among}


def _marks(row: Row) -> dict[str, str]:
    """How the event was received."""
    explained = row["Attributes"].get(v.EXCEPTION_MESSAGE, "") == row["Message"]
    marks = {
        model.SOURCE: row["Source"],
        model.SERVICE: row["Service"],
        model.TRACE_ID: row["TraceId"],
        model.SPAN_ID: row["SpanId"],
        model.FAILED: "true" if row["Failed"] else "",
        model.MESSAGE: "" if explained else row["Message"],
    }
    return {name: value for name, value in marks.items() if value}


def _parent(key: int, rule: str, names: Names) -> tuple[str, str]:
    parent = _named(key, names)
    return parent, model.PARENT.format(namespace=names[key][0], rule=rule)


def _named(key: int, names: Names) -> str:
    if key not in names:
        raise StoreError("Journeys were taken away while they were read: export again.", permanent=False)
    return object_id(*names[key])
