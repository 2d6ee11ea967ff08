"""The reference is complete: what the code declares stands in docs/reference.

`python tools/reference.py` writes the pages made from the code.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


def tool(name: str) -> ModuleType:
    path = ROOT / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"mutua_tools_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def headings(name: str) -> list[str]:
    return re.findall(r"^#{2,3} (.+)$", page(name), re.MULTILINE)


def event_names() -> set[str]:
    """Names of events: `day.emit("name", …)`, `_emit(day, "name", …)`, and both names of `name = "a" if x else "b"`."""
    found: set[str] = set()
    for path in sorted((ROOT / "governance").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = 0 if called == "emit" else 1 if called.startswith("_emit") else None
            if at is not None and len(node.args) > at and isinstance(node.args[at], ast.Constant):
                found.add(node.args[at].value)
    return found


def test_every_error_code_has_a_section_and_every_section_a_code() -> None:
    codes, unread = tool("error_codes").collect(ROOT)
    described = re.findall(r"^### (\S+)$", page("errors.md"), re.MULTILINE)
    assert not unread, f"a code is neither a literal nor passed to a helper: {unread}"
    missing = {code: min(found.places) for code, found in codes.items() if code not in described}
    assert not missing, f"write a section in docs/reference/errors.md for {missing}"
    assert not sorted(set(described) - set(codes)), "docs/reference/errors.md describes codes that nothing raises"
    assert len(described) == len(set(described)), "a code has two sections"


def test_every_section_of_an_error_gives_a_hint() -> None:
    sections = re.split(r"^### ", page("errors.md"), flags=re.MULTILINE)[1:]
    assert [part.split()[0] for part in sections if "\n*Hint:* " not in part] == []


@pytest.mark.parametrize("name", ["parameters.md", "receipts.md", "record-kinds.md", "scenarios.md"])
def test_the_page_is_what_the_code_says(name: str) -> None:
    assert page(name) == tool("reference").MADE[name](), "run: python tools/reference.py"


def test_every_parameter_and_record_kind_is_in_the_reference() -> None:
    from governance.kinds import KINDS
    from governance.params import PARAMETERS

    assert [name for name in PARAMETERS if f"| `{name}` |" not in page("parameters.md")] == []
    assert [name for name in KINDS if name not in headings("record-kinds.md")] == []


def test_every_command_and_option_is_in_the_reference() -> None:
    reference = tool("reference")
    text = page("commands.md")
    sections = dict(re.findall(r"^## mutua (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    for path, command in reference.commands():
        assert path in sections, (
            f"mutua {path} is missing in docs/reference/commands.md; run: python tools/reference.py"
        )
        for item in reference.options_of(command) if command is not None else ():
            for name in item.names:
                assert f"`{name}`" in sections[path], f"mutua {path} {name} is missing; run: python tools/reference.py"


def test_commands_shown_in_the_pages_exist() -> None:
    known = [path for path, _ in tool("reference").commands()]
    groups = {" ".join(path.split()[:depth]) for path in known for depth in (1, 2) if len(path.split()) > depth}
    wrong: list[str] = []
    for path in _pages():
        for block in re.findall(r"```console\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            for words in re.findall(r"^\s*mutua ((?:[a-z-]+ ?)+)", block, re.MULTILINE):
                name, *more = words.split()
                while name in groups and more:
                    name = f"{name} {more.pop(0)}"
                if name not in known:
                    wrong.append(f"{path.relative_to(ROOT)}: mutua {words}")
    assert wrong == []


def test_every_event_is_in_the_reference() -> None:
    assert sorted(event_names() - set(headings("events.md"))) == []


def test_every_described_event_can_happen() -> None:
    spoken = event_names() | {"block_final", "peer_up", "refused", "shown", "end"}
    described = {name for name in headings("events.md") if re.fullmatch(r"[a-z_]+", name)}
    assert sorted(described - spoken) == []


def test_the_scenario_of_the_reference_plays_and_its_claim_is_paid() -> None:
    from governance.simulation.rehearse import play
    from governance.simulation.scenario import parse

    events = list(play(parse(tool("reference").EXAMPLE.strip().split("\n"))))
    assert [event for event in events if event["event"] == "refused"] == []
    assert [event["amount_cents"] for event in events if event["event"] == "payout_due"] == [20_000]


def test_every_route_and_view_of_the_api_is_in_the_reference() -> None:
    from node.api.schema import ENDPOINTS, VIEWS

    text = page("api.md")
    assert [item.path for item in ENDPOINTS if item.path not in text] == []
    assert [name for name in VIEWS if f"`{name}`" not in text] == []


def test_every_setting_is_in_the_reference() -> None:
    from node.config import SETTINGS

    assert [item.name for item in SETTINGS if f"`{item.name}`" not in page("data-folder.md")] == []


def test_every_name_in_the_data_folder_is_in_the_reference() -> None:
    from node.paths import DataFolder

    root = Path("folder")
    names = [path.name for path in vars(DataFolder(root)).values() if path != root]
    assert len(names) > 5
    assert [name for name in names if f"`{name}" not in page("data-folder.md")] == []


def test_every_check_of_an_audit_is_in_the_reference() -> None:
    source = (ROOT / "ledger/verify.py").read_text(encoding="utf-8")
    checks = set(re.findall(r'Finding\(\s*[^,"]+(?:\([^)]*\))?[^,"]*,\s*"(\w+)"', source))
    assert len(checks) > 10
    assert [
        name
        for name in sorted(checks)
        if f"`{name}`" not in (ROOT / "docs/how-to/audit-a-folder.md").read_text(encoding="utf-8")
    ] == []


def _pages() -> list[Path]:
    return [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


def test_links_between_pages_lead_somewhere() -> None:
    targets = [
        (path, link)
        for path in _pages()
        for link in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    ]
    local = [(path, link) for path, link in targets if link and "://" not in link]
    assert [f"{path.relative_to(ROOT)}: {link}" for path, link in local if not (path.parent / link).exists()] == []


def _anchors(path: Path) -> set[str]:
    """The anchors of a page: its headings in lower case, punctuation dropped, a hyphen for each space."""
    headings = re.findall(r"^#{1,6} (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_anchors_in_links_are_headings_of_their_page() -> None:
    wrong: list[str] = []
    for path in _pages():
        for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", path.read_text(encoding="utf-8")):
            leads_to = path.parent / target if target else path
            if anchor not in _anchors(leads_to):
                wrong.append(f"{path.relative_to(ROOT)}: {target}#{anchor}")
    assert wrong == []


def test_pages_name_no_machine_and_no_registry() -> None:
    told = re.compile(r"/(?:home|work|root|tmp|Users)/|pypi\.org|index-url|localhost:\d", re.IGNORECASE)
    assert [str(path.relative_to(ROOT)) for path in _pages() if told.search(path.read_text(encoding="utf-8"))] == []
