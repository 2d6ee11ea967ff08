"""Hatchling runs this when it builds: it puts the commit into the archive, so that an installed mutua can name it."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):
    """Add `node/cli/node/commit.txt`, unless the install is editable or the source is an archive that has it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file outside the tree and let the builder include it."""
        told = runpy.run_path(str(Path(self.root, "node/cli/node/version.py")))
        commit = "" if version == "editable" else told["find_commit"](Path(self.root))
        if commit:
            self._folder = tempfile.TemporaryDirectory()
            path = Path(self._folder.name, told["COMMIT_FILE"])
            path.write_text(f"{commit}\n", encoding="utf-8")
            build_data["force_include"][str(path)] = f"node/cli/node/{path.name}"
