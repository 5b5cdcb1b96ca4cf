-- tenants_with_news --
-- Whose rows came since a time: events, or spans that may be the missing parents of events.
SELECT DISTINCT Tenant FROM event_inbox WHERE IngestedAt > {since:DateTime64(6, 'UTC')}
UNION DISTINCT
SELECT DISTINCT Tenant FROM trace_inbox WHERE IngestedAt > {since:DateTime64(6, 'UTC')}
ORDER BY Tenant
