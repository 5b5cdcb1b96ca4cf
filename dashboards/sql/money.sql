-- risk_facts --
-- What late and stuck journeys are worth, under the name that is asked by: one row per journey, cause and object; a journey
-- without amounts has one without object.
SELECT
    multiIf({by:String} IN ('milestone', 'cause'), toString(Process), '') AS process,
    multiIf({by:String} = 'milestone', Milestone, {by:String} = 'exception', Exception, {by:String} = 'cause', Fingerprint,
        {by:String} IN ('owner', 'team'), Owner, {by:String} IN ('entity', 'parent'), toString(Entity),
        {by:String} = 'status', toString(Status), '') AS name,
    Code AS code, Message AS message, Owner AS owner, Since AS since, Event AS event, Class AS class,
    Root AS root, Customer AS customer, toString(Entity) AS entity, object, amount, currency, day
FROM
(
    SELECT *, tupleElement(one, 'Object') AS object, tupleElement(one, 'Amount') AS amount, tupleElement(one, 'Currency') AS currency,
        if(object = 0, toDate32(OpenedAt), on_day) AS day
    FROM risk_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    LEFT ARRAY JOIN AmountObjects AS one, AmountDays AS on_day
    WHERE ({process:String} = '' OR Process = {process:String} OR {by:String} = 'cause')
        AND ({by:String} != 'milestone' OR Kind = 'milestone')
        AND ({by:String} NOT IN ('exception', 'cause') OR Kind = 'exception')
)

-- cause_facts --
-- The same by cause: one failure that several processes see has one name, the first of its fingerprints, whichever process is
-- asked for; a check is of its process.
SELECT seen.1 AS name, if({process:String} = '' AND seen.2 != seen.3, '', of) AS process, * EXCEPT (of, seen)
FROM
(
    SELECT * EXCEPT (name, process, told), process AS of,
        (min(name) OVER cause, min(process) OVER cause, max(process) OVER cause) AS seen
    FROM
    (
        SELECT *, any(message) OVER (PARTITION BY name) AS told
        FROM (${risk_facts})
    )
    WINDOW cause AS (PARTITION BY if(event = '', name, ${cause(event, class, code, told)}))
)
WHERE {process:String} IN ('', of)

-- billing_facts --
-- What was worked in billing cycles, by the first day of the period and how it stands; an object is as bad as its worst journey.
SELECT
    '' AS process,
    concat(arrayJoin([toString(first_day), 'all']), ' ', ['done', 'waiting', 'overdue'][worst]) AS name,
    '' AS code, '' AS message, '' AS owner, toDateTime64(0, 6, 'UTC') AS since,
    member.1 AS root, member.2 AS customer, member.3 AS entity, object, member.4 AS amount, member.5 AS currency, member.6 AS day
FROM
(
    SELECT first_day, object, max(standing) AS worst, groupArray((root, customer, entity, amount, currency, day)) AS members
    FROM
    (
        SELECT Root AS root, assumeNotNull(PeriodFirst) AS first_day, Customer AS customer, toString(Entity) AS entity,
            tupleElement(one, 'Object') AS object, tupleElement(one, 'Amount') AS amount,
            tupleElement(one, 'Currency') AS currency, on_day AS day,
            multiIf(Status = 'completed', 1,
                ifNull(StuckAt < {now:DateTime64(6, 'UTC')}, 0) OR ifNull(LateAt < {now:DateTime64(6, 'UTC')}, 0), 3, 2) AS standing
        FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        ARRAY JOIN AmountObjects AS one, AmountDays AS on_day
        WHERE CutOffAt IS NOT NULL AND Status != 'dropped' AND ({process:String} = '' OR Process = {process:String})
            AND PeriodFirst > toDate({now:DateTime64(6, 'UTC')}) - 400
    )
    GROUP BY first_day, object
)
ARRAY JOIN members AS member

-- journey_facts --
-- What some journeys are worth, each under its id.
SELECT '' AS process, Id AS name, '' AS code, '' AS message, '' AS owner, toDateTime64(0, 6, 'UTC') AS since,
    Root AS root, Customer AS customer, toString(Entity) AS entity, tupleElement(one, 'Object') AS object,
    tupleElement(one, 'Amount') AS amount, tupleElement(one, 'Currency') AS currency, day
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
ARRAY JOIN AmountObjects AS one, AmountDays AS day
WHERE Root IN {roots:Array(UInt64)}

-- any_facts --
-- Every journey with its customer, one row per object.
SELECT '' AS process, '' AS name, '' AS code, '' AS message, '' AS owner, toDateTime64(0, 6, 'UTC') AS since,
    Root AS root, Customer AS customer, toString(Entity) AS entity, tupleElement(one, 'Object') AS object,
    tupleElement(one, 'Amount') AS amount, tupleElement(one, 'Currency') AS currency,
    if(object = 0, toDate32(OpenedAt), on_day) AS day
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
LEFT ARRAY JOIN AmountObjects AS one, AmountDays AS on_day
WHERE {process:String} = '' OR Process = {process:String}

-- shared --
-- Facts of all processes: an object that several of them know is one, by its key. Its hash is each process's own.
SELECT f.* REPLACE (if(k.Key = 0, f.object, k.Name) AS object)
FROM (@facts) AS f
LEFT ANY JOIN
(
    SELECT Key, sipHash64(Namespace, Value) AS Name
    FROM keys
    WHERE Tenant = {tenant:String} AND Deleted = 0 AND Key IN (SELECT object FROM (@facts))
) AS k ON k.Key = f.object

