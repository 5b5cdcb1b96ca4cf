"""The correlator's locks: passes, rebuilds asked for and first rebuilds run side by side."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from throughline.collector.store import Store
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PATIENCE_SECONDS = 60


def test_a_rebuild_and_the_first_pass_do_not_wait_for_each_other(store: Store) -> None:
    """An empty tenant's first pass makes results for all processes while someone rebuilds one of them."""
    text = "process: {}\nkeys: [a.b]\nmilestones: [{{name: m, event: x.y}}]\n"
    correlator = Correlator(store, [load_process(text.format(name)) for name in ("one", "two")])
    for tenant in ("first", "second", "third"):
        threads = [
            threading.Thread(target=correlator.rebuild, args=(tenant, "one", NOW), daemon=True),
            threading.Thread(
                target=correlator.tick, args=(tenant, NOW), kwargs={"rebuild": False}, daemon=True
            ),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert not any(thread.is_alive() for thread in threads)
        assert correlator.outdated(tenant) == []
