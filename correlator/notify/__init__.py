"""Telling people about alerts: which channel, when, in which words; durable, and once."""
