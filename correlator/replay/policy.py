"""Who must approve what: `approvals.yaml`, an ordered list of rules; the first that matches says it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from throughline.correlator.parts import Part, several
from throughline.correlator.problems import InvalidFile, fields, file_of, validated
from throughline.correlator.replay.targets import Several, Span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

APPROVALS_FILE = "approvals.yaml"

Need = Literal["none", "second_person", "approver"]
"""Nobody; anybody else who may operate or approve; somebody else who may approve."""


class InvalidApprovals(InvalidFile):
    """The rules of approval can't be used; correct the lines that the message names."""


class Risk(Part):
    """What a replay must be for a rule to match; what is left out matches any."""

    kind: Several = ()
    target: Several = ()
    entity: Several = ()
    finance: bool | None = None
    amount_at_least: Annotated[Decimal, Field(ge=0)] | None = None
    """Of one item, in its own currency."""
    items_at_least: Annotated[int, Field(ge=1)] | None = None


class Rule(Part):
    """What is needed where a replay matches, and how long an approval holds."""

    match: Risk = Risk()
    need: Need
    expires: Span = timedelta(hours=24)


class Policy(Part):
    """The rules in order. Undoing an effect is always approved, whatever they say."""

    approvals: tuple[Rule, ...] = ()


SHIPPED = Policy(
    approvals=(
        Rule(match=Risk(finance=True), need="approver"),
        Rule(match=Risk(amount_at_least=Decimal(50_000)), need="approver"),
        Rule(match=Risk(kind=("repair", "redrive")), need="second_person"),
        Rule(match=Risk(items_at_least=25), need="second_person"),
        Rule(need="none"),
    )
)
"""Without a file: what touches the books or much money, what a person edited, what many items follow."""

_PARTS = {
    (): fields(Policy),
    ("approvals",): fields(Rule),
    ("approvals", "match"): fields(Risk),
}


class Case(Part):
    """What the policy looks at: one replay as it was planned."""

    kind: str
    target: str = ""
    finance: bool = False
    items: int = 1
    entities: Annotated[tuple[str, ...], BeforeValidator(several)] = ()
    largest_amount: Decimal = Decimal(0)


def load_policy(config_dir: Path | None) -> Policy:
    """Read `<config_dir>/approvals.yaml`; without one SHIPPED counts. Raises: InvalidApprovals."""
    path = file_of(config_dir, APPROVALS_FILE)
    return parse_policy(path) if path else SHIPPED


def parse_policy(source: Path | str) -> Policy:
    """Read the rules from a file (`Path`) or YAML text (`str`). Raises: InvalidApprovals."""
    wanted = "approvals are a mapping that begins with `approvals:`"
    return validated(source, Policy, _PARTS, invalid=InvalidApprovals, wanted=wanted).content


def decide(policy: Policy, case: Case) -> Rule:
    """The rule that counts. Nothing matching means a second person."""
    found = next(
        (rule for rule in policy.approvals if _matches(rule.match, case)), Rule(need="second_person")
    )
    if case.kind == "compensate" and found.need != "approver":
        return Rule(need="approver", expires=found.expires)
    return found


def digest(kind: str, target: str, items: Sequence[tuple[str, str]]) -> str:
    """What an approval is bound to: each item's exception and the digest of what would be sent."""
    text = "\n".join([kind, target, *(f"{exception} {payload}" for exception, payload in sorted(items))])
    return sha256(text.encode()).hexdigest()


def _matches(wanted: Risk, case: Case) -> bool:
    return (
        (not wanted.kind or case.kind in wanted.kind)
        and (not wanted.target or case.target in wanted.target)
        and (not wanted.entity or bool(set(wanted.entity) & set(case.entities)))
        and (wanted.finance is None or wanted.finance == case.finance)
        and (wanted.amount_at_least is None or case.largest_amount >= wanted.amount_at_least)
        and (wanted.items_at_least is None or case.items >= wanted.items_at_least)
    )
