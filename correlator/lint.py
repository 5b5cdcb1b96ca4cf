"""What is valid in a definition and yet not meant: milestones that nothing reaches, promises about nothing.

An *error* is what can't work; a *warning* is what works and surprises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import CUT_OFF, Check, Milestone
from throughline.correlator.lint_constants import always
from throughline.correlator.parts import Path

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: where in the definition, what it means and what to do."""

    severity: Severity
    path: Path
    sentence: str


def lint(process: Process) -> list[Finding]:
    """Look through a valid definition."""
    unreachable = _unreachable(process)
    return [
        *(Finding("error", ("milestones", place, field), why) for place, (field, why) in unreachable.items()),
        *_expressions(process),
        *_clocks(process, {process.milestones[place].name for place in unreachable}),
        *_completion(process, {process.milestones[place].name for place in unreachable}),
        *_promises(process),
        *_owners(process),
    ]


def _unreachable(process: Process) -> dict[int, tuple[str, str]]:
    """Places of milestones that nothing reaches, with the field that says so and why."""
    found: dict[int, tuple[str, str]] = {}
    for place, one in enumerate(process.milestones):
        if one.where and always(one.where) is False:
            sentence = f"'{one.name}' is never reached: no event fulfils its `where`; correct the condition"
            found[place] = "where", sentence
        elif one.events and set(one.events) <= set(process.dropped_by):
            sentence = (
                f"'{one.name}' is never waited for: its event ends the journey by `dropped_by`; take it away "
                "at one of the two places"
            )
            found[place] = "event", sentence
        elif never := [each.name for each in process.statements_of(one) if _never(each)]:
            found[place] = (
                "checks",
                f"'{one.name}' is never reached: {never[0]} can't hold; correct that check",
            )
    names = {one.name: place for place, one in enumerate(process.milestones)}
    for place, one in enumerate(process.milestones):
        waits = [check.after for check in process.statements_of(one) if check.after]
        if place not in found and (lost := [name for name in waits if names[name] in found]):
            found[place] = (
                "checks",
                f"'{one.name}' is never reached: it waits for '{lost[0]}', which is not either",
            )
    return found


def _expressions(process: Process) -> Iterator[Finding]:
    if process.scope and always(process.scope) is False:
        yield Finding(
            "error", ("scope",), "no journey fulfils `scope`: nothing is shown; correct the condition"
        )
    for place, check in enumerate(process.checks):
        comes_to = always(check.expect) if check.expect else None
        path: Path = ("checks", place, "expect")
        if comes_to is True:
            yield Finding("warning", path, f"'{check.name}' always holds and finds nothing; take it away")
        elif comes_to is False:
            yield Finding(
                "error", path, f"'{check.name}' can't hold: every journey gets its exception; correct it"
            )
    for place, one in enumerate(process.milestones):
        if one.where and always(one.where) is True:
            yield Finding(
                "warning",
                ("milestones", place, "where"),
                f"every event fulfils the `where` of '{one.name}'; leave it out",
            )


def _clocks(process: Process, unreachable: set[str]) -> Iterator[Finding]:
    names = [one.name for one in process.milestones]
    for place, one in enumerate(process.milestones):
        start = process.clock_of(one)
        if start is None or start[0] == CUT_OFF:
            continue
        path: Path = ("milestones", place, "within")
        if start[0] in unreachable:
            sentence = f"'{one.name}' is never late: its clock starts at '{start[0]}', which nothing reaches"
            yield Finding("error", path, f"{sentence}; name another start with `of`")
        elif names.index(start[0]) > place:
            yield Finding(
                "warning",
                path,
                f"the clock of '{one.name}' starts at '{start[0]}', which is expected after it: until then "
                "it is never late; name an earlier start, or change the order of the milestones",
            )
    for place, check in enumerate(process.checks):
        if check.after in unreachable:
            sentence = (
                f"'{check.name}' is never judged: nothing reaches '{check.after}'; name another `after`"
            )
            yield Finding("error", ("checks", place, "after"), sentence)


def _completion(process: Process, unreachable: set[str]) -> Iterator[Finding]:
    for place, name in enumerate(process.completed_by):
        path: Path = ("completed_by", place)
        if name in unreachable:
            sentence = f"no journey ever completes: nothing reaches '{name}'"
            yield Finding("error", path, f"{sentence}; correct it, or complete by another milestone")
        elif process.milestone(name).optional:
            yield Finding(
                "warning",
                path,
                f"journeys wait for '{name}' to complete, which is optional and so never late: they may stay "
                "open unseen; make it a promise with `within`, or take it out of `completed_by`",
            )
    if process.amount_of and process.milestone(process.amount_of).checks:
        sentence = (
            f"'{process.amount_of}' is reached by checks and has no amount; name a milestone with an event"
        )
        yield Finding("error", ("amount_of",), sentence)


def _promises(process: Process) -> Iterator[Finding]:
    """Promises about nothing, and one fact counted as two."""
    seen: dict[tuple[object, ...], str] = {}
    for place, one in enumerate(process.milestones):
        if one.within and one.optional:
            yield Finding(
                "warning",
                ("milestones", place, "within"),
                f"'{one.name}' is optional and so never late: take away `within`, or `optional`",
            )
        elif one.on_late == "stuck" and not one.within:
            yield Finding(
                "warning",
                ("milestones", place, "on_late"),
                f"'{one.name}' can't be late without a time: add `within`, or take away `on_late`",
            )
        reached = (
            (one.events, one.where, one.at_least, one.every, one.responds) if one.events else (one.name,)
        )
        if reached in seen:
            sentence = f"'{one.name}' is reached by exactly what reaches '{seen[reached]}'"
            yield Finding("warning", ("milestones", place), f"{sentence}; tell them apart with `where`")
        seen.setdefault(reached, one.name)


def _owners(process: Process) -> Iterator[Finding]:
    if process.owner:
        return
    parts: list[tuple[str, int, Milestone]] = [
        ("milestones", place, one)
        for place, one in enumerate(process.milestones)
        if one.within and not one.owner
    ]
    for field, place, one in parts:
        sentence = f"nobody owns '{one.name}' when it is late: add `owner` to it, or to the process"
        yield Finding("warning", (field, place), sentence)


def _never(check: Check) -> bool:
    return always(check.expect or "") is False
