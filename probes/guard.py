"""A probe never harms its host: it records, says once what went wrong, and carries on.

Under test (`THROUGHLINE_PROBES_RAISE=1`) everything that would be logged is raised instead, so that a host's
own tests find wrong calls.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Final

from throughline.probes.errors import InvalidFact

RAISE_VARIABLE: Final = "THROUGHLINE_PROBES_RAISE"
_MAX_DIFFERENT: Final = 200
"""After so many different complaints the log has heard enough."""

_logger = logging.getLogger("throughline.probes")
_said: set[str] = set()


def raising() -> bool:
    """Whether the test switch is on; read only when something has gone wrong."""
    return os.environ.get(RAISE_VARIABLE, "").strip().lower() in {"1", "true", "yes", "on"}


def complain(problem: str) -> None:
    """Say once that a fact cannot be recorded.

    Raises:
        InvalidFact: under the test switch only.
    """
    if raising():
        raise InvalidFact(problem)
    _say_once(problem)


def swallow(error: Exception, doing: str) -> None:
    """Say once that the probe itself failed, without the error's text: making text of it may fail too.

    Raises:
        Exception: the error itself, under the test switch only.
    """
    if raising():
        raise error
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    line = f" ({where.tb_frame.f_code.co_filename}:{where.tb_lineno})" if where is not None else ""
    _say_once(f"{type(error).__name__} while {doing}{line}")


def warn_once(finding: str) -> None:
    """Say once what is true of the host and worth knowing, but no wrong call: never raised."""
    _say_once(finding)


def _say_once(problem: str) -> None:
    if problem in _said or len(_said) >= _MAX_DIFFERENT:
        return
    _said.add(problem)
    with contextlib.suppress(Exception):  # a broken log handler of the host is not ours to report
        _logger.warning("throughline: %s; the host carries on", problem)
