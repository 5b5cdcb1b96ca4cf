"""Single fields of a definition set to something else, as `project_created.within=2 business days`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughline.correlator import yaml_lines
from throughline.correlator.parts import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE = "--set"
"""Stands for the file in what is said about a change; its line is the number of the change."""


class BadChangeError(ValueError):
    """A change can't be made; `number` says which, counted from 1."""

    def __init__(self, number: int, sentence: str) -> None:
        """Say what is wrong."""
        super().__init__(sentence)
        self.number = number


def change(tree: yaml_lines.Mapping, changes: Sequence[str]) -> None:
    """Set fields in a definition's tree, in order.

    A change is `field=value` or `name.field=value`, with the name of a milestone or check; more steps lead
    into the field. The value is YAML; an empty one takes the field away. `within` set to a text keeps its
    `of`.

    Raises:
        BadChangeError: it has another shape, or nothing has that name.
    """
    for number, text in enumerate(changes, start=1):
        path, equals, given = text.partition("=")
        steps = [step.strip() for step in path.split(".")]
        if not equals or not all(steps):
            raise BadChangeError(number, f"'{text}' is no change; write it like paid.within=30d")
        try:
            value = yaml_lines.parse(given, PLACE)
        except yaml_lines.BadYamlError as error:
            raise BadChangeError(number, error.sentence) from error
        _set(_holder(tree, steps, number), steps[-1], value, (PLACE, number))


def _holder(tree: yaml_lines.Mapping, steps: Sequence[str], number: int) -> yaml_lines.Mapping:
    """The mapping that holds the field to set; in a milestone, a check or a field it is made if missing."""
    if len(steps) == 1:
        return tree
    first, *rest = steps[:-1]
    parts, place = _named(tree), (PLACE, number)
    node = parts.get(first, tree.get(first))
    if not isinstance(node, yaml_lines.Mapping):
        raise BadChangeError(number, unknown(first, parts, "milestone or check"))
    for step in rest:
        _set(node, step, _mapping(node.get(step), place), place)
        node = node[step]
    return node


def _named(tree: yaml_lines.Mapping) -> dict[str, yaml_lines.Mapping]:
    listed = [*(tree.get("checks") or ()), *(tree.get("milestones") or ())]
    return {str(one.get("name")): one for one in listed if isinstance(one, yaml_lines.Mapping)}


def _mapping(value: Any, place: yaml_lines.Place) -> yaml_lines.Mapping:
    """A mapping as it is; the short form of `within` as the long one; anything else as an empty one."""
    if isinstance(value, yaml_lines.Mapping):
        return value
    made = yaml_lines.Mapping()
    if isinstance(value, str):
        _set(made, "time", value, place)
    return made


def _set(node: yaml_lines.Mapping, field: str, value: Any, place: yaml_lines.Place) -> None:
    stands = node.get(field)
    if field == "within" and isinstance(value, str) and isinstance(stands, yaml_lines.Mapping):
        _set(stands, "time", value, place)
    elif value is None:
        node.pop(field, None)
        return
    else:
        node[field] = value
    node.places[field] = place
