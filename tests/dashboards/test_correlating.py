"""What the engine correlates: new rows, rebuilds, changed definitions; leases; after a power loss.

The SQL runs on both engines in the tests of the correlator; here one is enough.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.load import PROCESS, write_config
from tests.stores import Stores
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.dashboards import engine
from throughline.dashboards.correlating import LEASE_TIME, LOOK_EVERY, REBUILD, Correlating
from throughline.dashboards.live_definitions import LiveDefinitions
from throughline.probes.errors import LeaseLost

ORDER = "business.key.bench.order"


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


@dataclass
class Setting:
    """An engine's parts around a store."""

    store: Store
    control: ControlStore
    config: Path
    clock: Clock

    def correlating(
        self, holder: str = "engine", *, loaded: Callable[[], object] | None = None
    ) -> Correlating:
        """The correlating part of one engine."""
        definitions = LiveDefinitions(self.config, self.control)
        return Correlating(
            self.store, self.control, definitions, holder=holder, clock=self.clock, loaded=loaded
        )

    def order(self, number: int) -> None:
        """Store the span of one placed order, as a stock OpenTelemetry Collector would."""
        row = (
            self.clock.now, f"{number:032x}", f"{number:016x}", "shop", "POST /orders",
            {"business.event": "order.placed", ORDER: f"order-{number}"}, "Ok",
        )  # fmt: skip
        columns = [
            "Timestamp",
            "TraceId",
            "SpanId",
            "ServiceName",
            "SpanName",
            "SpanAttributes",
            "StatusCode",
        ]
        self.store.insert_rows("otel_traces", [row], columns, role=Role.LOADER)

    def journeys(self) -> int:
        """How many journeys of our process there are."""
        return int(str(self._ask("SELECT count() FROM journeys_at")[0][0]))

    def milestones(self) -> set[str]:
        """The milestones that the journeys of our process have."""
        return {str(row[0]) for row in self._ask("SELECT DISTINCT name FROM milestones_at")}

    def _ask(self, select: str) -> Sequence[Sequence[object]]:
        """Rows of our process in a view."""
        sql = f"{select}(tenant = 'default', now = now64(6)) WHERE process = 'bench-orders'"
        rows: Sequence[Sequence[object]] = self.store.query(sql, role=Role.PAGES).result_rows
        return rows


@pytest.fixture
def setting(stores: Stores, control: ControlStore, tmp_path: Path) -> Iterator[Setting]:
    """A migrated store and control store, and one process of our own."""
    with stores.store("embedded") as store:
        yield Setting(store, control, write_config(tmp_path / "config"), Clock())


def test_new_rows_become_journeys(setting: Setting) -> None:
    """Each turn correlates what has come, whoever wrote it."""
    correlating = setting.correlating()
    correlating.turn()
    setting.order(1)
    setting.order(2)
    correlating.turn()
    assert setting.journeys() == 2
    assert setting.control.jobs() == []  # nothing was there to rebuild


def test_store_is_asked_at_once_for_what_this_engine_loaded(setting: Setting) -> None:
    """While the engine's own loader says nothing new, it is asked once a second: another engine may load."""
    loaded: list[int] = []
    correlating = setting.correlating(loaded=lambda: len(loaded))
    correlating.turn()
    setting.order(1)
    correlating.turn()
    assert setting.journeys() == 0
    setting.clock.now += LOOK_EVERY
    correlating.turn()
    assert setting.journeys() == 1
    setting.order(2)
    loaded.append(1)
    correlating.turn()
    assert setting.journeys() == 2


def test_events_stored_before_the_first_engine_become_journeys(setting: Setting) -> None:
    """An engine that finds a few events of which nothing was correlated takes them in its first passes."""
    setting.order(1)
    correlating = setting.correlating()
    correlating.turn()
    assert setting.journeys() == 1


