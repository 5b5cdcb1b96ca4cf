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
from throughline.correlator.replay.planning import Rules
from throughline.correlator.replay.policy import APPROVALS_FILE, SHIPPED, parse_policy
from throughline.correlator.replay.targets import TARGETS_FILE, Targets, parse_targets
from throughline.correlator.replay.worker import Replaying
from throughline.correlator.tickets.desk import Ticketing
from throughline.correlator.tickets.places import TICKETS_FILE, Places, parse_places
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
from throughline.dashboards.live_file import LiveFile
from throughline.dashboards.live_mappings import LiveMappings
from throughline.dashboards.live_routing import LiveRouting
from throughline.dashboards.live_rules import LiveRules
from throughline.dashboards.live_tables import LiveTables
from throughline.dashboards.settings import DashboardSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from throughline.collector.control import ControlStore
    from throughline.collector.live_access import LiveAccess
    from throughline.collector.store import Store
    from throughline.correlator.definition import Process
    from throughline.dashboards.engine_settings import EngineSettings

BEAT_SECONDS = 4.0
JOB_SECONDS = 0.25
LOAD_SECONDS = 0.1
REPLAY_SECONDS = 0.5
NICENESS = {"replays": 10}
"""Ten thousand items have time: whoever waits for a journey or a page comes first."""
TURN_SECONDS = 1.0


class Acting:
    """What is done about exceptions: replays, tickets."""

    def __init__(self, store: Store, control: ControlStore, config: Path | None) -> None:
        self.targets = LiveFile(config, TARGETS_FILE, parse_targets, control, without=Targets())
        self.approvals = LiveFile(config, APPROVALS_FILE, parse_policy, control, without=SHIPPED)
        self.places = LiveFile(config, TICKETS_FILE, parse_places, control, without=Places())
        self.replaying = Replaying(
            store, control, lambda: self.targets.current, utc_now, report=partial(second.report, store)
        )
        self.ticketing = Ticketing(store, control, lambda: self.places.current, utc_now)

    def rules(self) -> Rules:
        """Where replays may go, and who must approve them."""
        return Rules(self.targets.current, self.approvals.current)

    def reload(self) -> None:
        """Take over files that have changed. Raises: ControlError; the next call tries again."""
        for file in (self.targets, self.approvals, self.places):
            file.reload()

    def release(self) -> None:
        """Let the next engine begin at once."""
        self.replaying.close()
        self.ticketing.close()


class Watching:
    """Rules that are evaluated, whoever is told, and what is counted beside."""

    def __init__(
        self,
        settings: EngineSettings,
        alerts: AlertSettings,
        store: Store,
        control: ControlStore,
        *,
        processes: Callable[[], Sequence[Process]],
    ) -> None:
        config, name = settings.config, holder(settings)
        self.metrics = EngineMetrics()
        self.rules = LiveRules(config, control)
        self.channels = LiveChannels(config, control)
        self.alerting = Alerting(
            store,
            control,
            self.rules,
            alerts,
            self.metrics,
            processes=processes,
            spool=settings.data / "spool",
            holder=name,
            clock=utc_now,
        )
        self.notifier = Notifier(
            store,
            control,
            lambda: self.channels.current,
            self.rules.of,
            holder=name,
            clock=utc_now,
            public_url=alerts.public_url,
        )
        self.counting = Counting(store, self.metrics, alerts, utc_now, processes)

    def release(self) -> None:
        """Let the next engine begin at once."""
        self.alerting.release()
        self.notifier.release()


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
        self._settings = settings
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
        self._acting = acting = Acting(store, control, config)
        self._outbound = Outbound(store, control, config, holder=name, clock=utc_now)
        self._watching = watching = Watching(
            settings, alerts, store, control, processes=lambda: self.correlating.processes
        )
        tables = LiveTables(config, store, pages.reporting_currency)
        self._looks: dict[str, Callable[[], None]] = {
            "tokens": access.reload,
            "connections": connections.reload,
            "routing": LiveRouting(config, store, utc_now).reload,
            "targets and ticket places": acting.reload,
            "channels": watching.channels.reload,
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
            rules=lambda: watching.rules.current,
            rules_of=watching.rules.of,
            channels=lambda: watching.channels.current,
            public_url=alerts.public_url,
            metrics=watching.metrics,
            replay_rules=acting.rules,
            places=lambda: acting.places.current,
            broken_target=lambda target: acting.replaying.broken(target, utc_now()),
        )

    def loops(self) -> list[KeptThread]:
        """One thread for each loop, and one for each look at files that change."""
        acting, watching = self._acting, self._watching
        self.correlating.reload()
        acting.reload()
        watching.channels.reload()
        every = self._settings.correlate_every_seconds
        turns: dict[str, tuple[Callable[[], None], float]] = {
            "loader": (lambda: self._loader.run(self.stop), LOAD_SECONDS),
            "correlator": (self.correlating.turn, every),
            "jobs": (self.correlating.work, JOB_SECONDS),
            "leases": (self.correlating.beat, BEAT_SECONDS),
            "replays": (acting.replaying.turn, REPLAY_SECONDS),
            "tickets": (acting.ticketing.turn, TURN_SECONDS),
            "outbound": (lambda: self._outbound.turn(self.stop), TURN_SECONDS),
            "alerts": (watching.alerting.turn, TURN_SECONDS),
            "notifier": (watching.notifier.turn, TURN_SECONDS),
            "alert leases": (watching.alerting.beat, BEAT_SECONDS),
            "metrics": (watching.counting.turn, watching.counting.every),
            **{name: (look, RELOAD_SECONDS) for name, look in self._looks.items()},
        }
        return [
            KeptThread(name, turn, every=pause, stop=self.stop, niceness=NICENESS.get(name, 0))
            for name, (turn, pause) in turns.items()
        ]

    def release(self) -> None:
        """Let the next engine begin at once."""
        self._acting.release()
        self._outbound.release()
        self.correlating.release()
        self._watching.release()
