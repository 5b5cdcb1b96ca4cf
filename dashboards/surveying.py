"""The job that says what a tenant's events carry, for `throughline check` while an engine runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from throughline.correlator.inventory import take

if TYPE_CHECKING:
    from throughline.collector.store import Store

SURVEY = "survey"
"""The kind of job; its payload is since when, as ISO 8601."""


def answer(store: Store, tenant: str, payload: str) -> str:
    """Return the inventory as a job's result. Raises: StoreError."""
    return take(store, tenant, datetime.fromisoformat(payload)).model_dump_json()
