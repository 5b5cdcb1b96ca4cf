"""Definitions: the design's example loads; whatever is wrong is named with its line; one bad file stops no
other.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from throughline.correlator.durations import Duration, parse_duration
from throughline.correlator.process import InvalidProcess, load_process, load_processes
from throughline.probes.errors import DefinitionError

EXAMPLE = """\
process: opportunity-to-invoice       # id: [a-z0-9-]+
version: 3
title: Opportunity to invoice
owner: revenue-operations
scope: "attr('billable') != 'false'"  # optional: which root objects are in
keys:                                 # levels, root first; one level = one object, in one or more systems
  - [salesforce.opportunity, hubspot.deal]
  - [certinia.project, kantata.workspace, netsuite.job]
  - certinia.timecard
  - certinia.billing_event
  - {any_of: [netsuite.invoice, d365.invoice], max_roots: 500}
  - netsuite.payment
calendar: {by: business.region, map: {EMEA: de, AMER: us}, default: always}
amount_of: closed_won                 # whose amount is the journey's
milestones:                           # in expected order
  - name: closed_won
    event: opportunity.closed_won     # exact business.event; any string is legal
    owner: sales-operations
  - name: project_created
    event: project.created
    within: {time: 4 business hours, of: closed_won}  # or plain: 90m, 4h, 2d; "2 business days"
    on_late: stuck                    # default: late
    owner: delivery-operations
    runbook: https://wiki.example.com/project-created
  - name: time_approved
    event: time.approved
    repeats: true                     # met at the first, counted at each
    optional: true                    # never late
    undone_by: [time.unapproved]
  - name: invoice_posted
    event: invoice.posted
    where: "amount > 0"               # optional predicate over the event
    within: {time: 5 business days, of: time_approved.last}
    undone_by: [invoice.credited]     # un-meets it, nets amounts, reopens a completed journey
  - name: paid
    event: payment.applied
    within: {time: 30d, of: invoice_posted}
completed_by: paid
dropped_by: [opportunity.lost, project.cancelled]
checks:
  - name: billing-schedule-present
    after: project_created            # judged once this milestone is met
    expect: "attr('billing_schedule') != ''"
    class: business
    severity: high
    blocking: true
    owner: delivery-operations
  - name: one-project
    expect: "keys('certinia.project') <= 1"
