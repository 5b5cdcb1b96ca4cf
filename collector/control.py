"""Control state that needs transactions: leases, cursors, active definitions, jobs, engine marks.

One SQLAlchemy schema on SQLite (embedded; WAL, synchronous=FULL) and PostgreSQL (server mode); its
history is in ``alembic/``. Every method is one transaction. Time is an argument, always aware and in UTC.
"""

import contextlib
import dataclasses
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError, StatementError

from throughline.collector.control_schema import cursors, definitions, engine_marks, jobs, leases
from throughline.probes.errors import ControlError, LeaseLost

JobState = Literal["queued", "running", "done", "failed"]

_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MIGRATION_LOCK = 7_480_101  # any number; PostgreSQL's advisory lock for migrations


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one named thing until `expires_at`. `token` grows with every change of hands."""

    name: str
    holder: str
    token: int
    expires_at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """The version of a process definition that counts; `source` is its text, for when the file breaks."""

    process: str
    version: int
    hash: str
    source: str
    activated_at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """Work that somebody asked the engine for. `progress` runs from 0 to 1; `payload` and `result` are JSON,
    or empty.
    """

    id: str
    kind: str
    tenant: str
    process: str
    state: JobState
    progress: float
    message: str
    requested_at: datetime
    finished_at: datetime | None
    payload: str
    result: str


@dataclasses.dataclass(frozen=True, slots=True)
class EngineMark:
    """What an engine wrote last: the machine's boot and whether it stopped in order."""

    boot_id: str
    clean: bool
    at: datetime


class ControlStore:
    """Opened with `open`; safe to use from several threads and processes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._shared = threading.local()

    @classmethod
    def open(cls, where: str | Path) -> "ControlStore":
        """Open the SQLite file at a path, or the database at a `postgresql://` URL.

        Raises:
            ControlError: not a path or PostgreSQL URL, or the database does not answer.
        """
        try:
            engine = (
                _sqlite_engine(Path(where)) if "://" not in str(where) else _postgresql_engine(str(where))
            )
            with engine.connect():
                pass
        except (SQLAlchemyError, OSError) as error:
            raise ControlError(
                f"The control store {_shown(where)} cannot be opened: {_cause(error)}."
            ) from error
        return cls(engine)

    def migrate(self) -> None:
        """Bring the schema to the newest revision; two processes may do so at once."""
        with as_file(files("throughline.collector") / "alembic") as folder, self._begin() as connection:
            if not self._sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config = Config()
            config.set_main_option("script_location", str(folder))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def transaction(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """One transaction, for tables that have a module of their own. Raises: ControlError."""
        return self._begin()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make what this thread does in the block one transaction: each commit waits for the disk.

        Raises: ControlError, and whatever the block raises: then nothing of it is stored.
        """
        with self._begin() as connection:
            self._shared.connection = connection
            try:
                yield
            finally:
                del self._shared.connection

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows ON CONFLICT, likewise."""
        return self._insert(table)

    # Leases

    def acquire_lease(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lease | None:
        """Take a lease that is free, expired or the holder's own; None while another holds it."""
        fresh = self._insert(leases).values(name=name, holder=holder, token=1, expires_at=now + ttl)
        statement = fresh.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "token": leases.c.token + 1, "expires_at": now + ttl},
            where=sa.or_(leases.c.expires_at <= now, leases.c.holder == holder),
        ).returning(leases.c.token)
        with self._begin() as connection:
            token = connection.execute(statement).scalar_one_or_none()
        return None if token is None else Lease(name, holder, token, now + ttl)

    def renew_lease(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease | None:
        """Extend a lease that nobody has taken since; None if somebody has."""
        statement = sa.update(leases).where(_is(lease)).values(expires_at=now + ttl)
        with self._begin() as connection:
            held = connection.execute(statement).rowcount == 1
        return dataclasses.replace(lease, expires_at=now + ttl) if held else None

    def release_lease(self, lease: Lease) -> None:
        """Free a lease for the next holder; nothing happens if it is lost already."""
        with self._begin() as connection:
            connection.execute(sa.update(leases).where(_is(lease)).values(holder="", expires_at=_NEVER))

    # Cursors

    def cursor(self, tenant: str, name: str) -> str | None:
        """The stored position, or None."""
        statement = sa.select(cursors.c.value).where(cursors.c.tenant == tenant, cursors.c.name == name)
        with self._begin() as connection:
            return connection.execute(statement).scalar_one_or_none()

    def set_cursor(self, tenant: str, name: str, value: str, *, lease: Lease | None = None) -> None:
        """Store a position, with a lease only if that lease has not changed hands (fencing).

        Raises:
            LeaseLost: somebody else has taken the lease.
        """
        statement = self._insert(cursors).values(tenant=tenant, name=name, value=value)
        with self._begin() as connection:
            if lease is not None:
                fence(connection, lease)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["tenant", "name"], set_={"value": value})
            )

    # Definitions

    def activate_definition(
        self, process: str, version: int, content: str, source: str, now: datetime
    ) -> bool:
        """Remember the definition that counts; True if its hash (`content`) is a new one."""
        values = {"version": version, "hash": content, "source": source, "activated_at": now}
        statement = (
            self._insert(definitions)
            .values(process=process, **values)
            .on_conflict_do_update(
                index_elements=["process"], set_=values, where=definitions.c.hash != content
            )
            .returning(definitions.c.process)
        )
        with self._begin() as connection:
            return connection.execute(statement).scalar_one_or_none() is not None

    def definitions(self) -> dict[str, Definition]:
        """The remembered definitions, by process."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(*_DEFINITION)).all()
        return {row.process: Definition(*row) for row in rows}

    # Jobs

    def enqueue_job(self, kind: str, tenant: str, process: str, now: datetime, *, payload: str = "") -> Job:
        """Ask for work; the same work, if it is waiting already, is not asked for twice."""
        wanted = {"kind": kind, "tenant": tenant, "process": process, "payload": payload}
        same = sa.select(*_JOB).where(
            jobs.c.state == "queued", *(jobs.c[name] == value for name, value in wanted.items())
        )
        with self._begin() as connection:
            waiting = connection.execute(same).first()
            if waiting is not None:
                return Job(*waiting)
            made = sa.insert(jobs).values(id=uuid.uuid4().hex, state="queued", requested_at=now, **wanted)
            return Job(*connection.execute(made.returning(*_JOB)).one())

    def claim_job(self, holder: str, ttl: timedelta, now: datetime) -> Job | None:
        """Take the oldest waiting job, or one whose holder has not reported within its time."""
        free = (
            sa.select(jobs.c.id)
            .where(
                sa.or_(
                    jobs.c.state == "queued", sa.and_(jobs.c.state == "running", jobs.c.claimed_until <= now)
                )
            )
            .order_by(jobs.c.requested_at, jobs.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._begin() as connection:
            chosen = connection.execute(free).scalar_one_or_none()
            if chosen is None:
                return None
            values = {"state": "running", "holder": holder, "claimed_until": now + ttl}
            statement = sa.update(jobs).where(jobs.c.id == chosen).values(**values).returning(*_JOB)
            return Job(*connection.execute(statement).one())

    def report_job(
        self, job: Job, holder: str, ttl: timedelta, now: datetime, *, progress: float, message: str
    ) -> bool:
        """Say how far a job is and keep it for `ttl`; False if it is no longer the holder's."""
        return self._change_job(job, holder, progress=progress, message=message, claimed_until=now + ttl)

    def finish_job(
        self, job: Job, holder: str, now: datetime, *, state: JobState, message: str, result: str = ""
    ) -> bool:
        """End a job as `done` or `failed`; False if it is no longer the holder's."""
        ended = {"state": state, "message": message, "result": result, "finished_at": now}
        progress = {"progress": 1.0} if state == "done" else {}
        return self._change_job(job, holder, **ended, **progress)

    def job(self, job_id: str) -> Job | None:
        """One job by id."""
        with self._begin() as connection:
            row = connection.execute(sa.select(*_JOB).where(jobs.c.id == job_id)).first()
        return None if row is None else Job(*row)

    def jobs(self, limit: int = 100) -> list[Job]:
        """The latest jobs, newest first."""
        statement = sa.select(*_JOB).order_by(jobs.c.requested_at.desc(), jobs.c.id).limit(limit)
        with self._begin() as connection:
            return [Job(*row) for row in connection.execute(statement)]

    # Engine marks

    def mark_engine(self, name: str, boot_id: str, now: datetime, *, clean: bool) -> EngineMark | None:
        """Write this engine's mark; returns the one before (not clean, another boot: a power loss)."""
        values = {"boot_id": boot_id, "clean": clean, "at": now}
        statement = self._insert(engine_marks).values(name=name, **values)
        previous = sa.select(engine_marks.c.boot_id, engine_marks.c.clean, engine_marks.c.at)
        with self._begin() as connection:
            row = connection.execute(previous.where(engine_marks.c.name == name)).first()
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
        return None if row is None else EngineMark(*row)

    # Inside

    def _change_job(self, job: Job, holder: str, **values: Any) -> bool:
        mine = sa.and_(jobs.c.id == job.id, jobs.c.holder == holder, jobs.c.state == "running")
        with self._begin() as connection:
            return connection.execute(sa.update(jobs).where(mine).values(**values)).rowcount == 1

    def _insert(self, table: sa.Table) -> Any:
        """An INSERT that knows ON CONFLICT: one spelling, but one SQLAlchemy class per database."""
        return sqlite.insert(table) if self._sqlite else postgresql.insert(table)

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        shared: sa.Connection | None = getattr(self._shared, "connection", None)
        if shared is not None:
            yield shared
            return
        try:
            with self._engine.begin() as connection:
                yield connection
        except StatementError as error:
            raise ControlError(f"The control store refused a statement: {_cause(error)}.") from error


