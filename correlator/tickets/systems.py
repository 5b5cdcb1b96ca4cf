"""Jira and ServiceNow over REST: find a ticket by its label, open it, look at it, say something, close it.

Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/ (issue, issue search, transitions)
Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import httpx
from httpx_auth import HttpxAuthException

from throughline.collector.egress import Egress, NotAllowed, send
from throughline.correlator.replay.calls import http_auth
from throughline.probes.errors import ConfigurationError, ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from throughline.correlator.tickets.places import Place

MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_DONE = frozenset({"6", "7", "8"})
"""Resolved, closed, cancelled: the states of ServiceNow's incidents."""


class NotDone(ThroughlineError):
    """The ticket system did not do it; `permanent` if another try changes nothing."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        """Hold whether trying again helps."""
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Found:
    """A ticket there: what people call it, what the system calls it, where it opens, how it stands."""

    key: str
    id: str
    url: str
    status: str = ""
    done: bool = False


class System(Protocol):
    """What every ticket system does. All raise NotDone."""

    def find(self, label: str) -> Found | None:
        """The ticket with this label."""

    def open(self, label: str, title: str, text: str, fields: Mapping[str, Any]) -> Found:
        """Open one."""

    def look(self, ticket: str) -> Found:
        """How it stands."""

    def say(self, ticket: str, text: str) -> None:
        """Add a comment."""

    def close(self, ticket: str, text: str, how: Mapping[str, Any]) -> None:
        """Close it, and say why."""


class Http:
    """Calls of one place; keeps its connections."""

    def __init__(self, place: Place, environ: Mapping[str, str] = os.environ) -> None:
        """Raises: ConfigurationError."""
        egress = Egress.of(place.hosts)
        self._place, self._environ = place, environ
        self._client, self._tokens = (
            egress.client(timeout_seconds=place.timeout.total_seconds()) for _ in range(2)
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._tokens.close()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that came back, None for nothing. Raises: NotDone."""
        where = self._place.url.rstrip("/") + path
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        content = json.dumps(body).encode() if body is not None else None
        try:
            request = self._client.build_request(method, where, headers=headers, content=content)
            auth = http_auth(self._place.auth, self._place.id, self._environ, self._tokens)
            answer = send(self._client, request, auth)
        except (httpx.HTTPError, HttpxAuthException, OSError) as error:
            raise NotDone(f"{self._place.id} gave no answer: {error}.", permanent=False) from error
        except (httpx.InvalidURL, NotAllowed, ConfigurationError) as error:
            raise NotDone(str(error), permanent=True) from error
        text = answer.body.decode("utf-8", "replace")
        if not 200 <= answer.status < 300:  # noqa: PLR2004
            said = f"{self._place.id} answered {answer.status}: {text[:300]}"
            raise NotDone(said, permanent=answer.status not in MAY_PASS)
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            raise NotDone(f"{self._place.id} answered no JSON.", permanent=False) from error


