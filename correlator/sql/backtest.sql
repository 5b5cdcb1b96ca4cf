-- make_journeys --
-- Journeys as known now, with what tells how they stood at an earlier time: milestones, and when exceptions blocked them.
WITH (SELECT groupArray((toString(Process), toString(Name))) FROM process_milestones FINAL
    WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0 AND Stuck) AS Sticking
SELECT v.*, j.Due, j.Met, j.Sticks, ifNull(x.Blocks, []) AS Blocks
FROM journeys_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS v
INNER JOIN
(
    SELECT Process, Id,
        arrayMap((s, d) -> if(s IN ('skipped', 'unknown_start'), NULL, d), MilestoneStored, MilestoneDueAt) AS Due,
        MilestoneMetAt AS Met,
        arrayMap(n -> has(Sticking, (toString(Process), toString(n))) = 1, MilestoneNames) AS Sticks
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
) AS j ON j.Process = v.process AND j.Id = v.id
LEFT ANY JOIN
(
    SELECT Process, leftPad(lower(hex(Root)), 16, '0') AS Id, groupArray((OpenedAt, ResolvedAt)) AS Blocks
    FROM exception_state FINAL
    WHERE Tenant = {tenant:String} AND Deleted = 0 AND Blocking = 1
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    GROUP BY Process, Id
) AS x ON x.Process = v.process AND x.Id = v.id
SETTINGS do_not_merge_across_partitions_select_final = 1

-- make_milestones --
-- Milestones as known now, with when their journeys began and ended.
SELECT m.*, j.opened_at AS opened_at,
    coalesce(least(j.dropped_at, j.completed_at), j.dropped_at, j.completed_at) AS closed_at
FROM milestones_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS m
INNER JOIN journeys_unnamed_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS j
    ON j.process = m.process AND j.id = m.journey

-- make_exceptions --
-- Exceptions as known now.
SELECT * FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})

-- journeys --
-- Journeys as they stood at a time, by what is known now.
SELECT * EXCEPT (Due, Met, Sticks, Blocks) REPLACE (
    multiIf(ifNull(dropped_at <= {now:DateTime64(6, 'UTC')}, 0), 'dropped',
        ifNull(completed_at <= {now:DateTime64(6, 'UTC')}, 0), 'completed',
        arrayExists(b -> b.1 <= {now:DateTime64(6, 'UTC')} AND ifNull(b.2 > {now:DateTime64(6, 'UTC')}, 1), Blocks)
            OR arrayExists((d, m, s) -> s AND ifNull(d < {now:DateTime64(6, 'UTC')}, 0)
                AND ifNull(m > {now:DateTime64(6, 'UTC')}, 1), Due, Met, Sticks), 'stuck',
        arrayExists((d, m, s) -> NOT s AND ifNull(d < {now:DateTime64(6, 'UTC')}, 0)
            AND ifNull(m > {now:DateTime64(6, 'UTC')}, 1), Due, Met, Sticks), 'late',
        'in_flight') AS status,
    if(ifNull(dropped_at <= {now:DateTime64(6, 'UTC')}, 0), dropped_at, NULL) AS dropped_at,
    if(ifNull(completed_at <= {now:DateTime64(6, 'UTC')}, 0), completed_at, NULL) AS completed_at,
    least(last_event_at, {now:DateTime64(6, 'UTC')}) AS last_event_at)
FROM MADE_journeys
WHERE opened_at <= {now:DateTime64(6, 'UTC')}

-- milestones --
-- Milestones as they stood at a time, by what is known now.
SELECT * EXCEPT (opened_at, closed_at) REPLACE (
    multiIf(state IN ('skipped', 'unknown_start'), state,
        ifNull(met_at <= {now:DateTime64(6, 'UTC')}, 0), state,
        isNull(due_at), 'pending',
        due_at < if(ifNull(closed_at <= {now:DateTime64(6, 'UTC')}, 0), assumeNotNull(closed_at),
            {now:DateTime64(6, 'UTC')}), 'late',
        ifNull(closed_at <= {now:DateTime64(6, 'UTC')}, 0), 'pending',
        'due') AS state,
    if(ifNull(met_at <= {now:DateTime64(6, 'UTC')}, 0), count, 0) AS count,
    if(ifNull(met_at <= {now:DateTime64(6, 'UTC')}, 0), met_at, NULL) AS met_at)
FROM MADE_milestones
WHERE opened_at <= {now:DateTime64(6, 'UTC')}

-- exceptions --
-- Exceptions as they stood at a time, by what is known now.
SELECT * REPLACE (
    if(ifNull(resolved_at <= {now:DateTime64(6, 'UTC')}, 0), 'resolved', 'open') AS status,
    if(ifNull(resolved_at <= {now:DateTime64(6, 'UTC')}, 0), resolved_at, NULL) AS resolved_at,
    least(last_seen, {now:DateTime64(6, 'UTC')}) AS last_seen)
FROM MADE_exceptions
WHERE opened_at <= {now:DateTime64(6, 'UTC')}

-- events --
-- Events that had happened at a time.
SELECT * FROM events_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) WHERE time <= {now:DateTime64(6, 'UTC')}

-- business_events --
-- Business events that had come at a time.
SELECT * FROM business_events WHERE Tenant = {tenant:String} AND IngestedAt <= {now:DateTime64(6, 'UTC')}

-- bad --
-- What turned out badly within a period, by what is known now: a due time was missed, an exception blocked, or it was dropped.
SELECT process, id AS journey, Bad AS bad_at
FROM
(
    SELECT process, id, arrayMin(arrayFilter(t -> t > {since:DateTime64(6, 'UTC')} AND t <= {until:DateTime64(6, 'UTC')},
        arrayConcat(
            arrayMap((d, m) -> if(ifNull(d < ifNull(m, {until:DateTime64(6, 'UTC')}), 0), assumeNotNull(d),
                {never:DateTime64(6, 'UTC')}), Due, Met),
            arrayMap(b -> b.1, Blocks),
            [ifNull(dropped_at, {never:DateTime64(6, 'UTC')})]))) AS Bad
    FROM MADE_journeys
)
WHERE Bad > {since:DateTime64(6, 'UTC')}
