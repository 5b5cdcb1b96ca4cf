"""Migrations of the control store (Alembic)."""
