"""What engines need to work, and with it all of the control store's tables.

Change the tables together with a new revision in ``alembic/versions``.
"""

import sqlalchemy as sa

from throughline.collector import acting_schema, alert_schema
from throughline.collector.control_types import UtcTime, metadata

__all__ = [
    "UtcTime",
    "acting_schema",
    "alert_schema",
    "cursors",
    "definition_versions",
    "definitions",
    "engine_marks",
    "jobs",
    "leases",
    "metadata",
]

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("tenant", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

definitions = sa.Table(
    "definitions",
    metadata,
    sa.Column("process", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("activated_at", UtcTime, nullable=False),
)

definition_versions = sa.Table(
    "definition_versions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("process", sa.String, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("activated_at", UtcTime, nullable=False),
    sa.Column("activated_by", sa.String, nullable=False),
    sa.Column("over", sa.String, nullable=False),
    sa.Index("definition_versions_by_process", "process", "number"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("tenant", sa.String, nullable=False),
    sa.Column("process", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("progress", sa.Float, nullable=False, server_default="0"),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("holder", sa.String, nullable=False, server_default=""),
    sa.Column("claimed_until", UtcTime),
    sa.Column("payload", sa.Text, nullable=False, server_default=""),
    sa.Column("result", sa.Text, nullable=False, server_default=""),
    sa.Index("jobs_by_state", "state", "requested_at"),
)

engine_marks = sa.Table(
    "engine_marks",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("boot_id", sa.String, nullable=False),
    sa.Column("clean", sa.Boolean, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
