"""The generated SQL, as text: a change of it is a change somebody has read.

After an intended change: `THROUGHLINE_UPDATE_SNAPSHOTS=1 pytest tests/correlator/test_fold_snapshot.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.correlator.fold_world import TABLES
from throughline.correlator.fold import fold_sql
from throughline.correlator.process import load_process

SNAPSHOTS = Path(__file__).parent / "snapshots"
SMALL = """
process: small
keys: [deal, invoice]
amount_of: won
milestones:
  - {name: won, event: won}
  - {name: posted, event: posted, where: "amount > 0", within: 2d, on_late: stuck, undone_by: credited}
completed_by: posted
dropped_by: lost
checks:
  - {name: has-plan, after: won, expect: "attr('plan') != ''"}
"""


@pytest.mark.parametrize("fresh", [False, True], ids=["live", "fresh"])
def test_generated_sql(fresh: bool) -> None:
    """Live and fresh folding of a small definition."""
    sql = fold_sql(load_process(SMALL), TABLES, fresh=fresh)
    text = ";\n\n".join(sql.statements) + ";\n"
    path = SNAPSHOTS / f"fold_{'fresh' if fresh else 'live'}.sql"
    if os.environ.get("THROUGHLINE_UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
