"""Where secrets stand: in the environment or in files, never in a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from throughline.probes.errors import ConfigurationError


class MissingSecret(ConfigurationError):
    """A secret can't be read; set the variable or mount the file that the message names."""


class SecretSource(BaseModel):
    """`{env: NAME}` or `{file: PATH}`; read when it is needed, so that a rotation needs no restart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str = ""
    file: Path | None = None

    def read(self, environ: Mapping[str, str]) -> bytes:
        """The secret itself, without blanks around it. Raises: MissingSecret."""
        if bool(self.env) == (self.file is not None):
            raise MissingSecret("a secret is {env: NAME} or {file: PATH}")
        if self.file is None:
            found = environ.get(self.env, "").strip().encode()
            if not found:
                raise MissingSecret(f"the environment variable {self.env} is not set")
            return found
        try:
            found = self.file.read_bytes().strip()
        except OSError as error:
            raise MissingSecret(f"{self.file} can't be read: {error.strerror}") from error
        if not found:
            raise MissingSecret(f"{self.file} is empty")
        return found

    def text(self, environ: Mapping[str, str]) -> str:
        """The same as text. Raises: MissingSecret."""
        try:
            return self.read(environ).decode()
        except UnicodeDecodeError as error:
            raise MissingSecret(f"{self.file or self.env} is no UTF-8 text") from error
