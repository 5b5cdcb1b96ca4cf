"""What happens in the stories of the shipped processes: one deal, customer or line that goes well, one that
is stuck, one that is amended or undone; of several ways of billing, legal entities and currencies, in the key
namespaces of several platforms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
"""A Monday; without a calendar every hour is a business hour and every day a business day."""


@dataclass(frozen=True)
class Fact:
    """One event: `at` is a time, of 2026 if it says no year, `keys` are `ns:value` and `links`
    `parent>child` with blanks between, `money` is `100 EUR`.
    """

    at: str
    event: str
    keys: str
    about: str = ""
    system: str = ""
    money: str = ""
    currency: str = ""
    entity: str = ""
    failed: bool = False
    links: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any]:
        """The event as business_events holds it."""
        amount, _, currency = self.money.partition(" ")
        return {
            "Time": datetime.fromisoformat(f"{self.at if self.at[4] == '-' else f'2026-{self.at}'}+00:00"),
            "Event": self.event,
            "Keys": sorted(tuple(key.split(":", 1)) for key in self.keys.split()),
            "Subject": self.about,
            "Links": self.links.split(),
            "System": self.system,
            "Amount": Decimal(amount) if amount else None,
            "Currency": currency or self.currency,
            "Entity": self.entity,
            "Failed": int(self.failed),
            "ExceptionClass": "remote" if self.failed else "",
            "ExceptionCode": "504" if self.failed else "",
            "Attributes": self.attributes,
        }


def say(at: str, event: str, keys: str, about: str = "", **facts: Any) -> Fact:
    """A fact; what is no field of it is an attribute."""
    fields = ("system", "money", "entity", "failed", "links")
    known = {name: facts.pop(name) for name in fields if name in facts}
    return Fact(at, event, keys, about, attributes={name: str(one) for name, one in facts.items()}, **known)


MASTER = {"legal_name": "Acme", "tax_id": "DE1", "country": "DE", "currency": "EUR", "payment_terms": "30"}

ONBOARDING = [
    # A: everything in time; the D365 of two legal entities
    say("03-02T09:00", "account.won", "salesforce.account:A", system="crm", **MASTER),
    say("03-02T15:00", "credit.approved", "salesforce.account:A", system="erp"),
    say("03-02T16:00", "customer.created", "salesforce.account:A kantata.client:9", system="psa", **MASTER),
    say("03-02T18:00", "customer.created", "salesforce.account:A d365.party:P1", system="erp", **MASTER),
    say("03-03T09:00", "customer.created", "d365.party:P1 d365.customer:USMF/C1", "d365.customer",
        system="erp", entity="USMF"),
    say("03-03T09:05", "customer.created", "d365.party:P1 d365.customer:DEMF/C1", "d365.customer",
        system="erp", entity="DEMF"),
    # B: credit is given, and the customer never reaches the ERP
    say("03-02T09:00", "account.won", "hubspot.company:B", system="crm", **MASTER),
    say("03-03T09:00", "credit.approved", "hubspot.company:B", system="erp"),
    say("03-03T10:00", "customer.created", "hubspot.company:B", system="erp", failed=True),
    # C: onboarded with another tax number than the CRM knows, which is corrected; then the credit expires
    say("03-02T09:00", "account.won", "salesforce.account:C", system="crm", **MASTER),
    say("03-02T10:00", "credit.approved", "salesforce.account:C", system="erp"),
    say("03-02T11:00", "customer.created", "salesforce.account:C netsuite.customer:7", system="erp",
        **MASTER | {"tax_id": "DE2"}),
    say("03-09T09:00", "customer.updated", "netsuite.customer:7", system="erp", tax_id="DE1"),
    say("04-01T09:00", "credit.expired", "salesforce.account:C", system="erp"),
    # D: a prospect is not onboarded; E: the sales team merges a double record
    say("03-02T09:00", "account.created", "salesforce.account:D", system="crm", **MASTER),
    say("03-02T09:00", "account.won", "salesforce.account:E", system="crm"),
    say("03-02T12:00", "account.merged", "salesforce.account:E", system="crm"),
]  # fmt: skip

READY = {"billing_schedule": "monthly", "budget": "900", "project_manager": "Ada", "tax_code": "V19"}
ACTIVATION = [
    # A: fixed fee, activated a day later
    say("03-02T09:00", "opportunity.closed_won", "salesforce.opportunity:A", money="1000 EUR"),
    say("03-02T10:00", "project.created", "salesforce.opportunity:A certinia.project:PA", "certinia.project",
        system="psa", entity="DE01", billing_type="fixed_fee"),
    say("03-03T10:00", "project.updated", "certinia.project:PA", system="psa", **READY),
    say("03-03T11:00", "project.booked", "certinia.project:PA netsuite.job:J", "certinia.project",
        system="erp", entity="DE01", tax_code="V19"),
    # B: created, and nobody plans its fee; the ERP has it in another legal entity
    say("03-02T09:00", "opportunity.closed_won", "hubspot.deal:B", money="500 USD"),
    say("03-02T10:00", "project.created", "hubspot.deal:B kantata.workspace:PB", "kantata.workspace",
        system="psa", entity="US01", billing_type="milestone", budget="400", project_manager="Bo"),
    say("03-02T11:00", "project.booked", "kantata.workspace:PB", system="erp", entity="CA01"),
    # C: time & materials needs rates, no schedule. Deleted, made again, in time no more
    say("03-02T09:00", "opportunity.closed_won", "salesforce.opportunity:C", money="70 GBP"),
    say("03-02T10:00", "project.created", "salesforce.opportunity:C sap.project:PC", "sap.project",
        system="psa", billing_type="time_and_materials", rate_card="std", budget="9", project_manager="Cy"),
    say("03-02T11:00", "project.deleted", "sap.project:PC"),
    say("03-05T09:00", "project.created", "salesforce.opportunity:C sap.project:PC", "sap.project",
        system="psa", billing_type="time_and_materials"),
    # D: the same request made two projects
    say("03-02T09:00", "opportunity.closed_won", "salesforce.opportunity:D", money="60 EUR"),
    *(say(f"03-02T09:0{n}", "project.created", f"salesforce.opportunity:D oracle.project:PD{n}",
          "oracle.project", system="psa", billing_type="recurring", **READY,
          **{"business.idempotency_key": "k1"}) for n in (1, 2)),
    # E: an amendment is another process's affair; F: the deal was opened again
    say("03-02T09:00", "opportunity.closed_won", "salesforce.opportunity:E", opportunity_type="amendment"),
    say("03-02T09:00", "opportunity.closed_won", "salesforce.opportunity:F", money="80 EUR"),
    say("03-02T10:00", "opportunity.reopened", "salesforce.opportunity:F"),
]  # fmt: skip


def card(at: str, event: str, number: str, day: str, money: str = "", **more: Any) -> Fact:
    """What happens to one timecard or expense of project P; `day` is when it was worked or incurred."""
    kind = "expense" if event.startswith("expense") else "timecard"
    date = {"expense_date" if kind == "expense" else "work_date": f"2026-{day}"}
    keys = f"certinia.project:P certinia.{kind}:{number}"
    attributes = {"business.key.certinia.project": "P"} | date | more
    return say(at, event, keys, f"certinia.{kind}", system="psa", money=money, **attributes)


# The month of March is cut off on 31 March 24:00: released by 3 April 24:00, posted by 5 April 24:00.
TIME = [
    # 1: billed in time, with 2
    card("03-06T17:00", "time.approved", "1", "03-05", "1000 EUR", billing_type="time_and_materials"),
    card("03-06T17:01", "time.approved", "2", "03-06", "200 EUR"),
    say("04-02T09:00", "billing.released",
        "certinia.timecard:1 certinia.timecard:2 certinia.billing_event:X", "certinia.billing_event"),
    say("04-02T10:00", "invoice.posted", "certinia.billing_event:X netsuite.invoice:I1", "netsuite.invoice",
        money="1200 EUR"),
    # 3: approved, and billed by nobody; without a rate
    card("03-09T17:00", "time.approved", "3", "03-09"),
    # 4: taken back by the approver; 5: on a fixed fee, 6: not billable
    card("03-10T17:00", "time.approved", "4", "03-10", "400 EUR"),
    card("03-11T17:00", "time.unapproved", "4", "03-10"),
    card("03-12T17:00", "time.approved", "5", "03-12", "500 EUR", billing_type="fixed_fee"),
    card("03-12T17:00", "time.approved", "6", "03-12", "600 EUR", billable="false"),
    # a billing event of fees alone
    say("04-01T09:00", "billing.released", "certinia.project:P certinia.billing_event:Z",
        "certinia.billing_event", money="900 EUR"),
    # 7: billed, credited, and not billed again; the ERP bills for another legal entity
    card("03-13T17:00", "time.approved", "7", "03-13", "70 USD", entity="DE01"),
    say("04-01T09:00", "billing.released", "certinia.timecard:7 certinia.billing_event:Y",
        "certinia.billing_event"),
    say("04-01T10:00", "invoice.posted", "certinia.billing_event:Y oracle.invoice:I2", "oracle.invoice",
        money="70 USD"),
    say("04-01T11:00", "time.costed", "certinia.timecard:7", system="erp", entity="US01"),
    say("04-08T09:00", "invoice.credited", "oracle.invoice:I2", money="70 USD"),
]  # fmt: skip

EXPENSES = [
    # 1: in time
    card("03-03T09:00", "expense.submitted", "1", "03-01", "100 EUR", receipt="r.pdf"),
    card("03-04T09:00", "expense.approved", "1", "03-01", "100 EUR"),
    say(
        "04-01T09:00",
        "billing.released",
        "certinia.expense:1 certinia.billing_event:X",
        "certinia.billing_event",
    ),
    say(
        "04-02T09:00",
        "invoice.posted",
        "certinia.billing_event:X sap.billing_document:I1",
        "sap.billing_document",
        money="100 EUR",
    ),
    # 2: approved late, never released, without its receipt
    card("03-03T09:00", "expense.submitted", "2", "03-02", "20 EUR"),
    card("03-09T09:00", "expense.approved", "2", "03-02", "20 EUR"),
    # 3: rejected, corrected, approved again, in dollars; the receipt is not needed
    card("03-03T09:00", "expense.submitted", "3", "03-02", "35 USD", receipt_required="false"),
    card("03-04T09:00", "expense.approved", "3", "03-02", "35 USD"),
    card("03-05T09:00", "expense.rejected", "3", "03-02"),
    card("03-06T09:00", "expense.submitted", "3", "03-02", "30 USD"),
    card("03-07T09:00", "expense.approved", "3", "03-02", "30 USD"),
    # a billing event of fees alone
    say(
        "04-01T09:00",
        "billing.released",
        "certinia.project:P certinia.billing_event:Z",
        "certinia.billing_event",
        money="900 EUR",
    ),
    # 4: in the price
    card("03-03T09:00", "expense.submitted", "4", "03-02", "5 EUR", billable="false"),
]

_REQUEST = {"start_date": "2026-03-16", "requested_hours": "80"}
RESOURCES = [
    # A: an option, then a promise; scheduled twice, forecast twice
    say("03-02T09:00", "resource.requested", "certinia.resource_request:A", **_REQUEST),
    say(
        "03-03T09:00",
        "assignment.created",
        "certinia.resource_request:A certinia.assignment:SA",
        "certinia.assignment",
        booking="soft",
    ),
    say("03-10T09:00", "assignment.updated", "certinia.assignment:SA", booking="hard"),
    say("03-10T10:00", "schedule.published", "certinia.assignment:SA", system="psa", scheduled_hours="80"),
    say(
        "03-10T20:00",
        "forecast.updated",
        "certinia.assignment:SA netsuite.forecast:FA",
        "netsuite.forecast",
        system="erp",
        hours="80",
    ),
    say("03-20T10:00", "schedule.published", "certinia.assignment:SA", system="psa", scheduled_hours="60"),
    say("03-20T12:00", "forecast.updated", "netsuite.forecast:FA", system="erp", hours="60"),
    # B: an option until the work began
    say("03-02T09:00", "resource.requested", "kantata.resource_request:B", **_REQUEST),
    say(
        "03-03T09:00",
        "assignment.created",
        "kantata.resource_request:B kantata.assignment:SB",
        "kantata.assignment",
        booking="soft",
    ),
    # C: promised and forecast, released again; the ERP has it in another legal entity
    say("03-02T09:00", "resource.requested", "certinia.resource_request:C", **_REQUEST),
    say(
        "03-03T09:00",
        "assignment.created",
        "certinia.resource_request:C certinia.assignment:SC",
        "certinia.assignment",
        booking="hard",
        system="psa",
        entity="DE01",
    ),
    say("03-03T10:00", "schedule.published", "certinia.assignment:SC", system="psa", scheduled_hours="100"),
    say(
        "03-03T11:00",
        "forecast.updated",
        "certinia.assignment:SC d365.forecast:FC",
        "certinia.assignment",
        system="erp",
        entity="FR01",
    ),
    say("03-05T09:00", "assignment.released", "certinia.assignment:SC"),
    # D: asked for, and no longer wanted
    say("03-02T09:00", "resource.requested", "d365.resource_request:D", **_REQUEST),
    say("03-04T09:00", "resource.request_cancelled", "d365.resource_request:D"),
]

BILLING = [
    # A: time & materials: two weeks, one billing event, one invoice, paid
    say("03-02T09:00", "opportunity.closed_won", "salesforce.opportunity:A", money="1000 EUR"),
    say("03-02T10:00", "project.created", "salesforce.opportunity:A certinia.project:PA"),
    *(
        say(f"03-{day}T17:00", "time.approved", f"certinia.project:PA certinia.timecard:{day}",
            "certinia.timecard", money="550 EUR") for day in ("06", "13")),
    say("03-16T09:00", "billing.released",
        "certinia.timecard:06 certinia.timecard:13 certinia.billing_event:BA", "certinia.billing_event"),
    say("03-16T10:00", "invoice.posted", "certinia.billing_event:BA netsuite.invoice:IA", "netsuite.invoice",
        money="1100 EUR"),
    say("04-10T10:00", "payment.applied", "netsuite.invoice:IA netsuite.payment:ZA", "netsuite.payment",
        money="1100 EUR"),
    # B: a fee: approved time asks for no billing; the ERP has refused the invoice since
    say("03-02T09:00", "opportunity.closed_won", "salesforce.opportunity:B", money="500 USD"),
    say("03-02T10:00", "project.created", "salesforce.opportunity:B d365.project:PB",
        billing_type="fixed_fee"),
    say("03-06T17:00", "time.approved", "d365.project:PB certinia.timecard:B", "certinia.timecard",
        billing_type="fixed_fee"),
    say("03-31T09:00", "billing.released", "d365.project:PB certinia.billing_event:BB",
        "certinia.billing_event", money="500 USD"),
    say("03-31T10:00", "invoice.posted", "certinia.billing_event:BB d365.invoice:IB", "d365.invoice",
        money="500 USD", failed=True),
    # C: a fee billed twice, and credited once; two legal entities
    say("03-02T09:00", "opportunity.closed_won", "hubspot.deal:C", money="300 EUR"),
    say("03-02T12:00", "project.created", "hubspot.deal:C kantata.workspace:PC", "kantata.workspace",
        system="psa", entity="DE01", billing_type="milestone"),
    say("03-03T12:00", "project.booked", "kantata.workspace:PC", system="erp", entity="DE02"),
    say("03-31T09:00", "billing.released", "kantata.workspace:PC kantata.invoice:BC", "kantata.invoice",
        money="300 EUR"),
    *(say(f"03-31T1{n}:00", "invoice.posted", f"kantata.invoice:BC netsuite.invoice:IC{n}",
          "netsuite.invoice", money="300 EUR") for n in (1, 2)),
    say("04-02T10:00", "invoice.credited", "netsuite.invoice:IC2", money="250 EUR"),
]  # fmt: skip

FEEDBACK = [
    # A: March as it should be; closed in April
    say("02-20T09:00", "project.created", "certinia.project:A", system="psa", contract_value="900",
        entity="DE01", currency="EUR"),
    say("02-20T10:00", "revenue.scheduled", "certinia.project:A netsuite.revenue_plan:A3",
        "netsuite.revenue_plan", system="erp", planned="900"),
    say("03-10T09:00", "cost.posted", "certinia.project:A", system="erp", entity="DE01", actual_cost="300"),
    say("03-11T02:00", "actuals.returned", "certinia.project:A", system="psa", actual_cost="300"),
    say("04-02T09:00", "revenue.recognised", "netsuite.revenue_plan:A3", system="erp", money="900 EUR",
        recognised="900"),
    say("04-02T10:00", "wip.measured", "certinia.project:A", system="erp"),
    say("04-03T09:00", "financials.returned", "certinia.project:A", system="psa"),
    say("04-03T10:00", "financials.returned", "certinia.project:A", system="crm"),
    say("04-10T09:00", "project.closed", "certinia.project:A", system="psa"),
    # B: the second cost is not returned, no revenue is recognised, and the schedule is short of the contract
    say("02-20T09:00", "project.created", "kantata.workspace:B", system="psa", contract_value="500"),
    say("02-20T10:00", "revenue.scheduled", "kantata.workspace:B oracle.revenue_line:B3",
        "oracle.revenue_line", system="erp", planned="400"),
    say("03-10T09:00", "cost.posted", "kantata.workspace:B", system="erp"),
    say("03-10T19:00", "actuals.returned", "kantata.workspace:B", system="psa"),
    say("03-20T09:00", "cost.posted", "kantata.workspace:B", system="erp"),
    # C: recognised more than was signed, and reversed
    say("02-20T09:00", "project.created", "sap.project:C", system="psa", contract_value="100"),
    say("03-05T09:00", "cost.posted", "sap.project:C", system="erp"),
    say("03-05T10:00", "actuals.returned", "sap.project:C", system="psa"),
    say("04-01T09:00", "revenue.recognised", "sap.project:C sap.revenue_item:C3", "sap.revenue_item",
        system="erp", money="150 GBP", planned="150", recognised="150"),
    say("04-02T09:00", "revenue.reversed", "sap.revenue_item:C3", system="erp"),
    # D: no posting yet
    say("02-20T09:00", "project.created", "certinia.project:D", system="psa"),
]  # fmt: skip


def won(at: str, deal: str, money: str, project: str = "", **more: Any) -> Fact:
    """A signature; an amendment names the project too."""
    namespace = "salesforce.opportunity"
    return say(at, "opportunity.closed_won", f"{namespace}:{deal} {project}", namespace, system="crm",
               money=money, **more)  # fmt: skip


_AMENDS = {"opportunity_type": "amendment"}
AMENDMENTS = [
    # A: 1000 and 200, taken over within a day
    won("01-05T09:00", "A1", "1000 EUR"),
    say(
        "01-05T10:00",
        "project.created",
        "salesforce.opportunity:A1 certinia.project:A",
        "certinia.project",
        system="psa",
        contract_value="1000",
    ),
    say("01-20T10:00", "project.updated", "certinia.project:A", system="psa", budget="900"),
    won("03-02T09:00", "A2", "200 EUR", "certinia.project:A", **_AMENDS),
    say("03-03T09:00", "project.updated", "certinia.project:A", system="psa", contract_value="1200"),
    say("03-04T09:00", "billing_schedule.updated", "certinia.project:A", system="psa"),
    # B: a second amendment, in another currency, that nobody has taken over
    won("01-05T09:00", "B1", "500 USD"),
    say(
        "01-05T10:00",
        "project.created",
        "salesforce.opportunity:B1 oracle.project:B",
        "oracle.project",
        system="psa",
        contract_value="500",
    ),
    won("02-02T09:00", "B2", "50 USD", "oracle.project:B", **_AMENDS),
    say("02-03T09:00", "project.updated", "oracle.project:B", system="psa", contract_value="550"),
    say("02-03T10:00", "billing_schedule.updated", "oracle.project:B", system="psa"),
    won("03-02T09:00", "B3", "10 CAD", "oracle.project:B", **_AMENDS),
    # C: the amendment was taken over, and the deal opened again: nothing is left of it
    won("01-05T09:00", "C1", "100 EUR"),
    say(
        "01-05T10:00",
        "project.created",
        "salesforce.opportunity:C1 kantata.workspace:C",
        "kantata.workspace",
        system="psa",
        contract_value="100",
    ),
    won("03-02T09:00", "C2", "30 EUR", "kantata.workspace:C", **_AMENDS),
    say("03-03T09:00", "project.updated", "kantata.workspace:C", system="psa", contract_value="130"),
    say("03-09T09:00", "opportunity.reopened", "salesforce.opportunity:C2"),
    # D: never amended
    won("01-05T09:00", "D1", "100 EUR"),
    say("01-05T10:00", "project.created", "salesforce.opportunity:D1 certinia.project:D", "certinia.project"),
]

STORIES = {
    "customer-onboarding": ONBOARDING,
    "opportunity-to-project": ACTIVATION,
    "time-to-billing": TIME,
    "expense-to-billing": EXPENSES,
    "resource-to-forecast": RESOURCES,
    "opportunity-to-invoice": BILLING,
    "project-financial-feedback": FEEDBACK,
    "contract-amendment": AMENDMENTS,
}
