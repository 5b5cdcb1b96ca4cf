"""Who can mend a failure: classes of exceptions -> `technical`, `remote` or `business`.

The nearest class in the exception's ancestry decides.  A class may be named by its dotted name, so that a
service need not import what it blames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from throughline.probes import vocabulary as v
from throughline.probes.guard import complain

REMOTE: Final = frozenset({
    "aiohttp", "botocore", "grpc", "http", "httpcore", "httpx", "requests", "socket", "ssl", "urllib",
    "urllib3",
})  # fmt: skip
"""Packages whose exceptions say that the other side, or the way there, has failed."""

Classes = Mapping[Any, "v.ExceptionClass | str | Mapping[str, Any]"]
"""Exception, as a class or its dotted name -> class of the failure, or facts about it."""


class Blame:
    """Looks exceptions up; those that nobody has named are `remote` if they are of a network, else
    `technical`.
    """

    __slots__ = ("_known", "_named")

    def __init__(self, classes: Classes | None = None) -> None:
        self._named: dict[str, dict[str, Any]] = {}
        self._known: dict[type, dict[str, Any]] = {}
        for exception, said in _pairs(classes):
            name = exception if isinstance(exception, str) else _name(exception)
            self._named[name] = dict(said) if isinstance(said, Mapping) else {"exception_class": said}

    def facts(self, kind: type) -> dict[str, Any]:
        """What is said about exceptions of this class; `exception_class` at least."""
        known = self._known.get(kind)
        if known is None:
            if len(self._known) > 1_000:  # noqa: PLR2004 classes made on the fly
                self._known.clear()
            known = self._known[kind] = self._look(kind)
        return known

    def named(self, kind: type) -> dict[str, Any]:
        """What somebody has said about exceptions of this class; nothing if nobody has."""
        for ancestor in type.mro(kind) if self._named else ():
            said = self._named.get(_name(ancestor))
            if said is not None:
                return said
        return {}

    def _look(self, kind: type) -> dict[str, Any]:
        usual = v.ExceptionClass.REMOTE if _is_remote(type.mro(kind)) else v.ExceptionClass.TECHNICAL
        return {"exception_class": usual.value, **self.named(kind)}


def _pairs(classes: object) -> Iterable[tuple[Any, Any]]:
    if isinstance(classes, Mapping):
        return classes.items()
    if classes is not None:
        complain("exception classes are a mapping of exception to technical, remote or business")
    return ()


def _is_remote(ancestry: list[type]) -> bool:
    return any(
        one in {ConnectionError, TimeoutError} or str(one.__module__).partition(".")[0] in REMOTE
        for one in ancestry
    )


def _name(kind: object) -> str:
    """The dotted name; builtins without their module, as people write them."""
    if not isinstance(kind, type):
        complain("an exception is named by its class or its dotted name")
        return ""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


USUAL: Final = Blame()
"""What holds where nobody says otherwise."""
