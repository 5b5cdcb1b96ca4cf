-- contents --
-- What each reference table held at a time.
SELECT Name, argMax(Content, LoadedAt) AS Content, max(LoadedAt) AS Since, argMax(Entries, LoadedAt) AS Entries
FROM reference_versions
WHERE Tenant IN ('', {tenant:String}) AND LoadedAt <= {now:DateTime64(6, 'UTC')}
GROUP BY Name
HAVING Content != ''
ORDER BY Name

-- stored --
SELECT uniqExact(Key, ValidFrom) FROM reference_rows WHERE Content = {content:String}

-- known_quotes --
SELECT count() FROM exchange_quotes WHERE Content = {content:String}

-- known_factors --
SELECT count() FROM exchange_factors WHERE Content = {content:String} AND Target = {target:String}

-- quotes --
-- Exchange rates both ways; of one pair and one day the ERP's apart from the others', of the others the first by name.
INSERT INTO exchange_quotes (Content, Base, Quote, Kind, Day, Until, Source, Number, Divisor)
SELECT {content:String}, if(backwards, best.2, best.1), if(backwards, best.1, best.2), rank + 2 * backwards, day, best.4, best.5,
    if(backwards, 1, best.3), if(backwards, best.3, 1)
FROM
(
    SELECT Values['source'] != 'erp' AS rank, toInt32(ValidFrom) AS day,
        argMin((Values['from'], Values['to'], toDecimal256(Values['rate'], 24), toInt32(ValidTo), Values['source']),
            Values['source']) AS best
    FROM reference_rows
    WHERE Content = {content:String}
    GROUP BY Values['from'], Values['to'], rank, day
)
ARRAY JOIN [0, 1] AS backwards

-- factors --
-- What every currency was worth in another, from day to day.
--
-- 1. moments    the days on which something may change for a pair.
-- 2. over       third currencies that lead from one to the wanted one.
-- 3. legs       at each moment the best kind whose latest rate is still valid.
-- 4. crossed    over a third currency: the fewest rates that are not the ERP's, then the freshest older rate, then by name.
INSERT INTO exchange_factors (Content, Target, Currency, Since, Kind, Factor, Pivot, FirstRate, LastRate, Sources)
WITH
    directed AS
    (
        SELECT Base AS a, Quote AS b, Kind AS kind, Day AS day, Until AS until, Source AS source, Number AS num, Divisor AS den
        FROM exchange_quotes WHERE Content = {content:String}
    ),
    moments AS
    (
        SELECT DISTINCT a, b, arrayJoin(if(until < toInt32(toDate32('2299-12-31')), [day, until + 1], [day])) AS since FROM directed
    ),
    pairs AS
    (
        SELECT DISTINCT Base AS a, Quote AS b FROM exchange_quotes WHERE Content = {content:String}
    ),
    over AS
    (
        SELECT one.a AS a, one.b AS pivot
        FROM (SELECT a, b FROM pairs WHERE a != {target:String} AND b != {target:String}) AS one
        INNER JOIN (SELECT a FROM pairs WHERE b = {target:String}) AS two ON two.a = one.b
    ),
    legs AS
    (
        SELECT a, b, since, countIf(valid) > 0 AS known, argMinIf((num, den, kind, day, source), kind, valid) AS leg
        FROM
        (
            SELECT m.a AS a, m.b AS b, m.since AS since, m.kind AS kind, d.num AS num, d.den AS den, d.day AS day,
                d.source AS source, d.source != '' AND d.until >= m.since AS valid
            FROM
            (
                SELECT a, b, since, arrayJoin([toUInt8(0), 1, 2, 3]) AS kind FROM moments
                WHERE b = {target:String} OR (a, b) IN (SELECT a, pivot FROM over)
            ) AS m
            ASOF LEFT JOIN directed AS d ON d.a = m.a AND d.b = m.b AND d.kind = m.kind AND d.day <= m.since
        )
        GROUP BY a, b, since
    ),
    points AS
    (
        SELECT DISTINCT a, since
        FROM
        (
            SELECT o.a AS a, m.since AS since FROM over AS o INNER JOIN moments AS m ON m.a = o.a AND m.b = o.pivot
            UNION ALL
            SELECT o.a AS a, m.since AS since FROM over AS o INNER JOIN (SELECT * FROM moments WHERE b = {target:String}) AS m
                ON m.a = o.pivot
            UNION ALL
            SELECT a, since FROM moments WHERE b = {target:String} AND a != {target:String}
        )
    ),
    crossed AS
    (
        SELECT a, since,
            argMin((num, den, pivot, older, newer, sources), (others, -older, pivot)) AS best
        FROM
        (
            SELECT x.a AS a, x.since AS since, x.pivot AS pivot,
                multiplyDecimal(x.leg.1, two.leg.1, 24) AS num, multiplyDecimal(x.leg.2, two.leg.2, 24) AS den,
                least(x.leg.4, two.leg.4) AS older, greatest(x.leg.4, two.leg.4) AS newer, [x.leg.5, two.leg.5] AS sources,
                (x.leg.3 IN (1, 3)) + (two.leg.3 IN (1, 3)) AS others
            FROM
            (
                SELECT y.a AS a, y.since AS since, y.pivot AS pivot, one.leg AS leg
                FROM (SELECT p.a AS a, p.since AS since, o.pivot AS pivot FROM points AS p INNER JOIN over AS o ON o.a = p.a) AS y
                ASOF JOIN legs AS one ON one.a = y.a AND one.b = y.pivot AND one.since <= y.since
                WHERE one.known
            ) AS x
            ASOF JOIN (SELECT * FROM legs WHERE b = {target:String}) AS two ON two.a = x.pivot AND two.since <= x.since
            WHERE two.known
        )
        GROUP BY a, since
    )
SELECT {content:String}, {target:String}, currency, toDate32(day),
    multiIf(known AND leg.3 < 2, 'direct', known, 'inverse', best.3 != '', 'pivot', 'none') AS kind,
    if(kind = 'none', 0, divideDecimal(if(known, leg.1, best.1), greatest(if(known, leg.2, best.2), least_unit), 18)),
    if(kind = 'pivot', best.3, ''),
    toDate32(if(known, leg.4, best.4)),
    toDate32(if(known, leg.4, best.5)),
    if(known, [leg.5], arraySort(arrayDistinct(best.6)))
FROM
(
    SELECT direct.a AS currency, direct.since AS day, direct.known AS known, direct.leg AS leg, c.best AS best,
        toDecimal256('0.000000000000000000000001', 24) AS least_unit
    FROM
    (
        SELECT p.a AS a, p.since AS since, l.known AS known, l.leg AS leg
        FROM points AS p
        ASOF LEFT JOIN (SELECT * FROM legs WHERE b = {target:String}) AS l ON l.a = p.a AND l.since <= p.since
    ) AS direct
    LEFT JOIN crossed AS c ON c.a = direct.a AND c.since = direct.since
)
