"""Exceptions of a journey, as SQL: from failed events, and from checks that do not hold."""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from collections.abc import Mapping

from throughline.correlator.definition import Process
from throughline.correlator.expression_parts import quoted
from throughline.correlator.fold_input import DIMENSIONS, Rows

_OF_JOURNEY = ", ".join(f"journey.{name}" for name in DIMENSIONS)
"""What is known of the journey and routes its exceptions."""

EXCEPTION_ID = "sipHash64({{tenant:String}}, {{process:String}}, {})"
"""The SQL of the id of an exception, by its kind, what it is called and what it is about."""

_UUID = r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
# What differs between two messages of one cause, in this order: quoted values, ids, anything with a digit in
# it.
_VARIABLE = (
    (r"""(^|[^\w])('[^']*'|"[^"]*"|`[^`]*`)""", r"\1?"),
    (_UUID, "#"),
    (r"\b[0-9a-fA-F]{16,}\b", "#"),
    (r"\w*\d\w*", "#"),
    (r"#([-.,:/+]#)+", "#"),
    (r"\s+", " "),
)


def _normalised(sql: str) -> str:
    for pattern, replacement in _VARIABLE:
        sql = f"replaceRegexpAll({sql}, {quoted(pattern)}, {quoted(replacement)})"
    return f"lowerUTF8(trimBoth({sql}))"


def fingerprint(kind_event: str, klass: str, code: str, message: str) -> str:
    """The SQL of a fingerprint: equal for exceptions of one cause."""
    return f"sipHash64({{process:String}}, {kind_event}, {klass}, {code}, {_normalised(message)})"


def cause(event: str, klass: str, code: str, message: str) -> str:
    """The SQL of what fingerprints of several processes have in common: the failure, whoever sees it."""
    return f"leftPad(lower(hex(sipHash64({event}, {klass}, {code}, {_normalised(message)}))), 16, '0')"


def event_exceptions(process: Process, rows: Rows) -> str:
    """One row per (journey, subject object, event) that ever failed.

    Of the history of failures and successes by time, the last run of failures is the exception: opened by
    its first, resolved by the success behind it.
    """
    failing = f"\n    AND (Root, Event) IN ({rows.select('Root, Event', ' AND Failed = 1')})"
    blocking = sorted({event for one in process.milestones for event in one.events})
    indented = rows.select(more=failing).replace("\n", "\n        ")
    return f"""SELECT
    Root, Subject, Event,
    arraySort(x -> (x.1, x.2), groupArray((
        toUnixTimestamp64Nano(Time), EventId, Failed, toString(ExceptionClass), ExceptionCode,
        if(Failed = 1, ExceptionMessage, ''), Amount, toString(Currency)))) AS history,
    arrayLastIndex(x -> x.3 = 1, history) AS last_failure,
    arrayLastIndex(x -> x.3 = 0, arraySlice(history, 1, last_failure)) AS success_before,
    history[last_failure] AS latest,
    history[success_before + 1] AS earliest,
    intDiv(earliest.1, 1000) AS Opened,
    if(length(history) > last_failure, intDiv(history[last_failure + 1].1, 1000), NULL) AS Resolved,
    last_failure - success_before AS Occurrences,
    Event IN ({", ".join(quoted(event) for event in blocking)}) AS Blocking
FROM (
    SELECT *, arrayJoin(if(empty(Subjects), [0], Subjects)) AS Subject
    FROM (
        {indented}
    )
)
GROUP BY Root, Subject, Event
HAVING last_failure > 0"""


_INSERT = """INSERT INTO exception_state (
    Tenant, Process, Generation, Root, ExceptionId, Subject, Kind, Event, Milestone, Class, Code, Message,
    Fingerprint, Owner, Severity, Blocking, Amount, Currency, Customer, Entity, Region, ServiceLine,
    OpenedAt, ResolvedAt, LastSeenAt, Occurrences, Turns, FirstEventId, LastEventId, Version, Deleted
)"""


def failures_sql(process: Process, rows: Rows) -> str:
    """The statement that writes exceptions from failed events, to be run after the journeys of the same
    version are written.
    """
    first_with: dict[str, int] = {}
    for index, one in enumerate(process.milestones):
        for event in one.events:
            first_with.setdefault(event, index)
    names = {event: process.milestones[index].name for event, index in first_with.items()}
    default = process.owner or ""
    owners = {event: process.milestones[index].owner or default for event, index in first_with.items()}
    exceptions = event_exceptions(process, rows).replace("\n", "\n    ")
    failing = rows.select("Root", " AND Failed = 1")
    journeys = _alive(rows, ", ".join(DIMENSIONS), f" AND Root IN ({failing})")
    fingerprinted = fingerprint("Event", "class", "latest.5", "latest.6")
    return f"""{_INSERT}
SELECT
    {{tenant:String}}, {{process:String}}, {{generation:UInt32}},
    Root, {EXCEPTION_ID.format("'event', Event, Subject")}, Subject, 'event',
    Event, {_by("Event", names, "")} AS milestone,
    if(latest.4 = '', 'technical', latest.4) AS class, latest.5, latest.6,
    {fingerprinted},
    {_by("Event", owners, default)}, if(Blocking, 'high', 'medium'), Blocking, latest.7, latest.8,
    {_OF_JOURNEY},
    fromUnixTimestamp64Micro(Opened, 'UTC'), fromUnixTimestamp64Micro(Resolved, 'UTC'),
    fromUnixTimestamp64Micro(intDiv(latest.1, 1000), 'UTC'), Occurrences,
    {_turns()},
    earliest.2, latest.2, {{version:UInt64}}, 0
FROM (
    {exceptions}
) AS failing
INNER JOIN {journeys} AS journey ON journey.Root = failing.Root"""


