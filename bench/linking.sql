-- Synthetic business events for bench/linking.py.  A source gives rows
-- (id, j = journey number, s = step 0..5, variant, hidden = its keys stand on the evidence span above it).

-- block: history --
SELECT
    concat('e', toString(number)) AS id, intDiv(number, 6) AS j, number % 6 AS s, 'plain' AS variant,
    number % 5 = 4 AS hidden, toUInt32(0) AS late
FROM numbers({first:UInt64}, {rows:UInt64})

-- block: live --
-- 12,000 events of 2,000 new journeys; 6,600 timecards of old ones; 600 parents for orphans;
-- 800 newer versions of old invoices, without the billing event that linked them.
SELECT
    multiIf(number < 12000, concat('e', toString({first:UInt64} * 6 + number)),
            variant = 'withdrawn', concat('e', toString(j * 6 + s)),
            concat('live', toString({batch:UInt32}), '-', toString(number))) AS id,
    multiIf(number < 12000, {first:UInt64} + intDiv(number, 6),
            variant = 'parent', intDiv(random, 100) * 100 + 7,
            random) AS j,
    multiIf(number < 12000, number % 6, variant = 'withdrawn', 4, variant = 'parent', 1, 2) AS s,
    multiIf(number < 12000, 'plain', number < 18600, 'again', number < 19200, 'parent', 'withdrawn') AS variant,
    number % 5 = 4 AND variant != 'withdrawn' AS hidden,
    toUInt32(86400 * 90 + number) AS late
FROM
(
    SELECT number, sipHash64(number, {batch:UInt32}) % ({first:UInt64} - 100) AS random
    FROM numbers({rows:UInt64})
)

-- block: into_business_events --
INSERT INTO business_events
    (Tenant, EventId, ContentHash, Time, ReceivedAt, IngestedAt, Source, TraceId, SpanId, ServiceName, Parents,
     Event, Keys, Failed, System, Platform, Amount, Currency, Customer, Entity, Region, Attributes)
WITH
    lower(hex(sipHash128('trace', id))) AS trace_id,
    lower(hex(sipHash64('span', id))) AS span_id,
    reinterpretAsUInt128(sipHash128('span', {tenant:String}, trace_id, span_id)) AS span,
    concat('00D5e000000demo/006', toString(j)) AS opportunity,
    concat('00D5e000000demo/a1P', toString(j)) AS project,
    concat('TSTDRV1234/', toString(j)) AS job,
    concat('00D5e000000demo/a2T', toString(j), if(variant = 'again', id, '')) AS timecard,
    concat('00D5e000000demo/a3B', toString(j)) AS billing_event,
    concat('TSTDRV1234/INV-', toString(intDiv(j, 4))) AS invoice,
    concat('TSTDRV1234/PAY-', toString(intDiv(j, 4))) AS payment,
    j % 10 = 3 AS aliased,
    arraySort(arrayFilter(key -> key.2 != '', [
        ('salesforce.opportunity', if(s = 0 OR (s = 1 AND (j % 100 != 7 OR variant = 'parent')), opportunity, '')),
        ('certinia.project', if(s = 1 OR (s = 2 AND NOT aliased), project, '')),
        ('netsuite.job', if(aliased AND s IN (1, 2), job, '')),
        ('certinia.timecard', if(s IN (2, 3), timecard, '')),
        ('certinia.billing_event', if(s = 3 OR (s = 4 AND variant != 'withdrawn'), billing_event, '')),
        ('netsuite.invoice', if(s IN (4, 5), invoice, '')),
        ('netsuite.payment', if(s = 5, payment, ''))
    ])) AS all_keys
SELECT
    {tenant:String},
    if(evidence, span, reinterpretAsUInt128(sipHash128('id', {tenant:String}, id))),
    sipHash64(id, evidence, variant, late),
    toDateTime64('2026-01-05 08:00:00', 9, 'UTC') + toIntervalSecond((j % 7000000) + s * 86400 + late),
    now64(6) - toIntervalSecond({age:UInt32}), now64(6) - toIntervalSecond({age:UInt32}),
    if(evidence, 'span', 'log'),
    if(hidden, trace_id, ''), if(hidden, span_id, ''), 'bench',
    if(hidden AND NOT evidence, [(sipHash64({tenant:String}, trace_id), span)], []),
    if(evidence, '', ['opportunity.closed_won', 'project.created', 'time.approved', 'billing.released',
                      'invoice.posted', 'payment.applied'][s + 1]),
    if(hidden AND NOT evidence, [], all_keys),
    NOT evidence AND variant = 'plain' AND (j * 6 + s) % 100 = 11,
    ['crm', 'psa', 'psa', 'psa', 'erp', 'erp'][s + 1],
    ['salesforce', 'certinia', 'certinia', 'certinia', 'netsuite', 'netsuite'][s + 1],
    if(s IN (0, 4, 5), toDecimal128(1000 + j % 977, 6), NULL), if(s IN (0, 4, 5), 'EUR', ''),
    concat('customer ', toString(j % 5000)), ['DE01', 'US01', 'GB01'][j % 3 + 1], ['EMEA', 'AMER'][j % 2 + 1],
    map('business.run.id', concat('run-', id), 'billable', 'true', 'billing_schedule', 'monthly')
FROM (/*source*/)
ARRAY JOIN if(hidden, [0, 1], [0]) AS evidence

-- block: into_span_edges --
INSERT INTO span_edges (Tenant, Trace, Span, Parents, IsEvent, IngestedAt)
WITH
    lower(hex(sipHash128('trace', id))) AS trace_id,
    lower(hex(sipHash64('span', id))) AS span_id
SELECT
    {tenant:String}, sipHash64({tenant:String}, trace_id),
    reinterpretAsUInt128(sipHash128('span', {tenant:String}, trace_id, span_id)), [], 1,
    now64(6) - toIntervalSecond({age:UInt32})
FROM (/*source*/)
WHERE hidden

-- block: into_trace_inbox --
INSERT INTO trace_inbox (Tenant, IngestedAt, Trace)
SELECT {tenant:String}, now64(6) - toIntervalSecond({age:UInt32}), sipHash64({tenant:String}, lower(hex(sipHash128('trace', id))))
FROM (/*source*/)
WHERE hidden
