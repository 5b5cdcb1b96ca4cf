"""Looking back: what was known at a time, closing a period, what is known of a closed one now.

Each is a job of the engine: what is asked travels as the job's payload.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from throughline.collector.store import Role, Store
from throughline.correlator.closing import Closings, ToClose, days_of
from throughline.dashboards.payload import Payload
from throughline.dashboards.questions import moment
from throughline.probes.errors import ConfigurationError, ThroughlineError

if TYPE_CHECKING:
    from throughline.collector.control import ControlStore, Job
    from throughline.correlator.worker import Correlator

AS_OF = "as_of"
CLOSE = "close"
RESTATE = "restate"
KINDS = (AS_OF, CLOSE, RESTATE)


class AsOf(Payload):
    """What was known at a time."""

    at: datetime


class Close(Payload):
    """Close a period of an entity."""

    entity: str
    period: str
    by: str
    reason: str


class Restate(Payload):
    """What is known of a closed period now."""

    closing: str


def ask_as_of(control: ControlStore, tenant: str, process: str, at: str, now: datetime) -> Job:
    """Ask what was known at a `moment`.

    Raises: ConfigurationError, if that is no time, or one that is still to come.
    """
    then = moment(at, now)
    if then > now:
        raise ConfigurationError(f"{then:%Y-%m-%d %H:%M} UTC is still to come: ask for an earlier time.")
    payload = AsOf(at=then).text()
    return control.enqueue_job(AS_OF, tenant, process, now, payload=payload)


def ask_to_close(control: ControlStore, tenant: str, process: str, wanted: Close, now: datetime) -> Job:
    """Ask for a closing; its id is the job's.

    Raises: NotClosable, if the period is none; ConfigurationError without an entity.
    """
    days_of(wanted.period)
    if not wanted.entity.strip():
        raise ConfigurationError("Name the legal entity to close, as events do in business.entity.")
    return control.enqueue_job(CLOSE, tenant, process, now, payload=wanted.text())


def ask_to_restate(control: ControlStore, tenant: str, process: str, closing: str, now: datetime) -> Job:
    """Ask what is known of a closed period now."""
    payload = Restate(closing=closing).text()
    return control.enqueue_job(RESTATE, tenant, process, now, payload=payload)


def do(correlator: Correlator, store: Store, job: Job, now: datetime) -> tuple[str, str]:
    """Do one of these jobs; returns what to say of it, and its result. Raises: ThroughlineError."""
    if job.kind == AS_OF:
        asked = AsOf.model_validate_json(job.payload)
        found = correlator.as_of(job.tenant, job.process, asked.at, now)
        return f"{found['restated']['journeys']} journeys restated", json.dumps(found)
    if job.kind == CLOSE:
        wanted = Close.model_validate_json(job.payload)
        closing = correlator.close(
            job.process,
            ToClose(job.id, job.tenant, wanted.entity, wanted.period, wanted.by, wanted.reason, now),
        )
        return f"{closing.journeys} journeys closed", json.dumps({"closing": closing.id})
    closing_id = Restate.model_validate_json(job.payload).closing
    known = Closings(store, job.tenant, Role.CORRELATOR).one(closing_id)
    if known is None:
        raise ThroughlineError(f"There is no closing {closing_id}.")
    found = correlator.restate(job.tenant, known, now)
    return f"{found['restated']['journeys']} journeys restated", json.dumps({"closing": known.id})