class Jira:
    """REST v3: the label is a label of the issue."""

    def __init__(self, place: Place, http: Http) -> None:
        self._place, self._http = place, http

    def find(self, label: str) -> Found | None:
        """The issue with this label."""
        jql = f'project = "{self._place.project}" AND labels = "{label}" ORDER BY created'
        asked = {"jql": jql, "fields": ["status"], "maxResults": 1}
        answer = self._http.ask("POST", "/rest/api/3/search/jql", asked)
        issues = (answer or {}).get("issues") or []
        return self._found(issues[0]) if issues else None

    def open(self, label: str, title: str, text: str, fields: Mapping[str, Any]) -> Found:
        """Create an issue."""
        given = {
            "project": {"key": self._place.project},
            "issuetype": {"name": self._place.issue_type},
            "summary": " ".join(title.split())[:255],
            "description": _document(text),
            **fields,
        }
        given["labels"] = [*given.get("labels", []), label]
        return self._found(self._http.ask("POST", "/rest/api/3/issue", {"fields": given}))

    def look(self, ticket: str) -> Found:
        """Read its status."""
        return self._found(self._http.ask("GET", f"/rest/api/3/issue/{quote(ticket, safe='')}?fields=status"))

    def say(self, ticket: str, text: str) -> None:
        """Add a comment."""
        path = f"/rest/api/3/issue/{quote(ticket, safe='')}/comment"
        self._http.ask("POST", path, {"body": _document(text)})

    def close(self, ticket: str, text: str, how: Mapping[str, Any]) -> None:
        """Say why, then take the transition that is named, or the first that ends it."""
        path = f"/rest/api/3/issue/{quote(ticket, safe='')}/transitions"
        offered = (self._http.ask("GET", path) or {}).get("transitions") or []
        named = how.get("transition")
        fit = [
            one
            for one in offered
            if (one.get("name") == named if named else _category(one.get("to") or {}) == "done")
        ]
        if not fit:
            wanted = f"'{named}'" if named else "that ends it"
            known = ", ".join(str(one.get("name")) for one in offered) or "none"
            raise NotDone(f"{ticket} offers no transition {wanted}; it offers {known}.", permanent=True)
        self.say(ticket, text)
        self._http.ask("POST", path, {"transition": {"id": fit[0]["id"]}})

    def _found(self, issue: Any) -> Found:
        if not isinstance(issue, dict) or not issue.get("key"):
            raise NotDone(f"{self._place.id} answered without a key.", permanent=False)
        status = (issue.get("fields") or {}).get("status") or {}
        url = f"{self._place.url.rstrip('/')}/browse/{issue['key']}"
        return Found(issue["key"], issue["key"], url, status.get("name", ""), _category(status) == "done")


class ServiceNow:
    """The Table API: the label is the correlation id of the record."""

    def __init__(self, place: Place, http: Http) -> None:
        self._place, self._http = place, http
        self._path = f"/api/now/table/{place.table}"

    def find(self, label: str) -> Found | None:
        """The record with this correlation id."""
        asked = {"sysparm_query": f"correlation_id={label}^ORDERBYsys_created_on", "sysparm_limit": 1}
        rows = (self._http.ask("GET", f"{self._path}?{urlencode(asked)}") or {}).get("result") or []
        return self._found(rows[0]) if rows else None

    def open(self, label: str, title: str, text: str, fields: Mapping[str, Any]) -> Found:
        """Insert a record."""
        given = {
            "short_description": " ".join(title.split())[:160],
            "description": text,
            **fields,
            "correlation_id": label,
            "correlation_display": "throughline",
        }
        return self._found((self._http.ask("POST", self._path, given) or {}).get("result"))

    def look(self, ticket: str) -> Found:
        """Read its state."""
        return self._found(
            (self._http.ask("GET", f"{self._path}/{quote(ticket, safe='')}") or {}).get("result")
        )

    def say(self, ticket: str, text: str) -> None:
        """Add a work note."""
        self._http.ask("PATCH", f"{self._path}/{quote(ticket, safe='')}", {"work_notes": text})

    def close(self, ticket: str, text: str, how: Mapping[str, Any]) -> None:
        """Resolve it."""
        given = {"state": "6", "close_code": "Solved (Permanently)", "close_notes": text, **how}
        self._http.ask("PATCH", f"{self._path}/{quote(ticket, safe='')}", given)

    def _found(self, row: Any) -> Found:
        if not isinstance(row, dict) or not row.get("sys_id"):
            raise NotDone(f"{self._place.id} answered without a sys_id.", permanent=False)
        identity, state = str(row["sys_id"]), str(row.get("state", ""))
        url = f"{self._place.url.rstrip('/')}/nav_to.do?uri={self._place.table}.do?sys_id={quote(identity)}"
        return Found(str(row.get("number") or identity), identity, url, state, state in _DONE)


SYSTEMS: dict[str, type[Jira | ServiceNow]] = {"jira": Jira, "servicenow": ServiceNow}


def _category(status: Mapping[str, Any]) -> str:
    return str((status.get("statusCategory") or {}).get("key", ""))


def _document(text: str) -> dict[str, Any]:
    """A text as the documents that Jira takes: a paragraph for each line that is not empty."""
    lines = [line for line in text.splitlines() if line.strip()] or ["-"]
    paragraphs = [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in lines]
    return {"type": "doc", "version": 1, "content": paragraphs}
