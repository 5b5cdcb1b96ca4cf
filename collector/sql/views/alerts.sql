-- alerts: one row per change of an alert's state, as the evaluator stored it.
CREATE OR REPLACE VIEW alerts_at AS
SELECT
    Rule AS rule,
    GroupName AS rule_group,
    Alert AS alert,
    Fingerprint AS fingerprint,
    Labels AS labels,
    Annotations AS annotations,
    Value AS value,
    Old AS old_state,
    New AS new_state,
    At AS at,
    StartsAt AS starts_at,
    EndsAt AS ends_at,
    Reason AS reason
FROM alert_history FINAL
WHERE Tenant = {tenant:String} AND At <= {now:DateTime64(6, 'UTC')};

-- health: what the engine measured of itself, a row per figure and minute.
CREATE OR REPLACE VIEW health_at AS
SELECT Name AS name, At AS at, Value AS value
FROM health_samples FINAL
WHERE Tenant = {tenant:String} AND At <= {now:DateTime64(6, 'UTC')};
