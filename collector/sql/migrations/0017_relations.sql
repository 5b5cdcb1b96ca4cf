-- How many objects of its own level stand above an object by business.link; 255: more than 64, or a loop above it.
ALTER TABLE objects ADD COLUMN IF NOT EXISTS Depth UInt8 AFTER Level;

-- What contracts grant for a period, and what of it is used: one element for each entitlement and period.
ALTER TABLE journey_state ADD COLUMN IF NOT EXISTS Entitlements Array(Tuple(
    Name String,
    First Date32,
    Last Date32,
    Granted Decimal(38, 6),
    Carried Decimal(38, 6),
    Used Decimal(38, 6),
    Left Decimal(38, 6),
    Overdrawn Decimal(38, 6),
    Value Nullable(Decimal(38, 6)),
    Currency String
)) AFTER CheckDetails;
