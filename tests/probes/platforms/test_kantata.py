"""Kantata: the feed of events, from bytes as they are in a file."""

from pathlib import Path

import pytest

from tests.probes.platforms.cases import HERE, Case, cases, check
from throughline.probes.platforms import kantata
from throughline.probes.platforms.adapter import Adapter

CASES = cases("kantata")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_payload(case: Case) -> None:
    """Each payload is the events that stand beside it."""
    assert isinstance(kantata, Adapter)
    check(kantata, case)


def test_a_file_of_pages_is_in_order_and_without_repeats() -> None:
    """Polls overlap and the feed is in no order; what comes out happened in this order, each once."""
    case = next(case for case in CASES if case.name == "pages.json")
    content = Path(HERE / "kantata" / "pages.json").read_bytes()
    found = kantata.feed(content, case.connection)
    assert [event.event for event in found] == ["project.created", "project.updated", "time.approved"]
    assert found == kantata.parse(case.request, case.connection)


def test_invoices_count_here_unless_another_system_posts_them() -> None:
    """An invoice of Kantata is the invoice, or what was released for billing in the ERP."""
    case = next(case for case in CASES if case.name == "invoices.json")
    here = {name: value for name, value in case.connection.options.items() if name != "invoiced_by"}
    own = Case(case.name, case.request, case.connection.__class__("c", "kantata", options=here), [])
    found = kantata.parse(own.request, own.connection)
    assert [event.event for event in found] == ["invoice.posted", "invoice.credited"]
