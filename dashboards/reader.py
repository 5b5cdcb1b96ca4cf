"""Read journeys, events, links and exceptions of one tenant: rows in, plain dictionaries of the API's
shapes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from throughline.collector.store import Role, Store, load_queries
from throughline.dashboards.likely import Likely
from throughline.dashboards.money import ANY, Behind, behind
from throughline.dashboards.outlook import SQL as OUTLOOK

SQL = load_queries("throughline.dashboards", "journeys") | load_queries("throughline.dashboards", "objects")
FIRST_TIME = datetime(1970, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(2299, 1, 1, tzinfo=UTC)
LARGEST = 2**64 - 1
STATUSES = ("in_flight", "late", "stuck", "completed", "dropped")
_ALIAS_HOPS = 8
_FIELDS = 2_000
"""Fields of objects read at once."""
_OBJECTS = 25
"""Objects of a journey whose fields are shown."""


@dataclass(frozen=True)
class JourneyFilter:
    """Which journeys; an empty text means any. `key` is (namespace, value), `cycle` the object of a billing
    cycle as `namespace:value` and `period` the first day of it. `likely_late` means those that outlooks say
    so of.
    """

    process: str = ""
    status: str = ""
    entity: str = ""
    region: str = ""
    customer: str = ""
    cycle: str = ""
    period: str = ""
    key: tuple[str, str] | None = None
    since: datetime | None = None
    behind: Behind = ANY
    likely_late: bool = False


@dataclass(frozen=True)
class Position:
    """Where a page ended: journeys after it are older."""

    opened_at: datetime = LAST_TIME
    root: int = LARGEST


class Reader:
    """Everything a tenant may see of its journeys, at one clock reading."""

    def __init__(self, store: Store, tenant: str, now: datetime) -> None:
        self._store = store
        self._tenant = tenant
        self._base = {"tenant": tenant, "now": _micro(now)}
        self.now = now

    def journeys(
        self,
        wanted: JourneyFilter,
        *,
        limit: int,
        after: Position | None = None,
        likely: Likely | None = None,
    ) -> list[Row]:
        """One page of journeys, newest first; `likely` goes with a filter that asks for it."""
        narrowed = (likely or Likely()) if wanted.likely_late else None
        after = after or Position()
        parameters: dict[str, Any] = {
            "process": wanted.process,
            "status": wanted.status,
            "entity": wanted.entity,
            "region": wanted.region,
            "customer": wanted.customer,
            "cycle": wanted.cycle,
            "period": wanted.period,
            "since": _micro(wanted.since or FIRST_TIME),
            "after_opened": _micro(after.opened_at),
            "after_root": after.root,
            "limit": limit,
        }
        if wanted.key is None:
            roots = [row["Root"] for row in self._page(wanted.behind, narrowed, parameters)]
        else:
            roots = self._only(wanted.behind, self.roots_of(*wanted.key), parameters)
            roots = self._likely(narrowed, roots)
        return self._journeys("by_root", {**parameters, "roots": roots}) if roots else []

    def _page(self, wanted: Behind, likely: Likely | None, parameters: Mapping[str, Any]) -> list[Row]:
        """The roots of a page, narrowed to the journeys behind a figure of money if one is meant, and to
        those that are likely late.
        """
        sql, given = SQL["page"], dict(parameters)
        if likely is None:
            sql = sql.replace("AND Root IN (@likely_late)", "")
        else:
            sql, given = sql.replace("@likely_late", OUTLOOK["likely_late"]), given | likely.parameters
        if wanted == ANY:
            return self.rows(sql.replace("AND Root IN (@behind)", ""), given)
        condition, more = behind(self._store, self._tenant, self.now, wanted)
        return self.rows(sql.replace("@behind", condition), {**given, **more})

    def _likely(self, likely: Likely | None, roots: list[int]) -> list[int]:
        """Those of some roots that are likely late, if that is meant."""
        if likely is None:
            return roots
        late = {row["Root"] for row in self.rows(OUTLOOK["likely_late"], likely.parameters)}
        return [root for root in roots if root in late]

    def _only(self, wanted: Behind, roots: list[int], parameters: Mapping[str, Any]) -> list[int]:
        """Those of some roots that are behind a figure, if one is meant."""
        if wanted == ANY:
            return roots
        condition, more = behind(self._store, self._tenant, self.now, wanted)
        sql = f"SELECT DISTINCT root FROM ({condition}) WHERE root IN {{roots:Array(UInt64)}}"  # noqa: S608 - our own
        return [row["root"] for row in self.rows(sql, {**parameters, **more, "roots": roots})]

    def journey(self, root: int) -> Row | None:
        """One journey by its root's hash."""
        found = self._journeys("by_root", {**_ANY, "roots": [root]})
        return found[0] if found else None

    def absorbed_into(self, root: int) -> list[int]:
        """The roots of the journeys that an id without a journey of its own belongs to now."""
        return [other for other in self._roots_of_keys([root]) if other != root]

    def roots_of(self, namespace: str, value: str) -> list[int]:
        """The roots of the journeys that know a key, under any alias."""
        return self._roots_of_keys(self._list("key_hashes", {"namespace": namespace, "value": value}))

    def _roots_of_keys(self, keys: Sequence[int]) -> list[int]:
        objects = self._list("objects_of_keys", {"keys": keys}) if keys else []
        return self._list("roots_of_objects", {"objects": objects}) if objects else []

    def keys(self, roots: Sequence[int]) -> dict[int, list[str]]:
        """What each journey's objects are called, root first, aliases included."""
        if not roots:
            return {}
        objects = {
            row["Root"]: row["Found"] for row in self._rows("objects_of_roots", {"roots": list(roots)})
        }
        names = self.names({one for found in objects.values() for one in found} | set(roots))
        by_object: dict[int, list[Row]] = {}
        for row in names.values():
            by_object.setdefault(row["Object"], []).append(row)
        result = {}
        for root in roots:
            rows = [row for one in {*objects.get(root, ()), root} for row in by_object.get(one, ())]
            result[root] = [row["Name"] for row in sorted(rows, key=lambda row: (row["Level"], row["Name"]))]
        return result

    def names(self, objects: Iterable[int]) -> dict[int, Row]:
        """The keys of some objects by hash, with those that are aliases of them."""
        known: dict[int, Row] = {}
        ask = sorted(set(objects))
        wanted = set(ask)
        for _ in range(_ALIAS_HOPS):
            if not ask:
                break
            found = {row["Key"]: row for row in self._rows("names", {"keys": ask})}
            found = {key: row for key, row in found.items() if key in wanted or row["Object"] in wanted}
            known |= found
            aliased = [key for key, row in found.items() if row["Aliased"]]
            others = self._rows("claimed", {"keys": aliased}) if aliased else []
            ask = sorted({row["Other"] for row in others} - set(known))
        return known

    def fields(self, objects: Sequence[int]) -> list[Row]:
        """What each system says last of the fields of some objects: process, object, name, system, value,
        time, event, event_id; the first 2,000.
        """
        return self._rows("object_state", {"objects": list(objects), "limit": _FIELDS}) if objects else []

    def said(self, root: int) -> list[Row]:
        """The same of a journey's objects, with the name of each as `key`; of those nearest the root."""
        found = self._rows("objects_of_roots", {"roots": [root]})
        names = self.names({root, *(one for row in found for one in row["Found"])}).values()
        keys: dict[int, str] = {}
        for row in sorted(names, key=_near_root):
            keys.setdefault(row["Object"], row["Name"])
        objects = list(keys)[:_OBJECTS]
        return [{**row, "key": keys[row["object"]]} for row in self.fields(objects)]

    def objects_named(self, namespace: str, value: str) -> list[Row]:
        """The object of a key in each process: its keys, its journeys, and what is said of it."""
        keys = self._list("key_hashes", {"namespace": namespace, "value": value})
        objects = self._list("objects_of_keys", {"keys": keys}) if keys else []
        names, fields = list(self.names(objects).values()), self.fields(objects)
        found = []
        for one in objects:
            own = [row for row in names if row["Object"] == one]
            roots = self._list("roots_of_objects", {"objects": [one]})
            said = [row for row in fields if row["object"] == one]
            found.append(
                {
                    "process": own[0]["Process"] if own else "",
                    "keys": sorted(row["Name"] for row in own),
                    "journeys": [journey_id(root) for root in roots],
                    "fields": said,
                }
            )
        return sorted(found, key=lambda row: str(row["process"]))

    def events(self, root: int, *, limit: int) -> tuple[list[Row], int]:
        """The latest events of a journey, oldest first, and how many there are in all."""
        rows = self._rows("events", {"root": root, "limit": limit})
        return rows, rows[0]["Total"] if rows else 0

    def links(self, root: int, events: Sequence[Row]) -> list[Row]:
        """Why each event belongs: its subject, and the links from there up to the root (`links.py`)."""
        from throughline.dashboards.links import explain

        subjects = {subject for event in events for subject in event["Subjects"]}
        parents = self.upward(root, sorted(subjects - {root}))
        everything = {root, *parents, *(row["Parent"] for rows in parents.values() for row in rows)}
        everything |= {subject for event in events for subject in event["Subjects"]}
        names = {key: row["Name"] for key, row in self.names(everything).items()}
        return explain(root, events, parents, names)

    def upward(self, root: int, objects: Sequence[int]) -> dict[int, list[Row]]:
        """The links above some objects, by child, up to the root."""
        parents: dict[int, list[Row]] = {}
        ask = list(objects)
        while ask:
            for row in self._rows("parents", {"objects": ask, "root": root}):
                parents.setdefault(row["Child"], []).append(row)
            seen = {row["Parent"] for rows in parents.values() for row in rows}
            ask = sorted(seen - set(parents) - set(ask) - {root})
        return parents

    def objects_of(self, root: int) -> set[int]:
        """The objects that events of a journey name."""
        found = self._rows("objects_of_roots", {"roots": [root]})
        return {one for row in found for one in row["Found"]}

    def exceptions(
        self,
        *,
        process: str = "",
        status: str = "",
        fingerprint: str = "",
        limit: int,
        after: tuple[datetime, str] | None = None,
    ) -> list[Row]:
        """One page of exceptions, newest first."""
        opened, last = after or (LAST_TIME, "g")
        return self._rows(
            "exceptions",
            {
                "process": process,
                "status": status,
                "fingerprint": fingerprint,
                "after_opened": _micro(opened),
                "after_id": last,
                "limit": limit,
            },
        )

    def cycles(
        self, *, process: str = "", status: str = "", limit: int, after: tuple[date, str] | None = None
    ) -> list[Row]:
        """One page of billing cycles, latest period first, after the first day and id of the last one
        seen.
        """
        first, last = after or (LAST_TIME.date(), "")
        given = {"after_first": first.isoformat(), "after_id": last}
        return self._rows("cycles", {"process": process, "status": status, "limit": limit, **given})

    def exceptions_of(self, root: int) -> list[Row]:
        """The exceptions of one journey, newest first."""
        return self._rows("exceptions_of_root", {"root": root})

    def _journeys(self, query: str, parameters: Mapping[str, Any]) -> list[Row]:
        rows = self._rows(query, parameters)
        for row in rows:
            row["milestones"] = milestones(row, self.now)
        return rows

    def _rows(self, query: str, parameters: Mapping[str, Any]) -> list[Row]:
        return self.rows(SQL[query], parameters)

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """The answer to a query that takes the tenant, and perhaps the clock."""
        result = self._store.query(sql, {**self._base, **parameters}, role=Role.PAGES)
        return [
            {name: _utc(value) for name, value in zip(result.column_names, row, strict=True)}
            for row in result.result_rows
        ]

    def _list(self, query: str, parameters: Mapping[str, Any]) -> list[int]:
        """The one value of a query that answers with one array."""
        (row,) = self._rows(query, parameters)
        (found,) = row.values()
        return list(found)


