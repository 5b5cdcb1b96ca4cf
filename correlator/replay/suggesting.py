"""What a replay of an exception would do: the kind and target that suit it, as one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.correlator.replay.preflight import Situation, preflight, worst

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.targets import Targets

_SAID = {
    "resubmit": "A replay would send the stored payload again to {target}.",
    "rerun": "A replay would let {target} run {run} again.",
    "redrive": "A replay would move the queue of {target}.",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A kind, the target of a call, and what that would do."""

    kind: str
    target: str
    sentence: str


def suggest(facts: Facts, targets: Targets, now: datetime) -> Suggestion:
    """The first way that nothing red speaks against; data that are wrong are mended at their source."""
    if facts.class_ != "business":
        for kind, sentence in _SAID.items():
            for target in targets.targets:
                payload = facts.failure.payload if kind == "resubmit" else ""
                if worst(preflight(facts, Situation(kind, target, payload, now))) != "red":
                    said = sentence.format(target=target.title or target.id, run=facts.failure.run_id)
                    return Suggestion(kind, target.id, said)
    able = next((one.id for one in targets.targets if "repair" in one.kinds), "")
    repair = f" A corrected payload can go to {able}." if able and facts.failure.payload else ""
    where = f" in {facts.failure.system or facts.failure.platform}" if facts.failure.system else ""
    why = "the data are wrong" if facts.class_ == "business" else "nothing is stored that could be sent"
    return Suggestion("fix_at_source", "", f"Fix it at the source{where}: {why}.{repair}")
