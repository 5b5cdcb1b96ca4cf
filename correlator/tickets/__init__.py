"""Tickets in other systems: one for each cause, opened once, kept up to date, closed when all of it works."""
