-- The join doctor: ids that several systems carry. Values are sampled by their hash, so that what is equal is sampled alike.

-- drop --
DROP TABLE IF EXISTS suggest_values

-- create --
CREATE TABLE suggest_values (
    Source LowCardinality(String), Service LowCardinality(String), Name String, Value String, Prefix String,
    First Int64, Rows UInt64
) ENGINE = MergeTree ORDER BY Value

-- size --
-- How many values there are to look at, at most.
SELECT
    (SELECT sum(length(mapKeys(SpanAttributes))) FROM otel_traces WHERE Tenant = {tenant:String} AND Timestamp >= {since:DateTime64(6, 'UTC')})
    + (SELECT sum(length(mapKeys(LogAttributes))) FROM otel_logs WHERE Tenant = {tenant:String} AND Timestamp >= {since:DateTime64(6, 'UTC')})
    + (SELECT sum(length(Keys)) FROM business_events WHERE Tenant = {tenant:String} AND Time >= {since:DateTime64(6, 'UTC')})

-- ids --
-- Of (service, name, text, time) those that look like ids, by what stands behind the last slash: four characters at least, a digit,
-- no date, no decimal number, no blank.
SELECT '$1', Service, Name, Value, any(Prefix), min(At), count()
FROM
(
    SELECT Service, Name, At, extract(text, '([^/]*)$') AS Value, substring(text, 1, length(text) - length(Value)) AS Prefix
    FROM
    (
        SELECT Service, pair.1 AS Name, At,
            arrayJoin(if(startsWith(pair.2, '[') AND isValidJSON(pair.2), JSONExtract(pair.2, 'Array(String)'), [pair.2])) AS text
        FROM ($2)
    )
)
WHERE length(Value) BETWEEN 4 AND 128 AND cityHash64(Value) % {every:UInt64} = 0 AND match(Value, '[0-9]')
  AND NOT match(Value, '\\s|^\\d{4}-\\d\\d-\\d\\d|^-?\\d*\\.\\d+$|^[0-9a-f]{2}-[0-9a-f]{32}-')
GROUP BY Service, Name, Value

-- fill_spans --
INSERT INTO suggest_values ${ids(spans;
    SELECT toString(ServiceName) AS Service, toUnixTimestamp64Micro(toDateTime64(Timestamp, 6)) AS At,
        arrayJoin(arrayFilter(p -> NOT startsWith(p.1, 'business.'), arrayZip(mapKeys(SpanAttributes), mapValues(SpanAttributes)))) AS pair
    FROM otel_traces WHERE Tenant = {tenant:String} AND Timestamp >= {since:DateTime64(6, 'UTC')})}

-- fill_logs --
INSERT INTO suggest_values ${ids(logs;
    SELECT toString(ServiceName) AS Service, toUnixTimestamp64Micro(toDateTime64(Timestamp, 6)) AS At,
        arrayJoin(arrayFilter(p -> NOT startsWith(p.1, 'business.'), arrayZip(mapKeys(LogAttributes), mapValues(LogAttributes)))) AS pair
    FROM otel_logs WHERE Tenant = {tenant:String} AND Timestamp >= {since:DateTime64(6, 'UTC')})}

-- fill_keys --
INSERT INTO suggest_values ${ids(keys;
    SELECT toString(ServiceName) AS Service, toUnixTimestamp64Micro(toDateTime64(Time, 6)) AS At,
        arrayJoin(arrayMap(k -> (k.1, k.2), Keys)) AS pair
    FROM business_events WHERE Tenant = {tenant:String} AND Time >= {since:DateTime64(6, 'UTC')})}

-- standing --
-- Each id with its standing among its column's: 0 came first, 1 last.
SELECT *, percent_rank() OVER (PARTITION BY Source, Service, Name ORDER BY First) AS Standing FROM suggest_values

-- columns --
-- Where ids stand, with enough of them to tell.
SELECT Source, Service, Name, count(), sum(Rows), uniqExact(Prefix), any(Prefix),
    countIf(match(Value, '^\\d{1,18}$')) = count() AS AllNumbers, min(toInt64OrZero(Value)), max(toInt64OrZero(Value)),
    varPop(Standing), kurtPop(Standing)
FROM (${standing})
GROUP BY Source, Service, Name
HAVING count() >= {least:UInt64}
ORDER BY Source, Service, Name
LIMIT 2000

-- pairs --
-- Ids that two columns of different services share, how their first appearances go together, and how scattered they are in each.
-- An id that stands in very many columns joins nothing.
SELECT a.Source, a.Service, a.Name, b.Source, b.Service, b.Name, count() AS Shared, rankCorr(a.First, b.First),
    uniqExact(a.First), uniqExact(b.First), avg(b.First - a.First), arraySort(groupArraySample(5, 1)(a.Value)),
    varPop(a.Standing), varPop(b.Standing)
FROM (${standing}) AS a
INNER JOIN (${standing}) AS b ON a.Value = b.Value
WHERE a.Service != b.Service AND (a.Source, a.Service, a.Name) < (b.Source, b.Service, b.Name)
  AND a.Value NOT IN (SELECT Value FROM suggest_values GROUP BY Value HAVING count() > 50)
GROUP BY ALL
HAVING Shared >= {least:UInt64}
ORDER BY Shared DESC
LIMIT 5000
