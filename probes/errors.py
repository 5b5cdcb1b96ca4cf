"""The error tree.  Every error that Throughline raises on purpose hangs here.

    ThroughlineError            permanent: would trying again be pointless?
    ├── InvalidFact             a probe was told what it cannot record (raised under test only)
    ├── ConfigurationError      a setting or a file is wrong; the message names it
    │   └── DefinitionError     a process, mapping, calendar or rule file cannot be used
    ├── IntakeError             a request cannot be taken in
    │   ├── InvalidRequest      it is malformed
    │   ├── Unauthorized        its token or signature is missing, unknown or lacks the scope
    │   ├── SpoolFull           the spool is at its limit; retry later
    │   └── SpoolBroken         a write or fsync failed; intake has stopped
    ├── StoreError              the engine refused or could not be reached
    ├── ControlError            the control store refused or could not be reached
    │   └── LeaseLost           another worker holds the lease now
    └── DemoError               the simulated firm could not deliver

A room may refine a branch with a subclass beside the code that raises it.  The docstring of a class is its
default message: one sentence that an operator can act on.
"""

from __future__ import annotations

import inspect


class ThroughlineError(Exception):
    """Throughline could not do what it was asked to do."""

    permanent: bool = True
    """Whether trying again without changing anything is pointless; errors that cross a network carry it."""

    def __init__(self, message: str | None = None, *, permanent: bool | None = None) -> None:
        """Create the error.

        Args:
            message: one sentence for an operator; default: the docstring of the class.
            permanent: overrides what the class says.
        """
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)
        if permanent is not None:
            self.permanent = permanent


class InvalidFact(ThroughlineError):
    """A probe was told something that cannot be recorded; correct the call that the message names."""


class ConfigurationError(ThroughlineError):
    """A setting or a configuration file is wrong; correct what the message names and start again."""


class DefinitionError(ConfigurationError):
    """A definition file cannot be used; correct the line that the message names."""


class IntakeError(ThroughlineError):
    """A request cannot be taken in."""


class InvalidRequest(IntakeError):
    """The request is malformed; correct the sender."""


class Unauthorized(IntakeError):
    """The token is missing, unknown or does not hold the needed scope; use another token."""


class SpoolFull(IntakeError):
    """The spool is at its limit because the store is slow or down; look at the engine, senders retry."""

    permanent = False


class SpoolBroken(IntakeError):
    """A write or fsync of the spool failed, so intake has stopped; check the disk, then restart."""

    permanent = False


class StoreError(ThroughlineError):
    """The store refused the operation or could not be reached; check the store and its address."""

    permanent = False

    def __init__(
        self, message: str | None = None, *, permanent: bool | None = None, code: int | None = None
    ) -> None:
        """Create the error; `code` is the error code of ClickHouse, if it gave one."""
        super().__init__(message, permanent=permanent)
        self.code = code


class ControlError(ThroughlineError):
    """The control store refused the operation or could not be reached; check it and its address."""

    permanent = False


class LeaseLost(ControlError):
    """Another worker holds the lease now; this one stops and lets it work."""

    permanent = False


class DemoError(ThroughlineError):
    """The simulated firm could not deliver its telemetry; is the platform listening on the address?"""

    permanent = False
