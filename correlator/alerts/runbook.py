"""What to do when a shipped alert fires: `runbooks/NAME.md`, shown by the page *Runbook*."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import urlencode

SHIPPED = Path(__file__).parent / "runbooks"
PAGE = "runbook"


@cache
def runbooks() -> dict[str, str]:
    """Every shipped runbook by its name, as Markdown; the first line is its title."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(SHIPPED.glob("*.md"))}


def link(name: str) -> str:
    """Where a runbook is shown, as `runbook_url` has it: relative to the address of the pages."""
    return f"{PAGE}?{urlencode({'name': name})}"
