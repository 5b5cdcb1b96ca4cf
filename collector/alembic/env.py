"""Run by Alembic; `ControlStore.migrate` hands over an open transaction."""

from alembic import context

from throughline.collector.control_schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
