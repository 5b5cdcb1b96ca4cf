"""Where replays may go and who must approve them: the files as they are now, or their last valid text.

The control store keeps that text, so that it counts after a restart too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from throughline.correlator.problems import InvalidFile
from throughline.correlator.replay.planning import Rules
from throughline.correlator.replay.policy import APPROVALS_FILE, SHIPPED, Policy, parse_policy
from throughline.correlator.replay.targets import TARGETS_FILE, Targets, parse_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from throughline.collector.control import ControlStore

log = logging.getLogger(__name__)

EVERY_TENANT = ""
Part = TypeVar("Part", Targets, Policy)


class LiveReplays:
    """Reads the files again when one of them has changed."""

    def __init__(self, config: Path | None, control: ControlStore) -> None:
        self._config = config
        self._control = control
        self._seen: dict[str, str | None] = {}
        self.rules = Rules(Targets(), SHIPPED)

    def reload(self) -> None:
        """Take over what has changed; a file that breaks changes nothing and is logged.

        Raises: ControlError; the next call tries again.
        """
        targets = self._part(TARGETS_FILE, parse_targets, self.rules.targets, Targets())
        policy = self._part(APPROVALS_FILE, parse_policy, self.rules.policy, SHIPPED)
        self.rules = Rules(targets, policy)

    def _part(self, name: str, parse: Callable[[Path | str], Part], present: Part, without: Part) -> Part:
        """What one file says; `without` it, what is shipped."""
        text = self._text(name)
        if name in self._seen and text == self._seen[name]:
            return present
        first = name not in self._seen
        self._seen[name] = text
        if text is None:
            return without
        assert self._config is not None  # noqa: S101 - there is a text
        try:
            found = parse(self._config / name)
        except InvalidFile as error:
            log.error("%s stays as it was:\n%s", name, error)  # noqa: TRY400
            kept = self._control.cursor(EVERY_TENANT, f"file {name}") if first else None
            return parse(kept) if kept else present
        self._control.set_cursor(EVERY_TENANT, f"file {name}", text)
        return found

    def _text(self, name: str) -> str | None:
        try:
            return (self._config / name).read_text(encoding="utf-8") if self._config else None
        except (OSError, UnicodeDecodeError):
            return None
