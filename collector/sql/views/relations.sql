-- relations: links between objects of one level (renewal of, sub-project), and whether each is in force. One that leads from a
-- loop, or from an object with more than 64 above it on its level, is not.
CREATE OR REPLACE VIEW relations_at AS
SELECT
    toString(e.Process) AS process,
    concat(p.Namespace, ':', p.Value) AS parent,
    concat(c.Namespace, ':', c.Value) AS child,
    e.Since AS since,
    e.Statements AS statements,
    o.Depth != 255 AS in_force
FROM
(
    SELECT Process, Parent, Child, minIf(Time, Rule != 'cut') AS Since, countIf(Rule != 'cut') AS Statements
    FROM
    (
        SELECT Process, Parent, Child, EventId, Rule, Time, Deleted
        FROM edges
        WHERE Tenant = {tenant:String} AND ParentLevel = ChildLevel
            AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
        ORDER BY Version DESC
        LIMIT 1 BY Process, Child, Parent, EventId, Rule
    )
    WHERE Deleted = 0 AND Time <= {now:DateTime64(6, 'UTC')}
    GROUP BY Process, Parent, Child
    HAVING Statements > 0
        AND (countIf(Rule = 'cut') = 0 OR maxIf((Time, EventId), Rule = 'explicit') > maxIf((Time, EventId), Rule = 'cut'))
) AS e
LEFT ANY JOIN
(
    SELECT Process, Object, Depth FROM objects
    WHERE Tenant = {tenant:String} AND Object IN (SELECT Parent FROM edges WHERE Tenant = {tenant:String} AND ParentLevel = ChildLevel)
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC
    LIMIT 1 BY Process, Object
) AS o ON o.Process = e.Process AND o.Object = e.Parent
LEFT ANY JOIN
(
    SELECT Key, Namespace, Value FROM keys
    WHERE Tenant = {tenant:String}
        AND Key IN (SELECT Parent FROM edges WHERE Tenant = {tenant:String} AND ParentLevel = ChildLevel)
) AS p ON p.Key = e.Parent
LEFT ANY JOIN
(
    SELECT Key, Namespace, Value FROM keys
    WHERE Tenant = {tenant:String}
        AND Key IN (SELECT Child FROM edges WHERE Tenant = {tenant:String} AND ParentLevel = ChildLevel)
) AS c ON c.Key = e.Child;
