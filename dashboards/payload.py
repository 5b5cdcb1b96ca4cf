"""What a job of the engine is asked, as the control store keeps it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """The question of one kind of job."""

    model_config = ConfigDict(frozen=True)

    def text(self) -> str:
        """As it is stored."""
        return self.model_dump_json(by_alias=True)
