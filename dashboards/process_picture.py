"""A definition as a picture: its objects, its milestones with their clocks and undoings, its checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import CUT_OFF, Check, Level, Milestone
from throughline.correlator.entitlements import Entitlement
from throughline.dashboards import theme
from throughline.dashboards.svg import Drawing, width_of, wrapped

_WIDTH, _MARGIN = 1080, 28
_LEFT, _CARD = 282, 470
"""Where the cards of milestones begin, and how wide they are."""
_LANE = 15
_LINE = 16
_STUCK, _LATE = theme.STATUS_COLOURS["stuck"], "#b26a00"
_SEVERE = {"critical": _STUCK, "high": _STUCK, "medium": _LATE, "low": theme.MUTED}


@dataclass(frozen=True, slots=True)
class _Card:
    """A milestone in the picture: the lines below its name, where it stands."""

    milestone: Milestone
    lines: tuple[tuple[str, bool], ...]
    top: float

    @property
    def height(self) -> float:
        """High enough for the promise beside it and for what undoes it."""
        beside = 46 if self.milestone.within else 0
        return max(32 + _LINE * len(self.lines), beside, 18 + _LINE * len(self.milestone.undone_by))


def picture(process: Process) -> str:
    """Return the SVG text of a definition."""
    drawing = Drawing(_WIDTH)
    _head(drawing, process)
    _levels(drawing, process.levels)
    _milestones(drawing, process)
    _end(drawing, process)
    _entitlements(drawing, process.entitlements)
    _checks(drawing, process.checks)
    drawing.y += 12
    return drawing.finished(f"{process.title or process.id}: {len(process.milestones)} milestones")


def calendar_words(process: Process) -> str:
    """Return by which calendars a process's time is counted."""
    calendar = process.calendar
    return f"by {calendar.by}, else {calendar.default}" if calendar.by else calendar.default


def _words(name: str) -> str:
    return name.replace("_", " ")


def _head(drawing: Drawing, process: Process) -> None:
    drawing.text(_MARGIN, 42, process.title or process.id, size=22, bold=True)
    told = [f"{process.id}, version {process.version}"]
    told += [f"owner {process.owner}"] if process.owner else []
    told.append(f"calendar {calendar_words(process)}")
    if process.cycle:
        told.append(f"cycle: {process.cycle.calendar} of {' or '.join(process.cycle.per)}")
    drawing.text(_MARGIN, 63, "  ·  ".join(told), size=12.5, colour=theme.MUTED)
    drawing.y = 70
    if process.scope:
        _paragraph(drawing, "Only journeys with", process.scope)


def _paragraph(drawing: Drawing, label: str, words: str) -> None:
    """A label, and beside it code in as many lines as it takes."""
    left = _MARGIN + 132
    drawing.text(_MARGIN, drawing.y + 16, label, size=12, colour=theme.MUTED)
    for line in wrapped(words, _WIDTH - left - _MARGIN, 11, mono=True):
        drawing.y += _LINE
        drawing.text(left, drawing.y, line, size=11, mono=True)
    drawing.y += 4


def _title(drawing: Drawing, words: str, more: str = "") -> None:
    drawing.y += 30
    drawing.text(_MARGIN, drawing.y, words, size=14, bold=True)
    drawing.text(_MARGIN + width_of(words, 14) + 18, drawing.y, more, size=12, colour=theme.MUTED)
    drawing.y += 10


def _levels(drawing: Drawing, levels: Iterable[Level]) -> None:
    """Boxes from the root down, as many beside each other as there is room for."""
    _title(drawing, "Objects", "from the root down; the names of one box are one object in several systems")
    x, top, bottom = float(_MARGIN), drawing.y, drawing.y
    for place, level in enumerate(levels):
        names = level.namespaces
        width = max(width_of(name, 11, mono=True) for name in names) + 22
        if x + width > _WIDTH - _MARGIN:
            x, top = float(_MARGIN) + 30, bottom + 14
        elif place:
            drawing.arrow(f"M{x - 23:g} {top + 14:g} H{x - 3:g}", theme.FAINT)
        height = 12 + _LINE * len(names)
        drawing.box(x, top, width, height, line=theme.ACCENT if place == 0 else theme.LINE)
        for line, name in enumerate(names):
            drawing.text(x + 11, top + 18 + _LINE * line, name, size=11, mono=True)
        x, bottom = x + width + 26, max(bottom, top + height)
    drawing.y = bottom


def _milestones(drawing: Drawing, process: Process) -> None:
    _title(drawing, "Milestones", "left: by when, and from where the clock runs; right: what takes it back")
    top = drawing.y + (34 if process.cycle else 0)
    cards: dict[str, _Card] = {}
    for one in process.milestones:
        card = _Card(one, tuple(_lines(process, one)), top)
        cards[one.name] = card
        top += card.height + 14
    if process.cycle:
        drawing.pill(_LEFT, drawing.y + 12, f"cut-off of {process.cycle.calendar}", theme.ACCENT)
    for card in cards.values():
        _draw_card(drawing, process, card)
        _undoing(drawing, card)
    _clocks(drawing, process, cards)
    drawing.y = top - 8


