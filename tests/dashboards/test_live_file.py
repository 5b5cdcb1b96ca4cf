"""A file that people edit while the engine runs: what counts, also when it breaks and after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.correlator.tickets.places import TICKETS_FILE, Places, parse_places
from throughline.dashboards.live_file import LiveFile

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from throughline.collector.control import ControlStore

FINE = (
    "tickets: [{id: ops, system: servicenow, hosts: [x.service-now.com], url: 'https://x.service-now.com'}]"
)
BROKEN = FINE.replace("servicenow", "paper")


def test_the_last_valid_text_counts(
    tmp_path: Path, control: ControlStore, caplog: pytest.LogCaptureFixture
) -> None:
    """While the file is broken, also after a restart; without a file nothing does; a kept text that a new
    release no longer takes stops nothing.
    """

    def started() -> LiveFile[Places]:
        return LiveFile(tmp_path, TICKETS_FILE, parse_places, control, without=Places())

    def ids(live: LiveFile[Places]) -> list[str]:
        live.reload()
        return [one.id for one in live.current.tickets]

    file, live = tmp_path / TICKETS_FILE, started()
    assert ids(live) == []
    file.write_text(FINE)
    assert ids(live) == ["ops"]
    file.write_text(BROKEN)
    assert ids(live) == ids(live) == ids(started()) == ["ops"]
    assert len(caplog.records) == 2  # each engine says it once
    assert "paper" in caplog.text
    control.set_cursor("", f"file {TICKETS_FILE}", BROKEN)
    assert ids(started()) == []
    file.unlink()
    assert ids(live) == []
