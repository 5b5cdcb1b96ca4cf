"""`make bench`: every measurement against its budget, and what the machine was."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.rows import Row

PARTS = ("ingest", "linking", "calendars", "alerts", "replays", "probe", "hooks", "system")
PAGE = Path(__file__).parent.parent / "docs" / "bench.md"
GIBIBYTE = 1024**3


def main() -> int:
    """Run the wanted parts; the exit code tells whether every budget is kept."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} too")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    found: list[Row] = []
    for part in arguments.only or PARTS:
        with console.status(f"measuring {part}"):
            found += importlib.import_module(f"bench.{part}").run()
    Console().print(_table(found))
    print(machine())
    if arguments.write:
        PAGE.write_text(_page(found) + _explained(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return int(any(row.ok is False for row in found))


def machine() -> str:
    """The machine, in one sentence."""
    model = _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIBIBYTE
    load = os.getloadavg()[1]
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load average {load:.1f} (5 minutes)"
    )


def _first(file: str, field: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except FileNotFoundError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _cells(rows: Iterable[Row]) -> Iterable[tuple[str, str, str, str, str]]:
    for row in rows:
        verdict = {True: "kept", False: "MISSED", None: ""}[row.ok]
        yield (
            row.name,
            f"{row.value:,.{0 if abs(row.value) >= 100 else 2}f}",
            row.unit,
            row.budget or "",
            verdict,
        )


def _table(rows: Sequence[Row]) -> Table:
    table = Table("what", "measured", "unit", "budget", "", box=None, padding=(0, 2))
    for cells in _cells(rows):
        table.add_row(*cells)
    return table


def _page(rows: Sequence[Row]) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    today = dt.datetime.now(dt.UTC).date()
    lines = [
        "# Measurements",
        "",
        f"Written by `make bench ARGS=--write` on {today} at {commit.stdout.strip() or 'no commit'}.",
        f"Machine: {machine()}.",
        "",
        "| what | measured | unit | budget | |",
        "|---|---:|---|---|---|",
        *(f"| {' | '.join(cells)} |" for cells in _cells(rows)),
        "",
    ]
    return "\n".join(lines)


def _explained(page: str) -> str:
    """What people wrote below the table."""
    _table, heading, text = page.partition("\n## ")
    return heading + text


if __name__ == "__main__":
    sys.exit(main())