def test_asked_rebuild_is_done_and_told(setting: Setting) -> None:
    """The job ends with what was done, and the journeys are the same."""
    correlating = setting.correlating()
    correlating.turn()
    setting.order(1)
    correlating.turn()
    asked = setting.control.enqueue_job(REBUILD, "default", "bench-orders", setting.clock())
    correlating.work()
    job = setting.control.job(asked.id)
    assert job is not None
    assert (job.state, job.message) == ("done", "1 events")
    assert setting.journeys() == 1


def test_rebuild_of_an_unknown_process_fails_alone(setting: Setting) -> None:
    """The job says what is wrong; the next job is done."""
    correlating = setting.correlating()
    correlating.turn()
    wrong = setting.control.enqueue_job(REBUILD, "default", "no-such", setting.clock())
    right = setting.control.enqueue_job(REBUILD, "default", "bench-orders", setting.clock() + timedelta(1))
    correlating.work()
    jobs = {job.id: job for job in setting.control.jobs()}
    assert jobs[wrong.id].state == "failed"
    assert jobs[wrong.id].message.startswith("No process is called no-such")
    assert jobs[right.id].state == "done"


def test_changed_definition_rebuilds_stored_events(setting: Setting) -> None:
    """A milestone added to the file shows on journeys that are there already."""
    correlating = setting.correlating()
    correlating.turn()
    setting.order(1)
    correlating.turn()
    assert setting.milestones() == {"placed", "shipped"}
    file = setting.config / "processes" / "bench-orders.yaml"
    file.write_text(
        PROCESS.replace("completed_by", "  - {name: returned, event: item.returned}\ncompleted_by")
    )
    correlating.turn()
    correlating.work()
    assert setting.milestones() == {"placed", "shipped", "returned"}


def test_one_engine_at_a_time(setting: Setting) -> None:
    """A second engine waits until the first has gone silent, then takes over with what came meanwhile."""
    first, second = setting.correlating("first"), setting.correlating("second")
    first.turn()
    setting.order(1)
    second.turn()
    assert setting.journeys() == 0
    setting.clock.now += LEASE_TIME
    second.turn()
    second.work()
    assert setting.journeys() == 1


def test_engine_that_lost_its_lease_writes_nothing(setting: Setting) -> None:
    """After another engine has taken over, the first may not write."""
    first, second = setting.correlating("first"), setting.correlating("second")
    first.turn()
    setting.clock.now += LEASE_TIME
    second.turn()
    first.beat()
    with pytest.raises(LeaseLost):
        first._check("write_edges")
    setting.order(1)
    first.turn()
    assert setting.journeys() == 0


def test_released_lease_is_free_at_once(setting: Setting) -> None:
    """An engine that stops in order makes nobody wait."""
    first, second = setting.correlating("first"), setting.correlating("second")
    first.turn()
    first.release()
    setting.order(1)
    second.turn()
    second.work()
    assert setting.journeys() == 1


@pytest.mark.parametrize(
    ("clean", "boot", "rebuilt"), [(False, "other", True), (False, "same", False), (True, "other", False)]
)
def test_power_loss_rebuilds_everything(
    setting: Setting,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    clean: bool,
    boot: str,
    rebuilt: bool,
) -> None:
    """Only a machine that has started again since an engine that did not stop in order asks for rebuilds."""
    (tmp_path / "boot_id").write_text("same\n")
    monkeypatch.setattr(engine, "BOOT_ID", tmp_path / "boot_id")
    setting.order(1)
    setting.control.mark_engine("engine", boot, setting.clock(), clean=clean)
    correlating = setting.correlating()
    with engine.marked(setting.control, "engine", correlating):
        asked = {job.process for job in setting.control.jobs()}
    assert asked == ({process.id for process in correlating.processes} if rebuilt else set())
    mark = setting.control.mark_engine("engine", "same", setting.clock(), clean=False)
    assert mark is not None
    assert (mark.clean, mark.boot_id) == (True, "same")
