-- What is said about the fields that a failing check compares, in words: one text for each of FailedChecks.
ALTER TABLE journey_state ADD COLUMN IF NOT EXISTS CheckDetails Array(String) AFTER FailedChecks;
