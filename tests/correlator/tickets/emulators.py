"""Jira and ServiceNow as far as tickets need them, over real HTTP."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.listening import Quiet, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN = {"name": "To Do", "statusCategory": {"key": "new"}}
DONE = {"name": "Done", "statusCategory": {"key": "done"}}


@dataclass
class Tracker:
    """Both systems: issues by key, records by sys_id. `trouble` is what happens to the next calls, in turn:
    a status that is answered instead, or `lost` for a call that is done and not answered.
    """

    url: str = ""
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    trouble: list[int | str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    @contextmanager
    def serving(self) -> Iterator[Tracker]:
        """Listen on a free port."""
        mine = self

        class Handler(Quiet):
            def answer(self) -> None:
                body = self.body()
                mine.credentials.add(self.headers.get("authorization", ""))
                trouble = mine.trouble.pop(0) if mine.trouble else 0
                status, said = (
                    (trouble, {"error": "no"})
                    if isinstance(trouble, int) and trouble
                    else mine.handle(self.command, self.path, json.loads(body) if body else {})
                )
                if trouble == "lost":
                    self.connection.close()
                    return
                content = json.dumps(said).encode() if said is not None else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        with listening(Handler) as self.url:
            yield self

    def handle(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Do what a call asks."""
        where = urlsplit(path)
        steps = where.path.strip("/").split("/")
        if steps[:2] == ["rest", "api"]:
            return self._jira(method, steps[3:], body)
        return self._servicenow(method, steps[4:], parse_qs(where.query), body)

    def _jira(self, method: str, steps: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        if steps == ["search", "jql"]:
            label = body["jql"].split('labels = "')[1].partition('"')[0]
            found = [one for one in self.issues.values() if label in one["fields"]["labels"]]
            return 200, {"issues": found[: body["maxResults"]]}
        if steps == ["issue"]:
            key = f"OPS-{len(self.issues) + 1}"
            self.issues[key] = {"key": key, "fields": {**body["fields"], "status": OPEN}}
            return 201, {"key": key, "id": key}
        issue = self.issues.get(steps[1])
        if issue is None:
            return 404, {"errorMessages": ["Issue does not exist"]}
        if steps[2:] == ["comment"]:
            self.comments.append(body["body"]["content"][0]["content"][0]["text"])
            return 201, {}
        if steps[2:] == ["transitions"]:
            if method == "GET":
                return 200, {"transitions": [{"id": "5", "name": "Done", "to": DONE}]}
            issue["fields"]["status"] = DONE
            return 204, None
        return 200, issue

    def _servicenow(
        self, method: str, steps: list[str], query: dict[str, list[str]], body: dict[str, Any]
    ) -> tuple[int, Any]:
        if method == "POST":
            number = len(self.records) + 1
            record = {"sys_id": f"id{number}", "number": f"INC{number:04}", "state": "1", **body}
            self.records[record["sys_id"]] = record
            return 201, {"result": record}
        if not steps:
            label = query["sysparm_query"][0].partition("=")[2].partition("^")[0]
            return 200, {"result": [one for one in self.records.values() if one["correlation_id"] == label]}
        record = self.records[steps[0]]
        if method == "PATCH":
            self.comments += [body["work_notes"]] if "work_notes" in body else []
            record |= body
        return 200, {"result": record}
