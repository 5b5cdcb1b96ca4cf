-- exceptions: one row per exception, with every journey it touches. Its amount counts once.
--
-- Facts come from folding, decisions from people, the owner from both and from routing: whoever it was assigned to, else the first
-- rule that matches, else the milestone's owner. Whoever closed it knew of failures up to SeenUntil; a later one opens it again. A
-- snooze hides it until its end, whatever happens meanwhile.
CREATE OR REPLACE VIEW exceptions_at AS
WITH
    (SELECT groupArrayArray(Rules) FROM exception_routing FINAL WHERE Tenant = '') AS Rules,
    ((wanted, given) -> empty(wanted) OR has(wanted, given)) AS suits,
    h.ClosedAt IS NOT NULL AND e.LastSeenAt <= h.SeenUntil AS closed,
    arrayFirst(r -> suits(r.Match['process'], toString(e.Process))
        AND suits(r.Match['milestone'], toString(e.Milestone))
        AND suits(r.Match['class'], toString(e.Class))
        AND suits(r.Match['code'], e.Code)
        AND suits(r.Match['fingerprint'], leftPad(lower(hex(e.Fingerprint)), 16, '0'))
        AND suits(r.Match['entity'], toString(e.Entity))
        AND suits(r.Match['region'], toString(e.Region))
        AND suits(r.Match['service_line'], toString(e.ServiceLine))
        AND suits(r.Match['severity'], toString(e.Severity))
        AND suits(r.Match['customer'], e.Customer)
        AND suits(r.Match['currency'], toString(e.Currency))
        AND ifNull(r.AmountAtLeast <= e.Amount, r.AmountAtLeast IS NULL), Rules) AS rule
SELECT
    leftPad(lower(hex(e.ExceptionId)), 16, '0') AS id,
    e.Journeys AS journeys,
    e.Process AS process,
    multiIf(NOT e.Open OR closed, 'resolved', ifNull(h.SnoozedUntil > {now:DateTime64(6, 'UTC')}, 0), 'snoozed', 'open') AS status,
    e.Class AS class,
    e.Code AS code,
    e.Message AS message,
    leftPad(lower(hex(e.Fingerprint)), 16, '0') AS fingerprint,
    e.Event AS event,
    e.Milestone AS milestone,
    multiIf(h.Owner != '', toString(h.Owner), rule.Owner != '', rule.Owner, toString(e.Owner)) AS owner,
    h.Assignee AS assignee,
    if(rule.Severity != '', rule.Severity, toString(e.Severity)) AS severity,
    if(rule.Runbook != '', rule.Runbook, m.Runbook) AS runbook,
    e.Blocking AS blocking,
    e.Amount AS amount,
    e.Currency AS currency,
    e.Customer AS customer,
    e.Entity AS entity,
    e.Region AS region,
    e.ServiceLine AS service_line,
    e.OpenedAt AS opened_at,
    if(e.Open, if(closed, h.ClosedAt, NULL), e.ResolvedAt) AS resolved_at,
    e.FirstSeenAt AS first_seen,
    e.LastSeenAt AS last_seen,
    e.Occurrences AS occurrences,
    if(status = 'snoozed', h.SnoozedUntil, NULL) AS snoozed_until,
    if(closed, toString(h.Reason), '') AS resolution,
    if(closed, toString(h.ClosedBy), '') AS resolved_by,
    if(closed, h.Note, '') AS resolution_note,
    h.Version AS revision
FROM
(
    SELECT
        ExceptionId,
        arraySort(groupUniqArray(leftPad(lower(hex(Root)), 16, '0'))) AS Journeys,
        any(Process) AS Process,
        max(ResolvedAt IS NULL) AS Open,
        argMax(Class, Version) AS Class,
        argMax(Code, Version) AS Code,
        argMax(Message, Version) AS Message,
        argMax(Fingerprint, Version) AS Fingerprint,
        argMax(Event, Version) AS Event,
        argMax(Milestone, Version) AS Milestone,
        argMax(Owner, Version) AS Owner,
        argMax(Severity, Version) AS Severity,
        max(Blocking) AS Blocking,
        argMax(tuple(Amount), Version).1 AS Amount,
        argMax(Currency, Version) AS Currency,
        argMax(Customer, Version) AS Customer,
        argMax(Entity, Version) AS Entity,
        argMax(Region, Version) AS Region,
        argMax(ServiceLine, Version) AS ServiceLine,
        min(OpenedAt) AS OpenedAt,
        max(ResolvedAt) AS ResolvedAt,
        toDateTime64(min(Turns[1].At), 6, 'UTC') AS FirstSeenAt,
        max(LastSeenAt) AS LastSeenAt,
        max(Occurrences) AS Occurrences
    FROM exception_state FINAL
    WHERE Tenant = {tenant:String} AND Deleted = 0
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    GROUP BY ExceptionId
    SETTINGS do_not_merge_across_partitions_select_final = 1
) AS e
LEFT ANY JOIN
(
    SELECT ExceptionId, Owner, Assignee, SnoozedUntil, ClosedAt, ClosedBy, Reason, Note, SeenUntil, Version
    FROM exception_handling FINAL
    WHERE Tenant = {tenant:String}
) AS h ON h.ExceptionId = e.ExceptionId
LEFT ANY JOIN
(
    SELECT Process, Name, Runbook FROM process_milestones FINAL WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0
) AS m ON m.Process = e.Process AND m.Name = e.Milestone
SETTINGS do_not_merge_across_partitions_select_final = 1;
