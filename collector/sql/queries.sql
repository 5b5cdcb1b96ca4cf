-- The collector's own statements. One block per statement; values only through parameters.

-- received --
-- Items received and loaded for a tenant, by signal; add what the spool still holds for all that was received.
SELECT Signal, sum(Items) AS Items
FROM received_requests
WHERE Tenant = {tenant:String}
GROUP BY Signal

-- stored --
-- Rows of a tenant in the raw tables, whoever wrote them.
SELECT
    (SELECT count() FROM otel_traces WHERE Tenant = {tenant:String}) AS spans,
    (SELECT count() FROM otel_logs WHERE Tenant = {tenant:String} AND NOT match(ScopeName, '^throughline\\.(cloudevents$|hooks\\.)')) AS logs,
    (SELECT count() FROM otel_metrics_gauge WHERE Tenant = {tenant:String})
        + (SELECT count() FROM otel_metrics_sum WHERE Tenant = {tenant:String})
        + (SELECT count() FROM otel_metrics_summary WHERE Tenant = {tenant:String})
        + (SELECT count() FROM otel_metrics_histogram WHERE Tenant = {tenant:String})
        + (SELECT count() FROM otel_metrics_exponential_histogram WHERE Tenant = {tenant:String}) AS metrics,
    (SELECT count() FROM otel_logs WHERE Tenant = {tenant:String} AND match(ScopeName, '^throughline\\.(cloudevents$|hooks\\.)')) AS events
