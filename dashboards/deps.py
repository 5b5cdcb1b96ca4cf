"""What the API and the pages need, wired once by the entry point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from throughline.collector.auth import Access
from throughline.collector.connections import Connections
from throughline.collector.control import ControlStore
from throughline.collector.store import Store
from throughline.correlator.alerts.rule_files import LoadedRules
from throughline.correlator.definition import Process
from throughline.correlator.notify.channels import Channels
from throughline.correlator.outbound.subscriptions import Subscription
from throughline.correlator.replay.planning import Rules
from throughline.correlator.replay.policy import SHIPPED
from throughline.correlator.replay.targets import Targets
from throughline.correlator.tickets.places import Places
from throughline.dashboards.engine_metrics import EngineMetrics
from throughline.dashboards.outlook import KEPT_SECONDS
from throughline.dashboards.queries import Kept
from throughline.dashboards.settings import DashboardSettings


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Deps:
    """What can be called is asked at each request: files change while the engine runs. Without `control`
    nothing can be asked of the engine. `experience` is what outlooks rest on. `broken_target` says why a
    replay target is not called at the moment, or ''.
    """

    store: Store
    access: Callable[[], Access]
    spool: Path
    processes: Callable[[], Sequence[Process]]
    settings: DashboardSettings = field(default_factory=DashboardSettings)
    clock: Callable[[], datetime] = _utc_now
    control: ControlStore | None = None
    connections: Callable[[], Connections] = Connections
    subscriptions: Callable[[], Sequence[Subscription]] = tuple
    rules: Callable[[], LoadedRules] = LoadedRules
    rules_of: Callable[[str], LoadedRules] | None = None
    """The rules of a tenant, those that its people wrote among them."""
    channels: Callable[[], Channels] = Channels
    public_url: str = ""
    metrics: EngineMetrics | None = None
    experience: Kept = field(default_factory=lambda: Kept(KEPT_SECONDS))
    replay_rules: Callable[[], Rules] = lambda: Rules(Targets(), SHIPPED)
    places: Callable[[], Places] = Places
    broken_target: Callable[[str], str] = lambda _: ""

    def rules_in_force(self, tenant: str) -> LoadedRules:
        """The rules that are evaluated for a tenant."""
        return self.rules_of(tenant) if self.rules_of is not None else self.rules()
