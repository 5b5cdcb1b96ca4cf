"""`throughline diff` and `throughline backtest`: from what is written on the command line to an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from throughline.correlator.definition import Process
from throughline.dashboards.asking import engine_at_work, results
from throughline.dashboards.clock import utc_now
from throughline.dashboards.questions import COMPARE, Question, ask, changed, from_file
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from throughline.collector.control import ControlStore
    from throughline.dashboards.engine_settings import EngineSettings


def diff(
    settings: EngineSettings, tenant: str, before: str, after: str, *, report: Callable[[str], None]
) -> dict[str, Any]:
    """Compare two definitions over all journeys; each is a file or the id of a process in use.

    Raises:
        ThroughlineError: in one sentence, or one for each line of a file that is wrong.
    """

    def read(wanted: str, control: ControlStore) -> Process:
        path = Path(wanted)
        return from_file(path, (), settings.config) if path.is_file() else _in_use(control, wanted)

    with engine_at_work(settings) as control:
        question = ask(read(before, control), read(after, control), utc_now())
        return _answer(control, tenant, question, report)


def backtest(
    settings: EngineSettings,
    tenant: str,
    file: Path | None,
    process: str | None,
    changes: Sequence[str],
    *,
    since: str,
    until: str | None,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Compare the definition in use with a file, or with itself changed, over a period.

    Raises:
        ThroughlineError: as `diff`.
    """
    if file is None and process is None:
        raise ConfigurationError("Nothing to test: name a definition's file, or a process with --process.")
    with engine_at_work(settings) as control:
        after = from_file(file, changes, settings.config) if file else None
        before = _in_use(control, process or (after.id if after else ""))
        after = after or changed(before, changes, settings.config)
        question = ask(before, after, utc_now(), since=since, until=until)
        return _answer(control, tenant, question, report)


def _in_use(control: ControlStore, process: str) -> Process:
    known = control.definitions()
    if process not in known:
        there = ", ".join(sorted(known))
        raise ConfigurationError(f"{process} is neither a file nor a process in use; there are {there}.")
    try:
        return Process.model_validate_json(known[process].source)
    except ValidationError as error:
        raise ConfigurationError(
            f"The definition of {process} in use is of another version: name its file instead."
        ) from error


def _answer(
    control: ControlStore, tenant: str, question: Question, report: Callable[[str], None]
) -> dict[str, Any]:
    asked = control.enqueue_job(COMPARE, tenant, question.after.id, utc_now(), payload=question.text())
    (result,) = results(control, [asked], report)
    answer: dict[str, Any] = json.loads(result)
    return answer