Row = dict[str, Any]


def _near_root(name: Row) -> tuple[int, bool, str]:
    return name["Level"], name["Key"] != name["Object"], name["Name"]


_ANY: Mapping[str, Any] = {
    "process": "",
    "status": "",
    "entity": "",
    "region": "",
    "customer": "",
    "cycle": "",
    "period": "",
    "since": "1970-01-01 00:00:00.000000",
    "after_opened": "2299-01-01 00:00:00.000000",
    "after_root": LARGEST,
    "limit": 10,
}


def milestones(row: Mapping[str, Any], now: datetime) -> dict[str, Row]:
    """The milestones of a journey in the definition's order, as the view `milestones` derives them."""
    closed: datetime | None = row["ClosedAt"]
    result: dict[str, Row] = {}
    columns = (
        "MilestoneNames",
        "MilestoneStored",
        "MilestoneMetAt",
        "MilestoneLastAt",
        "MilestoneDueAt",
        "MilestoneCounts",
    )
    latest: datetime | None = None
    for name, stored, met, last, due, count in zip(*(row[column] for column in columns), strict=True):
        state, early = stored, bool(met and latest and met < latest)
        latest = max(met, latest) if met and latest else met or latest
        if stored == "pending" and due is not None:
            state = "late" if _utc(due) < (closed or now) else "pending" if closed else "due"
            if state == "late" and not closed and name in row["Blind"]:
                state = "blind"
        result[name] = {
            "state": state,
            "met_at": _utc(met),
            "last_at": _utc(last),
            "due_at": _utc(due),
            "count": count,
            "out_of_order": early,
        }
    return result


def journey_id(root: int) -> str:
    """The id of the journey with this root."""
    return f"{root:016x}"


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
