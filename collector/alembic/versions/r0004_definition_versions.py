"""Every version of a process definition that has counted."""

import sqlalchemy as sa
from alembic import op

from throughline.collector.control_schema import UtcTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the history of definitions."""
    op.create_table(
        "definition_versions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("process", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("activated_at", UtcTime, nullable=False),
        sa.Column("activated_by", sa.String, nullable=False),
        sa.Column("over", sa.String, nullable=False),
    )
    op.create_index("definition_versions_by_process", "definition_versions", ["process", "number"])
