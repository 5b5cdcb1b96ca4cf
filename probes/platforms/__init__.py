"""The platforms whose webhooks we understand: one file each, loaded on first use, open to third parties.

A package of somebody else adds one by an entry point of the group `throughline.platforms`; its name then
stands beside ours, or in place of one of ours. There is no other way in, for us neither.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, cast

from throughline.probes.errors import ConfigurationError
from throughline.probes.platforms.adapter import Adapter

GROUP: Final = "throughline.platforms"
PLATFORMS: Final = {
    "salesforce": "throughline.probes.platforms.salesforce",
    "hubspot": "throughline.probes.platforms.hubspot",
    "certinia": "throughline.probes.platforms.certinia",
    "dynamics365": "throughline.probes.platforms.dynamics365",
    "netsuite": "throughline.probes.platforms.netsuite",
    "oracle": "throughline.probes.platforms.oracle",
    "sap": "throughline.probes.platforms.sap",
    "kantata": "throughline.probes.platforms.kantata",
    "generic": "throughline.probes.platforms.generic",
}
"""Name, as in `/hooks/<name>/...` -> its module."""


@cache
def platforms() -> dict[str, str]:
    """Every name and its module, those of installed packages included."""
    return PLATFORMS | {point.name: point.value for point in entry_points(group=GROUP)}


@cache
def adapter(name: str) -> Adapter:
    """The adapter of a platform.

    Raises:
        ConfigurationError: there is none of this name, or its module can't be used.
    """
    module = platforms().get(name)
    if module is None:
        known = ", ".join(sorted(platforms()))
        raise ConfigurationError(f"There is no platform {name!r}; known are {known}.")
    try:
        found = import_module(module)
    except Exception as error:  # whatever a foreign module raises while it is loaded
        raise ConfigurationError(
            f"The platform {name!r} can't be loaded from {module}: {type(error).__name__}: {error}. "
            "Install what it needs, or correct the module."
        ) from error
    if not isinstance(found, Adapter):
        raise ConfigurationError(f"{module} is no adapter: it needs the functions verify and parse.")
    return cast("Adapter", found)
