"""Settings of the engine process: where it stores, where it listens. Read once, at the entry point."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from throughline.probes.errors import ConfigurationError

Settings = TypeVar("Settings", bound=BaseSettings)


class EngineSettings(BaseSettings):
    """Every field is an environment variable `THROUGHLINE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="THROUGHLINE_", frozen=True, extra="ignore")

    data: Path = Field(default=Path("throughline-data"))
    """Folder for everything stored; made if missing."""

    store: str | None = Field(default=None)
    """`http(s)://user:password@host:8123/database` of a ClickHouse server; without it: embedded in `data`."""

    control: str | None = Field(default=None)
    """`postgresql://` URL of the control store; without it: a SQLite file in `data`."""

    config: Path | None = Field(default=None)
    """Folder of configuration files; without it only what is shipped counts."""

    host: str = Field(default="127.0.0.1")
    """Address to listen on; any but a loopback address needs tokens."""

    port: int = Field(default=8501, ge=1, le=65535)
    """Port of pages and API."""

    correlate_every_seconds: float = Field(default=0.25, gt=0.0, le=60.0)
    """Pause between two looks for new rows."""

    @property
    def store_url(self) -> str | Path:
        """Where facts live."""
        return self.store or self.data / "store"

    @property
    def control_url(self) -> str | Path:
        """Where control state lives."""
        return self.control or self.data / "control.db"

    @classmethod
    def load(cls) -> EngineSettings:
        """Read the environment. Raises: ConfigurationError."""
        return from_environment(cls)


def from_environment(settings: type[Settings]) -> Settings:
    """Make settings from the environment.

    Raises:
        ConfigurationError: names the variable and what is wrong with it.
    """
    try:
        return settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = f"THROUGHLINE_{'_'.join(str(part) for part in first['loc'])}".upper()
        raise ConfigurationError(f"{variable} is {first['input']!r}: {first['msg']}.") from error
