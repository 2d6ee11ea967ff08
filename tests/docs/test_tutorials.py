"""The tutorials are played: each console block, in order, in one shell and a fresh folder; what a page quotes is said.

A devnet's day is shortened, and each `sleep` with it; nothing else of the page is changed. The two lines that set up
the environment are left out: the test already runs in it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```console\n((?:[^`].*\n)*?)```\n((?:\n|> .*\n)*)", re.MULTILINE)
SET_UP = ("make setup", ". .venv/bin/activate")
DAY_MS, TEST_DAY_MS = 2_000, 700
STEP_MARK = "=== step"
# What depends on how fast the machine is: how far the run has come, and the block in which it ended.
BY_THE_CLOCK = re.compile(r"\d+(?= of 15 passing)|(?<=in block )\d+")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the commands of each console block, and the words that the page quotes after it."""
    return [
        (commands, " ".join(line.removeprefix("> ") for line in quoted.splitlines() if line))
        for commands, quoted in BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


def script(page: Path) -> str:
    """Return the page as one shell script that stops at the first command that fails."""
    lines = ["set -eu"]
    for number, (commands, _) in enumerate(blocks(page)):
        lines.append(f"echo '{STEP_MARK} {number}'")
        lines += [line for line in commands.splitlines() if line not in SET_UP]
    text = "\n".join(lines).replace(f"--interval-ms {DAY_MS}", f"--interval-ms {TEST_DAY_MS}")
    return re.sub(r"sleep (\d+)", lambda found: f"sleep {int(found[1]) * TEST_DAY_MS // DAY_MS}", text)


def folded(text: str) -> str:
    return BY_THE_CLOCK.sub("N", " ".join(text.split()))


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_can_be_pasted_from_its_first_line_to_its_last_and_says_what_it_quotes(page: Path, tmp_path: Path):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "HOME": str(tmp_path)}
    environment.pop("MUTUA_DATA_DIR", None)
    try:
        played = subprocess.run(
            ["bash", "-c", script(page)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
    finally:
        subprocess.run(["mutua", "devnet", "down"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert played.returncode == 0, f"{played.stdout[-2_000:]}\n{played.stderr[-2_000:]}"
    said = re.split(rf"^{STEP_MARK} \d+\n", played.stdout, flags=re.MULTILINE)[1:]
    for (commands, quoted), answer in zip(blocks(page), said, strict=True):
        assert folded(quoted) in folded(answer), commands
