-- What a tenant's events carry: what a definition is compared with. Read at most once per `throughline check`.

-- event_names --
SELECT toString(Event) FROM business_events
WHERE Tenant = {tenant:String} AND Event != '' AND Time >= {since:DateTime64(6, 'UTC')}
GROUP BY Event

-- namespaces --
SELECT DISTINCT arrayJoin(arrayMap(k -> k.1, arrayConcat(Keys, ContextKeys))) FROM business_events
WHERE Tenant = {tenant:String} AND Time >= {since:DateTime64(6, 'UTC')}

-- attribute_names --
SELECT DISTINCT toString(arrayJoin(mapKeys(Attributes))) FROM business_events
WHERE Tenant = {tenant:String} AND Event != '' AND Time >= {since:DateTime64(6, 'UTC')}

-- dimensions --
SELECT groupUniqArray(1000)(Customer), groupUniqArray(1000)(toString(Entity)), groupUniqArray(1000)(toString(Region)),
    groupUniqArray(1000)(toString(ServiceLine))
FROM business_events
WHERE Tenant = {tenant:String} AND Event != '' AND Time >= {since:DateTime64(6, 'UTC')}

-- linked_levels --
-- Levels of a process that anything above leads to, in the generation that readers see; no row without one of this definition.
SELECT g.Process, any(g.DefinitionHash),
    arraySort(groupUniqArrayIf(e.ChildLevel, e.Rule != 'cut' AND e.ParentLevel < e.ChildLevel))
FROM (
    SELECT toString(Process) AS Process, argMax(Generation, Version) AS Generation,
        argMax(DefinitionHash, Version) AS DefinitionHash
    FROM generations WHERE Tenant = {tenant:String} GROUP BY Process
) AS g
LEFT JOIN (
    SELECT DISTINCT toString(Process) AS Process, Generation, ParentLevel, ChildLevel, toString(Rule) AS Rule
    FROM edges FINAL
    WHERE Tenant = {tenant:String} AND Deleted = 0
) AS e ON e.Process = g.Process AND e.Generation = g.Generation
GROUP BY g.Process
