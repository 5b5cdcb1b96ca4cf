-- likely_late: one row per journey and milestone that is due and, at its age, likely late: of comparable journeys less than half
-- were in time. Compared are those of the entity if enough is known of them, else of the region, else of the process. What is
-- joined to the journeys is small, and nothing is grouped, so that memory does not grow with them.
CREATE OR REPLACE VIEW likely_late_at AS
WITH known AS
(
    SELECT toString(Process) AS OfProcess, one.1 AS Milestone, one.2 AS Kind, one.3 AS Value, one.4 AS Ages, 1 AS Known
    FROM late_ages FINAL
    ARRAY JOIN Groups AS one
    WHERE Tenant = {tenant:String}
)
SELECT
    w.InProcess AS process,
    w.Id AS journey,
    w.Name AS milestone,
    w.Due AS due_at,
    m.Owner AS owner,
    multiIf(e.Known = 1, concat('entity ', w.InEntity), r.Known = 1, concat('region ', w.InRegion), 'process') AS compared_with,
    w.KnownAt AS known_at,
    w.Customer AS customer,
    w.InEntity AS entity,
    w.InRegion AS region
FROM
(
    SELECT j.InProcess AS InProcess, j.Id AS Id, j.Name AS Name, j.Due AS Due, c.KnownAt AS KnownAt, j.Customer AS Customer,
        j.InEntity AS InEntity, j.InRegion AS InRegion,
        multiIf(c.How = 'opened', j.OpenedAt, c.How = 'cut_off', j.CutOffAt,
            if(c.How = 'last', j.LastAt, j.MetAt)[indexOf(j.Names, c.Start)]) AS StartedAt,
        toUnixTimestamp64Micro({now:DateTime64(6, 'UTC')}) - toUnixTimestamp64Micro(assumeNotNull(StartedAt)) AS Age
    FROM
    (
        SELECT toString(Process) AS InProcess, Id, toString(Customer) AS Customer, toString(Entity) AS InEntity,
            toString(Region) AS InRegion, OpenedAt, CutOffAt, MilestoneNames AS Names, MilestoneMetAt AS MetAt,
            MilestoneLastAt AS LastAt,
            toString(arrayJoin(arrayFilter((name, stored, due) -> stored = 'pending'
                AND ifNull(due >= {now:DateTime64(6, 'UTC')}, 0), MilestoneNames, MilestoneStored, MilestoneDueAt))) AS Name,
            MilestoneDueAt[indexOf(MilestoneNames, Name)] AS Due
        FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        WHERE ClosedAt IS NULL AND Process IN (
            SELECT Process FROM late_ages FINAL WHERE Tenant = {tenant:String} AND notEmpty(Groups))
    ) AS j
    INNER JOIN
    (
        SELECT toString(Process) AS OfProcess, KnownAt, one.1 AS Milestone, one.2 AS Start, one.3 AS How
        FROM late_ages FINAL
        ARRAY JOIN Clocks AS one
        WHERE Tenant = {tenant:String}
    ) AS c ON c.OfProcess = j.InProcess AND c.Milestone = j.Name
    WHERE StartedAt IS NOT NULL
) AS w
LEFT ANY JOIN (SELECT * FROM known WHERE Kind = 'entity') AS e
    ON e.OfProcess = w.InProcess AND e.Milestone = w.Name AND e.Value = w.InEntity
LEFT ANY JOIN (SELECT * FROM known WHERE Kind = 'region') AS r
    ON r.OfProcess = w.InProcess AND r.Milestone = w.Name AND r.Value = w.InRegion
LEFT ANY JOIN (SELECT * FROM known WHERE Kind = 'process') AS p ON p.OfProcess = w.InProcess AND p.Milestone = w.Name
LEFT ANY JOIN
(
    SELECT Process, Name, Owner FROM process_milestones FINAL WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0
) AS m ON m.Process = w.InProcess AND m.Name = w.Name
WHERE arrayExists(s -> w.Age >= s.1 AND w.Age < s.2, multiIf(e.Known = 1, e.Ages, r.Known = 1, r.Ages, p.Ages));