_DEFINITION = (
    definitions.c.process,
    definitions.c.version,
    definitions.c.hash,
    definitions.c.source,
    definitions.c.activated_at,
)

_JOB = (
    jobs.c.id,
    jobs.c.kind,
    jobs.c.tenant,
    jobs.c.process,
    jobs.c.state,
    jobs.c.progress,
    jobs.c.message,
    jobs.c.requested_at,
    jobs.c.finished_at,
    jobs.c.payload,
    jobs.c.result,
)


def fence(connection: sa.Connection, lease: Lease) -> None:
    """Go on only under this lease; nobody can take it before the transaction ends. Raises: LeaseLost."""
    mine = sa.select(leases.c.token).where(_is(lease)).with_for_update()
    if connection.execute(mine).scalar_one_or_none() is None:
        raise LeaseLost(f"The lease {lease.name} has a new holder; {lease.holder} must stop.")


def _is(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        leases.c.name == lease.name, leases.c.holder == lease.holder, leases.c.token == lease.token
    )


def _sqlite_engine(path: Path) -> sa.Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where `begin` says, not where sqlite3 guesses
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise ControlError(f"The control store is a file or a postgresql:// URL, not {_shown(url)}.")
    return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)


def _shown(where: str | Path) -> str:
    """The place without its password."""
    if "://" not in str(where):
        return str(where)
    try:
        return sa.make_url(str(where)).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "URL"


def _cause(error: Exception) -> str:
    """The database's own words, in one line."""
    origin = getattr(error, "orig", None) or error
    return " ".join(str(origin).split()).rstrip(".")
