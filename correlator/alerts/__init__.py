"""Alerts: rules in files, evaluated over stored journeys; every change of state is a stored transition.

`rule` and `rule_files` read definitions, `states` is the pure state machine, `evaluator` runs the queries and
stores transitions, `slo` makes burn-rate rules of objectives, `rule_tests` runs unit tests of rules.
Delivery reads stored transitions and nothing else.
"""