"""


def test_the_example_of_the_design() -> None:
    """Every field arrives."""
    process = load_process(EXAMPLE)
    assert (process.id, process.version, process.owner) == ("opportunity-to-invoice", 3, "revenue-operations")
    assert process.namespaces["netsuite.job"] == (1, 2)
    assert [(level.max_roots, level.max_children) for level in process.levels][4] == (500, 100_000)
    created, posted = process.milestones[1], process.milestones[3]
    assert created.within
    assert isinstance(created.within.due, Duration)
    assert (created.on_late, created.within.due.seconds, process.clock_of(created)) == (
        "stuck", 14_400, ("closed_won", False),
    )  # fmt: skip
    assert process.clock_of(posted) == ("time_approved", True)
    assert (process.completed_by, process.milestones[2].undone_by) == (("paid",), ("time.unapproved",))
    assert process.attributes_used == {"billable", "billing_schedule", "business.accounting_date"}
    assert sorted(process.calendars) == ["de", "us"]
    assert process.notices == ("business time counts around the clock where no calendar is chosen",)


WRONG = [
    ("version: 3", "version: '3'", 2, "`version` must be a whole number of 1 or more, not '3'"),
    ("version: 3", "version: 0", 2, "`version` must be a whole number of 1 or more, not '0'"),
    ("title: O", "titel: O", 3, "unknown field 'titel' in the definition; did you mean 'title'?"),
    ("process: opp", "process: Opp", 1, "must consist of small letters, digits and hyphens"),
    (
        "  - certinia.timecard",
        "  - {any_of: x, max_root: 3}",
        9,
        "unknown field 'max_root' in `keys[3]`; did you mean",
    ),
    ("  - netsuite.payment", "  - hubspot.deal", 12, "the namespace 'hubspot.deal' is on two levels"),
    (
        "event: project.created",
        "where: 'true'",
        19,
        "say how it is reached: either `event` or `checks`",
    ),
    ("event: project.created", "evnt: project.created", 20, "unknown field 'evnt'"),
    ("event: payment.applied", "event: {a: b}", 36, "`milestones[paid].event` must be a list"),
    ("on_late: stuck", "on_late: stuk", 22, "must be 'late' or 'stuck', not 'stuk'; did you mean 'stuck'?"),
    ("repeats: true", "repeats: 3", 27, "`milestones[time_approved].repeats` must be true or false, not '3'"),
    ("name: paid", "name: closed_won", 35, "the name 'closed_won' is given twice"),
    ("completed_by: paid", "completed_by: payd", 38, "there is no milestone 'payd'; did you mean 'paid'?"),
    ("amount_of: closed_won ", "amount_of: nothing ", 14, "there is no milestone 'nothing'"),
    ("after: project_created", "after: project_craeted", 42, "did you mean 'project_created'?"),
    (
        "time_approved.last",
        "time_aproved.last",
        33,
        "there is no milestone 'time_aproved'; did you mean 'time_approved'?",
    ),
    ("time: 30d", "time: 30x", 37, "'30x' is no time span"),
    ("of: closed_won}", "of: project_created}", 21, "wait for each other: project_created →"),
    ("undone_by: [invoice.credited]", "undone_by: invoice.posted", 34, "can't both reach and undo"),
    (
        'where: "amount > 0"',
        'where: "amout > 0"',
        32,
        "there is no field 'amout' here; did you mean 'amount'?",
    ),
    ("attr('billing_schedule') != ''", "sleep(3) = 0", 43, "the function 'sleep' is not allowed"),
    ("keys('certinia.project')", "keys('certinia.projects')", 49, "did you mean 'certinia.project'?"),
    ("severity: high", "severity: hi", 45, "did you mean 'high'?"),
    ("  - netsuite.payment", "  - netsuite.payment\n  bad: [", 13, "this is no valid YAML"),
    ("owner: revenue-operations", "owner: a\nowner: b", 5, "this is no valid YAML"),
    ("business.region,", "business.colour,", 13, "`calendar.by` must be"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "sentence"), WRONG)
def test_mistakes_are_named_with_their_line(
    right: str, wrong: str, line: int, sentence: str, tmp_path: Path
) -> None:
    """File, line, what is wrong and, where one is close, what may have been meant."""
    assert right in EXAMPLE
    path = tmp_path / "bad.yaml"
    path.write_text(EXAMPLE.replace(right, wrong))
    with pytest.raises(InvalidProcess) as caught:
        load_process(path)
    found = [(one.file, one.line) for one in caught.value.problems if sentence in one.sentence]
    assert found == [(str(path), line)], str(caught.value)
    assert isinstance(caught.value, DefinitionError)


@pytest.mark.parametrize(
    "text", ["", "- a", "just text", "a: *b", "&a [*a]", "x: " + "[" * 60 + "]" * 60, "\x00", "? [a]\n: b"]
)
def test_what_is_no_definition_at_all(text: str) -> None:
    """Anything else that a file may hold is refused in words, too."""
    with pytest.raises(InvalidProcess):
        load_process(text)


def test_a_circle_of_clocks() -> None:
    """Milestones that wait for each other could never be due."""
    text = EXAMPLE.replace("of: closed_won}", "of: invoice_posted}").replace(
        "of: time_approved.last", "of: project_created"
    )
    with pytest.raises(InvalidProcess, match="invoice_posted → project_created → invoice_posted"):
        load_process(text)


def test_a_plain_within_runs_from_the_milestone_before() -> None:
    """`within: 2d` needs no `of`, except on the first milestone, which has none before it."""
    process = load_process(
        "process: a\nkeys: [k]\nmilestones: [{name: a, event: a}, {name: b, event: b, within: 2d}]"
    )
    assert process.clock_of(process.milestones[1]) == ("a", False)
    with pytest.raises(InvalidProcess, match="say from when its time runs"):
        load_process("process: a\nkeys: [k]\nmilestones: [{name: a, event: a, within: 2d}]")


@pytest.mark.parametrize(
    ("text", "seconds", "business"),
    [("90m", 5_400, False), ("4h", 14_400, False), ("2d", 172_800, False), ("45s", 45, False),
     ("36500d", 3_153_600_000, False),
     ("4 business hours", 14_400, True), ("1 business day", 86_400, True)],
)  # fmt: skip
def test_time_spans(text: str, seconds: int, business: bool) -> None:
    """Plain and business time."""
    found = parse_duration(text)
    assert (found.seconds, found.business) == (seconds, business)


@pytest.mark.parametrize(
    "text", ["", "4", "0h", "-1d", "1.5h", "4 hours", "36501d", "two days", "\N{FULLWIDTH DIGIT NINE}h"]
)
def test_what_is_no_time_span(text: str) -> None:
    """Refused rather than guessed."""
    with pytest.raises(ValueError, match=r"time span|longer than nothing"):
        parse_duration(text)


def test_the_hash_changes_with_meaning_only() -> None:
    """Comments, the order of fields and short forms don't count; a value does."""
    original = load_process(EXAMPLE)
    lines = [line.split("  #")[0] for line in EXAMPLE.splitlines()]
    moved = "\n".join([*lines[1:], lines[0]]).replace(
        "  - certinia.timecard", "  - {any_of: [certinia.timecard]}"
    )
    assert load_process(moved).definition_hash == original.definition_hash
    assert load_process(EXAMPLE.replace("30d", "31d")).definition_hash != original.definition_hash


