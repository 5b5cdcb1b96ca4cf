"""Settings of the edge. Environment is read once, where the process starts."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from throughline.probes.errors import ConfigurationError

MIB = 1024 * 1024


class EdgeSettings(BaseSettings):
    """Every knob of the edge; the variable is `THROUGHLINE_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="THROUGHLINE_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on; any but loopback needs tokens."""
    otlp_http: int = Field(default=4318, ge=0, le=65_535)
    """Port of OTLP/HTTP, CloudEvents, health and metrics."""
    otlp_grpc: int = Field(default=4317, ge=0, le=65_535)
    """Port of OTLP/gRPC."""
    data: Path = Path("throughline-data")
    """Data directory; the spool is its folder `spool`."""
    config: Path | None = None
    """Configuration directory; the edge reads its tokens.yaml and connections.yaml."""
    segment_bytes: int = Field(default=32 * MIB, ge=1024)
    """Size at which a spool segment is sealed."""
    segment_age_seconds: float = Field(default=0.25, gt=0)
    """Age at which a spool segment is sealed."""
    spool_limit_bytes: int = Field(default=8 * 1024 * MIB, ge=MIB)
    """Bytes the spool may hold; beyond, intake answers 503."""
    max_body_bytes: int = Field(default=64 * MIB, ge=1024)
    """Largest request, decompressed; beyond, intake answers 413."""
    hook_body_bytes: int = Field(default=8 * MIB, ge=1024)
    """Largest webhook, decompressed; beyond, it is refused with 413."""
    hook_payload_bytes: int = Field(default=256 * 1024, ge=0)
    """How much of a webhook's body is kept beside its events; 0: nothing."""
    in_flight_bytes: int = Field(default=256 * MIB, ge=1024)
    """Memory for requests that are being received, shared fairly by tenants; beyond, intake answers 429."""
    inline_bytes: int = Field(default=4 * MIB, ge=0)
    """Largest protobuf body examined in the event loop; larger ones go to the process for heavy requests."""
    inline_json_bytes: int = Field(default=32 * 1024, ge=0)
    """The same for JSON, which takes longer and more memory per byte."""
    heavy_processes: int = Field(default=2, ge=1)
    """Processes for heavy requests, started when needed."""
    heavy_memory_bytes: int = Field(default=1536 * MIB, ge=256 * MIB)
    """Address space of each; a request that needs more is refused with 413."""
    body_idle_seconds: float = Field(default=15.0, gt=0)
    """How long a client may pause within a request; beyond, intake answers 408."""
    body_total_seconds: float = Field(default=120.0, gt=0)
    """How long a request may take to arrive."""
    drain_seconds: float = Field(default=7.0, gt=0)
    """How long requests may take to finish at SIGTERM."""
    max_connections: int = Field(default=2_000, ge=1)
    """HTTP connections at a time; further ones are closed."""

    @model_validator(mode="after")
    def _a_request_fits(self) -> Self:
        if self.in_flight_bytes < 2 * self.max_body_bytes:
            raise ValueError("must be at least twice max_body_bytes, or no large request passes")
        return self

    @property
    def spool(self) -> Path:
        """Where acknowledged requests wait for the loader."""
        return self.data / "spool"


def load_settings(**overrides: object) -> EdgeSettings:
    """Read the environment; options of the command line win.

    Raises: ConfigurationError, which names the variable.
    """
    try:
        return EdgeSettings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        reason = str(first["msg"]).removeprefix("Value error, ")
        variable = f"THROUGHLINE_{name}" if name else "THROUGHLINE_IN_FLIGHT_BYTES"
        raise ConfigurationError(f"{variable}: {reason}.") from error
