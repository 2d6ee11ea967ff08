"""Our top-level names are common words, so this guards them: nothing else that is installed may bring one of them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from node.cli.node.version import find_commit

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


OVERRIDDEN = {("libp2p", "fastecdsa")}
"""libp2p asks for a version without a wheel for Linux; tools/overrides.txt says why another one does."""


def pins() -> dict[str, str]:
    """Return the pinned version of each package."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def needs_of(name: str, extras: frozenset[str]) -> list[Requirement]:
    """Return what an installed package needs here with these extras."""
    found = [Requirement(line) for line in importlib.metadata.requires(name) or ()]
    return [
        item
        for item in found
        if item.marker is None or any(item.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def test_the_pins_are_complete_and_fit_what_each_package_asks_for() -> None:
    """They are installed without a resolver (tools/setup.sh), so nothing else would notice."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["demo"], *extras["plots"], *extras["dev"]]
    todo, pinned, seen, faults = [("mutua", Requirement(line)) for line in asked], pins(), set(), []
    while todo:
        asker, need = todo.pop()
        name, wanted = canonicalize_name(need.name), frozenset(need.extras)
        if name not in pinned or not (need.specifier.contains(pinned[name]) or (asker, name) in OVERRIDDEN):
            faults.append(f"{asker} asks for {need}, pinned is {pinned.get(name)}")
        elif (name, wanted) not in seen:
            seen.add((name, wanted))
            todo += [(name, item) for item in needs_of(name, wanted)]
    assert faults == []
    assert sorted(set(pinned) - {name for name, _ in seen}) == [], "nobody asks for these"


def test_an_interpreter_is_chosen_by_running_it(tmp_path: Path) -> None:
    """A shim may be on the path and fail: the next of the same name is taken."""
    name = f"python3.{sys.version_info.minor}"
    for folder, text in (("shims", "exit 127"), ("old", "exit 1"), ("real", f'exec "{sys.executable}" "$@"')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / folder / name).chmod(0o755)

    def choose(*folders: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(tmp_path / folder) for folder in folders)
        words = [shutil.which("sh") or "sh", str(ROOT / "tools/find_python.sh")]
        return subprocess.run(words, capture_output=True, text=True, env={"PATH": path}, timeout=60, check=False)

    assert choose("shims", "old", "real").stdout == f"{platform.python_version()} {sys._base_executable}\n"
    none = choose("shims", "old")
    assert (none.returncode, none.stdout, none.stderr.count("\n")) == (1, "", 1)
    assert "apt-get install" in none.stderr


def test_what_is_built_names_its_commit(tmp_path: Path) -> None:
    """From a checkout, and from the source archive that a checkout gives."""
    pytest.importorskip("hatchling")
    commit = find_commit(ROOT)
    if not commit:
        pytest.skip("this is not a checkout")
    build = "import sys; from hatchling.builders.{0} import {1}; print(next({1}('.').build(directory=sys.argv[1])))"
    source = run_in(ROOT, build.format("sdist", "SdistBuilder"), tmp_path)
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    for folder in (ROOT, next((tmp_path / "source").iterdir())):
        with zipfile.ZipFile(run_in(folder, build.format("wheel", "WheelBuilder"), tmp_path)) as wheel:
            assert wheel.read("node/cli/node/commit.txt").decode().strip() == commit
            shipped = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}
            assert shipped == set(NAMES)


def run_in(folder: Path, code: str, argument: Path) -> str:
    """Run a line of Python in a folder and return the last line that it prints."""
    words = [sys.executable, "-c", code, str(argument)]
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=120, check=True
    ).stdout.splitlines()[-1]


def test_pins_name_no_registry() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
