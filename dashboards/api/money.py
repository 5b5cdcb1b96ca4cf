"""`/risk`, `/billing`, `/tables`: money in late and stuck journeys and billing cycles, and its basis."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from throughline.collector.auth import Principal, Scope
from throughline.correlator.currencies import CURRENCIES
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.money_models import BillingPage, Reference, RiskPage, TablePage
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.money import (
    ANY,
    EVERY_PERIOD,
    KINDS,
    STANDINGS,
    Basis,
    Behind,
    By,
    Figure,
    Figures,
    Internal,
    Money,
)

CURRENCY = Query(max_length=3, description="ISO 4217; default: the reporting currency")


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["money"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type

    def money(principal: Principal) -> Money:
        return Money(context.deps.store, principal.tenant, context.deps.clock())

    def reporting(asked: str | None) -> str:
        return context.deps.settings.reporting_currency if asked is None else currency_of(asked)

    @routes.get("/risk", response_model=RiskPage)
    @context.threaded
    def risk(  # noqa: PLR0917 - FastAPI passes them by name
        principal: Reading,
        by: Annotated[By, Query()] = "milestone",
        process: Annotated[str, Query(max_length=200)] = "",
        currency: Annotated[str | None, CURRENCY] = None,
        reference: Annotated[Reference, Query()] = "as_was",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Json:
        """Return what late and stuck journeys are worth, greatest first, with the basis of each figure."""
        found = money(principal).at_risk(
            by, process=process, currency=reporting(currency), reference=reference, limit=limit
        )
        items = [{"process": one.process, "name": one.name, **_about(one)} for one in found.items]
        return Json({"by": by, "items": items, "more": found.more, **_rest(found)})

    @routes.get("/billing", response_model=BillingPage)
    @context.threaded
    def billing(
        principal: Reading,
        process: Annotated[str, Query(max_length=200)] = "",
        currency: Annotated[str | None, CURRENCY] = None,
        reference: Annotated[Reference, Query()] = "as_was",
    ) -> Json:
        """Return what is billed, not billed yet and overdue in billing cycles, by period."""
        found = money(principal).billing(process=process, currency=reporting(currency), reference=reference)
        periods: dict[str, dict[str, Any]] = {}
        for one in found.items:
            first_day, _, standing = one.name.partition(" ")
            periods.setdefault(first_day, dict.fromkeys(STANDINGS))[standing] = _figure(one)
        standings = periods.pop(EVERY_PERIOD, dict.fromkeys(STANDINGS))
        items = [{"first_day": day, **one} for day, one in sorted(periods.items())]
        return Json({"items": items, "standings": standings, **_rest(found)})

    @routes.get("/tables", response_model=TablePage)
    @context.threaded
    def tables(principal: Reading) -> Json:
        """List the reference tables that count now."""
        return Json({"items": _tables(money(principal).basis())})

    return routes


def currency_of(asked: str) -> str:
    """Return a currency that was asked for. Raises: Problem (400) when there is none of that code."""
    if asked and asked not in CURRENCIES:
        raise Problem(400, "Bad currency", f"{asked} is no currency code of ISO 4217, such as EUR.")
    return asked


def behind_of(at_risk: str, reference: Reference, intercompany: Internal) -> Behind:
    """Return which journeys `at_risk` and `intercompany` mean. Raises: Problem (400)."""
    by, colon, name = at_risk.partition(":")
    for known in KINDS:
        if by == known and colon:
            return Behind(known, name, reference, intercompany)
    if at_risk:
        advice = f"at_risk must look like milestone:invoice_posted; known are {', '.join(KINDS)}."
        raise Problem(400, "Bad filter", advice)
    return Behind(reference=reference, internal=intercompany) if intercompany else ANY


def converted(figure: Figure | None, currency: str) -> dict[str, Any] | None:
    """Return a journey's money in a currency, whoever its customer is."""
    if figure is None:
        return None
    one = figure.money if figure.money.objects else figure.intercompany
    return {
        "amount": one.converted if len(one.unconverted) < len(one.amounts) else None,
        "currency": currency,
        "unconverted": one.unconverted,
        "rates": asdict(figure.rates),
    }


def _figure(one: Figure) -> dict[str, Any]:
    return {"money": asdict(one.money), "intercompany": asdict(one.intercompany), "rates": asdict(one.rates)}


def _about(one: Figure) -> dict[str, Any]:
    about = {"owner": one.owner, "code": one.code, "message": one.message, "since": one.since}
    return {**about, **_figure(one)}


def _rest(found: Figures) -> Mapping[str, Any]:
    basis = found.basis
    return {
        "total": _figure(found.total),
        "basis": {
            "as_of": basis.as_of,
            "currency": basis.currency,
            "reference": basis.reference,
            "tables": _tables(basis),
        },
    }


def _tables(basis: Basis) -> list[dict[str, Any]]:
    return [{"name": name, **asdict(one)} for name, one in basis.tables.items()]
