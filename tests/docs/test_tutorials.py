"""The tutorials are played: each console block, in order, in one shell and a fresh folder; what a page quotes is said.

A devnet's day is shortened, and each `sleep` with it; nothing else of the page is changed. The two lines that set up
the environment are left out: the test already runs in it. While the first tutorial waits for its vote, and after its
end, a newcomer's first hour is played in the same shell: `first_hour.txt`. Between them they play what README names.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorials" / "first-devnet.md"
HOUR = Path(__file__).with_name("first_hour.txt")
BLOCK = re.compile(r"^```console\n((?:[^`].*\n)*?)```\n((?:\n|> .*\n)*)", re.MULTILINE)
SET_UP = ("make setup", ". .venv/bin/activate")
DAY_MS, TEST_DAY_MS = 2_000, 700
STEP_MARK, HOUR_MARK = "=== step", "=== hour"
# What depends on how fast the machine is: how far the run has come, and the block in which it ended.
BY_THE_CLOCK = re.compile(r"\d+(?= of 15 passing)|(?<=in block )\d+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A command of the first hour, and all that is said to it."""

    part: str
    command: str
    said: str
    code: int


@dataclass(frozen=True, slots=True)
class Played:
    """What a run of the tutorial with the first hour said: by step, and by command of the hour with its exit code."""

    steps: list[str]
    hour: list[tuple[str, int]]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the commands of each console block, and the words that the page quotes after it."""
    return [
        (commands, " ".join(line.removeprefix("> ") for line in quoted.splitlines() if line))
        for commands, quoted in BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


def first_hour() -> Iterator[Entry]:
    """Yield the commands of the first hour in order."""
    for part, text in re.findall(r"^== (\w+): .*\n((?:(?!== ).*\n)*)", HOUR.read_text(encoding="utf-8"), re.MULTILINE):
        for entry in re.findall(r"^  \$ (.*\n(?:  > .*\n)*)((?:  (?!\$ ).*\n)*)", text, re.MULTILINE):
            command, said = (re.sub(r"^  (> )?", "", item, flags=re.MULTILINE) for item in entry)
            code = re.search(r"^\[(\d+)\]\n\Z", said, re.MULTILINE)
            yield Entry(part, command, said[: code.start()] if code else said, int(code[1]) if code else 0)


def hour_script(part: str) -> str:
    """Return a part of the first hour as shell script; a command that fails does not end it."""
    return "\n".join(
        f"echo '{HOUR_MARK}'\nif {{ {entry.command}}} </dev/null; then echo '[0]'; else echo \"[$?]\"; fi"
        for entry in first_hour()
        if entry.part == part
    )


def with_hour(sleep: re.Match[str]) -> str:
    """Return a wait, shortened, with the first hour played during it."""
    wait = f"sleep {int(sleep[1]) * TEST_DAY_MS // DAY_MS} &\nwaiting=$!\n"
    return f"{wait}{{\n{hour_script('live')}\n}} >> hour.out 2>&1\nwait $waiting"


def script() -> str:
    """Return the tutorial with the hour as one shell script that stops at the first command of the page that fails."""
    lines = ["set -eu"]
    for number, (commands, _) in enumerate(blocks(TUTORIAL)):
        lines.append(f"echo '{STEP_MARK} {number}'")
        lines += [line for line in commands.splitlines() if line not in SET_UP]
    text = "\n".join(lines).replace(f"--interval-ms {DAY_MS}", f"--interval-ms {TEST_DAY_MS}")
    return re.sub(r"sleep (\d+)", with_hour, text) + f"\n{{\n{hour_script('stopped')}\n}} >> hour.out 2>&1\n"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    place = tmp_path_factory.mktemp("hour")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    terminal = str(Path(__file__).with_name("on_a_terminal.py"))
    environment = os.environ | {"PATH": path, "HOME": str(place), "ON_A_TERMINAL": terminal}
    environment.pop("MUTUA_DATA_DIR", None)
    try:
        done = subprocess.run(
            ["bash", "-c", script()], cwd=place, env=environment, capture_output=True, text=True, timeout=300
        )
    finally:
        subprocess.run(["mutua", "devnet", "down"], cwd=place, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}"
    steps = re.split(rf"^{STEP_MARK} \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    answers = (place / "hour.out").read_text(encoding="utf-8").split(f"{HOUR_MARK}\n")[1:]
    ends = [re.fullmatch(r"((?:.*\n)*?)\[(\d+)\]\n", answer) for answer in answers]
    return Played(steps, [(end[1], int(end[2])) for end in ends if end])


def folded(text: str) -> str:
    return BY_THE_CLOCK.sub("N", " ".join(text.split()))


def test_the_tutorial_can_be_pasted_from_its_first_line_to_its_last_and_says_what_it_quotes(played: Played) -> None:
    assert [TUTORIAL] == list(TUTORIAL.parent.glob("*.md"))
    for (commands, quoted), answer in zip(blocks(TUTORIAL), played.steps, strict=True):
        assert folded(quoted) in folded(answer), commands


def test_a_first_hour_gets_the_answers_and_exit_codes_that_stand_in_its_script(played: Played) -> None:
    wrong: list[str] = []
    for entry, (said, code) in zip(first_hour(), played.hour, strict=True):
        assert entry.code == 0 or entry.said.count("\n") == 1, f"a mistake is answered in one line: {entry.command}"
        form = re.escape(entry.said).replace("…\\\n", "…\n")
        form = re.sub(r"^…\n", r"(?:.*\n)*", form, flags=re.MULTILINE).replace("…", ".*")
        if not re.fullmatch(form, said) or code != entry.code:
            wrong.append(f"$ {entry.command}{said}[{code}], not\n{entry.said}[{entry.code}]\n")
    assert not wrong, "\n".join(wrong)


# ---- What README names --------------------------------------------------------------


def named() -> list[str]:
    """Return the code in README's words and blocks, in order."""
    text = README.read_text(encoding="utf-8")
    return [block or words for block, words in re.findall(r"^```console\n([^`]*)```|`([^`\n]+)`", text, re.MULTILINE)]


