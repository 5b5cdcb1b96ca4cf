"""Telling others: transitions of milestones and exceptions, as signed CloudEvents, to subscribed webhooks."""
