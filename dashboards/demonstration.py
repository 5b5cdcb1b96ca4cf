"""`throughline demo`: the platform, and a simulated firm that sends weeks of history, then live.

The firm's platforms send webhooks, its middleware OTLP; what failed can be done again from the pages.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.progress import Progress

from throughline.collector.settings import load_settings
from throughline.dashboards.commands.serve import platform
from throughline.dashboards.demo.estate import Estate
from throughline.dashboards.demo.firm import doing_again, run_live, send_history
from throughline.dashboards.demo.scenario import Plan, plan
from throughline.dashboards.engine_settings import EngineSettings
from throughline.dashboards.environment import standing
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from throughline.dashboards.supervisor import Supervisor

LONGEST_SEARCH_SECONDS = 60.0
SHOWN = {
    "stuck": "won in the CRM, no project in the PSA",
    "late-invoice": "work approved, the invoice is overdue",
    "failing": "the ERP refuses the invoice for want of a tax code, which somebody must add there",
    "nameless": "the customer has no name in the message: repair it, and see the journey go on",
    "expired": "the middleware's token had expired: let it run again, all of one cause together",
    "shared": "one invoice for several projects: it is in each of their journeys",
    "credited": "invoiced, credited and invoiced again",
    "out-of-order": "its messages came in the wrong order; the journey is right",
}
"""What to look at: kinds of the scenario, and what is to be seen."""


def demonstrate(seed: int, *, keep: bool) -> int:
    """Run until a signal and return the exit code. Unless `keep`, everything stored is removed at the end."""
    with contextlib.ExitStack() as stack:
        if not keep:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="throughline-demo-"))
            stack.enter_context(standing(THROUGHLINE_DATA=folder))
        config = Path(os.environ["THROUGHLINE_DATA"]).resolve() / "demo-config"
        stack.enter_context(standing(THROUGHLINE_CONFIG=str(config)))
        estate = stack.enter_context(contextlib.closing(Estate(config)))
        firm = _Firm(seed, estate)
        firm.supervisor = supervisor = platform(firm.start)
        try:
            return supervisor.run() or firm.failed
        finally:
            firm.end()


class _Firm:
    """The simulated firm on a thread of its own, from the moment the platform is ready."""

    def __init__(self, seed: int, estate: Estate) -> None:
        intake, pages = load_settings(), EngineSettings.load()
        self.failed = 0
        self.supervisor: Supervisor | None = None
        self._seed = seed
        self._estate = estate
        self._endpoint = f"http://{intake.host}:{intake.otlp_http}"
        self._pages = f"http://{pages.host}:{pages.port}"
        self._console = Console()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="firm", daemon=True)

    def start(self) -> None:
        """Begin the history."""
        self._console.print(f"Throughline is ready on {self._pages}, OTLP over HTTP on {self._endpoint}.")
        self._thread.start()

    def end(self) -> None:
        """Stop sending."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        try:
            past = plan(self._seed, datetime.now(UTC))
            with Progress(console=self._console) as progress:
                sent = send_history(self._endpoint, past, self._estate, progress)
            self._console.print(f"{sent.events} events of seven weeks sent in {sent.seconds:.0f} s.")
            with doing_again(self._endpoint, self._estate):
                self._show(past)
                run_live(self._endpoint, past, self._estate, self._stop)
        except ThroughlineError as error:
            if self._stop.is_set():
                return
            self._console.print(str(error))
            self.failed = 1
            if self.supervisor is not None:
                self.supervisor.stop()

    def _show(self, past: Plan) -> None:
        """Print one journey of each kind worth looking at, once it can be seen."""
        self._console.print(f"\nLook at [bold]{self._pages}[/bold], and at these journeys:")
        for kind, what in SHOWN.items():
            address = self._address(past, kind)
            if address:
                self._console.print(f"  {kind}: {what}\n    {address}", soft_wrap=True, highlight=False)
        triage, systems = f"{self._pages}/triage", f"{self._estate.address}/systems"
        self._console.print(
            f"\nWhat needs a human is in [bold]{triage}[/bold]: repair it, do it again, or change"
        )
        self._console.print(f"the source in the emulated systems: [bold]{systems}[/bold]")
        self._console.print(f"What it is configured by is in {self._estate.config}.", highlight=False)
        self._console.print("\nNew deals go on arriving. Ctrl-C stops.")

    def _address(self, past: Plan, kind: str) -> str | None:
        """The page of a journey of a kind, waiting until the API has it."""
        keys = (
            key
            for key, expected in past.journeys.items()
            if expected.status != "absent"
            and (expected.shared if kind == "shared" else expected.kind == kind)
        )
        key = next(keys, None)
        deadline = time.monotonic() + LONGEST_SEARCH_SECONDS
        while key and not self._stop.wait(0.2) and time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                found = httpx.get(f"{self._pages}/api/v1/journeys", params={"key": key}, timeout=10).json()
                if found.get("items"):
                    return f"{self._pages}/journey?id={quote(found['items'][0]['id'])}"
        return None
