"""What happens in the story of the shipped process `managed-service`."""

from __future__ import annotations

from dataclasses import replace

from tests.correlator.library_stories import Fact, say, won

SERVICE = {"contract_type": "managed_service"}
RENEWS = SERVICE | {"opportunity_type": "renewal"}


def deal_of(of: str, deal: str) -> str:
    """The link of a renewal or amendment to what it continues."""
    return f"salesforce.opportunity:{of}>salesforce.opportunity:{deal}"


def granted(at: str, deal: str, days: str, hours: str, rate: str = "") -> Fact:
    """Hours for the days `first/last`."""
    first, _, last = days.partition("/")
    namespace = "hubspot.deal" if deal.startswith("H") else "salesforce.opportunity"
    told = {"entitled_hours": hours, "first_day": first, "last_day": last, "overage_rate": rate}
    return replace(say(at, "entitlement.granted", f"{namespace}:{deal}", **told), currency="EUR")


def worked(at: str, number: int, day: str, hours: str, event: str = "time.approved") -> Fact:
    """Hours of service A."""
    keys = f"certinia.project:A certinia.timecard:{number}"
    return say(at, event, keys, "certinia.timecard", system="psa", work_date=day, hours=hours)


MANAGED = [
    # A: three years, renewed in time and then late, with an amendment; one year and one quarter are overdrawn
    won("2024-01-02T09:00", "A", "60000 EUR", **SERVICE),
    say(
        "2024-01-03T08:00",
        "project.created",
        "salesforce.opportunity:A certinia.project:A",
        "certinia.project",
    ),
    granted("2024-01-03T09:00", "A", "2024-01-01/2024-12-31", "480", "150"),
    worked("2024-05-13T09:00", 1, "2024-05-10", "300"),
    worked("2024-11-11T09:00", 2, "2024-11-05", "200"),
    say("2024-10-01T09:00", "contract.term_ending", "salesforce.opportunity:A"),
    won("2024-12-10T09:00", "AR1", "63000 EUR", links=deal_of("A", "AR1"), **RENEWS),
    granted("2024-12-11T09:00", "AR1", "2025-01-01/2025-12-31", "480", "155"),
    won("2025-03-03T09:00", "AM", "5000 EUR", links=deal_of("AR1", "AM"), opportunity_type="amendment"),
    granted("2025-03-04T09:00", "AM", "2025-01-01/2025-12-31", "20", "155"),
    worked("2025-06-16T09:00", 3, "2025-06-10", "450"),
    say("2025-10-01T09:00", "contract.term_ending", "salesforce.opportunity:AR1"),
    won("01-05T09:00", "AR2", "70000 EUR", links=deal_of("AR1", "AR2"), **RENEWS),
    granted("01-06T09:00", "AR2", "2026-01-01/2026-03-31", "120", "160"),
    granted("01-06T09:01", "AR2", "2026-04-01/2026-06-30", "120", "160"),
    worked("02-16T09:00", 4, "2026-02-10", "100"),
    worked("03-23T09:00", 5, "2026-03-20", "40"),
    worked("03-23T09:01", 6, "2026-03-21", "16"),
    worked("03-24T09:00", 6, "2026-03-21", "16", "time.unapproved"),
    worked("04-13T09:00", 7, "2026-04-10", "50"),
    # H: signed, and nobody has entered the hours
    say("04-01T09:00", "opportunity.closed_won", "hubspot.deal:H", money="500 EUR", **SERVICE),
    # B: renewed in another currency, granted without a price
    won("2025-04-01T09:00", "B", "100 EUR", **SERVICE),
    granted("2025-04-02T09:00", "B", "2025-04-01/2026-03-31", "10"),
    won("04-01T09:00", "BR", "120 USD", links=deal_of("B", "BR"), **RENEWS),
    granted("04-02T09:00", "BR", "2026-04-01/2027-03-31", "10", "90"),
    # C: the customer left; D: no managed service
    won("2025-01-07T09:00", "C", "90 EUR", **SERVICE),
    granted("2025-01-08T09:00", "C", "2025-01-01/2025-12-31", "8", "100"),
    say("2025-12-31T18:00", "contract.ended", "salesforce.opportunity:C"),
    won("03-02T09:00", "D", "70 EUR"),
]
