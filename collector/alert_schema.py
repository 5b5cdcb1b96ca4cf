"""Alerts: where each stands, how rules fare, who was told what, and what people wrote or silenced.

Change the tables together with a new revision in ``alembic/versions``.
"""

import sqlalchemy as sa

from throughline.collector.control_types import UtcTime, metadata

alert_states = sa.Table(
    "alert_states",
    metadata,
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

alert_transitions = sa.Table(
    "alert_transitions",
    metadata,
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
    sa.Index("alert_transitions_by_tenant", "tenant", "number"),
    sa.Index("alert_transitions_to_copy", "copied", "number"),
)

alert_rules = sa.Table(
    "alert_rules",
    metadata,
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

alert_groups = sa.Table(
    "alert_groups",
    metadata,
    sa.Column("tenant", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("evaluated_at", UtcTime, nullable=False),
    sa.Column("missed", sa.Integer, nullable=False),
)

alert_episodes = sa.Table(
    "alert_episodes",
    metadata,
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
    sa.Index("alert_episodes_by_rule", "tenant", "rule", "fingerprint", "starts_at"),
    sa.Index("alert_episodes_open", "tenant", "ends_at"),
)

alert_notices = sa.Table(
    "alert_notices",
    metadata,
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
    sa.Index("alert_notices_to_do", "tenant", "channel", "done"),
)

alert_notice_log = sa.Table(
    "alert_notice_log",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String, nullable=False),
    sa.Column("channel", sa.String, nullable=False),
    sa.Column("episode", sa.String, nullable=False),
    sa.Column("act", sa.String, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Index("alert_notice_log_by_channel", "tenant", "channel", "number"),
)

alert_channels = sa.Table(
    "alert_channels",
    metadata,
    sa.Column("tenant", sa.String, primary_key=True),
    sa.Column("channel", sa.String, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", UtcTime),
    sa.Column("next_at", UtcTime),
    sa.Column("delivered_at", UtcTime),
    sa.Column("error", sa.Text, nullable=False),
)

alert_silences = sa.Table(
    "alert_silences",
    metadata,
    sa.Column("tenant", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("matchers", sa.Text, nullable=False),
    sa.Column("starts_at", UtcTime, nullable=False),
    sa.Column("ends_at", UtcTime, nullable=False),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

alert_trials = sa.Table(
    "alert_trials",
    metadata,
    sa.Column("tenant", sa.String, primary_key=True),
    sa.Column("rule", sa.String, primary_key=True),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("until", UtcTime, nullable=False),
    sa.Column("ended_by", sa.String, nullable=False),
)

written_rules = sa.Table(
    "written_rules",
    metadata,
    sa.Column("tenant", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
