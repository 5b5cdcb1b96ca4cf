-- exceptions: one row per exception, with every journey it touches. Its amount counts once.
--
-- Facts come from folding, decisions from people, the owner from both and from routing: whoever it was assigned to, else the
-- first rule that matches, else the milestone's owner. Whoever closed it knew of failures up to SeenUntil; a later one opens it
-- again. A snooze hides it until its end, whatever happens meanwhile. One is pending until the grace of its check has passed.
CREATE OR REPLACE VIEW exceptions_at AS
WITH
    (SELECT groupArrayArray(Rules) FROM exception_routing FINAL WHERE Tenant = '') AS Rules,
    ((wanted, given) -> empty(wanted) OR has(wanted, given)) AS suits,
    isNotNull(h.ClosedAt) AND e.last_seen <= h.SeenUntil AS closed,
    arrayFirst(r -> suits(r.Match['process'], toString(e.process))
        AND suits(r.Match['milestone'], toString(e.milestone))
        AND suits(r.Match['class'], toString(e.class))
        AND suits(r.Match['code'], e.code)
        AND suits(r.Match['fingerprint'], e.fingerprint)
        AND suits(r.Match['entity'], toString(e.entity))
        AND suits(r.Match['region'], toString(e.region))
        AND suits(r.Match['service_line'], toString(e.service_line))
        AND suits(r.Match['severity'], toString(e.severity))
        AND suits(r.Match['customer'], e.customer)
        AND suits(r.Match['currency'], toString(e.currency))
        AND ifNull(r.AmountAtLeast <= e.amount, isNull(r.AmountAtLeast)), Rules) AS rule
SELECT
    leftPad(lower(hex(e.ExceptionId)), 16, '0') AS id,
    e.journeys AS journeys,
    e.process AS process,
    multiIf(NOT e.failing OR closed, 'resolved',
            e.opened_at > {now:DateTime64(6, 'UTC')}, 'pending',
            ifNull(h.SnoozedUntil > {now:DateTime64(6, 'UTC')}, 0), 'snoozed',
            'open') AS status,
    e.class AS class,
    e.code AS code,
    e.message AS message,
    e.fingerprint AS fingerprint,
    e.event AS event,
    e.milestone AS milestone,
    multiIf(h.Owner != '', toString(h.Owner), rule.Owner != '', rule.Owner, toString(e.owner)) AS owner,
    h.Assignee AS assignee,
    if(rule.Severity != '', rule.Severity, toString(e.severity)) AS severity,
    if(rule.Runbook != '', rule.Runbook, m.Runbook) AS runbook,
    e.blocking AS blocking,
    e.amount AS amount,
    e.currency AS currency,
    e.customer AS customer,
    e.entity AS entity,
    e.region AS region,
    e.service_line AS service_line,
    e.opened_at AS opened_at,
    if(e.failing, if(closed, h.ClosedAt, NULL), e.recovered_at) AS resolved_at,
    e.first_seen AS first_seen,
    e.last_seen AS last_seen,
    e.occurrences AS occurrences,
    if(status = 'snoozed', h.SnoozedUntil, NULL) AS snoozed_until,
    if(closed, toString(h.Reason), '') AS resolution,
    if(closed, toString(h.ClosedBy), '') AS resolved_by,
    if(closed, h.Note, '') AS resolution_note,
    e.failing = 1 AS failing,
    h.Version AS revision,
    if(e.event_id = 0, '', leftPad(lower(hex(e.event_id)), 32, '0')) AS event_id
FROM
(
    SELECT
        ExceptionId,
        arraySort(groupUniqArray(leftPad(lower(hex(Root)), 16, '0'))) AS journeys,
        any(Process) AS process,
        max(ResolvedAt IS NULL) AS failing,
        argMax(Class, Version) AS class,
        argMax(Code, Version) AS code,
        argMax(Message, Version) AS message,
        leftPad(lower(hex(argMax(Fingerprint, Version))), 16, '0') AS fingerprint,
        argMax(Event, Version) AS event,
        argMax(Milestone, Version) AS milestone,
        argMax(Owner, Version) AS owner,
        argMax(Severity, Version) AS severity,
        max(Blocking) AS blocking,
        argMax(tuple(Amount), Version).1 AS amount,
        argMax(Currency, Version) AS currency,
        argMax(Customer, Version) AS customer,
        argMax(Entity, Version) AS entity,
        argMax(Region, Version) AS region,
        argMax(ServiceLine, Version) AS service_line,
        min(OpenedAt) AS opened_at,
        max(ResolvedAt) AS recovered_at,
        toDateTime64(min(Turns[1].At), 6, 'UTC') AS first_seen,
        max(LastSeenAt) AS last_seen,
        max(Occurrences) AS occurrences,
        argMax(LastEventId, Version) AS event_id
    FROM exception_state FINAL
    WHERE Tenant = {tenant:String} AND Deleted = 0
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    GROUP BY ExceptionId
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
) AS m ON m.Process = e.process AND m.Name = e.milestone
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Exceptions that fail by the events and were closed by hand, as of a clock: who closed them knew of failures up to SeenUntil.
-- The first condition spares those without any closing the reading.
CREATE OR REPLACE VIEW closed_exception_rows_at AS
SELECT ExceptionId, SeenUntil
FROM
(
    SELECT ExceptionId,
        argMaxIf(Kind, Version, Origin = 'person') AS Last,
        argMaxIf(assumeNotNull(Until), Version, Origin = 'person') AS SeenUntil,
        maxIf(At, Origin = 'fact' AND Kind != 'resolved') AS LastOpened,
        maxIf(At, Origin = 'fact' AND Kind = 'resolved') AS LastResolved
    FROM
    (
        SELECT ExceptionId, Kind, Origin, At, Until, Version, Withdrawn
        FROM exception_transitions
        WHERE (SELECT count() FROM exception_handling WHERE Tenant = {tenant:String}) > 0
            AND Tenant = {tenant:String} AND At <= {now:DateTime64(6, 'UTC')} AND Origin IN ('fact', 'person')
            AND Kind IN ('opened', 'resolved', 'closed', 'reopened')
            AND ExceptionId IN (SELECT ExceptionId FROM exception_handling WHERE Tenant = {tenant:String})
        ORDER BY Version DESC
        LIMIT 1 BY Process, Subject, ExceptionId, Kind, Origin, At, EventId, Act
    )
    WHERE Withdrawn = 0
    GROUP BY ExceptionId
)
WHERE Last = 'closed' AND toDateTime64(LastOpened, 6, 'UTC') <= SeenUntil AND LastResolved <= LastOpened;
