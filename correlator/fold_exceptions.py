"""Exceptions of a journey, as SQL: from failed events, and from checks that do not hold."""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from collections.abc import Mapping

from throughline.correlator.definition import Process
from throughline.correlator.expression_parts import quoted
from throughline.correlator.fold_input import Rows

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


def exceptions_sql(process: Process, rows: Rows) -> str:
    """The statement that writes exceptions, to be run after the journeys of the same version are written."""
    first_with: dict[str, int] = {}
    for index, one in enumerate(process.milestones):
        for event in one.events:
            first_with.setdefault(event, index)
    names = {event: process.milestones[index].name for event, index in first_with.items()}
    default = process.owner or ""
    owners = {event: process.milestones[index].owner or default for event, index in first_with.items()}
    exceptions = event_exceptions(process, rows).replace("\n", "\n    ")
    alive = f"\nWHERE Root IN (SELECT Root FROM {_alive(rows)})" if process.scope else ""
    fingerprinted = fingerprint("Event", "class", "latest.5", "latest.6")
    statement = f"""INSERT INTO exception_state (
    Tenant, Process, Generation, Root, ExceptionId, Subject, Kind, Event, Milestone, Class, Code, Message,
    Fingerprint, Owner, Severity, Blocking, Amount, Currency, OpenedAt, ResolvedAt, Occurrences,
    FirstEventId, LastEventId, Version, Deleted
)
SELECT
    {{tenant:String}}, {{process:String}}, {{generation:UInt32}},
    Root, sipHash64({{tenant:String}}, {{process:String}}, 'event', Event, Subject), Subject, 'event',
    Event, {_by("Event", names, "")} AS milestone,
    if(latest.4 = '', 'technical', latest.4) AS class, latest.5, latest.6,
    {fingerprinted},
    {_by("Event", owners, default)}, if(Blocking, 'high', 'medium'), Blocking, latest.7, latest.8,
    fromUnixTimestamp64Micro(Opened, 'UTC'), fromUnixTimestamp64Micro(Resolved, 'UTC'), Occurrences,
    earliest.2, latest.2, {{version:UInt64}}, 0
FROM (
    {exceptions}
){alive}"""
    return f"{statement}\nUNION ALL\n{_checks(process, rows)}" if process.checks else statement


def _checks(process: Process, rows: Rows) -> str:
    default = process.owner or ""
    checks = process.statements
    milestones = {one.name: one.after or "" for one in checks}
    owners = {one.name: one.owner or default for one in checks}
    classes = {one.name: one.class_ for one in checks}
    severities = {one.name: one.severity for one in checks}
    messages = {one.name: f"{one.name} does not hold: {one.expect}" for one in checks}
    blocking = ", ".join(quoted(one.name) for one in checks if one.blocking)
    return f"""SELECT
    {{tenant:String}}, {{process:String}}, {{generation:UInt32}},
    Root, sipHash64({{tenant:String}}, {{process:String}}, 'check', check, Root), Root, 'check',
    '', {_by("check", milestones, "")}, {_by("check", classes, "")}, check,
    if(told = '', {_by("check", messages, "")}, concat({_by("check", messages, "")}, '; ', told)),
    {fingerprint("'check'", _by("check", classes, ""), "check", "''")},
    {_by("check", owners, default)}, {_by("check", severities, "")},
    {f"check IN ({blocking})" if blocking else "0"},
    Amount, Currency, since, NULL, 1, toUInt128(0), toUInt128(0), {{version:UInt64}}, 0
FROM (
    SELECT Root, Amount, Currency, arrayJoin(arrayZip(FailedChecks, CheckDetails)) AS failed,
        toString(failed.1.1) AS check, failed.1.2 AS since, failed.2 AS told
    FROM {_alive(rows)}
)"""


def _alive(rows: Rows) -> str:
    """The journeys that this version has written."""
    written = f"{rows.journeys} AND Version = {{version:UInt64}} AND Deleted = 0"
    return f"(SELECT * FROM journey_state WHERE {written})"


def _by(column: str, values: Mapping[str, str], default: str) -> str:
    """A look-up in a fixed table."""
    if set(values.values()) <= {default}:
        return quoted(default)
    keys, results = (", ".join(quoted(text) for text in side) for side in (values.keys(), values.values()))
    return f"transform(toString({column}), [{keys}], [{results}], {quoted(default)})"
