"""What models of request bodies share."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict


def sample(**fields: Any) -> dict[str, Any]:
    """What the description, and so its page, gives as an example of a model."""
    return {"examples": [fields]}


def body(**fields: Any) -> ConfigDict:
    """A body with an example; fields that nobody knows are refused."""
    return ConfigDict(extra="forbid", json_schema_extra=sample(**fields))
