"""The platforms as they behave: business facts in, each platform's own requests out, with its faults.

One small class per platform, in one visible table.  Used by tests, and by the demo's firm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from throughline.dashboards.demo.emulators.certinia import Certinia
from throughline.dashboards.demo.emulators.dynamics365 import Dynamics365
from throughline.dashboards.demo.emulators.emulator import Emulator
from throughline.dashboards.demo.emulators.hubspot import HubSpot
from throughline.dashboards.demo.emulators.kantata import Kantata
from throughline.dashboards.demo.emulators.netsuite import NetSuite
from throughline.dashboards.demo.emulators.oracle import Oracle
from throughline.dashboards.demo.emulators.salesforce import Salesforce
from throughline.dashboards.demo.emulators.sap import Sap

EMULATORS: Final[Mapping[str, type[Emulator]]] = {
    emulator.platform: emulator
    for emulator in (Salesforce, HubSpot, Certinia, Kantata, Dynamics365, NetSuite, Oracle, Sap)
}
"""Platform -> its emulator."""
