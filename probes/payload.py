"""What of payloads may leave the process.  Off unless `configure(payloads=Payloads())` switches them on.

Redaction goes by name, by path and by pattern, and works on structure: a payload is an object of JSON, or
text that holds one.  Other text is refused unless `text=True`, because only patterns can find anything in
it; and so is what is too large, for half a payload can be sent again by nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from throughline.probes import encode
from throughline.probes.guard import complain

REDACTED: Final = "[redacted]"
NAMES: Final = (
    "access_token", "api_key", "apikey", "authorization", "client_secret", "cookie", "cvc", "cvv", "id_token",
    "passwd", "password", "private_key", "refresh_token", "secret", "session_id", "set-cookie", "token",
    "x-api-key",
)  # fmt: skip
"""Members that never leave, at any depth, in any case of letters."""
MAX_DEPTH: Final = 32
MAX_MEMBERS: Final = 20_000
_ROUGH: Final = 16
"""Text larger than so many times the limit is not even read."""


class _TooMuchError(Exception):
    """The payload is deeper or larger than anybody means it to be."""


@dataclass(frozen=True, slots=True)
class Payloads:
    """Switches payloads on, with limits."""

    max_bytes: int = 8_192
    """Of the redacted payload in UTF-8; a larger one is left out, which is said once."""
    redact: Sequence[str] = ()
    """Besides the usual names: a name anywhere (`iban`), or a path from the top (`customer.bank.*.iban`)."""
    patterns: Sequence[str] = ()
    """Regular expressions; what they match in a text or number is redacted."""
    text: bool = False
    """Whether text that is no JSON may leave, redacted by patterns alone."""
    _names: frozenset[str] = field(init=False, repr=False)
    _paths: tuple[tuple[str, ...], ...] = field(init=False, repr=False)
    _patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given = (self.redact,) if isinstance(self.redact, str) else tuple(self.redact)
        said = [one.lower() for one in given]
        patterns = (self.patterns,) if isinstance(self.patterns, str) else tuple(self.patterns)
        object.__setattr__(self, "_names", frozenset(NAMES) | {one for one in said if "." not in one})
        object.__setattr__(self, "_paths", tuple(tuple(one.split(".")) for one in said if "." in one))
        object.__setattr__(self, "_patterns", tuple(re.compile(one) for one in patterns))

    def written(self, payload: object) -> str:
        """The payload as text that may leave; '' if it may not."""
        rough = self.max_bytes * _ROUGH
        if isinstance(payload, str | bytes | bytearray | memoryview):
            if len(payload) > rough:
                complain(f"a payload is larger than {self.max_bytes} bytes and is left out")
                return ""
            said = payload if isinstance(payload, str) else bytes(payload).decode("utf-8", "replace")
            try:
                payload = json.loads(said)
            except (ValueError, RecursionError):
                return self._plain(said)
        try:
            cleaned = self._clean(payload, (), [0])
        except _TooMuchError:
            complain(f"a payload is deeper than {MAX_DEPTH} or has more than {MAX_MEMBERS} members")
            return ""
        return self._fitting(json.dumps(cleaned, ensure_ascii=False, separators=(",", ":")))

    def _plain(self, said: str) -> str:
        if not self.text:
            complain("a payload is no JSON and is left out; Payloads(text=True) lets text leave")
            return ""
        return self._fitting(self._hidden(said))

    def _fitting(self, said: str) -> str:
        said = said.encode("utf-8", "replace").decode("utf-8")
        if len(said.encode()) > self.max_bytes:
            complain(f"a payload is larger than {self.max_bytes} bytes and is left out")
            return ""
        return said

    def _hidden(self, said: str) -> str:
        for pattern in self._patterns:
            said = pattern.sub(REDACTED, said)
        return said

    def _clean(self, value: Any, place: tuple[str, ...], seen: list[int]) -> Any:
        """The value as JSON has it, redacted; `seen` counts the members, `place` is where we are."""
        seen[0] += 1
        if len(place) > MAX_DEPTH or seen[0] > MAX_MEMBERS:
            raise _TooMuchError
        if isinstance(value, Mapping):
            return {
                name: REDACTED if self._secret(below) else self._clean(member, below, seen)
                for key, member in value.items()
                if (below := (*place, (name := encode.text(key)).lower()))
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [
                REDACTED if self._secret(below) else self._clean(member, below, seen)
                for number, member in enumerate(value)
                if (below := (*place, str(number)))
            ]
        if value is None or type(value) is bool:
            return value
        said = encode.text(value, self.max_bytes + 1)
        hidden = self._hidden(said)
        return value if type(value) in {int, float} and hidden == said not in _NO_JSON else hidden

    def _secret(self, place: tuple[str, ...]) -> bool:
        if place[-1] in self._names:
            return True
        return any(
            len(path) == len(place)
            and all(step in {"*", name} for step, name in zip(path, place, strict=True))
            for path in self._paths
        )


_NO_JSON: Final = frozenset({"", "nan", "inf", "-inf"})
"""Numbers without a text in JSON."""
