"""What `mutua --version` says: the release, its commit, and the newest protocol version that it knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

COMMIT_FILE = "commit.txt"
"""Stands beside this file where mutua is installed: tools/build_hook.py puts it there. A checkout asks git instead."""


def version_words() -> str:
    """Return one line that tells this program from every other build of it."""
    import importlib.metadata

    from governance.protocol import KNOWN_VERSIONS

    here = Path(__file__).resolve().parent
    built = here / COMMIT_FILE
    commit = built.read_text(encoding="utf-8").strip() if built.exists() else find_commit(here.parents[2])
    release = importlib.metadata.version("mutua")
    return f"mutua {release}, commit {commit or 'unknown'}, protocol version {max(KNOWN_VERSIONS)}"


def find_commit(checkout: Path) -> str:
    """Return the commit of a checkout, with `-dirty` when its files differ from it; empty when there is none."""
    if not (checkout / ".git").exists():  # git would look further up, and tell the commit of another project
        return ""
    words = ("git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
