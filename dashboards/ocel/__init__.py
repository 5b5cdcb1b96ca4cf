"""OCEL 2.0 in and out: a process as an object-centric event log, and such logs as business facts."""
