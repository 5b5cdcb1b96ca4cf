"""The control store's tables. Change them together with a new revision in ``alembic/versions``."""

from datetime import UTC, datetime

import sqlalchemy as sa


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps no zone, so it is taken off and put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse naive times; the database gets UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """What comes back is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


metadata = sa.MetaData()

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

exception_acts = sa.Table(
    "exception_acts",
    metadata,
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
    sa.Index("exception_acts_to_copy", "copied", "at"),
)

replays = sa.Table(
    "replays",
    metadata,
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
    sa.Index("replays_by_state", "state", "requested_at"),
)

replay_items = sa.Table(
    "replay_items",
    metadata,
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
    sa.Index(
        "replay_items_in_hand",
        "tenant",
        "exception",
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    ),
    sa.Index("replay_items_by_state", "state", "verify_until"),
    sa.Index("replay_items_by_key", "tenant", "idempotency_key"),
)

replay_transitions = sa.Table(
    "replay_transitions",
    metadata,
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
    sa.Index("replay_transitions_to_copy", "copied", "id"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
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
    sa.Index("deliveries_to_send", "state", "next_at"),
)

subscription_states = sa.Table(
    "subscription_states",
    metadata,
    sa.Column("tenant", sa.String, primary_key=True),
    sa.Column("subscription", sa.String, primary_key=True),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("skipped", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", UtcTime),
    sa.Column("paused_until", UtcTime),
    sa.Column("delivered_at", UtcTime),
)

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

tickets = sa.Table(
    "tickets",
    metadata,
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
    sa.Index("tickets_by_state", "state", "next_at"),
)

ticket_steps = sa.Table(
    "ticket_steps",
    metadata,
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
    sa.Index("ticket_steps_to_copy", "copied", "id"),
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
