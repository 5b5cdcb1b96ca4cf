"""The documentation of the probes says what the code does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dashboards.otlp_sink import otlp_sink
from throughline.probes import vocabulary as v
from throughline.probes.encode import WRITERS
from throughline.probes.facts import Facts

DOCS = Path(__file__).parents[2] / "docs"
CHECK = """
import asyncio
assert asyncio.run(post_invoice("00D5e000000demo/a3B8")) == "TSTDRV1/INV-003"
try:
    asyncio.run(post_invoice("00D5e000000demo/untaxed"))
except TaxCodeMissing:
    pass
probe.shutdown()
"""


def test_the_snippets_of_how_to_instrument_run() -> None:
    """All snippets, one after the other in one process, with wrong calls raising; what they say arrives."""
    page = (DOCS / "how-to-instrument.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with otlp_sink() as sink:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", "\n".join([*snippets, CHECK])],
            env={**inherited, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint, "THROUGHLINE_PROBES_RAISE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        said = [(record["event"], record["severity"]) for record in sink.records]
    assert said == [
        (v.OPPORTUNITY_CLOSED_WON, 9),
        (v.PROJECT_CREATED, 9),
        (v.PAYMENT_APPLIED, 9),
        (v.INVOICE_POSTED, 9),
        ("time.submitted", 9),
        (v.TIME_APPROVED, 9),
        (v.TIME_APPROVED, 9),
        (v.BILLING_RELEASED, 9),
        (v.INVOICE_POSTED, 9),
        (v.INVOICE_POSTED, 17),
    ]
    assert {record["service"] for record in sink.records} == {"project-service"}
    failed = sink.records[-1]["attributes"]
    assert failed[v.EXCEPTION_CLASS] == v.ExceptionClass.BUSINESS
    assert failed[v.EXCEPTION_CODE] == "TAX_CODE_MISSING"
    assert failed[v.key(v.CERTINIA_BILLING_EVENT)] == "00D5e000000demo/untaxed"


@pytest.mark.parametrize("name", [*v.ATTRIBUTES, *v.EVENTS, *(n for n, _ in WRITERS.values())])
def test_every_name_is_in_the_reference(name: str) -> None:
    """Each attribute and event of the vocabulary is explained."""
    assert f"`{name}`" in (DOCS / "reference-vocabulary.md").read_text()


def test_every_namespace_and_argument_is_in_the_reference() -> None:
    """Each key namespace of the vocabulary and each fact is named."""
    page = (DOCS / "reference-vocabulary.md").read_text() + (DOCS / "how-to-instrument.md").read_text()
    for said in (*v.NAMESPACES, *Facts.__annotations__):
        assert re.search(rf"[`\"]?\b{re.escape(said)}\b", page), said


def test_every_fact_is_a_field_of_the_record() -> None:
    """`BusinessEvent` and the keyword arguments say the same things; only a probe writes payloads."""
    fields = set(v.BusinessEvent.__slots__) - {"event"}
    assert set(Facts.__annotations__) - {"exception", "payload"} == fields
