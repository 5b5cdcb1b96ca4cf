"""Transitions of exceptions, as SQL: what a fold has changed, against what was noticed before.

The turns of an exception (opened, resolved, opened again, ...) are stored with it, and follow from the events
alone. What is stored of them as transitions is made equal to them: missing ones are added, those that late
events have shown to be otherwise are withdrawn. So a dead pass, run again, adds nothing twice, any order of
events ends with the same history, and a rebuild notices nothing that was noticed before.
"""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from throughline.correlator.fold_input import TARGETS

_PROCESSES = "Tenant = {tenant:String} AND Process IN {processes:Array(String)}"
_KNOWN = "(Deleted = 0 OR Kind = 'check')"
"""Rows that were written as exceptions; those that take one away are of no kind but the first, `event`."""
_KEY = "Subject, ExceptionId, Kind, Origin, At, EventId, Act"


def transitions_sql(source: str) -> tuple[str, ...]:
    """The statements after a live fold: for the exceptions of the changed journeys, of whatever process; a
    table lists these journeys.

    A check that held again before its grace was over is a deleted row without turns: all is withdrawn.
    Those that vanished count whatever version removed them: it may have died before it noticed.
    """
    changed = f"{TARGETS} AND Root IN (SELECT Root FROM {source})"
    removed = f"SELECT ExceptionId FROM exception_state WHERE {changed} AND Deleted = 1"
    touched = f"""SELECT ExceptionId, any(Process) AS Process, max(Subject) AS Subject, any(Root) AS Root,
        max({_KNOWN}) AS Living, anyIf(Turns, Deleted = 0) AS Turns
    FROM (
        SELECT ExceptionId, Process, Subject, Root, Kind, Deleted, Turns FROM exception_state WHERE {changed}
        ORDER BY Version DESC LIMIT 1 BY Root, ExceptionId
    )
    GROUP BY ExceptionId
    HAVING Living OR ExceptionId NOT IN (
        SELECT ExceptionId
        FROM (
            SELECT Root, ExceptionId, Deleted FROM exception_state
            WHERE {TARGETS} AND ExceptionId IN ({removed})
            ORDER BY Version DESC LIMIT 1 BY Root, ExceptionId
        )
        WHERE Deleted = 0
    )"""
    subjects = f"Subject IN (SELECT Subject FROM exception_state WHERE {changed})"
    written = f"{changed} AND Version = {{version:UInt64}} AND Deleted = 0"
    return _synchronised(touched, subjects), _overtaken(written, subjects)


def all_transitions_sql() -> tuple[str, ...]:
    """The statements that end a rebuild: for every exception of a generation, and all noticed before."""
    living = f"""(
        SELECT * FROM (
            SELECT * FROM exception_state WHERE {TARGETS}
            ORDER BY Version DESC LIMIT 1 BY Root, ExceptionId
        )
        WHERE {_KNOWN}
    )"""
    touched = f"""SELECT ExceptionId, any(Process) AS Process, max(Subject) AS Subject, any(Root) AS Root,
        max(Here) AS Living, anyIf(Turns, Here) AS Turns
    FROM (
        SELECT ExceptionId, Process, Subject, Root, 1 AS Here, Turns FROM {living}
        UNION ALL
        SELECT ExceptionId, Process, Subject, Root, 0, [] FROM exception_transitions WHERE {_PROCESSES}
    )
    GROUP BY ExceptionId"""
    return _synchronised(touched, "1"), _overtaken("1", "1", living)


def _synchronised(touched: str, subjects: str) -> str:
    """Make the stored facts equal to the turns. An exception without a journey is gone, until it is back."""
    return f"""INSERT INTO exception_transitions (
    Tenant, Process, Subject, ExceptionId, Kind, Origin, At, EventId, Root, Actor, Version, Withdrawn
)
SELECT {{tenant:String}}, Process, Subject, ExceptionId, change.1.1, change.1.2, change.1.3,
    change.1.4, Root, 'correlator', {{version:UInt64}}, change.2
FROM (
    SELECT now.Process AS Process, now.Subject AS Subject, now.ExceptionId AS ExceptionId, Root, Stored,
        arrayMap((t, n) -> (multiIf(n = 1, 'opened', n % 2 = 0, 'resolved', 'reopened'), 'fact', t.1, t.2),
            Turns, arrayEnumerate(Turns)) AS facts,
        multiIf(
            Living, facts,
            empty(Stored) OR arrayExists(x -> x.1 = 'gone', Stored), Stored,
            arrayPushBack(Stored, ('gone', 'found', now64(9, 'UTC'), toUInt128(0)))) AS wanted,
        arrayJoin(arrayConcat(
            arrayMap(x -> (x, 0), arrayFilter(x -> NOT has(Stored, x), wanted)),
            arrayMap(x -> (x, 1), arrayFilter(x -> NOT has(wanted, x), Stored)))) AS change
    FROM (
    {touched}
    ) AS now
    LEFT JOIN (
        SELECT Subject, ExceptionId,
            groupArray((toString(Kind), toString(Origin), At, EventId)) AS Stored
        FROM (
            SELECT {_KEY}, Withdrawn FROM exception_transitions
            WHERE {_PROCESSES} AND {subjects} AND (Origin = 'fact' OR Kind = 'gone')
            ORDER BY Version DESC LIMIT 1 BY {_KEY}
        )
        WHERE Withdrawn = 0
        GROUP BY Subject, ExceptionId
    ) AS before ON before.Subject = now.Subject AND before.ExceptionId = now.ExceptionId
)"""


def _overtaken(condition: str, subjects: str, source: str = "exception_state") -> str:
    """A failure later than all that somebody knew of who closed an exception opens it again."""
    return f"""INSERT INTO exception_transitions (
    Tenant, Process, Subject, ExceptionId, Kind, Origin, At, EventId, Act, Root, Actor, Version
)
SELECT {{tenant:String}}, Process, Subject, now.ExceptionId, 'reopened', 'found',
    toDateTime64(LastSeenAt, 9, 'UTC'), LastEventId, closed.Act, Root, 'correlator', {{version:UInt64}}
FROM (
    SELECT ExceptionId, any(Process) AS Process, any(Subject) AS Subject, any(Root) AS Root,
        any(LastSeenAt) AS LastSeenAt, any(LastEventId) AS LastEventId, any(Turns) AS Turns
    FROM (
        SELECT ExceptionId, Process, Subject, Root, LastSeenAt, LastEventId, Turns
        FROM {source} WHERE {condition}
    )
    GROUP BY ExceptionId
) AS now
INNER JOIN (
    SELECT ExceptionId, Act, SeenUntil
    FROM (
        SELECT ExceptionId, Act, SeenUntil, ClosedAt FROM exception_handling WHERE Tenant = {{tenant:String}}
        ORDER BY Version DESC LIMIT 1 BY ExceptionId
    )
    WHERE isNotNull(ClosedAt)
) AS closed ON closed.ExceptionId = now.ExceptionId
WHERE LastSeenAt > SeenUntil
    AND NOT arrayExists((t, n) -> n % 2 = 1 AND t.1 > SeenUntil, Turns, arrayEnumerate(Turns))
    AND closed.Act NOT IN (
        SELECT Act FROM exception_transitions
        WHERE {_PROCESSES} AND {subjects} AND Kind = 'reopened' AND Origin = 'found'
    )"""
