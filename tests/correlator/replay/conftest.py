"""Failed deals that tests share; a control store and a target over real HTTP for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.correlator.replay.world import Endpoint, Firm, World
from throughline.collector.control import ControlStore
from throughline.collector.store import Store


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A target."""
    with Endpoint().serving() as served:
        yield served


@pytest.fixture(scope="module")
def firm(module_store: Store) -> Firm:
    """Failed deals for every test of a module."""
    return Firm(module_store)


@pytest.fixture
def world(firm: Firm, control: ControlStore, endpoint: Endpoint) -> World:
    """One test's look at them."""
    return World(firm, control, endpoint)
