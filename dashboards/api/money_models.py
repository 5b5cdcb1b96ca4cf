"""The shapes of figures of money, for the API's description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from throughline.dashboards.money import By

Reference = Literal["as_was", "as_is"]


class SumOfMoney(BaseModel):
    """Money of distinct objects: however many journeys share one, it counts once."""

    journeys: int
    objects: int
    amounts: dict[str, float] = Field(description="by currency; '' is without one")
    converted: float | None = Field(description="in the reporting currency, as far as rates are known")
    unconverted: dict[str, float] = Field(description="what no rate was valid for, by currency")


class RatesUsed(BaseModel):
    """The exchange rates behind a figure."""

    objects: int = Field(description="objects converted by a rate")
    first: date | None = Field(description="from which day the oldest rate is valid")
    last: date | None = Field(description="from which day the newest rate is valid")
    sources: list[str]


class MoneyFigure(BaseModel):
    """The group's money, and the intercompany money that is left out of it."""

    money: SumOfMoney
    intercompany: SumOfMoney
    rates: RatesUsed


class RiskItem(MoneyFigure):
    """What late and stuck journeys are worth under one name; `/journeys?at_risk=<by>:<name>` lists them."""

    process: str = Field(description="of a milestone, or of a cause that only one process sees; else empty")
    name: str
    owner: str = Field(description="of an exception, a cause or a milestone")
    code: str = Field(description="of an exception or a cause")
    message: str = Field(description="of an exception or a cause")
    since: datetime = Field(description="overdue or failing since, the longest")


class TableVersion(BaseModel):
    """The content of a reference table that counts."""

    name: str
    content: str = Field(description="hash")
    since: datetime
    entries: int


class MoneyBasis(BaseModel):
    """What figures rest on."""

    as_of: datetime
    currency: str = Field(description="the reporting currency, or empty")
    reference: Reference = Field(description="reference data of the day of each fact, or of today")
    tables: list[TableVersion]


class RiskPage(BaseModel):
    """Value at risk, greatest first."""

    by: By
    items: list[RiskItem]
    more: bool = Field(description="there are more than `limit`")
    total: MoneyFigure = Field(description="each object once, whichever items share it")
    basis: MoneyBasis


class BillingStandings(BaseModel):
    """What was worked in billing cycles, as it stands."""

    done: MoneyFigure | None = Field(description="billed")
    waiting: MoneyFigure | None = Field(description="not billed yet")
    overdue: MoneyFigure | None


class BillingPeriod(BillingStandings):
    """The same of the cycles whose period begins on a day."""

    first_day: date


class BillingPage(BaseModel):
    """Billing periods of the last 13 months, the first one first."""

    items: list[BillingPeriod]
    standings: BillingStandings
    total: MoneyFigure
    basis: MoneyBasis


class TablePage(BaseModel):
    """The reference tables that count."""

    items: list[TableVersion]


class Converted(BaseModel):
    """A journey's money in the currency that was asked for."""

    amount: float | None = Field(description="null: nothing to convert, or no rate")
    currency: str
    unconverted: dict[str, float]
    rates: RatesUsed
