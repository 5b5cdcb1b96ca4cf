-- At which ages milestones are likely late, by what is known of comparable journeys: one row per process, replaced as a whole.
CREATE TABLE IF NOT EXISTS late_ages
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    KnownAt DateTime64(6, 'UTC'),
    -- Milestone, what starts its clock, and how: first, last, opened or cut_off.
    Clocks Array(Tuple(String, String, String)),
    -- Milestone, kind of group (entity, region, process), its value, and the ages in microseconds, from and before.
    Groups Array(Tuple(String, String, String, Array(Tuple(Int64, Int64))))
)
ENGINE = ReplacingMergeTree(KnownAt)
ORDER BY (Tenant, Process);
