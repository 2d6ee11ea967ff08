"""Our top-level names are common words, so this guards them: nothing else that is installed may bring one of them."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("ledger", "governance", "consensus", "wallet", "node", "tui")


def test_the_six_names_belong_to_this_distribution_alone() -> None:
    owners = importlib.metadata.packages_distributions()
    strangers = {name: [item for item in owners.get(name, []) if item.lower() != "mutua"] for name in NAMES}
    assert {name: found for name, found in strangers.items() if found} == {}


def test_the_six_names_are_imported_from_here() -> None:
    for name in NAMES:
        module = __import__(name)
        assert Path(module.__file__ or "").resolve().parent == ROOT / name, f"{name} comes from {module.__file__}"


def test_exactly_the_six_packages_are_shipped_and_each_is_typed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == NAMES
    assert [name for name in NAMES if not (ROOT / name / "py.typed").exists()] == []


def test_no_package_imports_the_tests_or_the_tools() -> None:
    found = [
        str(path.relative_to(ROOT))
        for name in NAMES
        for path in (ROOT / name).rglob("*.py")
        if any(
            line.startswith(("from tests", "import tests", "from tools", "import tools"))
            for line in path.read_text(encoding="utf-8").splitlines()
        )
    ]
    assert found == []


def test_the_command_is_installed() -> None:
    try:
        scripts = importlib.metadata.distribution("mutua").entry_points
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("mutua is not installed here; make test installs it")
    assert [(item.name, item.value) for item in scripts if item.group == "console_scripts"] == [
        ("mutua", "node.cli.main:main")
    ]


def test_pins_name_no_registry() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
