"""`mutua rehearse`: play a scenario through the real rules, or a ledger's own history under other parameters.

With a scenario every event is printed, one JSON object a line; with a data folder, the decisions that would flip.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ledger.errors import LedgerCorrupt, MutuaError

if TYPE_CHECKING:
    from governance.simulation.counterfactual import Comparison, Decision, Standing, Totals
    from ledger.genesis import Charter
    from node.api.text import Units

EXIT_OK = 0
EXIT_USAGE = 2
PROGRESS_EVENTS = 10_000
PROGRESS_BLOCKS_LIVE = 20
PROGRESS_BLOCKS_PLAIN = 1_000
REFUSALS_SHOWN = 40
DONE = {"claim_accepted": "accepted", "claim_denied": "denied", "claim_lapsed": "lapsed", "preauthorised": "authorised"}


def rehearse(
    file: Path | None = None,
    *,
    data_dir: Annotated[Path | None, Parameter(name=("--data-dir", "-d"))] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Play a scenario, or try a rule change on a real ledger. No network, no clock, no keys.

    `mutua rehearse FILE` plays the scenario and prints every event, one JSON object a line. A file that does not parse
    plays nothing: line, field and expected shape go to standard error, exit code 2.

    `mutua rehearse --data-dir FOLDER --set NAME=VALUE` replays the whole ledger of a stopped node as if the parameter
    had had this value from the first block, with every vote as it was cast, and lists the decisions that would flip.
    The folder is not changed.

    :param file: A scenario file; `-` is standard input.
    :param data_dir: The data folder of a stopped node, or a copy of it.
    :param settings: A parameter and the value to try, as `vote_blocks=30`; may be given several times.
    :param json_output: Print the comparison as one JSON object. (Events of a scenario are always JSON.)
    """
    if data_dir is not None and file is None:
        return _try_change(data_dir, settings or [], is_json=json_output)
    if file is None or data_dir is not None or settings:
        hint = "see mutua rehearse --help"
        raise MutuaError("usage", "a rehearsal needs a scenario FILE, or --data-dir FOLDER with --set NAME=VALUE", hint)
    return _play(file)


