-- likely_late: one row per journey and milestone that is due and, at its age, likely late: of comparable journeys less than half were
-- in time. Compared are those of the entity if enough is known of them, else of the region, else of the process.
CREATE OR REPLACE VIEW likely_late_at AS
SELECT
    toString(l.Process) AS process,
    l.Id AS journey,
    l.Name AS milestone,
    l.Due AS due_at,
    m.Owner AS owner,
    l.ComparedWith AS compared_with,
    l.KnownAt AS known_at,
    l.Customer AS customer,
    l.Entity AS entity,
    l.Region AS region
FROM
(
    SELECT a.Process AS Process, a.Id AS Id, a.Name AS Name, any(a.DueAt) AS Due, any(a.Known) AS KnownAt,
        any(toString(a.Client)) AS Customer, any(a.InEntity) AS Entity, any(a.InRegion) AS Region,
        argMin(trim(concat(g.Kind, ' ', g.Value)), a.Preference) AS ComparedWith
    FROM
    (
        SELECT j.Process AS Process, j.Id AS Id, j.Name AS Name, j.DueAt AS DueAt, c.KnownAt AS Known, j.Customer AS Client,
            toString(j.Entity) AS InEntity, toString(j.Region) AS InRegion,
            multiIf(c.How = 'opened', j.OpenedAt, c.How = 'cut_off', j.CutOffAt,
                if(c.How = 'last', j.LastAt, j.MetAt)[indexOf(j.Names, c.Start)]) AS StartedAt,
            toUnixTimestamp64Micro({now:DateTime64(6, 'UTC')}) - toUnixTimestamp64Micro(assumeNotNull(StartedAt)) AS Age,
            one.1 AS Preference, one.2 AS Kind, one.3 AS Value
        FROM
        (
            SELECT Process, Id, Customer, Entity, Region, OpenedAt, CutOffAt, MilestoneNames AS Names, MilestoneMetAt AS MetAt,
                MilestoneLastAt AS LastAt,
                arrayJoin(arrayFilter((name, stored, due) -> stored = 'pending' AND ifNull(due >= {now:DateTime64(6, 'UTC')}, 0),
                    MilestoneNames, MilestoneStored, MilestoneDueAt)) AS Name,
                MilestoneDueAt[indexOf(MilestoneNames, Name)] AS DueAt
            FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
            WHERE ClosedAt IS NULL AND Process IN (
                SELECT Process FROM late_ages FINAL WHERE Tenant = {tenant:String} AND notEmpty(Groups))
        ) AS j
        INNER JOIN
        (
            SELECT Process, KnownAt, one.1 AS Milestone, one.2 AS Start, one.3 AS How
            FROM late_ages FINAL
            ARRAY JOIN Clocks AS one
            WHERE Tenant = {tenant:String}
        ) AS c ON c.Process = j.Process AND c.Milestone = j.Name
        ARRAY JOIN [(1, 'entity', toString(j.Entity)), (2, 'region', toString(j.Region)), (3, 'process', '')] AS one
        WHERE StartedAt IS NOT NULL
    ) AS a
    INNER JOIN
    (
        SELECT Process, one.1 AS Milestone, one.2 AS Kind, one.3 AS Value, one.4 AS Ages
        FROM late_ages FINAL
        ARRAY JOIN Groups AS one
        WHERE Tenant = {tenant:String}
    ) AS g ON g.Process = a.Process AND g.Milestone = a.Name AND g.Kind = a.Kind AND g.Value = a.Value
    GROUP BY a.Process, a.Id, a.Name
    HAVING argMin(arrayExists(s -> a.Age >= s.1 AND a.Age < s.2, g.Ages), a.Preference)
) AS l
LEFT ANY JOIN
(
    SELECT Process, Name, Owner FROM process_milestones FINAL WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0
) AS m ON m.Process = l.Process AND m.Name = l.Name;
