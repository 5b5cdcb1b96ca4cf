"""What people did about exceptions."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One row per act, with the state that it led to."""
    op.create_table(
        "exception_acts",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("exception", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("process", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("owned_by", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("assignee", sa.String, nullable=False),
        sa.Column("snoozed_until", UtcTime),
        sa.Column("closed_at", UtcTime),
        sa.Column("closed_by", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("reason_note", sa.Text, nullable=False),
        sa.Column("seen_until", UtcTime),
        sa.Column("copied", sa.Boolean, nullable=False),
    )
    op.create_index("exception_acts_to_copy", "exception_acts", ["copied", "at"])