-- referenced --
-- Facts with what reference tables say of customer, entity and owner on the day of the fact (as_was) or today (as_is).
-- Internal: the customer is flagged so, or is one of our entities by id or name.
SELECT f.* EXCEPT (name, canonical),
    multiIf({by:String} = 'customer', f.canonical, {by:String} = 'group', f.said['group'],
        {by:String} = 'parent', if(p.Until >= f.known_on, p.Values['parent'], ''),
        {by:String} = 'team', if(w.Until >= f.known_on, w.Values['team'], ''), f.name) AS name,
    f.said['intercompany'] != '' OR (e.Key != '' AND e.Until >= f.known_on) AS internal
FROM
(
    SELECT f.*, if(c.Until >= f.known_on, c.Values, CAST(map(), 'Map(LowCardinality(String), String)')) AS said,
        if(said['canonical'] != '', said['canonical'], f.customer) AS canonical
    FROM
    (
        SELECT *, toInt32(if({reference:String} = 'as_is', toDate32({now:DateTime64(6, 'UTC')}), day)) AS known_on
        FROM (@facts)
    ) AS f
    ASOF LEFT JOIN
    (
        SELECT Key, toInt32(ValidFrom) AS Since, toInt32(ValidTo) AS Until, Values
        FROM reference_rows WHERE Content = {customers:String}
    ) AS c ON c.Key = f.customer AND c.Since <= f.known_on
) AS f
ASOF LEFT JOIN
(
    SELECT arrayJoin(arrayDistinct([Key, Values['name']])) AS Key, toInt32(ValidFrom) AS Since, toInt32(ValidTo) AS Until
    FROM reference_rows WHERE Content = {entities:String}
) AS e ON e.Key = f.canonical AND e.Since <= f.known_on
ASOF LEFT JOIN
(
    SELECT Key, toInt32(ValidFrom) AS Since, toInt32(ValidTo) AS Until, Values
    FROM reference_rows WHERE Content = {entities:String}
) AS p ON p.Key = f.entity AND p.Since <= f.known_on
ASOF LEFT JOIN
(
    SELECT Key, toInt32(ValidFrom) AS Since, toInt32(ValidTo) AS Until, Values
    FROM reference_rows WHERE Content = {owners:String}
) AS w ON w.Key = f.owner AND w.Since <= f.known_on

-- roots --
-- The journeys behind a figure; internal is yes, no or empty (both).
SELECT root FROM (@referenced)
WHERE name = {name:String} AND ({internal:String} = '' OR internal = ({internal:String} = 'yes'))

-- figures --
-- Money by name, and in all (total = 1): each object counts once in each. Intercompany money stands apart. What no number
-- can hold, too large or too small, is not converted: decimals that overflow would fail the query.
SELECT
    total, process, name, any(code) AS code, any(message) AS message, any(owner) AS owner, min(since) AS since,
    uniqExactArrayIf(roots, NOT internal) AS journeys,
    countIf(NOT internal AND object != 0) AS objects,
    sumMapIf(map(currency, amount), NOT internal AND object != 0) AS amounts,
    if({target:String} = '', NULL, round(sumIf(worth, NOT internal AND known), 6)) AS converted,
    sumMapIf(map(currency, amount), NOT internal AND object != 0 AND NOT known) AS unconverted,
    uniqExactArrayIf(roots, internal) AS internal_journeys,
    countIf(internal AND object != 0) AS internal_objects,
    sumMapIf(map(currency, amount), internal AND object != 0) AS internal_amounts,
    if({target:String} = '', NULL, round(sumIf(worth, internal AND known), 6)) AS internal_converted,
    sumMapIf(map(currency, amount), internal AND object != 0 AND NOT known) AS internal_unconverted,
    countIf(rated) AS rated_objects,
    minIf(first_rate, rated) AS first_rate,
    maxIf(last_rate, rated) AS last_rate,
    arraySort(groupUniqArrayArrayIf(sources, rated)) AS sources
FROM
(
    SELECT o.*,
        f.Kind != 'none' AND f.Currency != '' AND o.currency != {target:String} AND o.object != 0
            AND f.Factor > 0 AND abs(toFloat64(o.amount)) * toFloat64(f.Factor) < 1e40 AS rated,
        rated OR (o.currency = {target:String} AND {target:String} != '') AS known,
        if(rated, f.Factor, toDecimal256(1, 18)) * o.amount AS worth,
        f.FirstRate AS first_rate, f.LastRate AS last_rate, f.Sources AS sources
    FROM
    (
        SELECT *, best.1 AS amount, best.2 AS currency
        FROM
        (
            SELECT slot.1 AS total, slot.2 AS process, slot.3 AS name, object,
                argMax((toDecimal256(amount, 6), toString(currency)), (day, amount)) AS best,
                toInt32(max(day)) AS on_day, min(internal) AS internal, groupUniqArray(root) AS roots,
                any(code) AS code, any(message) AS message, any(owner) AS owner, min(since) AS since
            FROM (SELECT * EXCEPT (process, name), [(0, process, name), (1, '', '')] AS slots FROM (@referenced))
            ARRAY JOIN slots AS slot
            GROUP BY total, process, name, object, if(object = 0, root, 0)
        )
    ) AS o
    ASOF LEFT JOIN
    (
        SELECT Currency, toInt32(Since) AS Day, Kind, Factor, FirstRate, LastRate, Sources
        FROM exchange_factors WHERE Content = {rates:String} AND Target = {target:String}
    ) AS f ON f.Currency = o.currency AND f.Day <= o.on_day
)
GROUP BY total, process, name
ORDER BY total DESC, converted DESC, if(empty(amounts), 0, arrayMax(mapValues(amounts))) DESC, journeys DESC, process, name
LIMIT {limit:UInt32}
