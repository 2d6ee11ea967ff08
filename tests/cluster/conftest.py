"""Fixtures for tests with misbehaving peers.

The attackers, and the cluster of networks of the transport's own tests.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import trio


def load(name: str, path: Path) -> ModuleType:
    """A helper file as a module; tests are no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def attackers() -> ModuleType:
    return load("mutua_attackers", HERE / "attackers.py")


@pytest.fixture(scope="session")
def battery() -> ModuleType:
    return load("mutua_battery", HERE / "battery.py")


@pytest.fixture(scope="session")
def p2p_helpers() -> ModuleType:
    return load("mutua_p2p_helpers", HERE.parent / "unit" / "node_p2p" / "conftest.py")


@pytest.fixture
async def cluster(nursery: trio.Nursery, p2p_helpers: ModuleType):
    return p2p_helpers.Cluster(nursery)
