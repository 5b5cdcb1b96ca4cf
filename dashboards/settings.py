"""The knobs of pages and API, read once from the environment at the entry point."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from throughline.correlator.currencies import CURRENCIES


def _known(currency: str) -> str:
    if currency and currency not in CURRENCIES:
        raise ValueError("this is no currency code of ISO 4217, such as EUR")
    return currency


class DashboardSettings(BaseSettings):
    """Every field is an environment variable `THROUGHLINE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="THROUGHLINE_", frozen=True, extra="ignore")

    page_cache_seconds: float = Field(default=3.0, ge=0.0, le=300.0)
    """Seconds for which pages of one tenant share an answer; longer is cheaper and staler."""

    api_threads: int = Field(default=8, ge=1, le=256)
    """API requests that may wait for the store at once; others queue."""

    query_seconds: int = Field(default=10, ge=1, le=600)
    """Wall-clock seconds an exploring query may take."""

    query_rows: int = Field(default=10_000, ge=1, le=1_000_000)
    """Rows an exploring query returns at most; `truncated` says that there were more."""

    query_memory_bytes: int = Field(default=1024**3, ge=1024**2)
    """Bytes of memory an exploring query may take in the engine."""

    query_result_bytes: int = Field(default=64 * 1024**2, ge=1024)
    """Bytes an exploring query may return."""

    reporting_currency: Annotated[str, AfterValidator(_known)] = Field(default="")
    """ISO 4217 code of the currency in which figures are shown; without it by their own currencies."""

    hook_payload_bytes: int = Field(default=256 * 1024, ge=0)
    """How much of a webhook's body is kept when a dead letter is read again; the edge's setting too."""

    journey_events: int = Field(default=2_000, ge=1, le=100_000)
    """Events of one journey that API and pages show, the latest ones; `events_total` says how many there
    are.
    """
