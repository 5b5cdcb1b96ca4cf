"""Replays: what is done again, item by item, and every transition of both."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the three tables."""
    _replays()
    _items()
    _transitions()


def _replays() -> None:
    """What was asked for, and who must approve it."""
    op.create_table(
        "replays",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("requested_at", UtcTime, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("override", sa.Boolean, nullable=False),
        sa.Column("need", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("expires_at", UtcTime),
        sa.Column("approved_by", sa.String, nullable=False),
        sa.Column("approved_at", UtcTime),
        sa.Column("batch_until", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("replays_by_state", "replays", ["state", "requested_at"])


def _items() -> None:
    """What becomes of each exception; one is in one replay at a time."""
    op.create_table(
        "replay_items",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("replay", sa.String, primary_key=True),
        sa.Column("item", sa.Integer, primary_key=True),
        sa.Column("exception", sa.String, nullable=False),
        sa.Column("process", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("payload_digest", sa.String, nullable=False),
        sa.Column("idempotency_key", sa.String, nullable=False),
        sa.Column("preflight", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("duplicated", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", UtcTime),
        sa.Column("claimed_until", UtcTime),
        sa.Column("sent_at", UtcTime),
        sa.Column("trace_id", sa.String, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("verify_until", UtcTime),
        sa.Column("verified_by", sa.String, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index(
        "replay_items_in_hand",
        "replay_items",
        ["tenant", "exception"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_index("replay_items_by_state", "replay_items", ["state", "verify_until"])
    op.create_index("replay_items_by_key", "replay_items", ["tenant", "idempotency_key"])


def _transitions() -> None:
    """Every change of a replay and of an item."""
    op.create_table(
        "replay_transitions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("replay", sa.String, nullable=False),
        sa.Column("item", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("before", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("copied", sa.Boolean, nullable=False),
        sa.UniqueConstraint("tenant", "replay", "item", "number"),
    )
    op.create_index("replay_transitions_to_copy", "replay_transitions", ["copied", "id"])
