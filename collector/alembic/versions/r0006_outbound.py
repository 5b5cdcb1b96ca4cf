"""What is to be told to subscribers, and how they fare."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Add deliveries and the state of subscriptions."""
    op.create_table(
        "deliveries",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("subscription", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("next_at", UtcTime, nullable=False),
        sa.Column("last_at", UtcTime),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_index("deliveries_to_send", "deliveries", ["state", "next_at"])
    op.create_table(
        "subscription_states",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("subscription", sa.String, primary_key=True),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", UtcTime),
        sa.Column("paused_until", UtcTime),
        sa.Column("delivered_at", UtcTime),
    )
