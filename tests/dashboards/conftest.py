"""Fixtures of API and pages: a seeded store with two tenants, and a client of each."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.dashboards.definition import definition
from tests.dashboards.seed import Seeded, seed
from tests.dashboards.seed_firm import NOW
from tests.stores import Stores
from throughline.collector.auth import ROLES, Access, Principal, Scope, Token
from throughline.collector.store import Store
from throughline.dashboards.api.app import create_api
from throughline.dashboards.deps import Deps

# Queries of people run on both engines (`test_query.py`); what API and pages ask is the same SQL.


@pytest.fixture
def store(stores: Stores) -> Iterator[Store]:
    """Yield a migrated, empty store, embedded."""
    with stores.store("embedded") as opened:
        yield opened


@pytest.fixture(scope="module")
def module_store(embedded_store: Store) -> Store:
    """The store that the tests of one module share."""
    return embedded_store


OURS, THEIRS, INGEST = "our-secret-token-0001", "their-secret-token-0002", "ingest-secret-token-0003"


def token(secret: str, tenant: str, scopes: frozenset[Scope]) -> Token:
    """Return a configured token."""
    return Token(hashlib.sha256(secret.encode()).digest(), Principal(tenant, scopes, f"{tenant}-token"))


ACCESS = Access(
    (
        token(OURS, "default", ROLES["viewer"]),
        token(THEIRS, "rival", ROLES["viewer"]),
        token(INGEST, "default", frozenset({Scope.INGEST})),
    )
)


@dataclass
class World:
    """Two tenants in one store."""

    deps: Deps
    ours: Seeded
    theirs: Seeded


@pytest.fixture(scope="module")
def shared(module_store: Store, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two tenants for all tests of a module that only read: our 60 journeys and a rival's 5."""
    return populated(module_store, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    """The same, for a test that writes or closes the store."""
    return populated(store, tmp_path)


def populated(store: Store, folder: Path) -> World:
    """Seed two tenants and configure tokens."""
    deps = Deps(
        store=store,
        access=lambda: ACCESS,
        spool=folder / "spool",
        processes=lambda: (definition(),),
        clock=lambda: NOW,
    )
    return World(deps, seed(store, count=60), seed(store, tenant="rival", count=5, number=99))


Client = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="module")
def client() -> Client:
    """Give a maker of clients of an API, used as `async with`; as in the engine, all routes are made once."""
    apis: list[tuple[Deps, FastAPI]] = []

    def api_of(deps: Deps) -> FastAPI:
        known = [api for one, api in apis if one is deps]
        if not known:
            known.append(create_api(deps))
            apis.append((deps, known[0]))
        return known[0]

    @asynccontextmanager
    async def make(deps: Deps, secret: str | None = OURS) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        transport = httpx.ASGITransport(app=api_of(deps), raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=headers
        ) as http:
            yield http

    return make
