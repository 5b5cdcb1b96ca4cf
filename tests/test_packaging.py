"""What is shipped: the packages listed, the data files, the bare install."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("probes", "collector", "correlator", "dashboards")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

IMPORTS_BARE = """
import importlib, pkgutil, sys
blocked = set(sys.argv[1].split(","))

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""
PLATFORM_ONLY = re.findall(
    r"\w+",
    """alembic chdb clickhouse_connect defusedxml fastapi filelock google_crc32c grpc httptools
    httpx_auth jinja2 jsonschema oauthlib pandas plotly psycopg prometheus_client
    pyarrow pydantic pydantic_settings rich ruamel sqlalchemy sqlglot streamlit typer uvicorn uvloop""",
)


def packages_on_disk() -> set[str]:
    """Folders of the four rooms that hold an __init__.py, by import name."""
    return {
        ".".join(("throughline", *file.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for file in (ROOT / room).rglob("__init__.py")
    }


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_every_package_is_listed() -> None:
    """A folder with an __init__.py that is missing from pyproject.toml would be absent from the wheel."""
    assert packages_on_disk() == set(PROJECT["tool"]["setuptools"]["packages"])


@pytest.mark.parametrize("folder", ["tests", "bench", *ROOMS])
def test_every_folder_of_modules_is_a_package(folder: str) -> None:
    """Modules in a folder without __init__.py are found by some tools and not by others."""
    folders = {file.parent for file in (ROOT / folder).rglob("*.py")}
    assert {place for place in folders if not (place / "__init__.py").exists()} == set()


def test_wheel_holds_every_module_and_data_file(tmp_path: Path) -> None:
    """The wheel holds all modules, SQL, shipped processes and type markers of the four rooms."""
    result = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert result.returncode == 0, result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"throughline/{file.relative_to(ROOT)}"
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert wanted - shipped == set()


def test_bare_install_can_probe() -> None:
    """Without the platform extra every module of the probes imports."""
    program = IMPORTS_BARE + (
        "import throughline.probes\n"
        "for module in pkgutil.walk_packages(throughline.probes.__path__, 'throughline.probes.'):\n"
        "    importlib.import_module(module.name)\n"
    )
    result = run(program, ",".join(PLATFORM_ONLY))
    assert result.returncode == 0, result.stderr


def test_bare_install_says_how_to_get_the_platform() -> None:
    """Without the extra, the console command is one sentence and a non-zero exit."""
    program = IMPORTS_BARE + (
        "from throughline.dashboards.cli import main\nsys.argv = ['throughline']\nmain()\n"
    )
    result = run(program, ",".join(PLATFORM_ONLY))
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "The platform is not installed: run pip install 'throughline[platform]'."
    ]
    assert result.stdout == ""


def test_probe_dependencies_stay_light() -> None:
    """The bare install enters other people's services: OpenTelemetry and nothing else."""
    assert all(name.startswith("opentelemetry-") for name in PROJECT["project"]["dependencies"])
