"""Every version of each process definition that has counted, and who made it count; append-only."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import sqlalchemy as sa

from throughline.collector.control_schema import definition_versions as versions

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.collector.control import ControlStore

FILES = "files"
"""Who activates what stands in the configuration."""


@dataclasses.dataclass(frozen=True, slots=True)
class Activation:
    """From `activated_at` on a definition counted, until the next activation of its process. `over` is the
    hash of the definition in the files that it was put over by a person, empty if it came from them.
    """

    number: int
    process: str
    version: int
    hash: str
    source: str
    activated_at: datetime
    activated_by: str
    over: str


class DefinitionHistory:
    """Reads and adds activations. Every method is one transaction; all raise ControlError."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def of(self, process: str) -> list[Activation]:
        """The activations of a process, the present one first."""
        wanted = sa.select(versions).where(versions.c.process == process).order_by(versions.c.number.desc())
        with self._control.transaction() as connection:
            return [Activation(*row) for row in connection.execute(wanted).all()]

    def present(self) -> dict[str, Activation]:
        """The last activation of every process."""
        last = sa.select(sa.func.max(versions.c.number)).group_by(versions.c.process)
        wanted = sa.select(versions).where(versions.c.number.in_(last))
        with self._control.transaction() as connection:
            return {row.process: Activation(*row) for row in connection.execute(wanted).all()}

    def add(
        self,
        process: str,
        version: int,
        content: str,
        source: str,
        now: datetime,
        *,
        by: str = FILES,
        over: str = "",
    ) -> None:
        """Note that a definition counts from now on; `content` is its hash."""
        values = {"process": process, "version": version, "hash": content, "source": source}
        told = {"activated_at": now, "activated_by": by, "over": over}
        with self._control.transaction() as connection:
            connection.execute(sa.insert(versions).values(**values, **told))
