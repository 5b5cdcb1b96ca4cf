"""Which process definitions count while files change and break."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from throughline.collector.control import ControlStore
from throughline.collector.definition_history import DefinitionHistory
from throughline.correlator.business_calendar import BusinessCalendar
from throughline.dashboards.commands import app
from throughline.dashboards.engine_settings import EngineSettings
from throughline.dashboards.live_definitions import LiveDefinitions, Loaded
from throughline.dashboards.versions import roll_back
from throughline.probes.errors import ConfigurationError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = """
process: {id}
version: {version}
title: Orders
owner: sales
keys: [shop.order]
milestones:
  - {{name: placed, event: order.placed}}
  - {{name: paid, event: order.paid, within: {within}}}
completed_by: paid
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration folder with one process."""
    folder = tmp_path / "config"
    write(folder, "orders", version=1)
    return folder


def write(folder: Path, process: str, *, version: int, within: str = "2d") -> None:
    """Write a definition; its size or time tells the change."""
    file = folder / "processes" / f"{process}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TEXT.format(id=process, version=version, within=within))


def versions(loaded: Loaded | None) -> dict[str, int]:
    """The versions of our own processes."""
    assert loaded is not None
    return {process.id: process.version for process in loaded.processes if process.id.startswith("orders")}


def test_first_reading_takes_everything(config: Path, control: ControlStore) -> None:
    """Shipped and own processes count and are all new."""
    loaded = LiveDefinitions(config, control).reload(NOW)
    assert loaded is not None
    assert versions(loaded) == {"orders": 1}
    assert {process.id for process in loaded.processes} == set(loaded.changed)
    assert loaded.problems == ()


def test_unchanged_files_are_not_read_again(config: Path, control: ControlStore) -> None:
    """Nothing to do is None."""
    definitions = LiveDefinitions(config, control)
    definitions.reload(NOW)
    assert definitions.reload(NOW) is None


def test_changed_file_counts_at_once(config: Path, control: ControlStore) -> None:
    """A new version and a new file are read; only what differs in content is told as changed."""
    definitions = LiveDefinitions(config, control)
    definitions.reload(NOW)
    write(config, "orders", version=12)
    write(config, "orders-again", version=1)
    loaded = definitions.reload(NOW)
    assert versions(loaded) == {"orders": 12, "orders-again": 1}
    assert loaded is not None
    assert set(loaded.changed) == {"orders", "orders-again"}


def test_comment_is_no_change(config: Path, control: ControlStore) -> None:
    """A file that says the same in other words asks for no rebuild."""
    definitions = LiveDefinitions(config, control)
    definitions.reload(NOW)
    file = config / "processes" / "orders.yaml"
    file.write_text("# for the auditors\n" + file.read_text())
    loaded = definitions.reload(NOW)
    assert loaded is not None
    assert loaded.changed == ()


@pytest.mark.parametrize("restarted", [False, True])
def test_broken_file_leaves_the_last_valid_version(
    config: Path, control: ControlStore, *, restarted: bool
) -> None:
    """The process stays as it was, also in an engine started after the file broke; the problem is named."""
    definitions = LiveDefinitions(config, control)
    definitions.reload(NOW)
    write(config, "orders", version=2, within="soonish")
    if restarted:
        definitions = LiveDefinitions(config, control)
    loaded = definitions.reload(NOW + timedelta(hours=1))
    assert versions(loaded) == {"orders": 1}
    assert loaded is not None
    assert loaded.changed == ()
    assert "orders.yaml" in loaded.problems[0]
    assert loaded.problems[1] == "orders stays at version 1"


def test_kept_version_is_the_same_definition(config: Path, control: ControlStore) -> None:
    """What comes back from the control store has the hash that it had."""
    first = LiveDefinitions(config, control).reload(NOW)
    (config / "processes" / "orders.yaml").write_text("process: [")
    second = LiveDefinitions(config, control).reload(NOW)
    assert first is not None
    assert second is not None
    hashes = [
        next(process.definition_hash for process in loaded.processes if process.id == "orders")
        for loaded in (first, second)
    ]
    assert hashes[0] == hashes[1]


def test_file_taken_away_no_longer_counts(config: Path, control: ControlStore) -> None:
    """With every other file valid, a missing one was meant to go."""
    definitions = LiveDefinitions(config, control)
    definitions.reload(NOW)
    (config / "processes" / "orders.yaml").unlink()
    assert versions(definitions.reload(NOW)) == {}


CALENDAR = """
calendar: office
time_zone: Europe/Berlin
hours: {{mon-fri: "{hours}"}}
"""


def test_a_changed_calendar_is_a_changed_definition(config: Path, control: ControlStore) -> None:
    """Whoever counts by it is rebuilt; one that breaks leaves the last valid hours in force."""
    file = config / "calendars" / "office.yaml"
    file.parent.mkdir()
    file.write_text(CALENDAR.format(hours="09:00-17:00"))
    with (config / "processes" / "orders.yaml").open("a") as orders:
        orders.write("calendar: office\n")
    live = LiveDefinitions(config, control)
    live.reload(NOW)
    file.write_text(CALENDAR.format(hours="09:00-17:30"))
    loaded = live.reload(NOW + timedelta(minutes=1))
    assert loaded is not None
    assert loaded.changed == ("orders",)
    file.write_text(CALENDAR.format(hours="09:00-26:00"))
    broken = live.reload(NOW + timedelta(minutes=2))
    assert broken is not None
    [orders_kept] = [process for process in broken.processes if process.id == "orders"]
    kept = orders_kept.calendars["office"]
    assert isinstance(kept, BusinessCalendar)
    assert kept.hours == {"mon-fri": ("09:00-17:30",)}
    assert "office.yaml:4" in broken.problems[0]
    assert "'09:00-26:00' are no hours" in broken.problems[0]


def history(control: ControlStore) -> list[tuple[int, bool]]:
    """Version, and whether it was rolled back to, of each activation of ours, the present one first."""
    return [(one.version, bool(one.over)) for one in DefinitionHistory(control).of("orders")]


def test_an_earlier_version_counts_again_until_its_file_changes(
    config: Path, control: ControlStore, tmp_path: Path
) -> None:
    """Every activation is kept; what was rolled back stays so over a restart, and another content ends it."""
    settings = EngineSettings(data=tmp_path)  # its control store is the one of this test
    definitions = LiveDefinitions(config, control)
    definitions.reload(NOW)
    with pytest.raises(ConfigurationError, match="no earlier version"):
        roll_back(settings, "orders", None)
    write(config, "orders", version=2, within="3d")
    assert versions(definitions.reload(NOW + timedelta(1))) == {"orders": 2}
    first = DefinitionHistory(control).of("orders")[-1]
    assert roll_back(settings, "orders", None).version == 1
    loaded = definitions.reload(NOW)
    assert versions(loaded) == {"orders": 1}
    assert loaded is not None
    assert loaded.changed == ("orders",)
    assert next(one for one in loaded.processes if one.id == "orders").definition_hash == first.hash
    assert definitions.reload(NOW) is None
    assert versions(LiveDefinitions(config, control).reload(NOW)) == {"orders": 1}
    assert history(control) == [(1, True), (2, False), (1, False)]
    # the version of the file, by name, ends it
    with pytest.raises(ConfigurationError, match="counts already"):
        roll_back(settings, "orders", first.hash[:6])
    assert roll_back(settings, "orders", "2").over == ""
    assert versions(definitions.reload(NOW)) == {"orders": 2}
    # so does another content
    roll_back(settings, "orders", "1")
    assert versions(definitions.reload(NOW)) == {"orders": 1}
    write(config, "orders", version=3, within="10d")
    assert versions(definitions.reload(NOW)) == {"orders": 3}
    write(config, "orders", version=2, within="3d")
    assert versions(definitions.reload(NOW)) == {"orders": 2}
    assert [version for version, _ in history(control)] == [2, 3, 1, 2, 1, 2, 1]
    with pytest.raises(ConfigurationError, match="No definition of unknown has counted here; there are"):
        roll_back(settings, "unknown", None)


def test_versions_are_listed(
    config: Path, control: ControlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command line, with who activated them; a roll-back says what happens next."""
    definitions = LiveDefinitions(config, control)
    definitions.reload(NOW)
    write(config, "orders", version=2, within="3d")
    definitions.reload(NOW)
    monkeypatch.setenv("THROUGHLINE_DATA", str(tmp_path))
    run = CliRunner().invoke(app, ["rollback", "orders", "--to", "1"])
    assert run.exit_code == 0, run.output
    assert "orders: version 1" in run.output
    listed = CliRunner().invoke(app, ["versions", "orders"]).output
    assert [line.split()[0] for line in listed.splitlines()] == ["version", "1", "2", "1"]
    assert "(rolled back)" in listed.splitlines()[1]
    assert "files" in listed.splitlines()[2]


