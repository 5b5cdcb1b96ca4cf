"""The process that the seeded journeys follow."""

from __future__ import annotations

from throughline.correlator.definition import Process
from throughline.correlator.process import load_process

TEXT = """
process: opportunity-to-invoice
version: 1
title: Opportunity to invoice
owner: revenue-operations
keys:
  - salesforce.opportunity
  - certinia.project
  - certinia.timecard
  - netsuite.invoice
  - netsuite.payment
amount_of: closed_won
milestones:
  - {name: closed_won, event: opportunity.closed_won, owner: sales-operations}
  - {name: project_created, event: project.created, within: {time: 6h, of: closed_won}, on_late: stuck}
  - {name: time_approved, event: time.approved, repeats: true, optional: true}
  - {name: invoice_posted, event: invoice.posted, within: {time: 5d, of: time_approved.last}}
  - {name: paid, event: payment.applied, within: {time: 30d, of: invoice_posted}}
completed_by: paid
dropped_by: [opportunity.lost]
"""


def definition() -> Process:
    """Return it, read as from a file."""
    return load_process(TEXT)
