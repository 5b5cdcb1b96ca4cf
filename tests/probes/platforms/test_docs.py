"""docs/platforms.md tells all that the adapters take and say."""

from pathlib import Path
from types import ModuleType

import pytest

from throughline.probes.platforms import certinia, dynamics365, kantata, netsuite, oracle, salesforce, sap

PAGE = (Path(__file__).parents[3] / "docs" / "platforms.md").read_text()


@pytest.mark.parametrize(
    ("adapter", "heading"),
    [
        (salesforce, "## Salesforce"),
        (certinia, "## Certinia"),
        (dynamics365, "## Dynamics 365 Finance"),
        (netsuite, "## NetSuite"),
        (oracle, "## Oracle Fusion Cloud ERP"),
        (sap, "## SAP S/4HANA Cloud"),
        (kantata, "## Kantata OX"),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if isinstance(value, ModuleType) else "",
)
def test_every_option_is_documented(adapter: ModuleType, heading: str) -> None:
    """Each option stands in the part of its platform, needed ones are marked; so is what is lost."""
    part = PAGE.partition(f"{heading}\n")[2].partition("\n## ")[0]
    assert [name for name in adapter.OPTIONS if f"`{name}`" not in part] == []
    assert [name for name in adapter.REQUIRED if f"| `{name}` (required) |" not in part] == []
    assert "*Lost:*" in part