def test_a_table_that_changes_is_a_definition_that_changes(config: Path, control: ControlStore) -> None:
    """Its rows come with the definition; a table that breaks, or is taken away, leaves all as it was."""
    file = config / "tables" / "levels.csv"
    file.parent.mkdir()
    file.write_text("region,paid\nEMEA,2d\n")
    write(config, "orders", version=1, within="{table: levels, column: paid, by: business.region}")
    live = LiveDefinitions(config, control)
    first = live.reload(NOW)
    assert first is not None
    assert [one.name for one in first.tables] == ["levels"]
    file.write_text("region,paid\nEMEA,3d\nAMER,4h\n")
    second = live.reload(NOW + timedelta(seconds=1))
    assert second is not None
    assert second.changed == ("orders",)
    present = next(one for one in second.processes if one.id == "orders")
    assert present.tables["levels"].times == {"paid": ("3d", "4h")}
    file.write_text("region,paid\nEMEA,3 dayss\n")
    broken = live.reload(NOW + timedelta(seconds=2))
    assert broken is not None
    assert "the table 'levels': '3 dayss' is no time span" in " ".join(broken.problems)
    file.write_text("region,paid\nEMEA,3d,\n")
    unread = live.reload(NOW + timedelta(seconds=3))
    assert unread is not None
    assert "the reference table 'levels' can't be used" in " ".join(unread.problems)
    file.unlink()
    gone = live.reload(NOW + timedelta(seconds=4))
    assert gone is not None
    for later in (broken, unread, gone):
        assert later.changed == ()
        assert present in later.processes
