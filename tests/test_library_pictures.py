"""The pictures of the documentation are those of the definitions, and show all that is in one."""

import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from throughline.correlator.process import Process, load_process, load_processes
from throughline.dashboards.commands import app
from throughline.dashboards.process_picture import picture

PICTURES = Path(__file__).parent.parent / "docs" / "library"
PROCESSES = load_processes(None).processes

ODD = """
process: odd
title: Odd & <ends>
keys: [a.a, b.b, {any_of: [c.one, c.two]}]
cycle: {per: a.a, calendar: billing-month}
scope: "attr('x') < 'y'"
milestones:
  - {name: second_first, event: two, within: {time: 2d, of: first.last}, at_least: 3}
  - {name: first, event: [one, uno], undone_by: [no, never, nowhere], every: b.b, owner: me}
  - {name: third, event: three, within: {until: due_date}, optional: true}
  - name: fourth
    event: four
    within: {attribute: terms, of: cut_off, paused: {by: hold, until: go}}
    on_late: stuck
dropped_by: [stop]
entitlements:
  - name: hours
    granted: {event: given, quantity: so_many, rate: price}
    used: {event: taken, quantity: of_them, undone_by: [returned]}
    carry_over: true
checks: [{name: holds, expect: "amount < 3", severity: critical, blocking: true}]
"""


SAID = (
    "Odd & <ends>", "attr('x') < 'y'", "a.a", "c.two", "second first", "2d", "of the last first", "else late",
    "at least 3 times", "one or uno", "every b.b", "no never nowhere", "until due_date", "optional",
    "terms days", "of cut off", "stands still by hold", "else stuck", "cut-off of billing-month", "stop",
    "never", "holds", "critical", "blocks", "amount < 3", "always", "me",
    "so_many by given", "price for each one more", "of_them by taken", "taken back by returned", "passes on",
)  # fmt: skip


def words(svg: str) -> str:
    """All text of a picture."""
    return " ".join(" ".join(ET.fromstring(svg).itertext()).split())  # noqa: S314 - our own


@pytest.mark.parametrize("process", PROCESSES, ids=lambda one: one.id)
def test_the_pictures_of_the_docs_are_those_of_the_definitions(process: Process) -> None:
    """After a change: throughline picture ID -o docs/library/ID.svg."""
    assert (PICTURES / f"{process.id}.svg").read_text() == picture(process)
    page = (PICTURES.parent / "library.md").read_text()
    assert f"(library/{process.id}.svg)" in page
    assert f"[{process.id}](#{process.id})" in page


def test_a_picture_shows_everything(tmp_path: Path) -> None:
    """Milestones, events, owners, promises, clocks, undoings, levels, checks: escaped, inside the frame."""
    file = tmp_path / "odd.yaml"
    file.write_text(ODD)
    run = CliRunner().invoke(app, ["picture", str(file)])
    assert run.exit_code == 0, run.output
    assert run.output == picture(load_process(ODD))
    shown = words(run.output)
    for said in SAID:
        assert said in shown, said
    sides = re.search(r'width="(\d+)" height="(\d+)"', run.output)
    assert sides
    for box in ET.fromstring(run.output).iter("{http://www.w3.org/2000/svg}rect"):  # noqa: S314 - our own
        x, y, width, height = (float(box.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + width <= float(sides[1])
        assert y + height <= float(sides[2])


def test_what_can_t_be_drawn_is_said(tmp_path: Path) -> None:
    """A name that is nothing, and a folder that is not there."""
    for arguments, sentence in (
        (["nothing"], "neither a file nor a process; there are contract-amendment"),
        (["time-to-billing", "-o", str(tmp_path / "no" / "x.svg")], "can't be written"),
    ):
        run = CliRunner().invoke(app, ["picture", *arguments])
        assert run.exit_code == 1
        assert sentence in str(run.exception)


def test_an_option_counts_while_its_verb_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the environment is as it was, whether the verb succeeds or fails."""
    monkeypatch.setenv("THROUGHLINE_CONFIG", str(tmp_path / "none"))
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "odd.yaml").write_text(ODD)
    before = dict(os.environ)
    drawn = CliRunner().invoke(app, ["picture", "odd", "--config", str(tmp_path)])
    assert drawn.output == picture(load_process(ODD))
    assert dict(os.environ) == before
    monkeypatch.delenv("THROUGHLINE_CONFIG")
    failed = CliRunner().invoke(app, ["picture", "nothing", "--config", str(tmp_path)])
    assert "neither a file nor a process" in str(failed.exception)
    assert "THROUGHLINE_CONFIG" not in os.environ
