"""The knobs of alerts and of the engine's metrics, read once from the environment at the entry point."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AlertSettings(BaseSettings):
    """Every field is an environment variable `THROUGHLINE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="THROUGHLINE_", frozen=True, extra="ignore")

    rule_seconds: float = Field(default=10.0, gt=0.0, le=60.0)
    """Wall-clock seconds a rule's SELECT may take; one that takes longer three times is quarantined."""

    rule_memory_bytes: int = Field(default=512 * 1024**2, ge=1024**2)
    """Bytes of memory a rule's SELECT may take in the engine."""

    public_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Where people reach these pages (https://throughline.example.com): links in messages lead there."""

    heartbeat_url: str | None = Field(default=None, pattern=r"^https?://")
    """Address told each interval that alerts are evaluated (a dead man's switch)."""

    heartbeat_method: Literal["GET", "POST"] = Field(default="GET")
    """How it is told."""

    heartbeat_seconds: float = Field(default=60.0, ge=5.0, le=3600.0)
    """The interval, in seconds."""

    heartbeat_internal: bool = Field(default=False)
    """Whether the heartbeat may go to an address of this machine or of a private network."""

    metrics_seconds: float = Field(default=60.0, ge=1.0, le=3600.0)
    """Seconds between two countings of journeys for `/metrics`."""

    metrics_otlp: str | None = Field(default=None, pattern=r"^https?://")
    """OTLP/HTTP address that gets the same metrics: http://collector:4318/v1/metrics."""
