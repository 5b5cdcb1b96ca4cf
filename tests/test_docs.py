"""The documentation names everything that there is, and its examples are right."""

import importlib.util
import re
from pathlib import Path

import pytest
import typer
from pydantic_settings import BaseSettings

from throughline.collector import migrations
from throughline.collector.connections import COMMON_OPTIONS, Entry
from throughline.collector.control_schema import metadata
from throughline.collector.settings import EdgeSettings
from throughline.correlator.alerts.rule_files import parse_rules
from throughline.correlator.process import load_process
from throughline.correlator.reference_files import read_table
from throughline.correlator.reference_kinds import KINDS
from throughline.dashboards.alert_settings import AlertSettings
from throughline.dashboards.commands import GROUPS, VERBS, app
from throughline.dashboards.engine_settings import EngineSettings
from throughline.dashboards.settings import DashboardSettings
from throughline.probes.platforms import PLATFORMS, adapter

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md"])
SETTINGS = (EdgeSettings, EngineSettings, DashboardSettings, AlertSettings)


def text(name: str) -> str:
    """A page of the documentation."""
    return (DOCS / name).read_text()


def tables() -> set[str]:
    """Every table and documented view that the migrations make."""
    every = (*migrations.shipped(), migrations.views())
    statements = [statement for migration in every for statement in migration.statements]
    statements.append(migrations.LEDGER)
    made = re.findall(r"CREATE (?:TABLE|OR REPLACE VIEW)(?: IF NOT EXISTS)? (\w+)", "\n".join(statements))
    return {name for name in made if not re.search(r"(_rows|_unnamed)_at$", name)}


def test_every_verb_and_option_is_documented() -> None:
    """Each verb has its row; each option of each verb stands somewhere on the page."""
    page = text("reference-cli.md")
    group = typer.main.get_command(app)
    for verb in VERBS:
        name = verb.__name__.replace("_", "-")
        assert f"`throughline {name}" in page
        command = group.commands[name]  # type: ignore[attr-defined]
        options = [
            option for parameter in command.params for option in parameter.opts if option.startswith("--")
        ]
        assert [option for option in options if option not in page and option != "--help"] == []


def test_every_verb_of_a_group_is_documented() -> None:
    """Verbs that have verbs of their own: each has its row."""
    page = text("reference-cli.md")
    for name, group in GROUPS.items():
        for command in group.registered_commands:
            verb = command.name or getattr(command.callback, "__name__", "")
            assert f"`throughline {name} {verb}" in page


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_and_its_options_are_documented(platform: str) -> None:
    """A platform has its row, each of its options too; each field of a connection stands on its page."""
    page = text("reference-webhooks.md")
    assert f"| `{platform}` |" in page
    there = importlib.util.find_spec(PLATFORMS[platform]) is not None
    options = [*(getattr(adapter(platform), "OPTIONS", ()) if there else ()), *COMMON_OPTIONS]
    assert [name for name in options if f"`{name}`" not in page] == []
    assert [name for name in Entry.model_fields if f"`{name}`" not in text("reference-connections.md")] == []


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_setting_is_documented_with_its_default(settings: type[BaseSettings]) -> None:
    """Each field has a row with its variable and the default that it really has."""
    page = text("reference-settings.md")
    for name, field in settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        assert f"| `THROUGHLINE_{name.upper()}` | {default} |" in page


def test_every_variable_that_is_read_is_documented() -> None:
    """No environment variable is known to the code alone."""
    page = text("reference-settings.md")
    code = "".join(
        file.read_text()
        for room in ("probes", "collector", "dashboards")
        for file in (ROOT / room).rglob("*.py")
    )
    variables = set(re.findall(r"THROUGHLINE_[A-Z]+(?:_[A-Z]+)*", code))
    internal = {"THROUGHLINE_LIFELINE_FD", "THROUGHLINE_READY_FD"}
    assert {variable for variable in variables - internal if variable not in page} == set()


def test_every_table_is_documented() -> None:
    """Tables and views of the store, and tables of the control store."""
    page = text("reference-tables.md") + text("reference-views.md")
    assert {name for name in tables() | set(metadata.tables) if f"`{name}`" not in page} == set()


def test_readme_commands_are_those_of_the_makefile() -> None:
    """`make` verbs in the README and the docs exist, and every verb is in the README."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    used = {verb for page in PAGES for verb in re.findall(r"`?make ([a-z]+)", code_of(page))}
    assert used <= targets
    assert targets - {"help", "clean"} <= set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text()))


def code_of(page: Path) -> str:
    """The code on a page: blocks and spans."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text(), flags=re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings that a page links to exist."""
    for target in re.findall(r"\]\(([^)#:\s]*)(?:#[^)]*)?\)", page.read_text()):
        assert not target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_process_definitions_in_the_docs_are_valid(page: Path) -> None:
    """Every complete definition on a page loads."""
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        if block.lstrip().startswith("process:"):
            assert load_process(block).id


def test_alert_rules_in_the_docs_are_valid() -> None:
    """Every example of groups and of objectives loads."""
    blocks = re.findall(r"```yaml\n(.*?)```", text("how-to-alerts.md"), flags=re.DOTALL)
    rules = [block for block in blocks if block.startswith(("groups:", "slos:"))]
    assert [len(parse_rules(block).groups) for block in rules] == [1, 1]


def test_reference_tables_in_the_docs_are_valid() -> None:
    """Every example loads, and each kind of table has one."""
    blocks = re.findall(r"```csv (\w+)\n(.*?)```", text("reference-data.md"), flags=re.DOTALL)
    assert all(read_table(name, block, name).entries for name, block in blocks)
    assert set(KINDS) < {name for name, _ in blocks}


def test_every_page_is_in_the_index() -> None:
    """A page that nobody links to is not found."""
    index = text("index.md")
    assert {page.name for page in DOCS.glob("*.md") if f"({page.name})" not in index} == {"index.md"}


def test_changelog_names_the_version() -> None:
    """The changelog keeps its form: an Unreleased part comes first."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
