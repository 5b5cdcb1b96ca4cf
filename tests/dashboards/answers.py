"""What tests of the API do with its answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem document and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    return body


async def everything(http: httpx.AsyncClient, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """Follow `next` to the end."""
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        more: dict[str, str] = {"cursor": cursor} if cursor else {}
        answer = await http.get(path, params={**parameters, **more})
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return items


def by_id(journeys: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return journeys by id."""
    return {one["id"]: one for one in journeys}
