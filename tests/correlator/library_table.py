"""What has to come of the stories: by root the status, the amount, what is open, and each milestone."""

EXPECTED = {
    "managed-service": {
        # 60000 + 63000 + 5000 + 70000; 500 - 480 hours at 150, 140 - 120 hours at 160
        "salesforce.opportunity:A": (
            "in_flight 198000 EUR; entitlement-not-overdrawn\n"
            "contracted: met x4 02.01. 09:00\n"
            "entitled: met x2 06.01. 09:00 by 07.01. 09:00\n"
            "service_used: met x6 13.05. 09:00\n"
            "term_ending: met x2 01.10. 09:00\n"
            "renewed: met_late 05.01. 09:00 by 30.12. 09:00\n"
            "ended: pending\n"
            "hours 2024-01-01 to 2024-12-31, over: 500 of 480, 0 left, 20 overdrawn = 3000 EUR\n"
            "hours 2025-01-01 to 2025-12-31, over: 450 of 500, 50 left, 0 overdrawn = 0 EUR\n"
            "hours 2026-01-01 to 2026-03-31, over: 140 of 120, 0 left, 20 overdrawn = 3200 EUR\n"
            "hours 2026-04-01 to 2026-06-30, running: 50 of 120, 70 left, 0 overdrawn = 0 EUR"
        ),
        "hubspot.deal:H": (
            "stuck 500 EUR\n"
            "contracted: met 01.04. 09:00\n"
            "entitled: late by 03.04. 09:00\n"
            "service_used: pending\n"
            "term_ending: pending\n"
            "renewed: pending\n"
            "ended: pending"
        ),
        "salesforce.opportunity:B": (
            "in_flight; one-currency, overage-priced\n"
            "contracted: met x2 01.04. 09:00\n"
            "entitled: met 02.04. 09:00 by 03.04. 09:00\n"
            "service_used: pending\n"
            "term_ending: pending\n"
            "renewed: pending\n"
            "ended: pending\n"
            "hours 2025-04-01 to 2026-03-31, over: 0 of 10, 10 left, 0 overdrawn\n"
            "hours 2026-04-01 to 2027-03-31, running: 0 of 10, 10 left, 0 overdrawn = 0 EUR"
        ),
        "salesforce.opportunity:C": (
            "completed 90 EUR\n"
            "contracted: met 07.01. 09:00\n"
            "entitled: met 08.01. 09:00 by 09.01. 09:00\n"
            "service_used: skipped\n"
            "term_ending: skipped\n"
            "renewed: skipped\n"
            "ended: met 31.12. 18:00\n"
            "hours 2025-01-01 to 2025-12-31, over: 0 of 8, 8 left, 0 overdrawn = 0 EUR"
        ),
    },
    "customer-onboarding": {
        "d365.party:P1": (
            "completed\n"
            "account_won: met 02.03. 09:00\n"
            "credit_approved: met 02.03. 15:00 by 04.03. 09:00\n"
            "psa_customer_created: met 02.03. 16:00\n"
            "erp_customer_created: met x3 02.03. 18:00 by 03.03. 15:00\n"
            "onboarded: met 02.03. 18:00 by 04.03. 18:00"
        ),
        "hubspot.company:B": (
            "stuck; 504\n"
            "account_won: met 02.03. 09:00\n"
            "credit_approved: met 03.03. 09:00 by 04.03. 09:00\n"
            "psa_customer_created: pending\n"
            "erp_customer_created: late by 04.03. 09:00\n"
            "onboarded: pending"
        ),
        "netsuite.customer:7": (
            "late\n"
            "account_won: met 02.03. 09:00\n"
            "credit_approved: late by 04.03. 09:00\n"
            "psa_customer_created: skipped\n"
            "erp_customer_created: met 02.03. 11:00\n"
            "onboarded: met_late 09.03. 09:00 by 04.03. 11:00"
        ),
        "salesforce.account:E": (
            "dropped\n"
            "account_won: met 02.03. 09:00\n"
            "credit_approved: pending by 04.03. 09:00\n"
            "psa_customer_created: pending\n"
            "erp_customer_created: pending\n"
            "onboarded: pending"
        ),
    },
    "opportunity-to-project": {
        "hubspot.deal:B": (
            "stuck 500 USD; billing-schedule-present, project-agrees-entity\n"
            "closed_won: met 02.03. 09:00\n"
            "project_created: met 02.03. 10:00 by 02.03. 13:00\n"
            "activated: late by 04.03. 09:00"
        ),
        "salesforce.opportunity:A": (
            "completed 1000 EUR\n"
            "closed_won: met 02.03. 09:00\n"
            "project_created: met 02.03. 10:00 by 02.03. 13:00\n"
            "activated: met 03.03. 10:00 by 04.03. 09:00"
        ),
        "salesforce.opportunity:C": (
            "completed 70 GBP\n"
            "closed_won: met 02.03. 09:00\n"
            "project_created: met_late 05.03. 09:00 by 02.03. 13:00\n"
            "activated: met_late 05.03. 09:00 by 04.03. 09:00"
        ),
        "salesforce.opportunity:D": (
            "completed 60 EUR; one-project\n"
            "closed_won: met 02.03. 09:00\n"
            "project_created: met x2 02.03. 09:01 by 02.03. 13:00\n"
            "activated: met 02.03. 09:01 by 04.03. 09:00"
        ),
        "salesforce.opportunity:F": (
            "in_flight\nclosed_won: pending\nproject_created: pending\nactivated: pending"
        ),
    },
    "time-to-billing": {
        "certinia.timecard:1": (
            "completed 1000 EUR\n"
            "time_approved: met 06.03. 17:00\n"
            "billing_released: met 02.04. 09:00 by 03.04. 23:59\n"
            "invoice_posted: met 02.04. 10:00 by 05.04. 23:59"
        ),
        "certinia.timecard:2": (
            "completed 200 EUR\n"
            "time_approved: met 06.03. 17:01\n"
            "billing_released: met 02.04. 09:00 by 03.04. 23:59\n"
            "invoice_posted: met 02.04. 10:00 by 05.04. 23:59"
        ),
        "certinia.timecard:3": (
            "stuck; time-has-value\n"
            "time_approved: met 09.03. 17:00\n"
            "billing_released: late by 03.04. 23:59\n"
            "invoice_posted: late by 05.04. 23:59"
        ),
        "certinia.timecard:4": (
            "stuck\n"
            "time_approved: pending\n"
            "billing_released: late by 03.04. 23:59\n"
            "invoice_posted: late by 05.04. 23:59"
        ),
        "certinia.timecard:7": (
            "stuck 70 USD; entity-agrees-entity\n"
            "time_approved: met 13.03. 17:00\n"
            "billing_released: met 01.04. 09:00 by 03.04. 23:59\n"
            "invoice_posted: late by 05.04. 23:59"
        ),
    },
    "expense-to-billing": {
        "certinia.expense:1": (
            "completed 100 EUR\n"
            "expense_submitted: met 03.03. 09:00\n"
            "expense_approved: met 04.03. 09:00 by 06.03. 09:00\n"
            "billing_released: met 01.04. 09:00 by 03.04. 23:59\n"
            "invoice_posted: met 02.04. 09:00 by 05.04. 23:59"
        ),
        "certinia.expense:2": (
            "stuck 20 EUR; receipt-present\n"
            "expense_submitted: met 03.03. 09:00\n"
            "expense_approved: met_late 09.03. 09:00 by 06.03. 09:00\n"
            "billing_released: late by 03.04. 23:59\n"
            "invoice_posted: late by 05.04. 23:59"
        ),
        "certinia.expense:3": (
            "stuck 30 USD\n"
            "expense_submitted: met x2 03.03. 09:00\n"
            "expense_approved: met 07.03. 09:00 by 09.03. 09:00\n"
            "billing_released: late by 03.04. 23:59\n"
            "invoice_posted: late by 05.04. 23:59"
        ),
    },
    "resource-to-forecast": {
        "certinia.resource_request:A": (
            "completed\n"
            "requested: met 02.03. 09:00\n"
            "booked: met x2 03.03. 09:00 by 05.03. 09:00\n"
            "hard_booked: met 10.03. 09:00 by 16.03. 23:59\n"
            "scheduled: met x2 10.03. 10:00 by 11.03. 09:00\n"
            "forecast_updated: met 20.03. 12:00 by 21.03. 10:00"
        ),
        "certinia.resource_request:C": (
            "stuck; entity-agrees-entity, forecast-equals-schedule\n"
            "requested: met 02.03. 09:00\n"
            "booked: late by 05.03. 09:00\n"
            "hard_booked: late by 16.03. 23:59\n"
            "scheduled: met 03.03. 10:00\n"
            "forecast_updated: met 03.03. 11:00 by 04.03. 10:00"
        ),
        "d365.resource_request:D": (
            "dropped\n"
            "requested: met 02.03. 09:00\n"
            "booked: pending by 05.03. 09:00\n"
            "hard_booked: pending by 16.03. 23:59\n"
            "scheduled: pending\n"
            "forecast_updated: pending"
        ),
        "kantata.resource_request:B": (
            "stuck\n"
            "requested: met 02.03. 09:00\n"
            "booked: met 03.03. 09:00 by 05.03. 09:00\n"
            "hard_booked: late by 16.03. 23:59\n"
            "scheduled: pending\n"
            "forecast_updated: pending"
        ),
    },
    "opportunity-to-invoice": {
        "hubspot.deal:C": (
            "in_flight 300 EUR; entity-agrees-entity, invoiced-within-contract\n"
            "closed_won: met 02.03. 09:00\n"
            "project_created: met 02.03. 12:00 by 02.03. 13:00\n"
            "time_approved: skipped\n"
            "billing_released: met 31.03. 09:00\n"
            "invoice_posted: met 31.03. 11:00 by 02.04. 09:00\n"
            "paid: due by 05.05. 11:00"
        ),
        "salesforce.opportunity:A": (
            "completed 1000 EUR\n"
            "closed_won: met 02.03. 09:00\n"
            "project_created: met 02.03. 10:00 by 02.03. 13:00\n"
            "time_approved: met x2 06.03. 17:00\n"
            "billing_released: met 16.03. 09:00 by 16.03. 17:00\n"
            "invoice_posted: met 16.03. 10:00 by 18.03. 09:00\n"
            "paid: met 10.04. 10:00 by 20.04. 10:00"
        ),
        "salesforce.opportunity:B": (
            "stuck 500 USD; 504\n"
            "closed_won: met 02.03. 09:00\n"
            "project_created: met 02.03. 10:00 by 02.03. 13:00\n"
            "time_approved: skipped\n"
            "billing_released: met 31.03. 09:00\n"
            "invoice_posted: late by 02.04. 09:00\n"
            "paid: pending"
        ),
    },
    "project-financial-feedback": {
        "certinia.project:A": (
            "completed 900 EUR\n"
            "project_created: met 20.02. 09:00\n"
            "cost_posted: met 10.03. 09:00\n"
            "actuals_returned: met 11.03. 02:00 by 11.03. 09:00\n"
            "revenue_recognised: met 02.04. 09:00 by 04.04. 00:00\n"
            "wip_measured: met 02.04. 10:00 by 04.04. 00:00\n"
            "financials_returned: met 03.04. 09:00 by 06.04. 00:00\n"
            "crm_updated: met 03.04. 10:00\n"
            "project_closed: met 10.04. 09:00"
        ),
        "kantata.workspace:B": (
            "stuck; revenue-schedule-equals-contract\n"
            "project_created: met 20.02. 09:00\n"
            "cost_posted: met x2 10.03. 09:00\n"
            "actuals_returned: late by 21.03. 09:00\n"
            "revenue_recognised: late by 04.04. 00:00\n"
            "wip_measured: late by 04.04. 00:00\n"
            "financials_returned: late by 06.04. 00:00\n"
            "crm_updated: pending\n"
            "project_closed: pending"
        ),
        "sap.project:C": (
            "late; revenue-schedule-equals-contract\n"
            "project_created: met 20.02. 09:00\n"
            "cost_posted: met 05.03. 09:00\n"
            "actuals_returned: met 05.03. 10:00 by 06.03. 09:00\n"
            "revenue_recognised: late by 04.04. 00:00\n"
            "wip_measured: late by 04.04. 00:00\n"
            "financials_returned: late by 06.04. 00:00\n"
            "crm_updated: pending\n"
            "project_closed: pending"
        ),
    },
    "contract-amendment": {
        "certinia.project:A": (
            "completed 1200 EUR\n"
            "contracted: met x2 05.01. 09:00\n"
            "project_created: met 05.01. 10:00\n"
            "amended: met 02.03. 09:00\n"
            "project_updated: met 03.03. 09:00 by 04.03. 09:00\n"
            "billing_schedule_updated: met 04.03. 09:00 by 07.03. 09:00"
        ),
        "kantata.workspace:C": (
            "in_flight 100 EUR; nothing-unsigned\n"
            "contracted: met 05.01. 09:00\n"
            "project_created: met 05.01. 10:00\n"
            "amended: pending\n"
            "project_updated: pending\n"
            "billing_schedule_updated: pending"
        ),
        "oracle.project:B": (
            "stuck; one-currency\n"
            "contracted: met x3 05.01. 09:00\n"
            "project_created: met 05.01. 10:00\n"
            "amended: met x2 02.02. 09:00\n"
            "project_updated: late by 04.03. 09:00\n"
            "billing_schedule_updated: late by 07.03. 09:00"
        ),
    },
}
