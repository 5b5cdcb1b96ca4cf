-- tenants --
-- Everybody who ever sent a business event or a span.
SELECT DISTINCT Tenant FROM business_events
UNION DISTINCT
SELECT DISTINCT Tenant FROM trace_inbox
ORDER BY Tenant

-- tenants_with_news --
-- Whose rows came since a time.
SELECT DISTINCT Tenant FROM event_inbox WHERE IngestedAt > {since:DateTime64(6)}
UNION DISTINCT
SELECT DISTINCT Tenant FROM trace_inbox WHERE IngestedAt > {since:DateTime64(6)}
ORDER BY Tenant
