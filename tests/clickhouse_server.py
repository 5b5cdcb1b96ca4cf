"""A ClickHouse server for tests: the HTTP interface over the real engine (chDB), in a process of its own.

``python -m tests.clickhouse_server PORT DIRECTORY [VERSION]``; PORT 0 takes a free one, printed on the first
line. It knows what clickhouse-connect uses: statements in the body, the URL or a form, ``param_*``, settings
in the URL, databases, insert bodies, error codes in headers. VERSION pretends to be another version.
"""

from __future__ import annotations

import email.parser
import email.policy
import gzip
import re
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import chdb

# What the HTTP interface takes for itself; every other parameter of the URL is a setting.
TRANSPORT = frozenset({
    "query", "database", "query_id", "session_id", "session_timeout", "session_check", "quota_key", "role",
    "compress", "decompress", "buffer_size", "wait_end_of_query", "client_protocol_version", "default_format",
    "enable_http_compression", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close", "user", "password",
})  # fmt: skip
# Settings that differ from one insert to the next: they ride on the statement, so that handles are reused.
PER_INSERT = frozenset({"insert_deduplication_token"})
INSERT = re.compile(rb"\s*(INSERT\s+INTO\s+\S+(?:\s*\([^)]*\))?)\s+FORMAT\s+(\w+) *\n?", re.IGNORECASE)
FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
INFILE_DIRECTORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
IDLE_HANDLES = 24


class Request(NamedTuple):
    """One request, its parts sorted by what they are for."""

    statement: bytes
    data: bytes
    database: str
    settings: dict[str, str]
    parameters: dict[str, str]


class Handles:
    """Engine handles, each for one database and one set of settings; the longest idle one closes."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._idle: list[tuple[tuple[Any, ...], Any]] = []
        self._keeper = chdb.connect(directory)  # type: ignore[no-untyped-call]

    @contextmanager
    def handle(self, database: str, settings: dict[str, str]) -> Iterator[Any]:
        """Lend a handle that stands in the database and has the settings."""
        key = (database, *sorted(settings.items()))
        connection = self._take(key)
        if connection is None:
            connection = chdb.connect(self._directory)  # type: ignore[no-untyped-call]
            try:
                connection.query(f"USE `{database}`", "TabSeparated")
                for name, value in settings.items():
                    connection.query(f"SET {name} = {quoted(value)}", "TabSeparated")
            except BaseException:
                connection.close()
                raise
        try:
            yield connection
        finally:
            self._put(key, connection)

    def _take(self, key: tuple[Any, ...]) -> Any:
        with self._lock:
            for position in range(len(self._idle) - 1, -1, -1):
                if self._idle[position][0] == key:
                    return self._idle.pop(position)[1]
        return None

    def _put(self, key: tuple[Any, ...], connection: Any) -> None:
        with self._lock:
            self._idle.append((key, connection))
            surplus = self._idle.pop(0)[1] if len(self._idle) > IDLE_HANDLES else None
        if surplus is not None:
            surplus.close()


def quoted(value: str) -> str:
    """Return a string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def run(handles: Handles, request: Request, version: str | None) -> tuple[bytes, str | None]:
    """Run one request; returns the body and its format, None for a statement without a result."""
    insert = INSERT.match(request.statement + b"\n" + request.data)
    per_insert = {name: value for name, value in request.settings.items() if name in PER_INSERT}
    lasting = {name: value for name, value in request.settings.items() if name not in PER_INSERT}
    with handles.handle(request.database, lasting) as connection:
        if insert is not None:
            whole = request.statement + b"\n" + request.data if request.statement else request.data
            found = INSERT.match(whole)
            assert found is not None
            body = whole[found.end() :] if not INSERT.fullmatch(request.statement) else request.data
            return insert_body(connection, found[1].decode(), found[2].decode(), body, per_insert), None
        sql = (request.statement or request.data).decode()
        if version is not None:
            sql = sql.replace("version()", quoted(version))
        embedded = FORMAT.search(sql)
        if embedded is not None:
            return connection.query(sql, "TabSeparated", request.parameters).bytes(), embedded[1]
        # A statement with a result always writes at least the line of names; others write nothing.
        answer = connection.query(sql, "TabSeparatedWithNames", request.parameters).bytes()
        if not answer:
            return b"", None
        return answer[answer.find(b"\n") + 1 :], "TabSeparated"


def insert_body(connection: Any, statement: str, fmt: str, body: bytes, settings: dict[str, str]) -> bytes:
    """Insert a body in any input format, as one INSERT with its own settings."""
    with tempfile.NamedTemporaryFile(dir=INFILE_DIRECTORY) as file:
        file.write(body)
        file.flush()
        clause = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
        with_settings = f"SETTINGS {clause} " if clause else ""
        sql = f"{statement} FROM INFILE {quoted(file.name)} {with_settings}FORMAT {fmt}"
        connection.query(sql, "TabSeparated")
    return b""


class Handler(BaseHTTPRequestHandler):
    """One connection of one client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    handles: Handles
    version: str | None

    def do_GET(self) -> None:
        """Answer ``/ping`` and statements in the URL."""
        if urlsplit(self.path).path == "/ping":
            self._answer(200, b"Ok.\n", {})
            return
        self._run(b"")

    def do_POST(self) -> None:
        """Run the statement of the body, the URL or a form."""
        self._run(self._body())

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _run(self, body: bytes) -> None:
        try:
            answer, fmt = run(self.handles, self._request(body), self.version)
        except Exception as error:  # noqa: BLE001  every engine error becomes an answer
            text = str(error)
            code = re.search(r"Code: (\d+)", text)
            number = code[1] if code else "1001"
            self._answer(
                404 if number == "81" else 500,
                text[max(text.find("Code:"), 0) :].encode(),
                {"X-ClickHouse-Exception-Code": number},
            )
            return
        self._answer(200, answer, {"X-ClickHouse-Format": fmt} if fmt else {})

    def _request(self, body: bytes) -> Request:
        url = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if (self.headers.get("Content-Type") or "").startswith("multipart/form-data"):
            url |= form(self.headers["Content-Type"], body)
            body = b""
        settings = {
            name: value
            for name, value in url.items()
            if name not in TRANSPORT and not name.startswith("param_")
        }
        parameters = {name[6:]: value for name, value in url.items() if name.startswith("param_")}
        return Request(
            url.get("query", "").encode(), body, url.get("database", "default"), settings, parameters
        )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        encoding = self.headers.get("Content-Encoding", "")
        if encoding == "gzip":
            return gzip.decompress(body)
        if encoding == "deflate":
            return zlib.decompress(body)
        return body

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a multipart form."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = bytes(part.get_payload(decode=True)).decode()
    return fields


class Server(ThreadingHTTPServer):
    """One thread per connection; connections outlive requests."""

    daemon_threads = True
    request_queue_size = 64


def main(port: str, directory: str, version: str | None = None) -> None:
    """Serve until killed."""
    handler = type("BoundHandler", (Handler,), {"handles": Handles(directory), "version": version})
    server = Server(("127.0.0.1", int(port)), handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


@contextmanager
def serve(
    directory: Path, *, port: int = 0, version: str | None = None
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run a server in a process of its own; yields its port and the process, which is killed afterwards."""
    command = [sys.executable, "-m", "tests.clickhouse_server", str(port), str(directory)]
    process = subprocess.Popen([*command, version] if version else command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
