"""Alerts: where each stands, every change of it, and how each rule fared."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables of alerts."""
    _alerts()
    _rules()


def _alerts() -> None:
    """Where each alert stands, and every change of it."""
    op.create_table(
        "alert_states",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("rule", sa.String, primary_key=True),
        sa.Column("fingerprint", sa.String, primary_key=True),
        sa.Column("group_name", sa.String, nullable=False),
        sa.Column("alert", sa.String, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("annotations", sa.Text, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("active_at", UtcTime, nullable=False),
        sa.Column("fired_at", UtcTime),
        sa.Column("gone_at", UtcTime),
        sa.Column("resolved_at", UtcTime),
        sa.Column("held", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("evaluated_at", UtcTime, nullable=False),
    )
    op.create_table(
        "alert_transitions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("group_name", sa.String, nullable=False),
        sa.Column("alert", sa.String, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("annotations", sa.Text, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("old", sa.String, nullable=False),
        sa.Column("new", sa.String, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("starts_at", UtcTime, nullable=False),
        sa.Column("ends_at", UtcTime),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("copied", sa.Boolean, nullable=False),
    )
    op.create_index("alert_transitions_by_tenant", "alert_transitions", ["tenant", "number"])
    op.create_index("alert_transitions_to_copy", "alert_transitions", ["copied", "number"])


def _rules() -> None:
    """How rules and their groups fared."""
    op.create_table(
        "alert_rules",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("rule", sa.String, primary_key=True),
        sa.Column("group_name", sa.String, nullable=False),
        sa.Column("definition", sa.String, nullable=False),
        sa.Column("evaluated_at", UtcTime, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("slow", sa.Integer, nullable=False),
        sa.Column("held", sa.Text, nullable=False),
        sa.Column("quarantined_at", UtcTime),
        sa.Column("quarantine", sa.Text, nullable=False),
    )
    op.create_table(
        "alert_groups",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("evaluated_at", UtcTime, nullable=False),
        sa.Column("missed", sa.Integer, nullable=False),
    )
