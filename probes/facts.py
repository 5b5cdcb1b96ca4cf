"""What may be told about a business event: the keyword arguments of `emit()` and `business_event()`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict

from throughline.probes.vocabulary import ExceptionClass, KeysOf, System, TimePrecision


class Facts(TypedDict, total=False):
    """All optional; None and empty mean "not known".  The meanings are those of `BusinessEvent`."""

    keys: KeysOf | None
    context_keys: KeysOf | None
    subject: str | None
    links: Iterable[tuple[str, str]] | None
    cuts: Iterable[tuple[str, str]] | None
    link_reason: str | None
    time: datetime | int | None
    precision: TimePrecision | str | None
    accounting_date: date | str | None
    id: str | None
    system: System | str | None
    platform: str | None
    connection: str | None
    amount: Decimal | float | str | None
    currency: str | None
    customer: str | None
    entity: str | None
    region: str | None
    service_line: str | None
    failed: bool
    exception: BaseException | None
    exception_class: ExceptionClass | str | None
    exception_code: str | None
    exception_message: str | None
    run_id: str | None
    run_url: str | None
    idempotency_key: str | None
    payload_ref: str | None
    payload: object
    """What was sent, for a replay; leaves the process only if payloads are switched on."""
    replay_id: str | None
    attributes: Mapping[str, object] | None
