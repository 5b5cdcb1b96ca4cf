-- Reference tables (tables/*.csv), and what is made of exchange rates.

-- The day that decides on the exchange rate of each of AmountObjects: the accounting date of its latest amount, else the UTC day.
ALTER TABLE journey_state ADD COLUMN IF NOT EXISTS AmountDays Array(Date32) AFTER AmountObjects;

-- Which content a reference table has had from when on: the row with the greatest LoadedAt counts. Content is '' once the file was
-- taken away. Tenant '' stands for every tenant.
CREATE TABLE IF NOT EXISTS reference_versions
(
    Tenant LowCardinality(String),
    Name LowCardinality(String),
    LoadedAt DateTime64(6, 'UTC'),
    Content String,
    Entries UInt32
)
ENGINE = MergeTree
ORDER BY (Tenant, Name, LoadedAt);

-- The rows of reference tables, by the hash of the content they belong to: they never change. Both days are included.
CREATE TABLE IF NOT EXISTS reference_rows
(
    Content String,
    Key String,
    ValidFrom Date32,
    ValidTo Date32,
    Values Map(LowCardinality(String), String)
)
ENGINE = ReplacingMergeTree
ORDER BY (Content, Key, ValidFrom);

-- Exchange rates, each both ways: one unit of Base is Number / Divisor of Quote, from Day to Until. Kind is their order of preference:
-- 0 by the ERP, 1 by others, 2 the inverse by the ERP, 3 the inverse by others. By the hash of the rates: rows never change.
CREATE TABLE IF NOT EXISTS exchange_quotes
(
    Content String,
    Base LowCardinality(String),
    Quote LowCardinality(String),
    Kind UInt8,
    Day Int32,
    Until Int32,
    Source LowCardinality(String),
    Number Decimal(76, 24),
    Divisor Decimal(76, 24)
)
ENGINE = ReplacingMergeTree
ORDER BY (Content, Base, Quote, Kind, Day);

-- What one unit of Currency is in Target from Since on, until the next row; Kind 'none': no rate is valid. By the hash of the rates:
-- rows never change. FirstRate and LastRate are the days from which the rates that were used are valid.
CREATE TABLE IF NOT EXISTS exchange_factors
(
    Content String,
    Target LowCardinality(String),
    Currency LowCardinality(String),
    Since Date32,
    Kind Enum8('none' = 0, 'direct' = 1, 'inverse' = 2, 'pivot' = 3),
    Factor Decimal(76, 18),
    Pivot LowCardinality(String),
    FirstRate Date32,
    LastRate Date32,
    Sources Array(LowCardinality(String))
)
ENGINE = ReplacingMergeTree
ORDER BY (Content, Target, Currency, Since);
