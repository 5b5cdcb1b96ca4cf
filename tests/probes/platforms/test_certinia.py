"""Certinia: its objects over the channels of Salesforce."""

import json
from dataclasses import replace

import pytest

from tests.probes.platforms.cases import Case, cases, check
from throughline.probes.platforms import certinia, salesforce
from throughline.probes.platforms.adapter import Adapter

CASES = cases("certinia")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_payload(case: Case) -> None:
    """Each payload is the events that stand beside it."""
    assert isinstance(certinia, Adapter)
    check(certinia, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_connection_of_the_whole_organisation_says_the_same(case: Case) -> None:
    """The relay of an organisation need not tell its packages apart."""
    assert salesforce.parse(case.request, case.connection) == certinia.parse(case.request, case.connection)


def test_only_one_object_is_the_invoice() -> None:
    """Where another ERP posts invoices, a billing event that became one is no second invoice."""
    case = next(case for case in CASES if case.name == "released_and_invoiced.json")
    elsewhere = replace(case.connection, options={**case.connection.options, "invoiced_by": "none"})
    assert [event.event for event in certinia.parse(case.request, elsewhere)] == ["billing.released"]


def test_statuses_are_the_customers() -> None:
    """Labels that were changed in the organisation are told by options."""
    case = next(case for case in CASES if case.name == "timecards.json")
    body = case.request.body.replace(b'"Approved"', json.dumps("Genehmigt").encode())
    german = replace(case.connection, options={**case.connection.options, "approved_statuses": "genehmigt"})
    found = [event.event for event in certinia.parse(replace(case.request, body=body), german)]
    assert found.count("time.approved") == 1
