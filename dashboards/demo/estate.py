"""What the demo writes before it starts: secrets, connections, replay targets, who must approve replays."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from throughline.dashboards.demo.catalog import EXPIRED, NAMELESS, TAKEN, TAX_CODE, TEMPLATE, UNKNOWN_OUTCOME
from throughline.dashboards.demo.deal import PlannedEvent
from throughline.dashboards.demo.middleware import Middleware
from throughline.dashboards.demo.systems import EMULATED, OPTIONS, ROLES

_PREFIXES = {"dynamics365": "d365"}


class Estate:
    """The firm's systems as the platform is told of them, and its emulated middleware."""

    def __init__(self, config: Path) -> None:
        """Write the files into `config`; the middleware listens from now on."""
        self.config = config
        self.middleware = Middleware()
        self.secrets: Mapping[str, bytes] = {name: _secret(name) for name in EMULATED}
        self._write(config)

    @property
    def address(self) -> str:
        """Where the emulated systems show what they have."""
        return self.middleware.url

    def failed(self, planned: PlannedEvent) -> None:
        """A hop of the middleware has failed; what was planned follows once it is done again."""
        self.middleware.failed(planned)

    def close(self) -> None:
        """Stop the middleware."""
        self.middleware.close()

    def _write(self, config: Path) -> None:
        folder = config / "secrets"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        entries = []
        for name, secret in self.secrets.items():
            (folder / name).write_bytes(secret)
            (folder / name).chmod(0o600)
            entries.append(_connection(name, folder / name, self.address))
        _dump(config / "connections.yaml", {"connections": entries})
        _dump(config / "targets.yaml", {"targets": _targets(self.address)})
        _dump(config / "approvals.yaml", {"approvals": APPROVALS})


APPROVALS = [
    {"match": {"items_at_least": 100}, "need": "second_person"},
    {"match": {"amount_at_least": 1_000_000}, "need": "approver"},
    {"need": "none"},
]
"""Nobody has a token in the demo, so everybody is one person, who can't approve what they asked for."""
SCHEMA = {
    "type": "object",
    "required": ["flow", "source", "customer"],
    "properties": {
        "customer": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string", "minLength": 1}},
        }
    },
}
"""What the middleware takes as a corrected payload."""


def _secret(name: str) -> bytes:
    made = secrets.token_urlsafe(24)
    return (f"event-mesh:{made}" if EMULATED[name].platform == "sap" else made).encode()


def _connection(name: str, secret: Path, address: str) -> dict[str, Any]:
    emulator = EMULATED[name]
    prefix = _PREFIXES.get(emulator.platform, emulator.platform)
    entry: dict[str, Any] = {
        "id": name,
        "platform": emulator.platform,
        "secret": {"file": str(secret)},
        "options": {**emulator.options(), **OPTIONS.get(name, {})},
        "objects": emulator.objects(),
        "links": {
            namespace: f"{address}/systems/{name}/{{id}}"
            for namespace in ROLES
            if namespace.partition(".")[0] == prefix
        },
    }
    return {field: value for field, value in entry.items() if value}


def _targets(address: str) -> list[dict[str, Any]]:
    port = address.rpartition(":")[2]
    here = {
        "hosts": [f"127.0.0.1:{port}", "127.0.0.0/8"],
        "headers": {"Content-Type": "application/json"},
        "retry": {"attempts": 3},
        "verify_within": "2m",
    }
    return [
        {
            "id": "integration-flows",
            "title": "Give the flow its message again, as it was or corrected",
            "kinds": ["resubmit", "repair"],
            "url": address + "/flows/{{ exception.event }}",
            "body": "{{ payload }}",
            "idempotent": True,
            "schema": SCHEMA,
            "match": {"code": [one.code for one in (NAMELESS, TAX_CODE, TEMPLATE, TAKEN)]},
            **here,
        },
        {
            "id": "run-again",
            "title": "Let the middleware run the flow again, by the id of its run",
            "kinds": ["rerun"],
            "url": address + "/runs/{{ run.id }}/again",
            "idempotent": True,
            "match": {"code": EXPIRED.code},
            **here,
        },
        {
            "id": "erp-posting",
            "title": "Post in the ERP, which drops no repeats: it is asked first whether it has the invoice",
            "kinds": ["rerun"],
            "url": address + "/erp/{{ run.id }}/post",
            "lookup": {"url": address + "/erp/invoices/{{ subject.id }}"},
            "match": {"code": UNKNOWN_OUTCOME.code},
            **here,
        },
    ]


def _dump(path: Path, content: object) -> None:
    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(content, text)
    path.write_text("# Written by throughline demo at each start.\n" + text.getvalue(), encoding="utf-8")
