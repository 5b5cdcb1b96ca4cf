"""What the engine runs, wired by hand: each part with the loop that turns it, and what pages and API need."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from throughline.collector.live_access import RELOAD_SECONDS
from throughline.collector.live_connections import LiveConnections
from throughline.collector.loader import Loader
from throughline.correlator.notify.notifier import Notifier
from throughline.correlator.outbound.outbound import Outbound
from throughline.correlator.replay import second
from throughline.correlator.replay.worker import Replaying
from throughline.correlator.tickets.desk import Ticketing
from throughline.dashboards.alert_settings import AlertSettings
from throughline.dashboards.alerting import Alerting
from throughline.dashboards.clock import utc_now
from throughline.dashboards.correlating import Correlating, holder
from throughline.dashboards.counting import Counting
from throughline.dashboards.deps import Deps
from throughline.dashboards.engine_metrics import EngineMetrics
from throughline.dashboards.engine_settings import from_environment
from throughline.dashboards.kept import KeptThread
from throughline.dashboards.live_channels import LiveChannels
from throughline.dashboards.live_definitions import LiveDefinitions
from throughline.dashboards.live_mappings import LiveMappings
from throughline.dashboards.live_replays import LiveReplays
from throughline.dashboards.live_routing import LiveRouting
from throughline.dashboards.live_rules import LiveRules
from throughline.dashboards.live_tables import LiveTables
from throughline.dashboards.live_tickets import LiveTickets
from throughline.dashboards.settings import DashboardSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.collector.control import ControlStore
    from throughline.collector.live_access import LiveAccess
    from throughline.collector.store import Store
    from throughline.dashboards.engine_settings import EngineSettings

BEAT_SECONDS = 4.0
JOB_SECONDS = 0.25
LOAD_SECONDS = 0.1
REPLAY_SECONDS = 0.5
TURN_SECONDS = 1.0


class Wired:
    """The parts of one engine. Nothing works before the threads of `loops` run; `release` comes last."""

    def __init__(
        self,
        settings: EngineSettings,
        store: Store,
        control: ControlStore,
        access: LiveAccess,
        connections: LiveConnections,
    ) -> None:
        """Raises: ConfigurationError, when a setting is wrong."""
        pages, alerts = from_environment(DashboardSettings), from_environment(AlertSettings)
        config = settings.config
        spool, name = settings.data / "spool", holder(settings)
        self.stop = threading.Event()
        self._loader = Loader(store, spool)
        self.correlating = Correlating(
            store,
            control,
            LiveDefinitions(config, control),
            holder=name,
            clock=utc_now,
            mappings=LiveMappings(config, store),
            loaded=lambda: self._loader.total,
        )
        self._settings, self._metrics = settings, EngineMetrics()
        self._replays = LiveReplays(config, control)
        targets = lambda: self._replays.rules.targets  # noqa: E731 - asked at each turn
        self._replaying = Replaying(store, control, targets, utc_now, report=partial(second.report, store))
        self._tickets = LiveTickets(config, control)
        self._ticketing = Ticketing(store, control, lambda: self._tickets.places, utc_now)
        self._outbound = Outbound(store, control, config, holder=name, clock=utc_now)
        self._rules = LiveRules(config, control)
        self._alerting = Alerting(
            store,
            control,
            self._rules,
            alerts,
            self._metrics,
            processes=lambda: self.correlating.processes,
            spool=spool,
            holder=name,
            clock=utc_now,
        )
        self._channels = LiveChannels(config, control)
        self._notifier = Notifier(
            store,
            control,
            lambda: self._channels.current,
            self._rules.of,
            holder=name,
            clock=utc_now,
            public_url=alerts.public_url,
        )
        self._counting = Counting(store, self._metrics, alerts, utc_now)
        tables = LiveTables(config, store, pages.reporting_currency)
        self._looks: dict[str, Callable[[], None]] = {
            "tokens": access.reload,
            "connections": connections.reload,
            "routing": LiveRouting(config, store, utc_now).reload,
            "targets": self._replays.reload,
            "ticket places": self._tickets.reload,
            "channels": self._channels.reload,
            "tables": lambda: tables.reload(utc_now()),
        }
        self.deps = Deps(
            store=store,
            access=lambda: access.current,
            spool=spool,
            processes=lambda: self.correlating.processes,
            settings=pages,
            clock=utc_now,
            control=control,
            connections=lambda: connections.current,
            subscriptions=lambda: self._outbound.subscriptions,
            rules=lambda: self._rules.current,
            rules_of=self._rules.of,
            channels=lambda: self._channels.current,
            public_url=alerts.public_url,
            metrics=self._metrics,
            replay_rules=lambda: self._replays.rules,
            places=lambda: self._tickets.places,
            broken_target=lambda target: self._replaying.broken(target, utc_now()),
        )

    def loops(self) -> list[KeptThread]:
        """One thread for each loop, and one for each look at files that change."""
        self.correlating.reload()
        self._replays.reload()
        self._tickets.reload()
        self._channels.reload()
        every = self._settings.correlate_every_seconds
        turns: dict[str, tuple[Callable[[], None], float]] = {
            "loader": (lambda: self._loader.run(self.stop), LOAD_SECONDS),
            "correlator": (self.correlating.turn, every),
            "jobs": (self.correlating.work, JOB_SECONDS),
            "leases": (self.correlating.beat, BEAT_SECONDS),
            "replays": (self._replaying.turn, REPLAY_SECONDS),
            "tickets": (self._ticketing.turn, TURN_SECONDS),
            "outbound": (lambda: self._outbound.turn(self.stop), TURN_SECONDS),
            "alerts": (self._alerting.turn, TURN_SECONDS),
            "notifier": (self._notifier.turn, TURN_SECONDS),
            "alert leases": (self._alerting.beat, BEAT_SECONDS),
            "metrics": (self._counting.turn, self._counting.every),
            **{name: (look, RELOAD_SECONDS) for name, look in self._looks.items()},
        }
        return [KeptThread(name, turn, every=pause, stop=self.stop) for name, (turn, pause) in turns.items()]

    def release(self) -> None:
        """Let the next engine begin at once."""
        self._replaying.close()
        self._ticketing.close()
        self._outbound.release()
        self.correlating.release()
        self._alerting.release()
        self._notifier.release()
