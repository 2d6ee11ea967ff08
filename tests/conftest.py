"""What all tests share: reference data, which is used where it lies and never copied in."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def reference_file():
    """Find a file below MUTUA_REFERENCE_DATA, by its folder and name.

    The test is skipped where the data is not there.
    """

    def find(name: str) -> Path:
        base = os.environ.get("MUTUA_REFERENCE_DATA")
        if not base:
            pytest.skip("MUTUA_REFERENCE_DATA names no folder of reference data")
        for place in (Path(base), Path(base) / "data", Path(base).parent):
            if (place / name).exists():
                return place / name
        pytest.skip(f"the reference data in MUTUA_REFERENCE_DATA has no {name}")

    return find
