"""The stock Node SDK, given nothing but an endpoint, loses no span."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.edge_process import running

NODE = Path(__file__).parents[1] / "node"
FILES = ("package.json", "package-lock.json", "spans.mjs")
SPANS = 2_000


@pytest.fixture(scope="module")
def program() -> Path:
    """Install the SDK once per lock file, outside of the checkout; return the program."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed: apt-get install nodejs npm")
    version = hashlib.sha256(b"".join((NODE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "throughline-tests"
    target = cache / f"node-{version}"
    if not (target / "installed").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in FILES:
            shutil.copy(NODE / name, target)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=target, capture_output=True, text=True, check=False, timeout=170,
        )  # fmt: skip
        assert done.returncode == 0, f"npm ci failed: {done.stderr}"
        (target / "installed").touch()
    return target / "spans.mjs"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc", None])
def test_no_span_is_lost(program: Path, tmp_path: Path, protocol: str | None) -> None:
    """Every span that ended is in the spool once, by every exporter and by the default one."""
    with running(tmp_path / "data") as edge:
        port = edge.grpc_port if protocol == "grpc" else edge.http_port
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        }
        if protocol is not None:
            environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol
        subprocess.run(["node", str(program), str(SPANS)], env=environment, check=True, timeout=120)
        names = []
        for record in edge.take():
            assert record.signal in {"traces", "logs", "metrics"}
            if record.signal == "traces":
                request = ExportTraceServiceRequest.FromString(record.request)
                spans = [
                    span
                    for resource in request.resource_spans
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
                assert len(spans) == record.items
                assert all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)
                names += [span.name for span in spans]
    assert sorted(names) == sorted(f"span {number}" for number in range(SPANS))
