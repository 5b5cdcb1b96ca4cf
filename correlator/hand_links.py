"""Links that people add and cut by hand, with a reason; each can be undone.

A pair of keys has one event identity, so that the last statement about it counts, and undoing is a statement
without the pair: what other events say counts again. They are events like any other; a rebuild keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from throughline.collector.saying import say
from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.link import PLACEHOLDERS
from throughline.probes import vocabulary as v
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.collector.auth import Principal
    from throughline.correlator.definition import Process

Action = Literal["link", "unlink", "undo"]
EVENTS: dict[str, str] = {"link": v.LINK_ADDED, "unlink": v.LINK_REMOVED, "undo": v.LINK_UNDONE}
IN_FORCE = {v.LINK_ADDED: "linked", v.LINK_REMOVED: "unlinked", v.LINK_UNDONE: "undone"}
LONGEST_KEY = 1_000
_TICK = timedelta(microseconds=1)


class Refused(ThroughlineError):
    """The link can't be added or cut; the message says why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two keys as `namespace:value`. Raises: Refused, where a text is none."""

    parent: str
    child: str

    def __post_init__(self) -> None:
        """Look at the texts alone."""
        for key in (self.parent, self.child):
            namespace, colon, value = key.partition(":")
            if not (colon and namespace.strip() == namespace != "" and value.strip() == value != ""):
                raise Refused(
                    f"'{key}' is no key: write namespace:value, such as salesforce.opportunity:006A."
                )
            if len(key) > LONGEST_KEY or not key.isprintable():
                raise Refused(f"A key is printable and has {LONGEST_KEY:,} characters at most.")
            if value.lower() in PLACEHOLDERS:
                raise Refused(f"'{value}' stands for no value: it names nothing that could be linked.")
        if ">" in self.parent:
            raise Refused("A parent that holds '>' can't be linked by hand.")
        if self.parent == self.child:
            raise Refused("A thing is not its own parent: give two keys.")

    @property
    def split(self) -> list[tuple[str, str]]:
        """Namespace and value of both."""
        return [(key.partition(":")[0], key.partition(":")[2]) for key in (self.parent, self.child)]


class HandLinks:
    """The links by hand of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    def said(self, keys: Sequence[str] = (), *, limit: int = 200) -> list[dict[str, Any]]:
        """Statements about some keys, or about any, newest first; `state` is that of the pair now."""
        found = self._rows("said", keys=list(keys), limit=limit)
        states: dict[tuple[str, str], str] = {}
        for row in found:
            states.setdefault((row["parent"], row["child"]), IN_FORCE[row["action"]])
            row["state"] = states[row["parent"], row["child"]]
        return found

    def say(
        self,
        action: Action,
        pair: Pair,
        processes: Sequence[Process],
        *,
        reason: str,
        who: Principal,
        now: datetime,
        new: bool = False,
    ) -> tuple[dict[str, Any], bool]:
        """Say it once; returns the statement in force and whether it is new.

        `new` allows keys that no event has named yet. Raises: Refused, StoreError.
        """
        last = next(iter(self._rows("last", parent=pair.parent, child=pair.child)), None)
        if not reason.strip():
            raise Refused("Give a reason: whoever looks at the link later reads it.")
        if action == "undo":
            if last is None or last["action"] == v.LINK_UNDONE:
                raise Refused("Nobody has linked or unlinked these two by hand: there is nothing to undo.")
        elif last is not None and last["action"] == EVENTS[action]:
            return self._answer(pair, last), False
        else:
            self._check(action, pair, processes, new=new)
        at = max(now, last["at"] + _TICK) if last else now
        event = v.BusinessEvent(
            event=EVENTS[action],
            links=((pair.parent, pair.child),) if action == "link" else (),
            cuts=((pair.parent, pair.child),) if action == "unlink" else (),
            link_reason=reason,
            time=at,
            id=f"hand-link/{pair.parent}>{pair.child}",
            system=v.System.MIDDLEWARE,
            platform="throughline",
            attributes={v.LINK_ACTOR: who.name},
        )
        say(self._store, self._tenant, [event], now)
        said = {"action": EVENTS[action], "actor": who.name, "reason": reason, "at": at}
        return self._answer(pair, said), True

    def _check(self, action: str, pair: Pair, processes: Sequence[Process], *, new: bool) -> None:
        """Whether a process could hold the link, and whether both are known. Raises: Refused."""
        (parent, _), (child, _) = pair.split
        levels = [
            {name: at for at, level in enumerate(one.levels) for name in level.namespaces}
            for one in processes
        ]
        for namespace in (parent, child):
            if not any(namespace in known for known in levels):
                raise Refused(f"No process knows the namespace {namespace}: it links nothing.")
        together = [known for known in levels if parent in known and child in known]
        if not together:
            raise Refused(f"No process knows both {parent} and {child}: a link between them leads nowhere.")
        if all(known[parent] > known[child] for known in together):
            raise Refused(f"{parent} stands below {child} in every process: swap parent and child.")
        objects: dict[str, set[int]] = {pair.parent: set(), pair.child: set()}
        for row in self._rows("known", keys=pair.split):
            objects[f"{row['namespace']}:{row['value']}"].add(row["object"])
        missing = [key for key, found in objects.items() if not found]
        if missing and not new:
            raise Refused(f"No event has named {' or '.join(missing)} yet: check it, or say that it is new.")
        if objects[pair.parent] & objects[pair.child]:
            raise Refused("Both keys name one object: there is nothing to link or to cut between them.")
        if action == "unlink" and not new and not self._linked(objects, pair):
            raise Refused("Nothing links these two directly: there is nothing to cut.")

    def _linked(self, objects: dict[str, set[int]], pair: Pair) -> bool:
        given = {"parents": sorted(objects[pair.parent]), "children": sorted(objects[pair.child])}
        return any(row["count()"] for row in self._rows("linked", **given))

    def _answer(self, pair: Pair, said: dict[str, Any]) -> dict[str, Any]:
        return {**said, "parent": pair.parent, "child": pair.child, "state": IN_FORCE[said["action"]]}

    def _rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        result = self._store.query(QUERIES[query], {"tenant": self._tenant, **parameters}, role=Role.PAGES)
        rows = [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]
        for row in rows:
            if "at" in row and row["at"].tzinfo is None:
                row["at"] = row["at"].replace(tzinfo=UTC)
        return rows


QUERIES = load_queries("throughline.correlator", "hand_links")
