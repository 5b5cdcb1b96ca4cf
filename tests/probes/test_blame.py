"""Exceptions become failures that are technical, remote or of the business."""

from __future__ import annotations

import socket
import urllib.error

import pytest

from tests.probes.conftest import Observed, observe
from throughline.probes.blame import USUAL, Blame


class RejectedError(ValueError):
    """The business says no."""


class CreditError(RejectedError):
    """A special case of it."""


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (ValueError("x"), "technical"),
        (TimeoutError("x"), "remote"),
        (ConnectionResetError("x"), "remote"),
        (socket.gaierror("x"), "remote"),
        (urllib.error.URLError("x"), "remote"),
        (OSError("disk"), "technical"),
        (KeyboardInterrupt(), "technical"),
    ],
)
def test_usual_classes(error: BaseException, blamed: str) -> None:
    """What a network raises is remote; anything else is technical."""
    assert USUAL.facts(type(error)) == {"exception_class": blamed}


def test_the_nearest_class_decides() -> None:
    """A subclass may be blamed differently; names need no import; facts may be said instead of a class."""
    blame = Blame({
        ValueError: "remote",
        f"{__name__}.RejectedError": "business",
        CreditError: {"exception_code": "CREDIT"},
    })  # fmt: skip
    assert blame.facts(UnicodeError)["exception_class"] == "remote"
    assert blame.facts(RejectedError)["exception_class"] == "business"
    assert blame.facts(CreditError) == {"exception_class": "technical", "exception_code": "CREDIT"}


def test_configured_for_a_probe_and_for_one_event(seen: Observed) -> None:
    """What an event says of an exception overrules the facts beforehand, which overrule the probe."""
    mine = observe(exception_classes={RejectedError: "business"})
    for probe, given, classes, expected in (
        (seen.probe, None, {}, "technical"),
        (mine.probe, None, {}, "business"),
        (mine.probe, "remote", {}, "remote"),
        (mine.probe, "remote", {CreditError: "technical"}, "technical"),
        (mine.probe, "remote", {KeyError: "technical"}, "remote"),
    ):
        with (
            pytest.raises(CreditError),
            probe.business_event("invoice.posted", mishap=classes, exception_class=given),
        ):
            raise CreditError("no")
        heard = seen if probe is seen.probe else mine
        assert heard.attributes()["business.exception.class"] == expected
        assert heard.attributes()["business.exception.code"] == "CreditError"
    mine.probe.emit("invoice.posted", exception=CreditError("no"))
    assert mine.attributes()["business.exception.class"] == "business"


@pytest.mark.parametrize("odd", [5, {1: 2}, {ValueError: 3}, {ValueError: {"nonsense": 1}}, "business"])
def test_odd_classes_stop_nothing(odd: object) -> None:
    """A wrong mapping is said once; the event goes out."""
    heard = observe(exception_classes=odd)
    with pytest.raises(ValueError, match="no"), heard.probe.business_event("deal.won", mishap=odd):  # type: ignore[arg-type]
        raise ValueError("no")
    assert heard.attributes()["business.exception.code"] == "ValueError"
