"""Verbs about telemetry of others: mapping test, mapping apply, suggest-keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from throughline.dashboards.commands.options import STORES, Tenant, takes
from throughline.probes.errors import ConfigurationError

File = Annotated[Path, typer.Argument(help="File of a mapping.", show_default=False)]
Since = Annotated[str, typer.Option(help="Telemetry since: 7d, or a time.")]
AsJson = Annotated[bool, typer.Option("--json", help="The whole answer, as the API gives it.")]
WIDTH = 200

mapping = typer.Typer(
    help="Rules that make business events of telemetry of others.", no_args_is_help=True, add_completion=False
)


@takes(*STORES)
def preview(file: File, *, since: Since = "7d", tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """Show what a mapping would make of stored telemetry; nothing is written."""
    found = _ask("mapping-test", tenant, file, since)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console(width=WIDTH)
    counts = (
        "matched",
        "taken_by_earlier_rules",
        "events",
        "evidence",
        "without_keys",
        "with_own_attributes",
    )
    table = Table("rule", "signal", *(name.replace("_", " ") for name in counts), box=None)
    for rule in found["rules"]:
        table.add_row(rule["rule"], rule["signal"], *(f"{rule[name]:,}" for name in counts))
    console.print(table)
    for rule in found["rules"]:
        for sample in rule["samples"][:1]:
            console.print(f"\n{rule['rule']}: {sample['service']} {sample['name']}", markup=False)
            console.print(f"  before {json.dumps(sample['before'])}", markup=False)
            console.print(f"  after  {json.dumps(sample['after'])}", markup=False)
        for one in rule["similar"]:
            name = f"{one['service']} {one['name']} ({one['rows']:,})"
            console.print(f"{rule['rule']}: not matched, perhaps meant: {name}", markup=False)


@takes(*STORES)
def apply(
    file: File,
    *,
    since: Annotated[str, typer.Option(help="Telemetry since: 7d, or a time.", show_default=False)],
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Make the events of a mapping from stored telemetry; done again it adds nothing."""
    found = _ask("mapping-apply", tenant, file, since)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for rule, events in found["events"].items():
        typer.echo(f"{rule}: {events:,} new events")
    typer.echo(f"{sum(found['events'].values()):,} new events since {found['since']}")


@takes(*STORES)
def suggest_keys(
    *,
    since: Since = "90d",
    write: Annotated[
        Path | None, typer.Option(help="File to write the mapping to.", show_default=False)
    ] = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Find attributes whose values are ids of another system, and write the mapping for them."""
    from throughline.dashboards.suggested import mapping_text

    found = _ask("suggest-keys", tenant, None, since)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show_joins(found)
    if write is not None and found["objects"]:
        try:
            write.write_text(mapping_text(found), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{write} can't be written: {error.strerror}.") from error
        typer.echo(f"written to {write}", err=True)


def _show_joins(found: dict[str, Any]) -> None:
    table = Table(
        "first in", "then in", "shared ids", "of first", "of then", "order", "for example", box=None
    )
    for join in found["suggestions"]:
        left, right = (
            f"{join[side]['service']} {join[side]['name']} ({join[side]['source']})"
            for side in ("left", "right")
        )
        order = "-" if join["order_correlation"] is None else f"{join['order_correlation']:.2f}"
        rates = (f"{join[rate]:.0%}" for rate in ("left_rate", "right_rate"))
        table.add_row(left, right, f"{join['shared']:,}", *rates, order, ", ".join(join["samples"][:2]))
    Console(width=WIDTH).print(table)
    sampled = f", one value in {found['sampled_one_in']} looked at" if found["sampled_one_in"] > 1 else ""
    typer.echo(f"{len(found['suggestions'])} joins among {found['columns']} places with ids{sampled}")


def _ask(kind: str, tenant: str, file: Path | None, since: str) -> dict[str, Any]:
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.mapping_verbs import run

    with Console(stderr=True).status("looking") as status:
        return run(EngineSettings.load(), tenant, kind, file, since=since, report=status.update)


MAPPING_VERBS = {"test": preview, "apply": apply}
for _name, _verb in MAPPING_VERBS.items():
    mapping.command(_name)(_verb)