def named_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command of `mutua` that README names, with the options or answers that it names after it.

    A single word after a command is another one of the same group: "`mutua vote list`, `cast`".
    """
    command, beside = "", list[str]()
    for item in named():
        is_next = command and re.fullmatch(r"[a-z]+", item)
        if item.startswith("mutua ") or is_next:
            if command:
                yield command, beside
            command, beside = f"{command.rsplit(' ', 1)[0]} {item}" if is_next else item, []
        elif item.startswith("--") or "   " in item:
            beside.append(item)
    yield command, beside


def test_each_command_that_readme_names_was_played_and_says_what_readme_quotes(played: Played) -> None:
    lines = [(line, said) for (text, _), said in zip(blocks(TUTORIAL), played.steps) for line in text.splitlines()]
    lines += [(entry.command, said) for entry, (said, code) in zip(first_hour(), played.hour) if code == 0]
    commands = list(named_commands())
    assert len(commands) >= 10, commands
    for command, beside in commands:
        answers = [(line, said) for line, said in lines if re.search(rf"\b{command}\b", line)]
        assert answers, f"README names {command}, which nobody played"
        for item in beside:
            is_option = item.startswith("--")
            fits = any(
                all(word in line for word in item.split()) if is_option else item in said for line, said in answers
            )
            assert fits, f"README says {item} beside {command}"


def test_what_readme_asks_make_for_exists_and_calls_mutua_with_options_that_it_takes() -> None:
    """Their runs take minutes and have tests of their own."""
    asked = {line.split("#")[0].strip() for item in named() for line in item.splitlines() if line.startswith("make ")}
    assert {"make demo", "make lab", "make test"} < asked
    for command in sorted(asked):
        recipe = subprocess.run(
            [*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        calls = re.findall(r"^\S*/mutua (.*)$", recipe, re.MULTILINE)
        assert calls or "pytest" in recipe, recipe
        for call in calls:
            app.parse_args(shlex.split(call), exit_on_error=False, print_error=False)
