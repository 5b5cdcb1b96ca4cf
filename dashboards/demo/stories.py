"""What can happen to a deal.  Each story builds the events of one or several deals up to their end.

A story may tell the future too: the plan cuts it at the present.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from throughline.dashboards.demo.catalog import (
    EXPIRED,
    NAMELESS,
    ROW_LOCK,
    TAKEN,
    TAX_CODE,
    TEMPLATE,
    TIMEOUT,
    UNKNOWN_OUTCOME,
    Cause,
)
from throughline.dashboards.demo.deal import Deal
from throughline.dashboards.demo.systems import key
from throughline.probes import vocabulary as v

Story = Callable[[Deal, datetime], None]
"""Called with a deal and the moment at which it is won (or first heard of)."""


def begin(deal: Deal, won: datetime) -> datetime:
    """Won, and the project created in time; returns when."""
    deal.closed_won(won)
    return deal.project_created(won + timedelta(minutes=deal.rng.uniform(4, 90)))


def work(deal: Deal, moment: datetime) -> datetime:
    """Two to four approved timecards, within the billing clock; returns when the last was approved."""
    for number in range(deal.rng.randint(2, 4)):
        approved = deal.after(moment, 12, 24)
        if approved - moment > timedelta(days=2.5):  # somebody cannot wait for Monday
            approved = moment + timedelta(hours=deal.rng.uniform(20, 50))
        moment = deal.time_approved(approved)
        if number == 0 and deal.rng.random() < 0.1:  # noqa: PLR2004 one deal in ten
            back = moment + timedelta(minutes=deal.rng.uniform(5, 50))
            moment = deal.time_taken_back(back, back + timedelta(minutes=20))
    return moment


def bill(deal: Deal, moment: datetime) -> tuple[datetime, str]:
    """Released and posted; returns when, and the invoice."""
    released = deal.billing_released(deal.after(moment, 1, 5))
    invoice = deal.next_invoice()
    return deal.invoice_posted(_by_machine(deal, released), invoice), invoice


def _by_machine(deal: Deal, moment: datetime) -> datetime:
    """Some hours later, at any time of the day or week: what runs by itself does not wait for an office."""
    return moment + timedelta(hours=deal.rng.uniform(0.5, 8))


def finish(deal: Deal, moment: datetime) -> None:
    """From the project to the payment."""
    posted, invoice = bill(deal, work(deal, moment))
    deal.paid(deal.after(posted, 5 * 24, 24 * 24), invoice)


def healthy(deal: Deal, won: datetime) -> None:
    """All goes well."""
    finish(deal, begin(deal, won))


def migrated(deal: Deal, won: datetime) -> None:
    """The deal exists in both CRMs: one event names both, which makes them one object."""
    other = key("hubspot-uk01", "opportunity", deal.label, deal.entity.code)
    ours = deal.namespace, deal.opportunity
    deal.closed_won(won, keys={v.HUBSPOT_DEAL: other})
    known = len(deal.events)
    deal.namespace, deal.opportunity = v.HUBSPOT_DEAL, other
    created = deal.project_created(won + timedelta(minutes=deal.rng.uniform(4, 90)))
    deal.namespace, deal.opportunity = ours
    deal.events[known:] = [replace(one, journeys=(deal.root,)) for one in deal.events[known:]]
    finish(deal, created)


def stuck(deal: Deal, won: datetime) -> None:
    """The project is never created: the middleware lost the message."""
    deal.closed_won(won)


def rejected(deal: Deal, won: datetime) -> None:
    """The PSA refuses the project, again and again."""
    deal.closed_won(won)
    moment = won
    for _ in range(deal.rng.randint(2, 4)):
        moment = deal.project_failed(moment + timedelta(minutes=deal.rng.uniform(5, 40)), TEMPLATE, kept=True)
    with deal.once_mended():
        finish(deal, deal.project_created(moment + timedelta(minutes=5)))


def nameless(deal: Deal, won: datetime) -> None:
    """Somebody won a deal for a customer without a name, and the PSA takes no project for it."""
    deal.closed_won(won)
    failed = deal.project_failed(won + timedelta(minutes=deal.rng.uniform(2, 9)), NAMELESS, kept=True)
    with deal.once_mended():
        finish(deal, deal.project_created(failed + timedelta(minutes=5)))


def split(deal: Deal, won: datetime) -> None:
    """Somebody clicked twice: two projects for one deal, which a check finds."""
    created = begin(deal, won)
    first = deal.project
    deal.project = deal.record("psa", "project", "B")
    deal.project_created(created + timedelta(minutes=3))
    deal.project = first
    finish(deal, created)


def late_invoice(deal: Deal, won: datetime) -> None:
    """Time is approved, and nobody releases the billing."""
    work(deal, begin(deal, won))


def late_payment(deal: Deal, won: datetime) -> None:
    """The invoice is posted, and the customer does not pay."""
    bill(deal, work(deal, begin(deal, won)))


def untaxed(deal: Deal, won: datetime) -> None:
    """The ERP refuses the invoice for want of a tax code; several deals of one entity share the cause."""
    _refused(deal, won, TAX_CODE, times=deal.rng.randint(1, 3), kept=True)


def expired(deal: Deal, won: datetime) -> None:
    """For a night the middleware had no valid token; nothing is wrong with what it sent."""
    _refused(deal, won, EXPIRED)


def unknown_outcome(deal: Deal, won: datetime) -> None:
    """The ERP did not answer in time."""
    _refused(deal, won, UNKNOWN_OUTCOME)


def taken(deal: Deal, won: datetime) -> None:
    """Somebody made a draft of the invoice by hand, with the number that the middleware would give it."""
    _refused(deal, won, TAKEN, kept=True)


def _refused(deal: Deal, won: datetime, cause: Cause, *, times: int = 1, kept: bool = False) -> None:
    """The ERP does not post the invoice, until somebody sees to it; then the customer pays."""
    approved = work(deal, begin(deal, won))
    moment = deal.billing_released(approved + timedelta(minutes=30))
    invoice = deal.next_invoice()
    for _ in range(times):
        moment = deal.invoice_failed(
            moment + timedelta(minutes=deal.rng.uniform(10, 90)), invoice, cause, kept=kept
        )
    with deal.once_mended():
        posted = deal.invoice_posted(moment + timedelta(minutes=5), invoice)
        deal.paid(deal.after(posted, 5 * 24, 24 * 24), invoice)


def recovered(deal: Deal, won: datetime) -> None:
    """A hop fails once or twice, then succeeds."""
    if deal.rng.random() < 0.5:  # noqa: PLR2004 half of them
        deal.closed_won(won)
        again = deal.project_failed(won + timedelta(minutes=deal.rng.uniform(2, 10)), ROW_LOCK)
        finish(deal, deal.project_created(again + timedelta(minutes=deal.rng.uniform(5, 60))))
        return
    released = deal.billing_released(deal.after(work(deal, begin(deal, won)), 1, 5))
    invoice = deal.next_invoice()
    failed = deal.invoice_failed(_by_machine(deal, released), invoice, TIMEOUT)
    posted = deal.invoice_posted(failed + timedelta(minutes=deal.rng.uniform(10, 50)), invoice)
    deal.paid(deal.after(posted, 5 * 24, 24 * 24), invoice)


def duplicated(deal: Deal, won: datetime) -> None:
    """The middleware delivers at least once: half of the events arrive two or three times."""
    healthy(deal, won)
    deal.events = [
        replace(event, copies=deal.rng.randint(2, 3)) if deal.rng.random() < 0.5 else event  # noqa: PLR2004 half
        for event in deal.events
    ]


def resent(deal: Deal, won: datetime) -> None:
    """A client that got no answer sends its request again."""
    healthy(deal, won)
    at = deal.rng.randrange(len(deal.events))
    deal.events[at] = replace(deal.events[at], resent=True)


def out_of_order(deal: Deal, won: datetime) -> None:
    """A connector was down and catches up newest first: the payment arrives before the project."""
    healthy(deal, won)
    times = [event.sent for event in deal.events]
    deal.events = [
        replace(event, sent=sent) for event, sent in zip(deal.events, reversed(times), strict=True)
    ]


def credited(deal: Deal, won: datetime) -> None:
    """The invoice is wrong: credited, and billed again under a new number."""
    posted, invoice = bill(deal, work(deal, begin(deal, won)))
    back = deal.invoice_credited(deal.after(posted, 20, 60), invoice)
    again = deal.next_invoice()
    posted = deal.invoice_posted(_by_machine(deal, back), again)
    deal.paid(deal.after(posted, 5 * 24, 20 * 24), again)


def lost(deal: Deal, won: datetime) -> None:
    """The deal is lost; one in three after it had been won."""
    if deal.rng.random() < 0.33:  # noqa: PLR2004 one in three
        deal.closed_won(won)
        won += timedelta(hours=2)
    deal.lost(won)


def cancelled(deal: Deal, won: datetime) -> None:
    """The project is cancelled after some work."""
    deal.cancelled(deal.after(work(deal, begin(deal, won)), 4, 20))


def internal(deal: Deal, won: datetime) -> None:
    """Not billable: the process leaves it out."""
    deal.billable = False
    deal.closed_won(won)
    deal.project_created(won + timedelta(minutes=30))


def orphan(deal: Deal, won: datetime) -> None:
    """Somebody made the project by hand, without an opportunity."""
    deal.orphaned()
    deal.say(
        "psa", v.PROJECT_CREATED, won, {deal.runs.project: deal.project},
        attributes={"billing_schedule": "monthly", "created_by": "hand"},
    )  # fmt: skip


def adopted(deal: Deal, won: datetime) -> None:
    """A project made by hand, linked to its opportunity afterwards: the orphan is absorbed."""
    deal.say(
        "psa", v.PROJECT_CREATED, won + timedelta(minutes=15), {deal.runs.project: deal.project},
        attributes={"billing_schedule": "monthly", "created_by": "hand"},
    )  # fmt: skip
    approved = work(deal, won)
    deal.closed_won(won)
    deal.events[-1] = replace(deal.events[-1], sent=approved + timedelta(minutes=10))
    deal.say(
        "psa", "project.linked", approved + timedelta(minutes=30),
        {deal.namespace: deal.opportunity, deal.runs.project: deal.project},
    )  # fmt: skip
    posted, invoice = bill(deal, approved)
    deal.paid(deal.after(posted, 5 * 24, 24 * 24), invoice)


def placeholder(deal: Deal, won: datetime) -> None:
    """A connector fills unknown keys with N/A and 0, which must link nothing."""
    deal.closed_won(won, keys={v.HUBSPOT_DEAL: "N/A"})
    created = won + timedelta(minutes=deal.rng.uniform(4, 90))
    deal.project_created(created, keys={v.KANTATA_WORKSPACE: "0", v.NETSUITE_JOB: "unknown"})
    finish(deal, created)


def consolidated(deals: list[Deal], won: datetime) -> None:
    """One invoice and one payment over several projects of one customer."""
    first = deals[0]
    for deal in deals:
        deal.customer = first.customer
    closing = _work_together(deals, won)
    for deal in deals:
        deal.billing_released(closing + timedelta(minutes=deal.rng.uniform(10, 50)))
    invoice = first.next_invoice()
    posted = _by_machine(first, closing + timedelta(hours=1))
    roots = tuple(deal.root for deal in deals)
    total = sum((deal.amount for deal in deals), Decimal(0))
    keys: dict[str, Any] = {
        first.runs.billing: tuple(deal.billings[-1] for deal in deals),
        first.runs.invoice: invoice,
    }
    first.say(
        "erp", v.INVOICE_POSTED, posted, keys,
        via=("middleware",), journeys=roots, subject=first.runs.invoice, amount=total,
        accounting_date=posted.date(),
    )  # fmt: skip
    first.paid(first.after(posted, 4 * 24, 20 * 24), invoice, amount=total, journeys=roots)


def batched(deals: list[Deal], won: datetime) -> None:
    """A nightly job names all timecards and all billing events at once: which belongs to which is unknown."""
    night = _work_together(deals, won) + timedelta(hours=2)
    for deal in deals:
        _two_billings(deal, night)
    keys = {
        deals[0].runs.timecard: tuple(card for deal in deals for card in deal.timecards),
        deals[0].runs.billing: tuple(billing for deal in deals for billing in deal.billings),
    }
    deals[0].say("middleware", "", night + timedelta(minutes=30), keys, via=("middleware",), journeys=())
    for deal in deals:
        invoice = deal.next_invoice()
        posted = deal.invoice_posted(_by_machine(deal, night), invoice)
        deal.paid(deal.after(posted, 5 * 24, 20 * 24), invoice)


def _work_together(deals: list[Deal], won: datetime) -> datetime:
    """Deals won at about one time, whose last timecards are approved together; returns when."""
    ends = [work(deal, begin(deal, won + timedelta(minutes=10 * n))) for n, deal in enumerate(deals)]
    closing = deals[0].after(max(ends), 1, 4)
    for deal in deals:
        deal.time_approved(closing + timedelta(seconds=deal.rng.uniform(0, 300)))
    return closing + timedelta(minutes=5)


def _two_billings(deal: Deal, at: datetime) -> None:
    """One event releases two billing events and says by explicit links which timecard is in which."""
    deal.billings += [deal.next_billing()]
    deal.billings += [deal.next_billing()]
    first, *others = deal.timecards
    bills = {first: deal.billings[0]} | dict.fromkeys(others, deal.billings[1])
    pairs = (
        (f"{deal.runs.timecard}:{card}", f"{deal.runs.billing}:{billing}") for card, billing in bills.items()
    )
    deal.say(
        "psa", v.BILLING_RELEASED, at,
        {
            deal.runs.project: deal.project,
            deal.runs.timecard: tuple(deal.timecards),
            deal.runs.billing: tuple(deal.billings),
        },
        subject=deal.runs.billing,
        amount=deal.amount,
        links=tuple(pairs),
    )  # fmt: skip
