"""The jobs about mappings: what one would do (test), doing it backwards (apply), finding keys."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from throughline.correlator.mapping import Mapping
from throughline.correlator.mapping_files import rules_of
from throughline.correlator.mapping_preview import preview
from throughline.correlator.mapping_sql import Named
from throughline.correlator.mapping_store import MappingStore
from throughline.correlator.suggest import Suggester
from throughline.dashboards.payload import Payload
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.collector.control import Job
    from throughline.collector.store import Store
    from throughline.correlator.mapper import Mapper

TEST = "mapping-test"
APPLY = "mapping-apply"
SUGGEST = "suggest-keys"
KINDS = (TEST, APPLY, SUGGEST)


class Asked(Payload):
    """Since when, and for a mapping its content."""

    since: datetime
    mapping: Mapping | None = None


def do(
    mapper: Mapper, store: Store, job: Job, now: datetime, report: Callable[[str], None]
) -> tuple[str, str]:
    """Do a job; returns what to say of it, and its result.

    Raises:
        ConfigurationError: the mapping to apply is not in force as it stands.
        StoreError.
    """
    asked = Asked.model_validate_json(job.payload)
    if job.kind == SUGGEST:
        found = Suggester(store, job.tenant).suggest(asked.since, report)
        return f"{len(found['suggestions'])} suggestions", json.dumps(found)
    if asked.mapping is None:
        raise ConfigurationError("The job names no mapping; ask again.")
    if job.kind == TEST:
        named = [Named(name, 0, rule) for name, rule in rules_of(asked.mapping)]
        rules = preview(store, job.tenant, named, asked.since, now)
        matched = sum(one["matched"] for one in rules)
        answer = {"mapping": asked.mapping.mapping, "since": asked.since.isoformat(), "rules": rules}
        return f"{matched} rows match", json.dumps(answer)
    made = mapper.apply(
        job.tenant, in_force(store, asked.mapping), asked.mapping.mapping, asked.since, report
    )
    done = {"mapping": asked.mapping.mapping, "since": asked.since.isoformat(), "events": made}
    return f"{sum(made.values())} events made", json.dumps(done)


def in_force(store: Store, mapping: Mapping) -> list[Named]:
    """All rules in force, those of a mapping among them.

    Raises:
        ConfigurationError: it is not in force with this content; what it makes live would differ.
    """
    mappings = MappingStore(store)
    present = mappings.remembered()
    same = next((one for one in present if one.mapping == mapping.mapping), None)
    if same is None or same.content_hash != mapping.content_hash:
        state = "is not in force" if same is None else "is in force with other content"
        raise ConfigurationError(
            f"The mapping {mapping.mapping} {state}: put this file into mappings/ of the configuration "
            "folder first, so that what comes and what is stored are mapped alike."
        )
    return mappings.number(present)