def _lines(process: Process, one: Milestone) -> list[tuple[str, bool]]:
    """What stands below the name: text, and whether it is code."""
    width = _CARD - 28
    if one.checks:
        return [(line, False) for line in wrapped(f"held first: {', '.join(one.checks)}", width, 11.5)]
    lines = [(line, True) for line in wrapped(" or ".join(one.events), width, 11, mono=True)]
    if one.where:
        lines += [(line, True) for line in wrapped(f"where {one.where}", width, 11, mono=True)]
    more = []
    if one.at_least > 1:
        more.append(f"at least {one.at_least} times")
    if one.every:
        more.append(f"every {one.every}")
    if one.responds:
        more.append("asked for again whenever its clock starts again")
    elif one.repeats:
        more.append("may come several times")
    if one.name == process.amount_of:
        more.append("its amount is the journey's")
    return [*lines, *((line, False) for line in wrapped("; ".join(more), width, 11.5) if more)]


def _draw_card(drawing: Drawing, process: Process, card: _Card) -> None:
    one = card.milestone
    final = one.name in process.completed_by
    line = theme.STATUS_COLOURS["completed"] if final else "#c9d0e0"
    drawing.box(_LEFT, card.top, _CARD, card.height, line=line, dashed=one.optional)
    drawing.text(_LEFT + 14, card.top + 20, _words(one.name), size=13.5, bold=True)
    shown = width_of(_words(one.name), 13.5) + 30
    if final:
        shown += drawing.pill(_LEFT + shown, card.top + 16, "completes", "#0b7a57") + 6
    if one.optional:
        drawing.pill(_LEFT + shown, card.top + 16, "optional", theme.MUTED)
    owner = one.owner or process.owner or ""
    drawing.text(_LEFT + _CARD - 14, card.top + 20, owner, size=11.5, colour=theme.MUTED, end=True)
    for place, (words, mono) in enumerate(card.lines):
        drawing.text(
            _LEFT + 14, card.top + 38 + _LINE * place, words, size=11 if mono else 11.5,
            colour=theme.MUTED if mono else theme.INK, mono=mono,
        )  # fmt: skip


def _clocks(drawing: Drawing, process: Process, cards: Mapping[str, _Card]) -> None:
    """Promises, and a line to each from where its clock starts: a lane for each start, short ones inside."""
    goals: dict[str, list[_Card]] = {}
    for name, card in cards.items():
        start = process.clock_of(card.milestone)
        goals.setdefault(start[0] if start else name, []).extend([card] if card.milestone.within else [])
    spans = {
        name: (min([_starts(name, cards), *tops]), max([_starts(name, cards), *tops]))
        for name, clocked in goals.items()
        if (tops := [card.top + 16 for card in clocked if process.clock_of(card.milestone)])
    }
    lanes: list[list[tuple[float, float]]] = []
    at: dict[str, float] = {}
    for name, (low, high) in sorted(spans.items(), key=lambda one: one[1][1] - one[1][0]):
        free = (n for n, taken in enumerate(lanes) if all(high < a or b < low for a, b in taken))
        lane = next(free, len(lanes))
        lanes[lane:] = lanes[lane:] or [[]]
        lanes[lane].append((low, high))
        at[name] = _LEFT - 12 - _LANE * (lane + 1)
    end = _LEFT - 24 - _LANE * len(lanes)
    for name, clocked in goals.items():
        for card in clocked:
            if name in at and process.clock_of(card.milestone):
                _line(drawing, _starts(name, cards), at[name], card.top + 16)
            _promise(drawing, process, card, end)


def _line(drawing: Drawing, begins: float, x: float, y: float) -> None:
    turn = 8 if y > begins else -8
    drawing.dot(_LEFT, begins, theme.FAINT)
    drawing.arrow(
        f"M{_LEFT} {begins:g} H{x + 8:g} Q{x:g} {begins:g} {x:g} {begins + turn:g} V{y - turn:g} "
        f"Q{x:g} {y:g} {x + 8:g} {y:g} H{_LEFT - 2}",
        theme.FAINT,
    )


def _promise(drawing: Drawing, process: Process, card: _Card, end: float) -> None:
    """By when, from where, and what it is after that."""
    one, start = card.milestone, process.clock_of(card.milestone)
    if one.within is None:
        return
    stuck, y = one.on_late == "stuck", card.top + 14
    for words in wrapped(one.within.text, end - _MARGIN, 12):
        drawing.text(end, y, words, size=12, bold=True, end=True)
        y += _LINE
    told = [(f"of {'the last ' if start[1] else ''}{_words(start[0])}", theme.MUTED)] if start else []
    if one.within.paused:
        told.append((f"stands still by {', '.join(one.within.paused.by)}", theme.MUTED))
    if not one.optional:
        told.append(("else stuck", _STUCK) if stuck else ("else late", _LATE))
    for words, colour in told:
        drawing.text(end, y - 1, words, size=11, colour=colour, end=True)
        y += 14


