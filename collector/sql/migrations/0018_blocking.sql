-- What blocks a journey, as far as its events tell: since when each counts (later than now: its check's grace has not passed), and
-- when it failed last, which says whether whoever closed it knew. Journeys that were folded before have the earliest only.
ALTER TABLE journey_state
    ADD COLUMN IF NOT EXISTS Blocking Array(Tuple(ExceptionId UInt64, Since DateTime64(6, 'UTC'), LastSeenAt DateTime64(6, 'UTC')))
        DEFAULT if(isNull(BlockedAt), [], [(toUInt64(0), assumeNotNull(BlockedAt), assumeNotNull(BlockedAt))]) AFTER BlockedAt;
