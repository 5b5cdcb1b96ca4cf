"""A private PostgreSQL cluster for the tests, from the programs that Debian's package installs."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

SETTINGS = "-c listen_addresses='' -c fsync=off -c max_connections=40 -c shared_buffers=16MB"


def programs() -> Path | None:
    """The folder with initdb and pg_ctl: the newest of Debian's, or what is on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def unprivileged() -> str | None:
    """Who runs the server: PostgreSQL refuses root; None means whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster on a unix socket in a temporary folder; yields `host=...` of its URLs."""
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    user = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="throughline-pg-"))
    if user:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, *arguments],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
            timeout=60,
        )

    data = str(folder / "data")
    options = f"{SETTINGS} -k {folder}"
    run("initdb", "--no-sync", "--auth=trust", "--username=tests", "--encoding=UTF8", "-D", data)
    run("pg_ctl", "start", "--wait", "-D", data, "-o", options, "-l", str(folder / "log"))
    try:
        yield f"host={folder}"
    finally:
        run("pg_ctl", "stop", "--mode=immediate", "-D", data)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    """One cluster for the whole run."""
    with cluster() as host:
        yield host


@pytest.fixture
def postgres_url(postgres_cluster: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database of its own."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(f"{postgres_cluster} user=tests dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield f"postgresql://tests@/{name}?{postgres_cluster}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
