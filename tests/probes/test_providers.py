"""configure(): providers from the environment, each test in a process of its own: globals are set once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from tests.dashboards.otlp_sink import Sink, otlp_sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP/HTTP receiver."""
    with otlp_sink() as listening:
        yield listening


def run(code: str, **environment: str) -> str:
    """Run the code in a fresh interpreter that must exit with 0; returns its output, stderr included."""
    foreign = ("OTEL_", "THROUGHLINE_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


EMIT = """
    from throughline.probes import business_event, configure, emit
    with business_event("deal.won", keys={"crm.deal": "d1"}):
        pass
"""


def test_configured_by_arguments(sink: Sink) -> None:
    """Name, endpoint and default facts as arguments; events decorated before `configure()` count too."""
    run(
        f"""
        from throughline.probes import business_event, configure

        @business_event("deal.won", arguments=lambda deal: {{"keys": {{"crm.deal": deal}}}})
        def win(deal): pass

        probe = configure("crm-service", endpoint="{sink.endpoint}/", system="crm")
        win("d1")
        probe.shutdown()
        """
    )
    (record,) = sink.records
    assert (record["service"], record["event"]) == ("crm-service", "deal.won")
    assert record["attributes"]["business.system"] == "crm"
    (span,) = sink.spans
    assert (span["trace"], span["span"]) == (record["trace"], record["span"])
    assert span["attributes"]["business.key.crm.deal"] == "d1"


def test_configured_by_the_standard_variables(sink: Sink) -> None:
    """Nothing but OTEL_* is needed; what is buffered is sent when the process ends."""
    run(
        "from throughline.probes import configure\nconfigure()\n" + textwrap.dedent(EMIT),
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.endpoint,
        OTEL_SERVICE_NAME="billing",
    )
    assert [record["service"] for record in sink.records] == ["billing"]
    assert len(sink.spans) == 1


def test_unconfigured_is_a_no_op(sink: Sink) -> None:
    """Without configure() nothing is sent, said or loaded."""
    said = run(
        textwrap.dedent(EMIT) + "\nimport sys; assert 'opentelemetry.sdk' not in sys.modules",
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.endpoint,
    )
    assert said == ""
    assert not sink.bodies


def test_importing_the_package_loads_nothing() -> None:
    """`import throughline.probes` loads neither OpenTelemetry nor a module of ours but itself."""
    run(
        """
        import sys
        import throughline.probes
        loaded = [name for name in sys.modules if name.startswith(("opentelemetry", "throughline.probes."))]
        assert not loaded, loaded
        assert {"emit", "business_event", "configure"} <= set(dir(throughline.probes))
        """
    )


def test_providers_of_the_host_are_kept(sink: Sink) -> None:
    """A host with its own tracing keeps it; it gains the keys from baggage, and events get a log pipeline."""
    run(
        f"""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from throughline.probes import business_event, carry_keys, configure

        kept, mine = InMemorySpanExporter(), TracerProvider()
        mine.add_span_processor(SimpleSpanProcessor(kept))
        trace.set_tracer_provider(mine)
        probe = configure("host", endpoint="{sink.endpoint}")
        assert trace.get_tracer_provider() is mine
        with carry_keys({{"crm.deal": "d1"}}), business_event("deal.won"):
            pass
        probe.shutdown()
        (span,) = kept.get_finished_spans()
        assert span.attributes["business.context.key.crm.deal"] == "d1"
        """
    )
    assert [record["event"] for record in sink.records] == ["deal.won"]
    assert not sink.spans


def test_a_second_call_changes_nothing(sink: Sink) -> None:
    """Libraries that configure once more get the first probe."""
    run(
        f"""
        from throughline.probes import configure, emit
        first = configure("one", endpoint="{sink.endpoint}")
        assert configure("two", endpoint="http://127.0.0.1:9") is first
        emit("deal.won", keys={{"crm.deal": "d1"}})
        first.shutdown()
        """
    )
    assert [record["service"] for record in sink.records] == ["one"]


@pytest.mark.parametrize(
    "broken",
    [
        {"OTEL_BSP_SCHEDULE_DELAY": "-5"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "not a url"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"},
    ],
)
def test_a_broken_environment_does_not_stop_the_host(broken: dict[str, str], sink: Sink) -> None:
    """Wrong values, a disabled SDK, nobody listening: the host runs on and exits with 0."""
    usual = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint}
    code = "from throughline.probes import configure\nprobe = configure('host')\n" + textwrap.dedent(EMIT)
    said = run(code + "\nprobe.flush(1)\nprobe.shutdown()\nprint('done')", **{**usual, **broken})
    assert said.endswith("done\n")


def test_probes_side_by_side(sink: Sink) -> None:
    """`set_global=False` makes an independent probe per simulated service, and sets no global."""
    run(
        f"""
        from opentelemetry import trace
        from throughline.probes import configure
        probes = [configure(name, endpoint="{sink.endpoint}", set_global=False) for name in ("crm", "erp")]
        for number, probe in enumerate(probes):
            probe.emit("deal.won", keys={{"crm.deal": str(number)}})
            probe.shutdown()
        assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        """
    )
    assert sorted(record["service"] for record in sink.records) == ["crm", "erp"]