def _turns() -> str:
    """When an exception was opened and resolved, in turn: where the history changes between failure and
    success. An opening has the fingerprint of the last failure of its run.
    """
    last = "history[following - 1]"
    cause = fingerprint("Event", f"if({last}.4 = '', 'technical', {last}.4)", f"{last}.5", f"{last}.6")
    return f"""arrayMap((i, following) -> (
            fromUnixTimestamp64Nano(history[i].1, 'UTC'), history[i].2,
            if(history[i].3 = 1, {cause}, 0)),
        arrayFilter(i -> history[i].3 != if(i = 1, 0, history[i - 1].3), arrayEnumerate(history)) AS flips,
        arrayPushBack(arrayPopFront(flips), length(history) + 1))"""


def checks_sql(process: Process, rows: Rows) -> str:
    """The statement for checks, to be run likewise; empty without any. It writes those that do not hold, and
    those that did not once: what became of them follows from the stored transitions, because a state that is
    over leaves no event.

    A check that changes sides does so at the latest event of its journey. Its first opening moves with the
    fact that it is judged after. One with grace opens when that is over: if it holds again before, it never
    has, and a row that is deleted from the beginning says so (`fold_transitions.py`).
    """
    if not process.checks:
        return ""
    default = process.owner or ""
    checks = process.statements
    milestones = {one.name: one.after or "" for one in checks}
    owners = {one.name: one.owner or default for one in checks}
    classes = {one.name: one.class_ for one in checks}
    severities = {one.name: one.severity for one in checks}
    messages = {one.name: f"{one.name} does not hold: {one.expect}" for one in checks}
    blocking = ", ".join(quoted(one.name) for one in checks if one.blocking)
    graced = ", ".join(quoted(one.name) for one in checks if one.grace)
    waits = f"check IN ({graced})" if graced else "0"
    names = ", ".join(quoted(one.name) for one in checks)
    columns = f"Amount, Currency, {', '.join(DIMENSIONS)}, LastEventAt, FailedChecks, CheckDetails"
    cause = fingerprint("'check'", _by("check", classes, ""), "check", "''")
    identity = EXCEPTION_ID.format("'check', name, found.Root")
    return f"""{_INSERT}
SELECT
    {{tenant:String}}, {{process:String}}, {{generation:UInt32}},
    Root, id, Root, 'check',
    '', {_by("check", milestones, "")}, {_by("check", classes, "")}, check,
    if(told = '', {_by("check", messages, "")}, concat({_by("check", messages, "")}, '; ', told)),
    {cause} AS print,
    {_by("check", owners, default)}, {_by("check", severities, "")},
    {f"check IN ({blocking})" if blocking else "0"},
    Amount, Currency, {_OF_JOURNEY},
    toDateTime64(turns[-2 + length(turns) % 2], 6, 'UTC') AS opened,
    if(length(turns) % 2 = 1, NULL, toDateTime64(turns[-1], 6, 'UTC')), opened, 1,
    arrayMap((at, n) -> (at, toUInt128(0), if(n % 2 = 1, print, 0)), turns, arrayEnumerate(turns)),
    toUInt128(0), toUInt128(0), {{version:UInt64}}, empty(turns)
FROM (
    SELECT *,
        one.1 AS check, one.2 AS id, Known[id] AS before, has(FailedChecks.1, check) AS fails,
        indexOf(FailedChecks.1, check) AS place, CheckDetails[place] AS told,
        toDateTime64(FailedChecks[place].2, 9, 'UTC') AS since,
        greatest(toDateTime64(LastEventAt, 9, 'UTC'), addMicroseconds(before[-1], 1)) AS latest,
        multiIf(
            fails AND length(before) < 2, [since],
            fails = length(before) % 2, before,
            NOT fails AND {waits} AND before[-1] > LastEventAt, arrayPopBack(before),
            arrayPushBack(before, if(fails AND {waits}, greatest(latest, since), latest))) AS turns
    FROM (
        SELECT *, arrayJoin(arrayFilter(c -> has(FailedChecks.1, c.1) OR mapContains(Known, c.2),
            arrayMap(name -> (name, {identity}), [{names}]))) AS one
        FROM {_alive(rows, columns)} AS found
        LEFT JOIN (
            {_known_checks(rows)}
        ) AS known ON known.Root = found.Root
    )
) AS journey"""


def _known_checks(rows: Rows) -> str:
    """When the checks of each journey opened and resolved, as it was noticed so far."""
    return f"""SELECT Root, mapFromArrays(groupArray(ExceptionId), groupArray(Turns)) AS Known
            FROM (
                SELECT Subject AS Root, ExceptionId, arraySort(groupArray(At)) AS Turns
                FROM (
                    SELECT Subject, ExceptionId, Kind, At, Withdrawn FROM exception_transitions
                    WHERE {rows.checks} AND Origin = 'fact' AND EventId = 0
                    ORDER BY Version DESC LIMIT 1 BY Subject, ExceptionId, Kind, At
                )
                WHERE Withdrawn = 0
                GROUP BY Subject, ExceptionId
            )
            GROUP BY Root"""


def _alive(rows: Rows, columns: str, more: str = "") -> str:
    """The journeys that this version has written."""
    written = f"{rows.journeys} AND Version = {{version:UInt64}} AND Deleted = 0{more}"
    return f"(SELECT Root, {columns} FROM journey_state WHERE {written})"


def _by(column: str, values: Mapping[str, str], default: str) -> str:
    """A look-up in a fixed table."""
    if set(values.values()) <= {default}:
        return quoted(default)
    keys, results = (", ".join(quoted(text) for text in side) for side in (values.keys(), values.values()))
    return f"transform(toString({column}), [{keys}], [{results}], {quoted(default)})"
