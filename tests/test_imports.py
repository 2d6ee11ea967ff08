"""Who may import whom, and what stays unloaded until it is needed (architecture: import contracts, cold start)."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("libp2p", "bitcoinlib", "web3", "textual")
"""Each costs about a second or more to import; bitcoinlib also makes a folder in the home of whoever imports it."""

REPORT = """
import contextlib, io, sys
words, heavy = sys.argv[1].split(), sys.argv[2].split()
from node.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    code = main(words)
print(code, *[name for name in heavy if name in sys.modules])
"""


def run_command(words: str, folder: Path) -> tuple[int, list[str]]:
    """Run a command in a process of its own; return its exit code and the heavy modules it loaded."""
    environment = {
        "PATH": "",
        "MUTUA_DATA_DIR": str(folder / "data"),
        "HOME": str(folder),
        "PYTHONHASHSEED": "0",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", REPORT, words, " ".join(HEAVY)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, *loaded = done.stdout.split()
    return int(code), loaded


@pytest.fixture(scope="module")
def needs_cli() -> None:
    if find_spec("node.cli.main") is None:
        pytest.skip("node/cli/main.py does not exist yet")


@pytest.mark.usefixtures("needs_cli")
@pytest.mark.parametrize(
    ("words", "module", "code"),
    [
        ("--help", "node.cli.main", 0),
        ("status", "node.cli.node.live", 3),
        ("vote list", "node.cli.claims.vote", 3),
        ("vote --help", "node.cli.claims.vote", 0),
        ("claim list", "node.cli.claims.claim", 3),
        ("claim --help", "node.cli.claims.claim", 0),
        ("config show", "node.cli.node.settings", 0),
        ("audit --help", "node.cli.audit.audit", 0),
        ("--version", "node.cli.node.version", 0),
        ("completion bash", "node.cli.node.settings", 0),
    ],
)
def test_a_light_command_loads_neither_libp2p_nor_bitcoinlib_nor_web3(
    words: str, module: str, code: int, tmp_path: Path
) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} does not exist yet, so `mutua {words}` cannot run")
    assert run_command(words, tmp_path) == (code, [])


@pytest.mark.usefixtures("needs_cli")
def test_a_look_at_the_help_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    run_command("--help", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_import_contracts_are_kept() -> None:
    """The contracts of pyproject.toml.

    Ledger below, governance, consensus and wallet on it, node above all, tui beside.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rule_modules_never_import_the_actuarial_laboratory() -> None:
    """Prices reach the rules as integers that members agreed on; floats stay outside."""
    import ast

    found: list[str] = []
    for path in sorted((ROOT / "governance").rglob("*.py")):
        if "simulation" in path.parts or "actuarial" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                ("governance.actuarial", "governance.simulation")
            ):
                found.append(str(path.relative_to(ROOT)))
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} holds a float")
    assert found == []


def test_tables_stand_in_state_alone() -> None:
    """So no rule module can read another's rows through it."""
    import ast

    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "governance").rglob("*.py"))
        if "state" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Table"
    ]
    assert found == []


def test_the_views_the_client_and_the_words_load_nothing_of_a_node() -> None:
    code = "import sys, node.api.client, node.api.schema, node.api.standing, node.api.openapi; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    heavy = {
        "governance",
        "ledger",
        "consensus",
        "wallet",
        "trio",
        "httpx",
        "starlette",
        "libp2p",
        "bitcoinlib",
        "web3",
    }
    assert not heavy & {name.partition(".")[0] for name in loaded}
    assert {name for name in loaded if name.startswith("node.")} <= {
        "node.api",
        *(
            f"node.api.{name}"
            for name in ("client", "errors", "openapi", "schema", "sockets", "standing", "text", "views")
        ),
        *(name for name in loaded if name.startswith("node.api.views.")),
    }
