"""Figures of money: each object once, intercompany apart, in a reporting currency with its basis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.causes import written_out
from throughline.correlator.reference_kinds import CUSTOMERS, ENTITIES, OWNERS, RATES
from throughline.correlator.reference_store import Content, ReferenceStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SQL = written_out(load_queries("throughline.dashboards", "money"))
By = Literal[
    "milestone", "exception", "cause", "owner", "team", "entity", "parent", "customer", "group", "status"
]
Reference = Literal["as_was", "as_is"]
Internal = Literal["", "yes", "no"]
KINDS: tuple[By, ...] = get_args(By)
STANDINGS = ("done", "waiting", "overdue")
EVERY_PERIOD = "all"
"""What stands for the day in names of billing figures over all periods."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Sum:
    """Money of distinct objects: by currency, and in the reporting currency as far as it could be converted
    (None: no reporting currency was asked for); what could not be, by currency.
    """

    journeys: int
    objects: int
    amounts: Mapping[str, Decimal]
    converted: Decimal | None
    unconverted: Mapping[str, Decimal]


NO_MONEY = Sum(0, 0, {}, None, {})


@dataclass(frozen=True, slots=True)
class Rated:
    """The rates behind a figure: how many objects they converted, the days they are valid from, whose."""

    objects: int
    first: date | None
    last: date | None
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a list, or its total: the group's money, and the intercompany money left out of it."""

    process: str
    name: str
    money: Sum
    intercompany: Sum
    rates: Rated
    code: str = ""
    message: str = ""
    owner: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What figures rest on: the clock, the currency, whether reference data is that of the day of each fact
    (as_was) or of today (as_is), and the content of each reference table.
    """

    as_of: datetime
    currency: str
    reference: Reference
    tables: Mapping[str, Content]


@dataclass(frozen=True, slots=True)
class Figures:
    """A list of figures, greatest first, its total, what both rest on; `more`: the list was cut."""

    items: Sequence[Figure]
    total: Figure
    basis: Basis
    more: bool = False


@dataclass(frozen=True, slots=True)
class Behind:
    """Which journeys a figure of money at risk is about; an empty `by` means any."""

    by: By | Literal[""] = ""
    name: str = ""
    reference: Reference = "as_was"
    internal: Internal = ""


ANY = Behind()


class Money:
    """The money of one tenant, at one clock reading."""

    def __init__(self, store: Store, tenant: str, now: datetime) -> None:
        self._store = store
        self._reference = ReferenceStore(store)
        self._tenant = tenant
        self._now = now

    def at_risk(
        self,
        by: By,
        *,
        process: str = "",
        currency: str = "",
        reference: Reference = "as_was",
        limit: int = 100,
    ) -> Figures:
        """Value of late and stuck journeys, greatest first, in original and reporting currency."""
        facts = _facts(_risk(by), process)
        return self._figures(facts, by, currency, reference, limit, process=process)

    def billing(self, *, process: str = "", currency: str = "", reference: Reference = "as_was") -> Figures:
        """Value of billing cycles of the last 13 months; a name is `<first day> <standing>`, or `all
        <standing>`.
        """
        return self._figures(
            _facts("billing_facts", process), "", currency, reference, _MOST, process=process
        )

    def journeys(self, roots: Sequence[int], currency: str) -> Mapping[str, Figure]:
        """The money of some journeys, by id."""
        if not roots:
            return {}
        found = self._figures(SQL["journey_facts"], "", currency, "as_was", len(roots), roots=list(roots))
        return {one.name: one for one in found.items}

    def basis(self, currency: str = "", reference: Reference = "as_was") -> Basis:
        """What a figure asked for now rests on."""
        tables = self._reference.contents(self._tenant, self._now)
        return Basis(self._now, currency, reference, tables)

    def _figures(
        self, facts: str, by: str, currency: str, reference: Reference, limit: int, **more: Any
    ) -> Figures:
        basis = self.basis(currency, reference)
        rates = _content(basis, RATES)
        if currency:
            self._reference.provide(rates, currency)
        # The total comes first, then one more than asked for.
        asked = {"target": currency, "rates": rates, "limit": limit + 2, **more}
        referenced = SQL["referenced"].replace("@facts", facts)
        sql = SQL["figures"].replace("@referenced", referenced)
        result = self._store.query(sql, {**_parameters(basis, self._tenant, by), **asked}, role=Role.PAGES)
        rows = [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]
        total = _figure(rows[0]) if rows else _nothing(currency)
        return Figures([_figure(row) for row in rows[1 : limit + 1]], total, basis, len(rows) > limit + 1)


def _risk(by: str) -> str:
    """The name of the SELECT of money at risk."""
    return "cause_facts" if by == "cause" else "risk_facts"


def _facts(name: str, process: str) -> str:
    """The SELECT of what is added up, of one process or of all."""
    return SQL[name] if process else SQL["shared"].replace("@facts", SQL[name])


def _parameters(basis: Basis, tenant: str, by: str) -> dict[str, Any]:
    """What every query over referenced facts takes."""
    return {
        "tenant": tenant,
        "now": basis.as_of.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "by": by,
        "reference": basis.reference,
        "customers": _content(basis, CUSTOMERS),
        "entities": _content(basis, ENTITIES),
        "owners": _content(basis, OWNERS),
    }


def behind(store: Store, tenant: str, now: datetime, wanted: Behind) -> tuple[str, dict[str, Any]]:
    """The SELECT of the journeys behind a figure, and its parameters; it takes the process as well."""
    basis = Money(store, tenant, now).basis(reference=wanted.reference)
    facts = _risk(wanted.by) if wanted.by else "any_facts"
    referenced = SQL["referenced"].replace("@facts", SQL[facts])
    given = {**_parameters(basis, tenant, wanted.by), "name": wanted.name, "internal": wanted.internal}
    return SQL["roots"].replace("@referenced", referenced), given


def _content(basis: Basis, table: str) -> str:
    """The content of a table; a name that no content has where there is none."""
    found = basis.tables.get(table)
    return found.content if found else "none"


def _figure(row: Mapping[str, Any]) -> Figure:
    rated = row["rated_objects"]
    return Figure(
        process=row["process"],
        name=row["name"],
        money=_sum(row, ""),
        intercompany=_sum(row, "internal_"),
        rates=Rated(
            rated, row["first_rate"] if rated else None, row["last_rate"] if rated else None, row["sources"]
        ),
        code=row["code"],
        message=row["message"],
        owner=row["owner"],
        since=row["since"],
    )


def _sum(row: Mapping[str, Any], prefix: str) -> Sum:
    return Sum(
        journeys=row[f"{prefix}journeys"],
        objects=row[f"{prefix}objects"],
        amounts=row[f"{prefix}amounts"],
        converted=row[f"{prefix}converted"],
        unconverted=row[f"{prefix}unconverted"],
    )


def _nothing(currency: str) -> Figure:
    empty = replace(NO_MONEY, converted=Decimal(0) if currency else None)
    return Figure("", "", empty, empty, Rated(0, None, None, ()))
