"""What one page run knows: who is looking, the clock, the questions it may ask, the definitions.

Streamlit runs page files as scripts and hands them nothing, so the wired dependencies wait here: the one
module-level
variable of the project, set by `create_app` before the first page runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from http.cookies import SimpleCookie

from throughline.collector.auth import Principal, Scope
from throughline.correlator.definition import Process
from throughline.dashboards.deps import Deps
from throughline.dashboards.likely import Likely, likely, of
from throughline.dashboards.outlook import Outlooks
from throughline.dashboards.queries import Kept, PageQueries
from throughline.dashboards.reader import JourneyFilter, Row
from throughline.probes.errors import Unauthorized

COOKIE = "throughline_token"
COOKIE_SECONDS = 12 * 3600


@dataclass(frozen=True)
class _Wired:
    deps: Deps
    kept: Kept


@dataclass(frozen=True)
class Session:
    """One run of one page."""

    principal: Principal
    now: datetime
    ask: PageQueries
    processes: dict[str, Process]
    deps: Deps

    def outlook(self, journey: Row) -> dict[str, Row]:
        """The outlook of a journey's milestones whose clocks run."""
        outlooks = Outlooks(self.deps.store, self.deps.experience, self.principal.tenant, self.now)
        return outlooks.of(self.processes.get(journey["Process"]), journey)

    def likely(self, wanted: JourneyFilter) -> Likely | None:
        """What a filter for likely late journeys goes by; None where it is none."""
        if not wanted.likely_late:
            return None
        outlooks = Outlooks(self.deps.store, self.deps.experience, self.principal.tenant, self.now)
        return likely(outlooks, of(wanted, self.processes.values()))

    def records(self, names: Iterable[str]) -> dict[str, str]:
        """Where the records open that keys name."""
        return self.deps.connections().records(self.principal.tenant, names)

    def title(self, process: str) -> str:
        """What a process is called."""
        known = self.processes.get(process)
        return (known.title if known else None) or process


_wired: _Wired | None = None


def provide(deps: Deps) -> None:
    """Set what pages use."""
    global _wired  # noqa: PLW0603 - see the top of the file
    _wired = _Wired(deps, Kept(deps.settings.page_cache_seconds))


def is_open() -> bool:
    """Whether no token is needed."""
    return _must().deps.access().open


def enter(token: str | None) -> Session:
    """Begin a page run for whoever holds `token`.

    Raises: Unauthorized.
    """
    wired = _must()
    principal = authenticate(wired.deps, token)
    now = wired.deps.clock()
    ask = PageQueries(wired.deps.store, wired.deps.spool, wired.kept, tenant=principal.tenant, now=now)
    return Session(principal, now, ask, {one.id: one for one in wired.deps.processes()}, wired.deps)


def authenticate(deps: Deps, token: str | None) -> Principal:
    """Return who holds a token, if it may read.

    Raises: Unauthorized.
    """
    access = deps.access()
    if not access.open and not token:
        raise Unauthorized("Enter a token.")
    principal = access.authenticate(f"Bearer {token}" if token else None)
    principal.require(Scope.READ)
    return principal


def cookie(token: str, *, secure: bool) -> str:
    """Return the `Set-Cookie` value that keeps a token in a browser, out of reach of scripts; empty text
    removes it.
    """
    jar: SimpleCookie = SimpleCookie()
    jar[COOKIE] = token
    jar[COOKIE]["path"] = "/"
    jar[COOKIE]["httponly"] = True
    jar[COOKIE]["samesite"] = "Strict"
    jar[COOKIE]["max-age"] = COOKIE_SECONDS if token else 0
    if secure:
        jar[COOKIE]["secure"] = True
    return jar[COOKIE].OutputString()


def _must() -> _Wired:
    if _wired is None:
        raise RuntimeError("provide() must run before any page")
    return _wired
