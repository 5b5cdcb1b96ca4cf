"""Facts by dotted paths: where in the arguments or the result of a call they stand.

    {"keys": {"crm.deal": "order.deal_id"}, "amount": "order.total", "idempotency_key": "headers.x-id"}

A step is the name of a member, else of an attribute; a number is a place in a list; `*` is every member of a
list.  `.` alone is the value itself.  What is not there is not known.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from throughline.probes.guard import complain, swallow

ITSELF: Final = "."
EVERY: Final = "*"
MAX_MEMBERS: Final = 10_000
NESTED: Final = frozenset({"keys", "context_keys", "attributes"})
"""Facts that are mappings of names to paths."""

Paths = Mapping[str, str | Mapping[str, str]]
"""Fact -> path; `keys`, `context_keys` and `attributes` -> name -> path."""


def from_result(paths: Paths) -> Callable[[Any], dict[str, Any]]:
    """What a return value says about the event."""

    def told(result: Any) -> dict[str, Any]:
        return _facts(paths, lambda steps: _follow(result, steps))

    return told


def from_arguments(paths: Paths, function: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """What a call of the function says about the event; the first step of a path names a parameter.

    Raises:
        ValueError, TypeError: nobody can say which parameters the function has.
    """
    signature = inspect.signature(function)
    rest = next((one.name for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD), None)

    def told(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:  # the host's own call is wrong; the host will hear so
            return {}
        bound.apply_defaults()
        known = {**bound.arguments, **bound.arguments[rest]} if rest else bound.arguments
        return _facts(paths, lambda steps: _follow(known, steps))

    return told


def _facts(paths: Paths, find: Callable[[Sequence[str]], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fact, path in paths.items():
        if fact in NESTED and isinstance(path, Mapping):
            found[fact] = {name: _found(one, find) for name, one in path.items()}
        else:
            found[fact] = _found(path, find)
    return found


def _found(path: object, find: Callable[[Sequence[str]], Any]) -> Any:
    if type(path) is not str or not path:
        complain("a path is a text such as 'order.id'")
        return None
    try:
        return find(() if path == ITSELF else path.split("."))
    except Exception as error:  # noqa: BLE001 whatever a foreign property raises
        swallow(error, f"following the path {path!r}")
        return None


def _follow(value: Any, steps: Sequence[str]) -> Any:
    """The value at the end of the path; None if it leads nowhere."""
    for number, step in enumerate(steps):
        if value is None:
            return None
        if step == EVERY:
            members: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
            rest = steps[number + 1 :]
            found = (_follow(member, rest) for member in islice(members, MAX_MEMBERS))
            return [one for one in found if one is not None]
        value = _step(value, step)
    return None if callable(value) else value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if step.isdecimal() and isinstance(value, Sequence):
        return value[int(step)] if int(step) < len(value) else None
    if step.startswith("_"):
        complain("a path names no private attribute")
        return None
    found = getattr(value, step, None)
    if found is None and hasattr(value, "get") and hasattr(value, "keys"):  # headers and the like
        found = value.get(step)
    return found
