"""Texts of a call: Jinja templates of the configuration, filled with what is known of an exception.

What is known is data, never a template; templates see no objects but texts, numbers and mappings of these.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2 import Template

LONGEST = 1 << 20
"""Characters of a text."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class TemplateFailed(ThroughlineError):
    """A template of the target can't be filled; correct it, or what it asks for is not known here."""


def _escaped(value: Any) -> str:
    """Nothing that is filled into a URL can end the part that it stands in."""
    return quote(str(value), safe="")


def _one_line(value: Any) -> str:
    text = str(value)
    if _CONTROL.search(text):
        raise TemplateFailed("A header can't hold control characters such as line breaks.")
    return text


def _environment(finalize: Callable[[Any], str]) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=finalize, autoescape=False, keep_trailing_newline=True
    )
    # JSON in a body is for machines: no escapes for HTML.
    made.filters |= {"tojson": json.dumps, "fromjson": json.loads}
    return made


_KINDS = {"url": _environment(_escaped), "header": _environment(_one_line), "body": _environment(str)}


def parse(kind: str, text: str) -> Template:
    """Return a template for a `url`, `header` or `body`. Raises: ValueError, one sentence."""
    try:
        return _KINDS[kind].from_string(text)
    except TemplateError as error:
        raise ValueError(f"this is no template: {error}") from error


def fill(kind: str, text: str, known: Mapping[str, Any]) -> str:
    """Fill a template. Raises: TemplateFailed."""
    try:
        filled = parse(kind, text).render(known)
    except TemplateFailed:
        raise
    except Exception as error:  # a template may do anything wrong that Python can
        raise TemplateFailed(f"The template of the {kind} can't be filled: {error}.") from error
    if len(filled) > LONGEST:
        raise TemplateFailed(f"The {kind} is longer than {LONGEST} characters.")
    return filled