def _play(file: Path) -> int:
    """Play a scenario file."""
    from governance.simulation.rehearse import line_of, play
    from governance.simulation.scenario import ScenarioError, parse
    from node.api.text import clean_json
    from node.cli.common import read_file
    from node.reading import text_of

    try:
        text = text_of(sys.stdin.buffer.read() if str(file) == "-" else read_file(file, "name a scenario file"))
    except UnicodeDecodeError:
        print(f"mutua: {file} is not UTF-8; save it as UTF-8", file=sys.stderr)
        return EXIT_USAGE
    is_watched = sys.stderr.isatty() and not sys.stdout.isatty()
    out = sys.stdout.buffer
    try:
        for count, event in enumerate(play(parse(text.split("\n"))), 1):
            out.write(clean_json(line_of(event)).encode("utf-8") + b"\n")
            if is_watched and count % PROGRESS_EVENTS == 0:
                print(f"block {event['height']}, {count} events", file=sys.stderr)
        out.flush()
    except ScenarioError as error:
        print(f"mutua: {error.what}; {error.hint}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        # the reader, such as `head`, has seen enough; nothing of ours is lost
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_OK


# ---- A ledger under other parameters ------------------------------------------------


def read_settings(settings: list[str]) -> dict[str, int]:
    """Return the parameters to try. MutuaError `set_shape`, `param_unknown` or `param_range`."""
    from governance.params import PARAMETERS
    from node.api.text import read_whole

    found: dict[str, int] = {}
    for text in settings:
        name, equals, value = (part.strip() for part in text.partition("="))
        number = read_whole(value)
        if not equals or not name or number is None:
            what = f"--set {text!r} is not NAME=VALUE with a whole number"
            raise MutuaError("set_shape", what, "write it as --set vote_blocks=30")
        if name in found:
            raise MutuaError("set_shape", f"--set {name} is given twice", "give each parameter one value")
        parameter = PARAMETERS.get(name)
        if parameter is None:
            import difflib

            likely = difflib.get_close_matches(name, PARAMETERS, 1)
            hint = f"did you mean {likely[0]}? " if likely else ""
            what = f"there is no parameter {name!r}"
            raise MutuaError("param_unknown", what, f"{hint}see docs/reference/parameters.md")
        if not parameter.value_min <= number <= parameter.value_max:
            bounds = f"{parameter.value_min}..{parameter.value_max} {parameter.unit}"
            what = f"{name} = {value} is outside {bounds}"
            raise MutuaError("param_range", what, "choose a value within these bounds")
        found[name] = number
    if not found:
        what = "no parameter to try was named"
        raise MutuaError("set_shape", what, "add --set NAME=VALUE, such as --set vote_blocks=30")
    return found


def _try_change(folder: Path, settings: list[str], *, is_json: bool) -> int:
    changes = read_settings(settings)
    from node.api.text import Units, clean

    progress = Progress()
    try:
        charter, comparison = compare_folder(folder, changes, progress.show)
    finally:
        progress.clear()
    if is_json:
        print(json.dumps(comparison_json(comparison), indent=2))
    else:
        for line in comparison_lines(comparison, Units(charter.currency, charter.exponent)):
            print(clean(line, None))
    return EXIT_OK


def compare_folder(
    folder: Path, changes: dict[str, int], on_height: Callable[[int, int], None]
) -> tuple[Charter, Comparison]:
    """Replay a stopped folder's ledger twice. Errors: `store_*`, `body_missing`; LedgerCorrupt `history_differs`."""
    from governance.genesis import spec_of_charter
    from governance.simulation.counterfactual import Counterfactual
    from ledger.chain import Chain
    from node.audit.verify import opened_ledger
    from node.execution.apply import ONION_PREFIX, encode_events
    from node.execution.history import past_blocks

    with opened_ledger(folder) as store:
        chain = Chain.open(store)
        both = Counterfactual(spec_of_charter(chain.charter), changes)
        for block in past_blocks(chain):
            if encode_events(both.step(block)) != chain.events(block.height):
                what = f"under the unchanged rules block {block.height} does not do what this ledger says"
                hint = "check the folder with mutua audit verify, or rehearse with the version of mutua that wrote it"
                raise LedgerCorrupt("history_differs", what, hint)
            on_height(block.height, chain.height)
        if dict(both.old.state.scan(b"")) != {
            key: row for key, row in chain.state.scan(b"") if not key.startswith(ONION_PREFIX)
        }:
            what = f"the unchanged rules do not lead to the state of this ledger at block {chain.height}"
            hint = "check the folder with mutua audit verify, or rehearse with the version of mutua that wrote it"
            raise LedgerCorrupt("history_differs", what, hint)
        return chain.charter, both.result()


class Progress:
    """How far a replay is, on standard error: one moving line on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self.is_live = sys.stderr.isatty()
        self.is_dirty = False

    def show(self, height: int, tip: int) -> None:
        """Say that a block is done."""
        if self.is_live and height % PROGRESS_BLOCKS_LIVE == 0:
            self.is_dirty = True
            print(f"\rblock {height} of {tip}", end="", file=sys.stderr, flush=True)
        elif not self.is_live and height % PROGRESS_BLOCKS_PLAIN == 0:
            print(f"block {height} of {tip}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the moving line away."""
        if self.is_dirty:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# ---- The answer ----------------------------------------------------------------------


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return the whole comparison, keys and ids as hex."""
    return {
        "height": found.height,
        "changes": [asdict(item) for item in found.changes],
        "overruled": [{"height": height, "name": name, "value": value} for height, name, value in found.overruled],
        "decisions": [{**asdict(item), "claim": item.claim.hex()} for item in found.differences],
        "refused": [{**asdict(item), "record_id": item.record_id.hex()} for item in found.refusals],
        "members": [
            {
                "member": key.hex(),
                "old": None if old is None else asdict(old),
                "new": None if new is None else asdict(new),
            }
            for key, old, new in found.standings
        ],
        "premiums": [{"plan": name, "old_cents": old, "new_cents": new} for name, old, new in found.premiums],
        "events": [{"event": name, "old": old, "new": new} for name, old, new in found.event_counts],
        "totals": {"old": asdict(found.old), "new": asdict(found.new)},
    }


def comparison_lines(found: Comparison, money: Units) -> Iterator[str]:
    """Yield the comparison for people: the flips first, then what follows from them."""
    from governance.simulation.counterfactual import AMOUNT, BAR, FLIPPED, MOVED
    from node.api.text import counted, short
    from node.cli.common import table

    tried = ", ".join(f"{item.name} {item.new} (was {item.old})" for item in found.changes)
    yield f"{counted(found.height, 'block')} replayed with {tried}; every vote as it was cast"
    for height, name, value in found.overruled:
        yield f"note: from block {height} on {name} is {value}, as a proposal of the history decided"
    yield ""
    flips = [item for item in found.differences if item.change in (FLIPPED, AMOUNT)]
    yield f"{counted(len(flips), 'decision')} would flip" + (":" if flips else "")
    if flips:
        yield from table(
            ("claim", "case", "then", "now"),
            [
                (short(item.claim.hex()), item.case or "standard", _words(item.old, money), _words(item.new, money))
                for item in flips
            ],
        )
    for change, words in (
        (MOVED, "alike in another block"),
        (BAR, "the same way against a different approval threshold"),
    ):
        count = sum(item.change == change for item in found.differences)
        if count:
            yield f"{counted(count, 'decision')} would be made {words}; --json lists them"
    yield ""
    yield from table(("", "then", "now"), _total_rows(found.old, found.new, money))
    rows = [(f"bar of {short(key.hex())}", *(_bar(item) for item in pair)) for key, *pair in found.standings]
    rows += [(f"premium of {name}", money.money(old), money.money(new)) for name, old, new in found.premiums]
    if rows:
        yield ""
        yield from table(("changed", "then", "now"), rows)
    yield from _refusal_lines(found)


def _total_rows(old: Totals, new: Totals, money: Units) -> list[tuple[str, str, str]]:
    rows = [(word, str(getattr(old, word)), str(getattr(new, word))) for word in ("accepted", "denied", "lapsed")]
    sums = (
        ("benefits", "benefit_cents"),
        ("paid out", "paid_cents"),
        ("still owed", "owed_cents"),
        ("claims account", "claims_cents"),
        ("reserve", "reserve_cents"),
    )
    return rows + [(word, money.money(getattr(old, name)), money.money(getattr(new, name))) for word, name in sums]


def _refusal_lines(found: Comparison) -> Iterator[str]:
    """Yield the records that the changed rules refuse, the first ones one by one."""
    from node.api.text import counted
    from node.cli.common import table

    # Batches pay what was decided then; where decisions change they cannot fit, which says nothing about the members.
    batches = sum(item.kind.startswith("treasury.") for item in found.refusals)
    alike = Counter(
        (item.height, item.kind, item.code, item.what)
        for item in found.refusals
        if not item.kind.startswith("treasury.")
    )
    if alike:
        yield ""
        yield f"{counted(len(found.refusals) - batches, 'record')} would be refused; the replay went on without:"
        rows = [(height, count, kind, code, what) for (height, kind, code, what), count in alike.items()]
        yield from table(("block", "records", "kind", "rule", "reason"), rows[:REFUSALS_SHOWN])
        if len(rows) > REFUSALS_SHOWN:
            yield f"and {len(rows) - REFUSALS_SHOWN} more lines; --json lists every record"
    if batches:
        yield ""
        yield f"{counted(batches, 'record')} of the treasury would not fit what is decided now; --json lists them"


def _words(decision: Decision | None, money: Units) -> str:
    """Return a decision in a few words."""
    if decision is None:
        return "–"
    words = DONE.get(decision.event, decision.event)
    if decision.how and decision.how not in ("vote", "standard"):
        words += f" ({decision.how})"
    if decision.height is not None:
        words += f" in block {decision.height}"
    return f"{words}, {money.money(decision.benefit_cents)}" if decision.event == "claim_accepted" else words


def _bar(standing: Standing | None) -> str:
    from node.api.text import percent

    if standing is None:
        return "–"
    less = f" less {percent(standing.seniority_bp)}" if standing.seniority_bp else ""
    return percent(standing.bar_bp) + less
