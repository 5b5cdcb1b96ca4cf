-- What keeps late and stuck journeys: a milestone past its due time, or an open exception that blocks. One row per journey and cause.
CREATE OR REPLACE VIEW risk_rows_at AS
SELECT r.* EXCEPT (Held), if(r.Kind = 'milestone', toString(m.Owner), r.Held) AS Owner
FROM
(
    SELECT Process, Root, Id, Status, OpenedAt, Customer, Entity, Region, AmountObjects, AmountDays,
        'milestone' AS Kind, toString(Name) AS Milestone, '' AS Exception, '' AS Fingerprint, '' AS Code, '' AS Message, '' AS Held,
        assumeNotNull(Due) AS Since
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    ARRAY JOIN MilestoneNames AS Name, MilestoneStored AS Stored, MilestoneDueAt AS Due
    WHERE Status IN ('late', 'stuck') AND Stored = 'pending' AND ifNull(Due < {now:DateTime64(6, 'UTC')}, 0)
        AND NOT has(Blind, toString(Name))
    UNION ALL
    SELECT j.Process, j.Root, j.Id, j.Status, j.OpenedAt, j.Customer, j.Entity, j.Region, j.AmountObjects, j.AmountDays,
        'exception', x.Milestone, x.Exception, x.Fingerprint, x.Code, x.Message, x.Owner, x.OpenedAt
    FROM
    (
        SELECT Process, Root, toString(Milestone) AS Milestone, leftPad(lower(hex(ExceptionId)), 16, '0') AS Exception,
            leftPad(lower(hex(Fingerprint)), 16, '0') AS Fingerprint, Code, Message, toString(Owner) AS Owner, OpenedAt
        FROM exception_state FINAL
        WHERE Tenant = {tenant:String} AND Deleted = 0 AND Blocking = 1 AND ResolvedAt IS NULL
            AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ) AS x
    INNER JOIN
    (
        SELECT * FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) WHERE Status = 'stuck'
    ) AS j ON j.Process = x.Process AND j.Root = x.Root
) AS r
LEFT ANY JOIN
(
    SELECT Process, Name, Owner FROM process_milestones FINAL WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0
) AS m ON m.Process = r.Process AND m.Name = r.Milestone
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- risks: why each late or stuck journey is; its owner is whose turn it is. Sum money over distinct objects in amount_objects.
CREATE OR REPLACE VIEW risks_at AS
SELECT
    Process AS process,
    Id AS journey,
    Status AS status,
    Kind AS kind,
    Milestone AS milestone,
    Exception AS exception,
    Fingerprint AS fingerprint,
    Owner AS owner,
    Since AS since,
    Customer AS customer,
    Entity AS entity,
    Region AS region,
    AmountObjects AS amount_objects,
    AmountDays AS amount_days
FROM risk_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')});
