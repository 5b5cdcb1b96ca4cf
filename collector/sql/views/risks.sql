-- What keeps late and stuck journeys: a milestone past its due time, or an open exception that blocks. One row per journey and cause.
CREATE OR REPLACE VIEW risk_rows_at AS
WITH
    (SELECT (groupArray(ExceptionId), groupArray(SeenUntil))
    FROM closed_exception_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})) AS Closed
SELECT r.* EXCEPT (Causes, cause), cause.1 AS Kind, cause.2 AS Milestone, cause.3 AS Exception, cause.4 AS Fingerprint,
    cause.5 AS Code, cause.6 AS Message, cause.8 AS Since, cause.9 AS Event, cause.10 AS Class,
    if(Kind = 'milestone', toString(m.Owner), cause.7) AS Owner
FROM
(
    SELECT j.* EXCEPT (Late), arrayConcat(j.Late, x.Blocked) AS Causes
    FROM
    (
        SELECT Process, Root, Id, Status, OpenedAt, Customer, Entity, Region, AmountObjects, AmountDays,
            arrayFilter(x -> x.8 < {now:DateTime64(6, 'UTC')} AND NOT has(Blind, x.2), arrayMap(
                (name, stored, due) -> ('milestone', toString(name), '', '', '', '', '',
                    if(stored = 'pending' AND isNotNull(due), assumeNotNull(due), toDateTime64('2299-12-31 00:00:00', 6, 'UTC')),
                    '', ''),
                MilestoneNames, MilestoneStored, MilestoneDueAt)) AS Late
        FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        WHERE Status IN ('late', 'stuck')
    ) AS j
    LEFT ANY JOIN
    (
        SELECT Process, Root, groupArray(('exception', toString(Milestone), leftPad(lower(hex(ExceptionId)), 16, '0'),
            leftPad(lower(hex(Fingerprint)), 16, '0'), Code, Message, toString(Owner), OpenedAt,
            toString(Event), toString(Class))) AS Blocked
        FROM exception_state FINAL
        WHERE Tenant = {tenant:String} AND Deleted = 0 AND Blocking = 1 AND ResolvedAt IS NULL
            AND OpenedAt <= {now:DateTime64(6, 'UTC')}
            AND NOT arrayExists((id, seen) -> id = ExceptionId AND LastSeenAt <= seen, Closed.1, Closed.2)
            AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
        GROUP BY Process, Root
    ) AS x ON x.Process = j.Process AND x.Root = j.Root
) AS r
ARRAY JOIN Causes AS cause
LEFT ANY JOIN
(
    SELECT Process, Name, Owner FROM process_milestones FINAL WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0
) AS m ON m.Process = r.Process AND m.Name = cause.2
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
