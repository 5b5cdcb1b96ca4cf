"""What people link and unlink by hand: over the API, in the journeys, and after a rebuild."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.answers import problem
from tests.dashboards.conftest import Client, token
from throughline.collector.auth import ROLES, Access
from throughline.collector.saying import say
from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.deps import Deps
from throughline.dashboards.key_picture import key_picture
from throughline.probes.vocabulary import BusinessEvent

ANN, VIEWER, RIVAL = (f"secret-token-of-{name}-0001" for name in ("ann", "viewer", "rival"))
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PROCESS = load_process("""
process: probe
keys: [crm.deal, [psa.project, erp.job], erp.invoice]
milestones:
  - {name: won, event: deal.won}
  - {name: created, event: project.created}
""")


@pytest.fixture
def deps(store: Store, tmp_path: Path) -> Deps:
    """Two deals; a project of the first; a project and an invoice that nothing links to a deal."""
    access = Access(
        tuple(
            replace(made, principal=replace(made.principal, name=name))
            for name, tenant, role, secret in (
                ("ann", "default", "operator", ANN),
                ("viewer", "default", "viewer", VIEWER),
                ("rival", "rival", "admin", RIVAL),
            )
            for made in [token(secret, tenant, ROLES[role])]
        )
    )
    events = [
        BusinessEvent(event=event, keys=keys, time=NOW, id=f"{event}-{number}")
        for number, (event, keys) in enumerate(
            [
                ("deal.won", {"crm.deal": "D1"}),
                ("deal.won", {"crm.deal": "D2"}),
                ("project.created", {"crm.deal": "D1", "psa.project": "P1", "erp.job": "J1"}),
                ("project.created", {"psa.project": "P2"}),
                ("invoice.posted", {"psa.project": "P2", "erp.invoice": "I2"}),
                ("time.booked", {"psa.project": "P1"}),
            ]
        )
    ]
    say(store, "default", events, NOW)
    return Deps(
        store=store, access=lambda: access, spool=tmp_path, processes=lambda: (PROCESS,), clock=lambda: NOW
    )


def members(store: Store) -> list[tuple[Any, ...]]:
    """Which events belong to which root."""
    sql = (
        "SELECT DISTINCT root, event, e.time FROM"
        " (SELECT journey, event, time FROM events_at(tenant = 'default', now = now64(6))) AS e"
        " INNER JOIN (SELECT id, root FROM journeys_at(tenant = 'default', now = now64(6))) AS j"
        " ON j.id = e.journey ORDER BY root, event, time"
    )
    return [(root, event) for root, event, _ in store.query(sql, role=Role.PAGES).result_rows]


REFUSED = (
    ("crm.deal:D1", "no.such:1", "link", "No process knows the namespace no.such"),
    ("psa.project:P2", "crm.deal:D1", "link", "swap parent and child"),
    ("crm.deal:D9", "psa.project:P2", "link", "No event has named crm.deal:D9 yet"),
    ("psa.project:P1", "erp.job:J1", "link", "Both keys name one object"),
    ("crm.deal:D2", "psa.project:P1", "unlink", "Nothing links these two"),
    ("crm.deal:D1", "psa.project:null", "link", "stands for no value"),
    ("crm.deal", "psa.project:P1", "link", "is no key"),
    ("crm.deal:D>1", "psa.project:P1", "link", "can't be linked by hand"),
    ("crm.deal:D1", "crm.deal:D1", "link", "not its own parent"),
    ("crm.deal:D1", "psa.project:P1", "undo", "nothing to undo"),
)


async def test_links_by_hand_are_kept_explained_and_undone(store: Store, deps: Deps, client: Client) -> None:
    """Each takes effect with the next turn, exactly as a rebuild has it; undoing brings back what was."""
    live = Correlator(store, [PROCESS])

    def tick(minute: int, *, rebuild: bool = False) -> list[tuple[Any, ...]]:
        live.tick("default", datetime.now(UTC) + timedelta(minutes=minute))
        found = members(store)
        if rebuild:
            live.rebuild("default", "probe", datetime.now(UTC) + timedelta(minutes=minute, seconds=1))
            assert members(store) == found
        return found

    before = tick(0)
    assert before == [
        ("crm.deal:D1", "deal.won"), ("crm.deal:D1", "project.created"), ("crm.deal:D1", "time.booked"),
        ("crm.deal:D2", "deal.won"),
        ("psa.project:P2", "invoice.posted"), ("psa.project:P2", "project.created"),
    ]  # fmt: skip
    link = {
        "action": "link",
        "parent": "crm.deal:D2",
        "child": "psa.project:P2",
        "reason": "found in the CRM",
    }
    cut = {"action": "unlink", "parent": "crm.deal:D1", "child": "erp.job:J1", "reason": "another deal's"}
    async with client(deps, ANN) as ann, client(deps, VIEWER) as viewer, client(deps, RIVAL) as rival:
        assert problem(await viewer.post("/v1/links", json=link), 403)
        for parent, child, action, said in REFUSED:
            body = {"action": action, "parent": parent, "child": child, "reason": "x"}
            assert said in problem(await ann.post("/v1/links", json=body), 422)["detail"]
        assert (await ann.get("/v1/links")).json()["items"] == []
        made = await ann.post("/v1/links", json=link)
        assert (made.status_code, made.json()["state"], made.json()["actor"]) == (201, "linked", "ann")
        again = await ann.post("/v1/links", json=link | {"reason": "twice"})
        assert (again.status_code, again.json()["reason"]) == (200, "found in the CRM")
        linked = tick(1)
        assert ("crm.deal:D2", "invoice.posted") in linked
        assert not [root for root, _ in linked if root == "psa.project:P2"]
        found = (await ann.get("/v1/journeys", params={"key": "crm.deal:D2"})).json()["items"]
        graph = (await ann.get(f"/v1/journeys/{found[0]['id']}/graph")).json()
        (edge,) = [one for one in graph["edges"] if one["parent"] == "crm.deal:D2"]
        assert edge["rule"] == "explicit"
        assert [(one["actor"], one["reason"]) for one in edge["evidence"]] == [("ann", "found in the CRM")]
        (other,) = [one for one in graph["edges"] if one["parent"] == "psa.project:P2"]
        assert [(one["event"], one["actor"]) for one in other["evidence"]] == [("invoice.posted", "")]
        assert [one["state"] for one in graph["by_hand"]] == ["linked"]
        assert "I2" in key_picture(graph["nodes"], graph["edges"])

        assert (await ann.post("/v1/links", json=cut)).status_code == 201
        separate = tick(2, rebuild=True)
        assert ("psa.project:P1", "time.booked") in separate
        assert ("crm.deal:D1", "time.booked") not in separate
        for one in (link, cut):
            withdrawn = await ann.post("/v1/links", json=one | {"action": "undo", "reason": "wrong"})
            assert withdrawn.json()["state"] == "undone"
        assert tick(3, rebuild=True) == before
        assert problem(await ann.post("/v1/links", json=link | {"action": "undo"}), 422)
        said = (await ann.get("/v1/links", params={"key": "psa.project:P2"})).json()["items"]
        assert [(one["action"], one["state"]) for one in said] == [
            ("link.undone", "undone"), ("link.added", "undone"),
        ]  # fmt: skip
        assert (await rival.get("/v1/links")).json()["items"] == []
