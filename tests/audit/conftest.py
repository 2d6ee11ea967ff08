"""Makes `audit` (under tests) importable, whatever else is called `tests` on this machine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