def test_extends_changes_single_fields(tmp_path: Path) -> None:
    """Milestones and checks are merged by name; new ones come last; an empty field is taken away."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "base.yaml").write_text(EXAMPLE.replace("process: opportunity-to-invoice", "process: base"))
    process = load_process(
        "extends: base\nversion: 7\nscope:\nmilestones:\n"
        "  - {name: project_created, within: {time: 1d, of: closed_won}}\n"
        "  - {name: archived, event: archived}\nchecks:\n  - {name: one-project, severity: low}\n",
        shipped=shipped,
    )
    assert (process.id, process.version, process.scope) == ("base", 7, None)
    assert [one.name for one in process.milestones][-2:] == ["paid", "archived"]
    created = process.milestones[1]
    assert created.within
    assert isinstance(created.within.due, Duration)
    assert (created.within.time, created.on_late, created.events) == ("1d", "stuck", ("project.created",))
    assert [one.severity for one in process.checks] == ["high", "low"]
    with pytest.raises(InvalidProcess, match="no shipped process is named 'bse'; did you mean 'base'"):
        load_process("extends: bse", shipped=shipped)
    with pytest.raises(InvalidProcess) as caught:
        load_process("extends: base\nmilestones:\n  - name: paid\n    on_late: never\n", shipped=shipped)
    assert [(one.file, one.line) for one in caught.value.problems] == [("<text>", 4)]


def test_a_bad_file_stops_no_other(tmp_path: Path) -> None:
    """The good ones load; the bad one, an id used twice and an unreadable file are reported; a name replaces
    the shipped.
    """
    shipped, own = tmp_path / "shipped", tmp_path / "config" / "processes"
    shipped.mkdir()
    own.mkdir(parents=True)
    tiny = "process: {}\nkeys: [k]\nmilestones: [{{name: a, event: {}}}]\n"
    (shipped / "one.yaml").write_text(tiny.format("one", "shipped"))
    (shipped / "two.yaml").write_text(tiny.format("two", "shipped"))
    (own / "one.yaml").write_text(tiny.format("one", "mine"))
    (own / "other.yaml").write_text(tiny.format("two", "mine"))
    (own / "bad.yaml").write_text("process: [")
    (own / "latin.yaml").write_bytes(b"process: \xe9\n")
    loaded = load_processes(tmp_path / "config", shipped=shipped)
    events = {one.id: one.milestones[0].events for one in loaded.processes}
    assert events == {"one": ("mine",), "two": ("mine",)}
    text = "\n".join(str(error) for error in loaded.errors)
    assert len(loaded.errors) == 3
    assert "bad.yaml:1: this is no valid YAML" in text
    assert "latin.yaml:1: the file is not UTF-8 text" in text
    assert "to replace the shipped one, name your file two.yaml" in text


def test_shipped_definitions_are_chosen(tmp_path: Path) -> None:
    """Those that `shipped.yaml` names, beside one's own; a mistake there is said, and leaves all in use."""
    own = tmp_path / "processes"
    own.mkdir()
    (own / "mine.yaml").write_text("process: mine\nkeys: [k]\nmilestones: [{name: a, event: e}]\n")
    choice = own / "shipped.yaml"
    choice.write_text("use: [time-to-billing]\n")
    assert [one.id for one in load_processes(tmp_path).processes] == ["mine", "time-to-billing"]
    choice.write_text("use: []\n")
    assert [one.id for one in load_processes(tmp_path).processes] == ["mine"]
    for text, sentence in (
        ("# none\nuse: [time-to-bill]\n", "shipped.yaml:2: there is no shipped process 'time-to-bill'"),
        ("used: []\n", "it says which shipped definitions to use"),
    ):
        choice.write_text(text)
        loaded = load_processes(tmp_path)
        assert sentence in str(loaded.errors[0])
        assert len(loaded.processes) == len(load_processes(None).processes) + 1


def test_the_shipped_library_is_valid() -> None:
    """Every shipped definition loads, under the name of its file."""
    loaded = load_processes(None)
    assert loaded.errors == ()
    files = Path(load_process.__code__.co_filename).parent.joinpath("processes").glob("*.yaml")
    assert [one.id for one in loaded.processes] == sorted(path.stem for path in files)
