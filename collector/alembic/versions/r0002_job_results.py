"""What a job is about, and what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Jobs take a payload and leave a result, both JSON."""
    for name in ("payload", "result"):
        op.add_column("jobs", sa.Column(name, sa.Text, nullable=False, server_default=""))
