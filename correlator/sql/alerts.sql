-- reached --
-- Up to when everything is correlated, and the oldest row that waits since then.
WITH (SELECT max(Watermark) FROM correlation_progress WHERE Tenant = {tenant:String}) AS Reached
SELECT (SELECT minOrNull(IngestedAt) FROM event_inbox
    WHERE Tenant = {tenant:String} AND IngestedAt > Reached AND IngestedAt <= {now:DateTime64(6, 'UTC')}) AS Pending

-- lately --
-- Events that came lately, and how many of them had happened long before.
SELECT count() AS Came, countIf(Time < IngestedAt - toIntervalSecond({old:UInt32})) AS Old
FROM business_events
PREWHERE IngestedAt > {since:DateTime64(6, 'UTC')} AND IngestedAt <= {now:DateTime64(6, 'UTC')}
WHERE Tenant = {tenant:String} AND Event != ''

-- unheard --
-- Events that cannot be heard, since when.
SELECT toString(Event) AS Name, min(Since) AS Beginning
FROM source_gaps FINAL
WHERE Tenant = {tenant:String} AND Deleted = 0 AND Since <= {now:DateTime64(6, 'UTC')}
    AND ifNull(Until > {now:DateTime64(6, 'UTC')}, 1)
GROUP BY Name

-- tenants --
-- Everybody of whom something was correlated.
SELECT DISTINCT Tenant FROM correlation_progress
