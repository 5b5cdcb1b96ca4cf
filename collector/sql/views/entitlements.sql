-- entitlements: what a contract grants for a period, and what of it is used, left and overdrawn, with the price of that.
CREATE OR REPLACE VIEW entitlements_at AS
SELECT
    toString(Process) AS process,
    leftPad(lower(hex(Root)), 16, '0') AS journey,
    one.Name AS name,
    one.First AS first_day,
    one.Last AS last_day,
    multiIf(first_day > toDate32({now:DateTime64(6, 'UTC')}), 'ahead', last_day < toDate32({now:DateTime64(6, 'UTC')}), 'over',
        'running') AS status,
    one.Granted AS granted,
    one.Carried AS carried,
    one.Used AS used,
    one.Left AS left,
    one.Overdrawn AS overdrawn,
    one.Value AS overdrawn_value,
    one.Currency AS currency,
    Customer AS customer,
    toString(Entity) AS entity,
    toString(Region) AS region
FROM journey_state AS s FINAL
ARRAY JOIN Entitlements AS one
WHERE Tenant = {tenant:String} AND Deleted = 0
    AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
SETTINGS do_not_merge_across_partitions_select_final = 1;
