"""Tickets in other systems: how each stands, and every step."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the two tables."""
    op.create_table(
        "tickets",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("place", sa.String, primary_key=True),
        sa.Column("fingerprint", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("opened", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("requested_at", UtcTime, nullable=False),
        sa.Column("next_at", UtcTime, nullable=False),
        sa.Column("ticket", sa.String, nullable=False),
        sa.Column("remote", sa.String, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claimed_until", UtcTime),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("tickets_by_state", "tickets", ["state", "next_at"])
    op.create_table(
        "ticket_steps",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("place", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("ticket", sa.String, nullable=False),
        sa.Column("copied", sa.Boolean, nullable=False),
        sa.UniqueConstraint("tenant", "place", "fingerprint", "number"),
    )
    op.create_index("ticket_steps_to_copy", "ticket_steps", ["copied", "id"])
