-- replays: one row per item of a replay with its latest state. Late: its effect came after it had ended without one. An item that
-- ended may still be verified, so when it ended first and when it changed last are two times.
CREATE OR REPLACE VIEW replays_at AS
SELECT
    Replay AS replay,
    Item AS item,
    toString(argMax(Kind, Number)) AS kind,
    toString(argMax(Target, Number)) AS target,
    toString(argMax(Process, Number)) AS process,
    leftPad(lower(hex(argMax(ExceptionId, Number))), 16, '0') AS exception,
    leftPad(lower(hex(argMax(Fingerprint, Number))), 16, '0') AS fingerprint,
    toString(argMax(State, Number)) AS state,
    toString(argMax(Outcome, Number)) AS outcome,
    max(State = 'verified' AND Before IN ('unverified', 'failed')) AS late,
    max(At) AS at,
    minIfOrNull(At, State IN ('verified', 'unverified', 'failed', 'refused', 'cancelled')) AS ended_at,
    argMax(Attempt, Number) AS attempts,
    toString(argMax(Actor, Number)) AS actor,
    argMax(Reason, Number) AS reason
FROM replay_transitions
WHERE Tenant = {tenant:String} AND Item != '' AND At <= {now:DateTime64(6, 'UTC')}
GROUP BY Replay, Item;
