"""The hub drill (`python -m bench.hub`), on 6,000 events instead of a million."""

from bench.hub import DEFAULT, drill
from throughline.collector.store import Store


def test_a_default_id_makes_no_blob(embedded_store: Store) -> None:
    """A hub is reported, its timecards are detached; declared a placeholder, it is as if it had not been."""
    found = drill(embedded_store, 600)
    assert found.defaulted == found.events // 5 == 1_200
    assert found.largest == 10
    assert found.hubs == [f"project:{DEFAULT}"]
    assert found.detached == 150 * 7
    # each deal, and the project of every fourth that nothing connects to its deal
    assert found.dirty[0] == 600 + 150
    # and the timecards that say of no project
    assert found.declared[0] == 600 + 150 + 150 * 7
    assert found.declared == found.clean
    assert found.passed
