-- exceptions: one row per exception, with every journey it touches. Its amount counts once.
CREATE OR REPLACE VIEW exceptions_at AS
SELECT
    leftPad(lower(hex(ExceptionId)), 16, '0') AS id,
    arraySort(groupUniqArray(leftPad(lower(hex(Root)), 16, '0'))) AS journeys,
    any(Process) AS process,
    if(max(ResolvedAt IS NULL), 'open', 'resolved') AS status,
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
    min(OpenedAt) AS opened_at,
    if(max(ResolvedAt IS NULL), NULL, max(ResolvedAt)) AS resolved_at,
    max(Occurrences) AS occurrences
FROM exception_state FINAL
WHERE Tenant = {tenant:String} AND Deleted = 0
    AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
GROUP BY ExceptionId
SETTINGS do_not_merge_across_partitions_select_final = 1;
