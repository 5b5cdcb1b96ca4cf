"""Leases, cursors, definitions, jobs, engine marks."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "definitions",
        sa.Column("process", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("activated_at", UtcTime, nullable=False),
    )
    op.create_table(
        "jobs",
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
    )
    op.create_index("jobs_by_state", "jobs", ["state", "requested_at"])
    op.create_table(
        "engine_marks",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("boot_id", sa.String, nullable=False),
        sa.Column("clean", sa.Boolean, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
