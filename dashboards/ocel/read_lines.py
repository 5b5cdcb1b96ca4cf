"""Logs of one JSON object per line, as older tools wrote them, into staging: `id`, `activity`, `time`; each
array is a type with the objects it names, anything else an attribute.
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from throughline.dashboards.ocel.model import InvalidLog
from throughline.dashboards.ocel.staging import text_of, texts_of

if TYPE_CHECKING:
    from pathlib import Path

    from throughline.dashboards.ocel.staging import Staging

FIELDS = ("id", "activity", "time")


def read_lines(path: Path, log: Staging) -> None:
    """Read a file, gzipped if its name says so. Raises: InvalidLog."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open("rt", encoding="utf-8") as lines
    ):
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    _line(f"{path}: line {number}", line, log)
        except (UnicodeError, gzip.BadGzipFile, EOFError) as error:
            raise InvalidLog(f"{path} cannot be read: {error}.") from error


def _line(where: str, line: str, log: Staging) -> None:
    try:
        content: Any = json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise InvalidLog(f"{where} is no JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InvalidLog(f"{where} must be a JSON object.")
    identity, activity, time = (content.pop(name, None) for name in FIELDS)
    related = {kind: members for kind, members in content.items() if isinstance(members, list)}
    attributes = texts_of({name: value for name, value in content.items() if name not in related})
    event = log.add_event(where, identity, activity, time, attributes)
    objects = [(kind, text_of(member) or "") for kind, members in related.items() for member in members]
    log.add_relations(where, event, [(name, "") for name in log.mention(objects)])
