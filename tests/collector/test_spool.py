"""The spool keeps what it acknowledged, in order, through torn tails, bad bytes and full disks."""

import errno
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.edge_process import fields
from throughline.collector import spool
from throughline.collector.spool_records import HEADER, number_of, varint

REQUEST = b"\x0a\x00"


Open = Callable[..., spool.SpoolWriter]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Open]:
    """Make writers on a temporary directory; close those still alive afterwards."""
    made: list[spool.SpoolWriter] = []

    def make(**options: object) -> spool.SpoolWriter:
        defaults = {"segment_bytes": 1 << 20, "segment_age_seconds": 60.0, "limit_bytes": 1 << 30}
        made.append(spool.SpoolWriter(tmp_path, **{**defaults, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


def everything(directory: Path) -> list[spool.Record]:
    """Return every readable record, oldest segment first."""
    return [record for segment in spool.sealed(directory) for record in spool.read(segment)]


def test_record_comes_back_as_it_was_appended(writer: Open, tmp_path: Path) -> None:
    """A record holds tenant, items and an envelope that nests the request untouched and names its segment."""
    open_spool = writer()
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="a")
    body = request.SerializeToString()
    open_spool.append("traces", "töst", 1, body, 123_456_789).result(5)
    open_spool.append("traces", "other", 3, body * 300, 5).result(5)
    open_spool.close()

    [segment] = spool.sealed(tmp_path)
    first, second = spool.read(segment)
    assert (first.tenant, first.items, first.number) == ("töst", 1, 1)
    assert (second.tenant, second.items, second.number) == ("other", 3, 2)
    assert fields(first.envelope) == {
        1: body,
        2: "töst".encode(),
        3: segment.id.encode(),
        4: 1,
        5: 123_456_789,
    }
    assert fields(second.envelope)[1] == body * 300
    assert segment.signal == "traces"
    assert segment.bytes == segment.path.stat().st_size


def test_empty_request_is_a_record(writer: Open, tmp_path: Path) -> None:
    """An empty protobuf message is valid, and so is its record."""
    open_spool = writer()
    open_spool.append("logs", "default", 0, b"", 1).result(5)
    open_spool.close()
    [record] = everything(tmp_path)
    assert 1 not in fields(record.envelope)
    assert record.items == 0


@given(st.integers(min_value=1, max_value=2**32 - 1))
def test_number_is_read_back_from_the_end_of_an_envelope(number: int) -> None:
    """Any request number survives its envelope."""
    assert number_of(b"\x1a\x01x\x20" + varint(number) + b"\x29" + bytes(8)) == number


def test_acknowledged_only_after_sync(writer: Open) -> None:
    """A future is not done while the sync it waits for has not returned."""
    reached, go_on = threading.Event(), threading.Event()

    def slow_sync(file: int) -> None:
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            reached.set()
            go_on.wait(10)
        os.fsync(file)

    open_spool = writer(fsync=slow_sync)
    done = open_spool.append("traces", "default", 1, REQUEST, 1)
    assert reached.wait(10)
    assert not done.done()
    go_on.set()
    done.result(10)


def test_requests_that_arrive_during_a_sync_share_the_next(writer: Open) -> None:
    """Group commit: a hundred requests behind one sync need one more sync."""
    syncs: list[int] = []
    reached, go_on = threading.Event(), threading.Event()

    def counting_sync(file: int) -> None:
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            syncs.append(file)
            reached.set()
            go_on.wait(10)
        os.fsync(file)

    open_spool = writer(fsync=counting_sync)
    first = open_spool.append("traces", "default", 1, REQUEST, 1)
    assert reached.wait(10)
    others = [open_spool.append("traces", "default", 1, REQUEST, 1) for _ in range(100)]
    go_on.set()
    for future in [first, *others]:
        future.result(10)
    assert len(syncs) == 2


def test_segments_are_sealed_by_size_and_hold_one_signal(writer: Open, tmp_path: Path) -> None:
    """No sealed segment grows past its size by more than one record, and none mixes signals."""
    open_spool = writer(segment_bytes=10_000)
    futures = [
        open_spool.append(signal, "default", 1, bytes(1_000), n)
        for n in range(60)
        for signal in ("traces", "logs")
    ]
    for future in futures:
        future.result(10)
    open_spool.close()
    segments = spool.sealed(tmp_path)
    assert all(segment.bytes <= 12_000 for segment in segments)
    received = {"traces": [], "logs": []}  # type: dict[str, list[object]]
    for segment in segments:
        received[segment.signal] += [fields(record.envelope)[5] for record in spool.read(segment)]
    assert received == {"traces": list(range(60)), "logs": list(range(60))}


def test_segment_is_sealed_by_age_without_another_request(writer: Open, tmp_path: Path) -> None:
    """A lone record does not wait for company."""
    open_spool = writer(segment_age_seconds=0.05)
    open_spool.append("metrics", "default", 7, REQUEST, 1).result(10)
    for _ in range(500):
        if spool.sealed(tmp_path):
            break
        threading.Event().wait(0.01)
    assert [record.items for record in everything(tmp_path)] == [7]


def test_limit_refuses_until_the_loader_deletes(writer: Open, tmp_path: Path) -> None:
    """At its limit the spool refuses, and takes requests again once segments are gone from disk."""
    open_spool = writer(limit_bytes=50_000, segment_bytes=10_000)
    for _ in range(22):
        open_spool.append("traces", "default", 1, bytes(2_000), 1).result(10)
    with pytest.raises(spool.SpoolFull, match="limit of 50000 bytes"):
        open_spool.append("traces", "default", 1, bytes(10_000), 1)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 50_000
    for segment in spool.sealed(tmp_path):
        segment.path.unlink()
    for _ in range(500):
        if open_spool.size < 20_000:
            break
        threading.Event().wait(0.01)
    open_spool.append("traces", "default", 1, bytes(2_000), 1).result(10)


def test_failed_sync_stops_intake_for_good(writer: Open, tmp_path: Path) -> None:
    """After a failed fsync every request is refused, also when later syncs would succeed."""
    failing = [False]

    def sync(file: int) -> None:
        if failing[0]:
            raise OSError(errno.EIO, "Input/output error")
        os.fsync(file)

    open_spool = writer(fsync=sync)
    open_spool.append("traces", "default", 1, REQUEST, 1).result(10)
    failing[0] = True
    with pytest.raises(spool.SpoolBroken, match="restart the edge"):
        open_spool.append("traces", "default", 1, REQUEST, 2).result(10)
    failing[0] = False
    with pytest.raises(spool.SpoolBroken):
        open_spool.append("logs", "default", 1, REQUEST, 3).result(10)
    assert open_spool.broken is not None
    open_spool.close()
    assert fields(everything(tmp_path)[0].envelope)[5] == 1


def test_failed_sync_of_the_directory_stops_intake(writer: Open) -> None:
    """A segment whose name may be lost acknowledges nothing."""

    def sync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        os.fsync(file)

    with pytest.raises(spool.SpoolBroken):
        writer(fsync=sync).append("traces", "default", 1, REQUEST, 1).result(10)


def test_full_disk_is_retryable_and_leaves_no_half_record(tmp_path: Path) -> None:
    """A write that does not fit is refused as full; what was acknowledged before and after reads back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    open_spool = spool.SpoolWriter(
        tmp_path, segment_bytes=1 << 20, segment_age_seconds=60, limit_bytes=1 << 30
    )
    try:
        open_spool.append("traces", "default", 1, bytes(3_000), 1).result(10)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))  # Python ignores SIGXFSZ: writes give EFBIG
        with pytest.raises(spool.SpoolFull):
            open_spool.append("traces", "default", 1, bytes(4_000), 2).result(10)
        assert (open_spool.broken, open_spool.full) == (None, True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for _ in range(500):
            if not open_spool.full:
                break
            threading.Event().wait(0.01)
        open_spool.append("traces", "default", 1, bytes(4_000), 3).result(10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        open_spool.close()
    corrupt: list[spool.CorruptRecord] = []
    [segment] = spool.sealed(tmp_path)
    assert [fields(record.envelope)[5] for record in spool.read(segment, corrupt)] == [1, 3]
    assert corrupt == []


def abandoned(directory: Path, count: int = 5) -> Path:
    """Leave an unsealed segment with `count` records, as a killed edge does."""
    other = directory / "other"
    one = spool.SpoolWriter(other, segment_bytes=1 << 30, segment_age_seconds=600, limit_bytes=1 << 30)
    for number in range(1, count + 1):
        one.append("traces", "default", 10, os.urandom(200), number).result(10)
    [left] = other.glob("*.open")
    target = directory / left.name
    target.write_bytes(left.read_bytes())
    one.close()
    for path in other.iterdir():
        path.unlink()
    other.rmdir()
    return target


def test_recover_seals_what_a_killed_edge_left(tmp_path: Path) -> None:
    """Whole records of an open segment survive a kill."""
    abandoned(tmp_path)
    report = spool.recover(tmp_path)
    assert [segment.signal for segment in report.sealed] == ["traces"]
    assert report.torn == report.corrupt == ()
    assert [record.number for record in everything(tmp_path)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("cut", [1, 8, 9, 100, 250])
def test_recover_cuts_a_torn_tail(tmp_path: Path, cut: int) -> None:
    """A record that lost its end is cut; those before it stay."""
    path = abandoned(tmp_path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)
    report = spool.recover(tmp_path)
    assert len(report.torn) == 1
    [segment] = spool.sealed(tmp_path)
    corrupt: list[spool.CorruptRecord] = []
    assert [record.number for record in spool.read(segment, corrupt)] == [1, 2, 3, 4]
    assert corrupt == []


@pytest.mark.parametrize("tail", [bytes(4096), b"\xff" * 4096, os.urandom(4096), b"\x00"])
def test_recover_cuts_a_tail_that_never_was_a_record(tmp_path: Path, tail: bytes) -> None:
    """Zeroed or foreign pages behind the last record, as a power cut leaves them, are no records."""
    path = abandoned(tmp_path)
    with path.open("ab") as file:
        file.write(tail)
    spool.recover(tmp_path)
    assert [record.number for record in everything(tmp_path)] == [1, 2, 3, 4, 5]


def test_recover_removes_an_empty_segment(tmp_path: Path) -> None:
    """A segment that was created but never written disappears."""
    (tmp_path / "logs-00000000000000000001-00000000.open").write_bytes(b"")
    assert spool.recover(tmp_path).sealed == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sealed_before", [True, False])
@pytest.mark.parametrize("where", ["length", "crc", "tenant", "body", "huge length"])
def test_bad_record_is_reported_and_the_rest_kept(tmp_path: Path, where: str, sealed_before: bool) -> None:
    """Whatever byte of the second record is wrong, the four others are read and one stretch is reported."""
    path = abandoned(tmp_path)
    data = bytearray(path.read_bytes())
    second = HEADER.size + HEADER.unpack_from(data)[0]
    at = second + {"length": 0, "crc": 4, "tenant": 11, "body": 100, "huge length": 3}[where]
    data[at] ^= 0x15
    path.write_bytes(bytes(data))
    if sealed_before:
        path.rename(path.with_suffix(".seg"))
    report = spool.recover(tmp_path)
    [segment] = spool.sealed(tmp_path)
    corrupt: list[spool.CorruptRecord] = []
    assert [record.number for record in spool.read(segment, corrupt)] == [1, 3, 4, 5]
    assert corrupt[0].offset == second
    assert len(report.corrupt) == (0 if sealed_before else len(corrupt))
    assert report.torn == ()


def test_pending_counts_items_by_tenant_and_signal(writer: Open, tmp_path: Path) -> None:
    """Sealed and open records count, those of deleted segments don't."""
    open_spool = writer(segment_bytes=500)
    for tenant, items in [("a", 1), ("b", 20), ("a", 300)]:
        open_spool.append("traces", tenant, items, bytes(300), 1).result(10)
    open_spool.append("logs", "a", 4_000, bytes(10), 1).result(10)
    assert spool.pending(tmp_path) == {("a", "traces"): 301, ("b", "traces"): 20, ("a", "logs"): 4_000}
    spool.sealed(tmp_path)[0].path.unlink()
    totals = spool.pending(tmp_path)
    assert totals["a", "logs"] == 4_000
    assert sum(totals.values()) < 4_321


def test_sealed_lists_oldest_first_over_signals(writer: Open, tmp_path: Path) -> None:
    """Segments come in the order in which they were begun, whatever their signal is called."""
    open_spool = writer(segment_bytes=1)
    for signal in ("traces", "logs", "metrics", "events", "logs"):
        open_spool.append(signal, "default", 1, REQUEST, 1).result(10)
    open_spool.close()
    assert [segment.signal for segment in spool.sealed(tmp_path)] == [
        "traces",
        "logs",
        "metrics",
        "events",
        "logs",
    ]


def test_closed_spool_refuses(writer: Open) -> None:
    """After close nothing is queued that nobody would write."""
    open_spool = writer()
    open_spool.close()
    with pytest.raises(spool.SpoolBroken):
        open_spool.append("traces", "default", 1, REQUEST, 1)


def test_a_cancelled_waiter_does_not_stop_the_committer(writer: Open, tmp_path: Path) -> None:
    """A client that goes away while its request is synced harms nobody else."""
    open_spool = writer()
    futures = [open_spool.append("traces", "default", 1, REQUEST, number) for number in range(20)]
    assert not any(future.cancel() for future in futures)
    open_spool.append("traces", "default", 1, REQUEST, 99).result(10)
    open_spool.close()
    assert len(everything(tmp_path)) == 21