def _starts(name: str, cards: Mapping[str, _Card]) -> float:
    """How far down a clock starts: at the lower corner of a card, or above all for the end of a period."""
    if name == CUT_OFF or name not in cards:
        return min(one.top for one in cards.values()) - 22
    return cards[name].top + cards[name].height - 10


def _undoing(drawing: Drawing, card: _Card) -> None:
    one = card.milestone
    if not one.undone_by:
        return
    right, y = _LEFT + _CARD, card.top + 12
    drawing.arrow(f"M{right} {y:g} H{right + 16} Q{right + 24} {y:g} {right + 24} {y + 7:g} "
                  f"Q{right + 24} {y + 14:g} {right + 16} {y + 14:g} H{right + 2}", theme.MUTED,
                  dashed=True)  # fmt: skip
    for place, event in enumerate(one.undone_by):
        drawing.text(right + 34, y + 10 + _LINE * place, event, size=11, colour=theme.MUTED, mono=True)


def _end(drawing: Drawing, process: Process) -> None:
    drawing.y += 8
    done = " and ".join(_words(name) for name in process.completed_by) or "never"
    for label, words, mono in (
        ("Complete with", done, False),
        ("Ended early by", ", ".join(process.dropped_by), True),
    ):
        if words:
            drawing.y += 18
            drawing.text(_MARGIN, drawing.y, label, size=12, colour=theme.MUTED)
            drawing.text(_MARGIN + 132, drawing.y, words, size=11 if mono else 12.5, mono=mono, bold=not mono)


def _entitlements(drawing: Drawing, entitlements: Iterable[Entitlement]) -> None:
    """Name, and below what grants it and what uses it up."""
    rows = list(entitlements)
    if not rows:
        return
    _title(drawing, "Entitlements", "what is granted for a period, and what uses it up")
    for one in rows:
        granted, used = one.granted, one.used
        price = f", {granted.rate} for each one more" if granted.rate else ""
        days = f"from {granted.first} to {granted.last}"
        lines = [
            f"granted: {granted.quantity} by {' or '.join(granted.events)}, {days}{price}",
            f"used: {used.quantity} by {' or '.join(used.events)}"
            + (f", on {used.on}" if used.on else "")
            + (f"; taken back by {', '.join(used.undone_by)}" if used.undone_by else ""),
        ]
        width = _WIDTH - 2 * _MARGIN
        shown = [part for line in lines for part in wrapped(line, width - 28, 11, mono=True)]
        height = 30 + _LINE * len(shown) + 2
        drawing.box(_MARGIN, drawing.y, width, height)
        drawing.text(_MARGIN + 14, drawing.y + 20, one.name, size=12.5, bold=True)
        rule = "what is left passes on to the next period" if one.carry_over else "what is left lapses"
        x = _MARGIN + 34 + width_of(one.name, 12.5)
        drawing.text(x, drawing.y + 20, rule, size=11.5, colour=theme.MUTED)
        for place, line in enumerate(shown):
            at = drawing.y + 38 + _LINE * place
            drawing.text(_MARGIN + 14, at, line, size=11, colour=theme.MUTED, mono=True)
        drawing.y += height + 8


def _checks(drawing: Drawing, checks: Iterable[Check]) -> None:
    """Name, owner and severity, and below what has to hold."""
    rows = list(checks)
    if not rows:
        return
    _title(drawing, "Checks", "what has to hold; what does not is an exception")
    for one in rows:
        words = f"all systems agree on {', '.join(one.agree)} of {one.of}" if one.agree else one.expect or ""
        lines = wrapped(words, _WIDTH - 2 * _MARGIN - 28, 11, mono=True)
        height = 30 + _LINE * len(lines) + 2
        drawing.box(_MARGIN, drawing.y, _WIDTH - 2 * _MARGIN, height)
        drawing.text(_MARGIN + 14, drawing.y + 20, one.name, size=12.5, bold=True)
        x = _MARGIN + 30 + width_of(one.name, 12.5)
        x += drawing.pill(x, drawing.y + 16, one.severity, _SEVERE[one.severity]) + 6
        if one.blocking:
            x += drawing.pill(x, drawing.y + 16, "blocks", _STUCK) + 6
        after = f"after {_words(one.after)}" if one.after else "always"
        drawing.text(x + 4, drawing.y + 20, after, size=11.5, colour=theme.MUTED)
        drawing.text(_WIDTH - _MARGIN - 14, drawing.y + 20, one.owner or "", size=11.5, colour=theme.MUTED,
                     end=True)  # fmt: skip
        for place, line in enumerate(lines):
            at = drawing.y + 38 + _LINE * place
            drawing.text(_MARGIN + 14, at, line, size=11, colour=theme.MUTED, mono=True)
        drawing.y += height + 8
