"""Write the reference pages that follow from the code: parameters, record kinds, commands.

`python tools/reference.py` writes them; `--check` writes nothing and exits 1 with the names of pages that are not up to
date. What a number, a field or an option means is said once, where it is declared, and copied here.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402 - the project's own packages lie beside this folder

from governance.kinds import KINDS  # noqa: E402
from governance.params import PARAMETERS  # noqa: E402

PAGES = Path("docs/reference")
NOTE = "<!-- made by tools/reference.py; change the code it reads, not this page -->"


PARAMETERS_INTRO = """
# Parameters

Every number that members may change by a proposal. A case keeps the parameters of the block that included it.
A change of a **critical** parameter needs two thirds yes and takes effect one term later. *Source* is the section of
the rules.

A charter may set other initial values; an unknown name is an error ([param_unknown](errors.md#param_unknown)).

Constants, which members cannot change: a term has 30 blocks, a year has 12 terms, a premium changes by at most a tenth
a term, and the rows of the approval threshold.

| name | default | unit | from | to | critical | source | meaning |
|---|--:|---|--:|--:|---|---|---|
"""


def parameters_page() -> str:
    """Return the table of parameters."""
    lines = [NOTE, *PARAMETERS_INTRO.splitlines()]
    for item in PARAMETERS.values():
        critical = "yes" if item.is_critical else ""
        lines.append(
            f"| `{item.name}` | {item.default} | {item.unit} | {item.value_min} | {item.value_max} | {critical} |"
            f" {item.source} | {item.meaning} |"
        )
    return "\n".join(lines) + "\n"


KINDS_INTRO = """
# Record kinds

A record is what a member signs: an envelope (version, chain, kind, author, signer, number, validity, hash of the body,
attestations) and a body, kept apart. The order of fields is the order on the wire. Bytes are hex in the API; times are
block heights; `_cents` are minor units of the co-op's currency, `_sat` satoshi, `_bp` hundredths of a percent.
"""


def kinds_page() -> str:
    """Return the record kinds with their bodies."""
    lines = [NOTE, *KINDS_INTRO.splitlines(), "", f"There are {len(KINDS)} kinds.", ""]
    structs: dict[str, type[msgspec.Struct]] = {}
    for kind in KINDS.values():
        lines += [f"## {kind.name}", "", _doc(kind.body), ""]
        signer = "by the member's identity or device key" if kind.is_by_member else "by a key that the body names"
        if kind.key == "identity" and kind.is_by_member:
            signer = "by the member's identity key; a device key is not accepted"
        if kind.name == "claim.file":
            signer = (
                "by the cover key, so that the claim does not name the member, or in a community scheme by the provider"
            )
        others = "".join(f"; {item.who} (role `{item.role}`)" for item in kind.attested)
        lines += [f"*Signed* {signer}{others}.", ""]
        lines += [*_fields(kind.body, structs), ""]
    lines += ["## Parts of bodies", ""]
    for name in sorted(structs):
        lines += [f"### {name}", "", _doc(structs[name]), "", *_fields(structs[name], structs), ""]
    return "\n".join(lines).rstrip() + "\n"


def _doc(shape: type) -> str:
    return " ".join((inspect.getdoc(shape) or "").split())


def _fields(shape: type, structs: dict[str, type[msgspec.Struct]]) -> list[str]:
    hints = get_type_hints(shape)
    names: tuple[str, ...] = shape.__struct_fields__  # type: ignore[attr-defined]
    if not names:
        return ["The body is empty."]
    rows = [f"| `{name}` | {_type_words(hints[name], structs)} |" for name in names]
    return ["| field | type |", "|---|---|", *rows]


def _type_words(hint: Any, structs: dict[str, type[msgspec.Struct]]) -> str:
    """Return a type in words, and note the structs met on the way."""
    words = {int: "integer", str: "text", bytes: "bytes", bool: "yes or no", type(None): "nothing"}
    if hint in words:
        return words[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        structs.setdefault(hint.__name__, hint)
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    parts = [_type_words(part, structs) for part in getattr(hint, "__args__", ()) if part is not Ellipsis]
    return f"list of {parts[0]}" if getattr(hint, "__origin__", None) is tuple else " or ".join(parts)


COMMANDS_INTRO = """
# Commands

Errors go to standard error as `mutua: what happened; hint`, with `--json` as `error`: code, what, hint.
Codes: [errors.md](errors.md). `mutua COMMAND --help` shows the same text as this page.
`mutua --version` names the release, its commit and the newest protocol version that it knows.
"""


UNDO_INTRO = """
## What cannot be undone

A command asks before it sends a record. Without a terminal, or with `--json`, nobody can be asked: what can be taken
back is sent, and the following only with `--yes` (otherwise exit code 2, and nothing is sent).

| record | why |
|---|---|
"""


def _undo_rows() -> list[str]:
    from node.cli.undo import CANNOT_UNDO

    return [f"| `{kind}` | {reason} |" for kind, reason in CANNOT_UNDO.items()]


def commands_page() -> str:
    """Return every command with its options."""
    lines = [NOTE, *COMMANDS_INTRO.splitlines(), "", *_exit_codes(), "", *UNDO_INTRO.splitlines(), *_undo_rows(), ""]
    for path, command in commands():
        lines += [f"## mutua {path}", ""]
        if command is None:
            lines += ["Not in this version yet.", ""]
            continue
        lines += [*_help_words(command), "", *_options(command), ""]
    return "\n".join(lines).rstrip() + "\n"


def _exit_codes() -> list[str]:
    """Return the table of exit codes from the module that declares them."""
    doc = importlib.import_module("node.exit_codes").__doc__ or ""
    return [line for line in doc.splitlines() if line.startswith("|")]


def commands() -> Iterator[tuple[str, Any]]:
    """Yield (words after `mutua`, command), in the order of the help; None for a command whose module is not there."""
    main = importlib.import_module("node.cli.main")
    for entry in (item for group in main.COMMANDS.values() for item in group):
        try:
            command = main.app[entry.name]
            command.default_command  # noqa: B018 - a late command is imported here
        except (ImportError, AttributeError):
            yield entry.name, None
            continue
        yield from _commands_of(entry.name, command)


def _commands_of(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield a command, if it does something itself, and the commands below it."""
    if command.default_command is not None:
        yield path, command
    for name in command:
        if not name.startswith("-"):
            yield from _commands_of(f"{path} {name}", command[name])


def _help_words(command: Any) -> list[str]:
    text = inspect.cleandoc(command.help or "")
    text = text.split("\n:param ")[0].strip()
    return textwrap.wrap(" ".join(text.split()), 120) if "\n\n" not in text else text.splitlines()


def options_of(command: Any) -> list[Any]:
    """Return the arguments of a command that people may give."""
    return [item for item in command.assemble_argument_collection(parse_docstring=True) if item.show and item.names]


def _options(command: Any) -> list[str]:
    rows: list[str] = []
    for item in options_of(command):
        names = ", ".join(f"`{name}`" for name in item.names)
        if item.index is not None:  # given by its place, too
            names = f"{item.names[0].lstrip('-').replace('-', '_').upper()} or {names}"
        words = " ".join((item.parameter.help or "").split()).replace("|", "\\|")
        default = item.field_info.default
        shown = "" if item.required else _default_words(default)
        rows.append(f"| {names} | {words} | {'needed' if item.required else shown} |")
    return ["| option | meaning | default |", "|---|---|---|", *rows] if rows else ["No options."]


def _default_words(default: Any) -> str:
    if default is None or default is inspect.Parameter.empty or default in ("", ()):
        return ""
    if isinstance(default, bool):
        return "yes" if default else ""
    return f"`{default}`" if isinstance(default, (int, str, Path)) else ""


SCENARIOS_INTRO = """
# Scenario files

`mutua rehearse FILE` plays a scenario through the real rules, without network, clock or keys, and prints one
[event](events.md) a line. Two runs print the same bytes on any machine.

A file is JSON Lines, sorted by `at`. The first line is `genesis`. An action at height `at` closes every block below and
becomes a record of that block; the end of the file closes the open one. Names are labels of the file. An action that
the rules refuse is an event `refused`; a file that does not parse plays nothing (exit code 2).
"""
STORY: list[dict[str, Any]] = [
    {
        "do": "genesis",
        "plans": [{"name": "basic", "premium_cents": 50000}],
        "members": [{"name": "ann", "plan": "basic"}, {"name": "bob", "plan": "basic"}],
        "providers": ["lee"],
        "codes": [{"code": "A1", "standard": True, "allowed_cents": 30000}],
        "accounts": {"claims": 5000000},
        "rate": 10000000,
        "auto_pay": True,
    },
    {
        "at": 3,
        "do": "claim",
        "id": "c1",
        "by": "ann",
        "provider": "lee",
        "lines": [{"code": "A1", "charge_cents": 20000, "day": 2}],
    },
    {"at": 3, "do": "advance", "to": 10},
    {"at": 10, "do": "show", "what": "claim", "name": "c1"},
]
EXAMPLE = "\n".join(json.dumps(line, separators=(",", ":")) for line in STORY)


def scenarios_page() -> str:
    """Return the format of scenario files, with a small one that the tests play."""
    from governance.simulation import actions

    lines = [NOTE, *SCENARIOS_INTRO.splitlines(), "", "```json", EXAMPLE, "```", ""]
    no_records = ", ".join(f"`{name}`" for name in actions.NO_RECORDS)
    lines += ["## Actions", "", "Fields other than `at` and `do`, with the default, if any, in brackets.", ""]
    lines += [
        f"Every action except {no_records} may name in `signed_by` the key that signs it; without",
        "it the acting member's identity key signs (a claim is signed by its cover).",
        "",
    ]
    lines += ["| do | fields |", "|---|---|", f"| `genesis` | {_scenario_fields(actions.GENESIS_FIELDS)} |"]
    lines += [f"| `{name}` | {_scenario_fields(fields)} |" for name, fields in actions.ACTIONS.items()]
    lines += ["", "`propose` has the fields of what it proposes as well:", "", "| what | fields |", "|---|---|"]
    lines += [f"| `{name}` | {_scenario_fields(fields)} |" for name, fields in actions.PROPOSALS.items()]
    lines += ["", "## Objects", "", "| object | fields |", "|---|---|"]
    lines += [f"| {name} | {_scenario_fields(fields)} |" for name, fields in actions.OBJECTS.items()]
    return "\n".join(lines) + "\n"


def _scenario_fields(fields: dict[str, Any]) -> str:
    """Return the fields of an action with their defaults."""
    from governance.simulation.actions import ABSENT

    words: list[str] = []
    for name, item in fields.items():
        if name in ("do", "at"):
            continue
        text = f"`{name}`"
        if item.choices:
            text += ": " + ", ".join(item.choices)
        if item.default is not ABSENT and not (item.default in ((), {}, "") and not item.choices):
            shown = (
                "none"
                if item.default is None
                else str(item.default).lower()
                if isinstance(item.default, bool)
                else item.default
            )
            text += f" ({shown})"
        words.append(text)
    return " · ".join(words)


RECEIPTS_INTRO = """
A receipt shows what decided a claim: the rule, its inputs, each block's tally, the approval threshold before and after
seniority, every settlement step and every payment. `mutua claim explain CLAIM` (a running node) and
`mutua audit explain CLAIM --data-dir FOLDER` (offline) explain it in sentences; with `--json` they print it.
It is collected by replaying the ledger from genesis, so it holds nothing that the ledger does not.

Keys and ids are hexadecimal, amounts minor units of the currency, times block heights, `_bp` hundredths of a percent.
`null` means that there is no such limit or no such item. The receipt does not contain the claimant's member key,
because a claim names a cover. Voters are named as on the ledger. `bar` is the approval threshold; `s` is the block that
included the claim.

## Recompute it

You do not need the program for this. Some figures are inputs that only the ledger can show: the ballots, the accounts
of a block, what the cover had used up before the claim's first line, the plan and the code of the day. Everything else
follows, with `//` for division rounded down:

1. **The block that included the claim.** A line is refused for the first of these that applies:
   8 `filed_height > last_filing_height`; 1 its day is in no span of the cover, in a gap, from `suspended_from` on or
   after `run_off_height`; 2 it is in the waiting days; 4 the plan lists codes, and not this one. Other standard lines
   settle; the rest are cases by code.
2. **Settlement**, in the order of `settlements`: `other = min(charge, other payer left)`; all of the charge: refusal 7.
   `units = min(units, frequency - units_before)`; none left: refusal 3.
   `allowed = min(charge - other, allowed_amount * units, award left)`. `deductible = min(allowed, plan - before)`.
   `copay = min(plan, rest)`, once a claim. `coinsurance = rest - rest * (10000 - bp) // 10000`.
   `relief = min(borne, borne_before + borne - oop_max)`, at least 0. The smallest amount left under the `ceilings` cuts
   the benefit.
3. **The approval threshold.** D = sum of `denied`; N = sum of `voted` + min(sum of `auto`, sum of `voted`);
   n = max(N, `deny_sample_min`); the first row of 95 %: 10000, 85: 9500, 80: 9000, 75: 8500, 70: 8000, 65: 7500,
   0: 5000 with `100 * D >= percent * n` is `bar`. Seniority = min(years * step, max, bar - floor), 0 in the first row.
   `need = bar - seniority`.
4. **Quorum.** The electorate E = `voters` - the excluded voters; Q = min(E, max(`quorum_min`, min(`quorum_max`,
   E / `quorum_div` rounded up))); half of Q, rounded up, must have opened the evidence.
5. **Each block** from s+1 on: count the ballots with `from_height <= block <= to_height`; it passes when yes + no >= Q,
   enough opened (not by auto-accept or delegation), and `10000 * yes >= need * (yes + no)`. `streak` counts passing
   blocks in a row.
6. **The decision.** `streak_blocks` in a row with E >= `min_voters`: accepted. At s + `vote_blocks`: quorum without a
   pass is denied; else a second filing is decided without quorum by three ballots or settled with `lapse_pay_cents`;
   a first one is paid as the term's small claim or lapses. The award is the lower median of the accepting ballots'
   awards (null: the charges).
7. **Payments**: `cap = start_reserve * claim_reserve_bp // 10000`; paid = min(owed, claims + min(cap, reserve)); short
   at a boundary: owed * available // total at most. At the end of run-off there is no cap. No payment is above
   21,000,000 bitcoin.
8. **Draws**: panels are drawn in the order of SHA-256(randomness, `kind/claim/code` with the claim's bytes, a zero
   byte, key); a claim is drawn for audit when its number is below `random_bp`, or ten times that for another trigger
   than `random`.

`tests/receipts/stranger.py` does all this in one file and imports nothing from the program.

## Fields
"""


RECEIPTS_OTHERS = """
`mutua audit explain --proposal ID`, `--member KEY` and `--premium PLAN` print these, with `--data-dir FOLDER`. To
compute them again:

- **Proposal**: sponsors needed = max(`sponsor_min`, voters / `sponsor_div` rounded up); it opens with the last of them.
  At the end of `opened_height` + `proposal_blocks`: yes > no, all votes >= min(`turnout_max`, eligible / `turnout_div`
  rounded up), critical also 3 * yes >= 2 * (yes + no). It takes effect at the next boundary, a critical one at the one
  after.
- **Renewal**, over the terms given: D and N as for the approval threshold; N >= `renewal_min`, closings in
  >= `renewal_terms` terms, and 100 * D >= `renewal_pct` * N: refused until the later of the contract's last block and a
  term from here. `warning_pct` warns, once. A refusal is cleared when the condition no longer applies, and ends cover
  at `until` if it still applies there.
- **Premium**: estimate = (benefits + k * prior) * 10000 // (contract terms in bp + 10000 * k);
  target = estimate * 10000 // (10000 - load - expense); the new premium lies within nine and eleven tenths of the old
  one, rounded inwards.
"""


def receipts_page() -> str:
    """Return the shapes of a receipt, the whole first."""
    from governance.receipts import other_shapes, shapes

    lines = [NOTE, "", "# Receipts", *RECEIPTS_INTRO.split("\n"), *_shape_tables("shapes.py", shapes)]
    lines += [
        "",
        "## Proposals, members, premiums",
        *RECEIPTS_OTHERS.split("\n"),
        *_shape_tables("other_shapes.py", other_shapes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _shape_tables(name: str, shapes: Any) -> list[str]:
    """Return a table for each shape of a module, the whole receipts first."""
    tree = ast.parse((ROOT / "governance/receipts" / name).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    lines: list[str] = []
    for node in sorted(classes, key=lambda node: not node.name.endswith("Receipt")):
        lines += [f"### {node.name}", "", _doc(getattr(shapes, node.name)), "", "| field | type | |", "|---|---|---|"]
        for item, after in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                said = (
                    after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
                )
                kind = (
                    ast.unparse(item.annotation)
                    .replace("|", "or")
                    .replace("tuple[", "list[")
                    .replace(", ...]", "]")
                    .replace("bytes", "hex")
                )
                lines.append(f"| `{item.target.id}` | {kind} | {' '.join(str(said).split()).replace('|', 'or')} |")
        lines.append("")
    return lines


def openapi_page() -> str:
    """Return the local API as an OpenAPI document."""
    from node.api.openapi import document

    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


MADE = {
    "receipts.md": receipts_page,
    "scenarios.md": scenarios_page,
    "parameters.md": parameters_page,
    "record-kinds.md": kinds_page,
    "commands.md": commands_page,
    "openapi.json": openapi_page,
}


def main() -> int:
    """Write the pages, or with `--check` name those that differ."""
    stale = [
        name
        for name, make in MADE.items()
        if not (ROOT / PAGES / name).exists() or (ROOT / PAGES / name).read_text(encoding="utf-8") != make()
    ]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"{PAGES / name} is not what the code says; run: python tools/reference.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (ROOT / PAGES / name).write_text(MADE[name](), encoding="utf-8")
        print(f"{PAGES / name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
