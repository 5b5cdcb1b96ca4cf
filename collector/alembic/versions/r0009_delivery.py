"""Delivery of alerts: episodes, what each channel was told, silences, trials; rules that people write."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables."""
    _alerts()
    _channels()
    _people()


def _alerts() -> None:
    """Alerts from firing to their end, and how each stands with each channel."""
    op.create_table(
        "alert_episodes",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("alert", sa.String, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("annotations", sa.Text, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("starts_at", UtcTime, nullable=False),
        sa.Column("ends_at", UtcTime),
        sa.Column("silent", sa.Boolean, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("routed_at", UtcTime),
        sa.Column("acknowledged_at", UtcTime),
        sa.Column("acknowledged_by", sa.String, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("useful", sa.Boolean),
        sa.Column("judged_by", sa.String, nullable=False),
    )
    op.create_index(
        "alert_episodes_by_rule", "alert_episodes", ["tenant", "rule", "fingerprint", "starts_at"]
    )
    op.create_index("alert_episodes_open", "alert_episodes", ["tenant", "ends_at"])
    op.create_table(
        "alert_notices",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("episode", sa.String, primary_key=True),
        sa.Column("told", sa.String, nullable=False),
        sa.Column("told_at", UtcTime),
        sa.Column("resend_seconds", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("batch", sa.String, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    op.create_index("alert_notices_to_do", "alert_notices", ["tenant", "channel", "done"])


def _channels() -> None:
    """What each channel was told, and how it fares."""
    op.create_table(
        "alert_notice_log",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("episode", sa.String, nullable=False),
        sa.Column("act", sa.String, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_index("alert_notice_log_by_channel", "alert_notice_log", ["tenant", "channel", "number"])
    op.create_table(
        "alert_channels",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", UtcTime),
        sa.Column("next_at", UtcTime),
        sa.Column("delivered_at", UtcTime),
        sa.Column("error", sa.Text, nullable=False),
    )


def _people() -> None:
    """Silences and trials; rules that people write."""
    op.create_table(
        "alert_silences",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("starts_at", UtcTime, nullable=False),
        sa.Column("ends_at", UtcTime, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    op.create_table(
        "alert_trials",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("rule", sa.String, primary_key=True),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("until", UtcTime, nullable=False),
        sa.Column("ended_by", sa.String, nullable=False),
    )
    op.create_table(
        "written_rules",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
