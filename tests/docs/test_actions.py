"""The table of actions names every record kind, and each command in it exists."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r"^\| `([a-z._]+)` \| ([^|]+) \| `mutua ([^`]+)` \|([^|]*)\|$",
    (ROOT / "docs/reference/actions.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def commands() -> dict[str, object]:
    spec = importlib.util.spec_from_file_location("mutua_tools_reference_for_actions", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return {path: module.options_of(command) for path, command in module.commands() if command is not None}


def test_every_record_kind_is_in_the_table_once_with_who_and_how() -> None:
    from governance.kinds import KINDS

    assert sorted(kind for kind, _, _, _ in ROWS) == sorted(KINDS)
    assert [kind for kind, who, _, _ in ROWS if len(who.split()) < 2] == []


def test_every_command_of_the_table_exists_and_answers_programs() -> None:
    known = commands()
    named = {command for _, _, command, _ in ROWS}
    assert sorted(named - set(known)) == []
    silent = [name for name in named - {"run"} if not any("--json" in item.names for item in known[name])]
    assert silent == []


def test_every_screen_of_the_table_exists() -> None:
    screens = {screen.strip().strip("`") for _, _, _, screen in ROWS} - {""}
    assert sorted(name for name in screens if not (ROOT / "tui" / "screens" / f"{name}.py").exists()) == []


def test_a_kind_that_others_must_sign_says_so() -> None:
    from governance.kinds import KINDS

    told = {kind: who for kind, who, _, _ in ROWS}
    assert [
        name
        for name, kind in KINDS.items()
        if kind.attested and "with" not in told[name] and "m of n" not in told[name]
    ] == []
