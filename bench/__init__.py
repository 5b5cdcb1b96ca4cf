"""Measurements against the budgets of the design."""
