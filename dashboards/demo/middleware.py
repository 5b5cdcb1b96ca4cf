"""The emulated middleware: does failed hops again, over real HTTP, and the platforms say what came of it.

    POST /flows/{event}          the payload again, as it was or corrected; drops repeats of a key
    POST /runs/{run}/again       the run again; done once, it stays done
    POST /erp/{run}/post         past the middleware: each call has its effect
    GET  /erp/invoices/{id}      whether the ERP has the invoice
    GET  /systems/...  /runs/... pages for people; POST /systems/mend is their change in the source

What fails for its data fails again until they are mended: in the payload, or in the source.
"""

from __future__ import annotations

import heapq
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from throughline.dashboards.demo.catalog import NAMELESS, TAKEN, TAX_CODE, TEMPLATE
from throughline.dashboards.demo.deal import PlannedEvent
from throughline.dashboards.demo.middleware_http import Answer, Request, serve
from throughline.dashboards.demo.middleware_pages import listed, record, run_page
from throughline.dashboards.demo.scenario import moved

STEP_SECONDS: Final = 1.5
"""Between two events of what follows; the first come at once."""
AT_SOURCE: Final[Mapping[str, str]] = {
    TAX_CODE.code: "Add the tax code of {entity}",
    TEMPLATE.code: "Add a project template for {entity}",
    TAKEN.code: "Delete the drafts of {entity}",
}
"""What a person can do in the source about a cause."""
Play = Callable[[PlannedEvent, Mapping[str, str]], None]
"""Lets an event happen; headers are those of the call that caused it."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Failing:
    """A hop that failed, and what follows once it is done again."""

    planned: PlannedEvent
    done: bool = False

    @property
    def code(self) -> str:
        """The cause."""
        return self.planned.event.exception_code or ""

    @property
    def entity(self) -> str:
        """Whose it is."""
        return self.planned.event.entity or ""

    @property
    def mend(self) -> str:
        """What is to be done in the source; '' where nothing helps there."""
        return AT_SOURCE.get(self.code, "").format(entity=self.entity)


@dataclass(order=True)
class _Due:
    at: float
    order: int
    planned: PlannedEvent = field(compare=False)
    headers: Mapping[str, str] = field(compare=False)


class Middleware:
    """Its state and its server; thread safe."""

    def __init__(self) -> None:
        """Listen on a free port; nothing has effects before `start`."""
        self._changed = threading.Condition()
        self._failing: dict[str, Failing] = {}
        self._runs: dict[str, Failing] = {}
        self._mended: set[tuple[str, str]] = set()
        self._answered: dict[str, Answer] = {}
        self._due: list[_Due] = []
        self._order = count()
        self._ended = False
        self._server = serve(self._answer)
        self._player: threading.Thread | None = None
        self.step_seconds = STEP_SECONDS
        self.url = self._server.url

    def start(self, play: Play) -> None:
        """From now on calls have effects."""
        self._player = threading.Thread(target=self._run, args=(play,), name="middleware", daemon=True)
        self._player.start()

    def stop(self) -> None:
        """No more effects; what is still to follow does not."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._player is not None:
            self._player.join(5.0)

    def close(self) -> None:
        """Stop listening."""
        self.stop()
        self._server.close()

    def failed(self, planned: PlannedEvent) -> None:
        """Remember a hop that failed; a later failure of the same object replaces it."""
        with self._changed:
            failing = self._failing.setdefault(_subject(planned), Failing(planned))
            failing.planned = planned
            self._runs[planned.event.run_id or ""] = failing

    def failing(self) -> list[Failing]:
        """What has failed and is not done."""
        with self._changed:
            return [one for one in self._failing.values() if not one.done]

    def _answer(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")
        shown = self._page(parts) if request.method == "GET" else self._call(request, parts)
        return shown or Answer(404, {"error": f"nothing at {request.path}"})

    def _call(self, request: Request, parts: Sequence[str]) -> Answer | None:
        match parts:
            case ["flows", _]:
                return self._once(request, self._flow)
            case ["runs", run, "again"]:
                return self._once(request, lambda one: self._again(one, run))
            case ["erp", run, "post"]:
                return self._post(request, run)
            case ["systems", "mend"]:
                return self._mend(request)
        return None

    def _page(self, parts: Sequence[str]) -> Answer | None:
        match parts:
            case ["erp", "invoices", *rest]:
                return self._look("/".join(rest))
            case ["runs", run]:
                found = self._runs.get(run)
                return run_page(found) if found else None
            case ["systems", name, *rest]:
                return record(name, "/".join(rest), self.failing())
            case ["" | "systems"]:
                return listed(self.failing())
        return None

    def _once(self, request: Request, do: Callable[[Request], Answer]) -> Answer:
        """A repeat of an idempotency key is answered as before; a refusal may be tried again."""
        name = request.headers.get("idempotency-key", "")
        with self._changed:
            if name in self._answered:
                return self._answered[name]
            answer = do(request)
            if name and answer.status < 300:  # noqa: PLR2004 it was done
                self._answered[name] = answer
            return answer

    def _flow(self, request: Request) -> Answer:
        try:
            payload = json.loads(request.body)
            failing = next(one for one in self._failing.values() if _source(one.planned) == payload["source"])
        except (ValueError, KeyError, TypeError, StopIteration):
            return Answer(400, {"error": "this is no message of a flow that has failed"})
        wrong = self._wrong(failing, payload)
        return Answer(422, {"error": wrong}) if wrong else self._do(failing, request.headers)

    def _again(self, request: Request, run: str) -> Answer:
        failing = self._runs.get(run)
        if failing is None:
            return Answer(404, {"error": f"no run {run}"})
        wrong = self._wrong(failing, json.loads(failing.planned.payload or "{}"))
        return Answer(422, {"error": wrong}) if wrong else self._do(failing, request.headers)

    def _wrong(self, failing: Failing, payload: Mapping[str, Any]) -> str:
        """Why it fails again, or ''."""
        said = failing.planned.event.exception_message or failing.code
        if failing.code == NAMELESS.code:
            return "" if (payload.get("customer") or {}).get("name") else said
        if failing.code == TAKEN.code:
            before = json.loads(failing.planned.payload or "{}").get("externalId")
            if payload.get("externalId") != before:
                return ""
        return said if failing.mend and (failing.code, failing.entity) not in self._mended else ""

    def _do(self, failing: Failing, headers: Mapping[str, str]) -> Answer:
        """Let follow what was planned, unless it has."""
        if not failing.done:
            failing.done = True
            self._play(failing.planned.mended, headers)
        return Answer(200, {"run": failing.planned.event.run_id})

    def _post(self, request: Request, run: str) -> Answer:
        with self._changed:
            failing = self._runs.get(run)
            if failing is None:
                return Answer(404, {"error": f"no run {run}"})
            if not failing.done:
                return self._do(failing, request.headers)
            success = next(
                one for one in failing.planned.mended if one.event.event == failing.planned.event.event
            )
            twice = replace(success.event, id=f"{success.event.id}-{next(self._order)}")
            self._play([replace(success, event=twice)], request.headers)
            return Answer(200, {"run": run})

    def _look(self, name: str) -> Answer:
        with self._changed:
            known = [one for one in self._failing.values() if _subject(one.planned).endswith(f":{name}")]
            found = any(one.done for one in known)
        return Answer(200 if found else 404, {"invoice": name, "posted": found})

    def _mend(self, request: Request) -> Answer:
        """A person has changed the source: what waited for that goes through, caused by no replay."""
        code, entity = request.form("code"), request.form("entity")
        with self._changed:
            if code not in AT_SOURCE:
                return Answer(422, {"error": f"{code} is not mended in the source"})
            self._mended.add((code, entity))
            for one in self._failing.values():
                if not one.done and (one.code, one.entity) == (code, entity):
                    self._do(one, {})
        return Answer(303, {}, location="/systems")

    def _play(self, events: Sequence[PlannedEvent], headers: Mapping[str, str]) -> None:
        """What follows, step by step; all of it carries what the call carried."""
        carried = {name: headers[name] for name in ("traceparent", "baggage") if name in headers}
        at = time.monotonic()
        for planned in events:
            heapq.heappush(self._due, _Due(at, next(self._order), planned, carried))
            at += self.step_seconds
        self._changed.notify()

    def _run(self, play: Play) -> None:
        while True:
            with self._changed:
                while not self._ended and (not self._due or self._due[0].at > time.monotonic()):
                    pause = self._due[0].at - time.monotonic() if self._due else None
                    self._changed.wait(pause)
                if self._ended:
                    return
                due = heapq.heappop(self._due)
            try:
                play(moved(due.planned, datetime.now(UTC)), due.headers)
            except Exception:  # noqa: BLE001 the next one may go through
                _log.exception("the demo could not say %s", due.planned.event.event)


def _subject(planned: PlannedEvent) -> str:
    """The object that failed, as `namespace:value`."""
    keys = planned.event.keys
    namespace = planned.event.subject or next(iter(keys))
    return f"{namespace}:{keys[namespace]}"


def _source(planned: PlannedEvent) -> str:
    """What the flow's message names: the deal, or what is to be invoiced."""
    said = json.loads(planned.payload or "{}").get("source", "")
    return str(said)
