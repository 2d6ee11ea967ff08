"""`mutua lab`: let scripted attackers loose on the rules, and see row by row whether what rules §13 asks holds."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.cli.common import Whole, print_json

if TYPE_CHECKING:
    from governance.simulation.laboratory.report import Report, Section
    from governance.simulation.laboratory.rows import Verdict
    from governance.simulation.laboratory.setting import Setting
    from governance.simulation.laboratory.study import Evidence

EXIT_OK, EXIT_BROKEN = 0, 1
FOLDER = Path("lab-run")
SEEDS_MAX, TERMS_MIN, MEMBERS_MIN = 100, 3, 20
WIDTH = 100


def lab(
    *,
    seed: Whole = 1,
    seeds: Whole = 3,
    terms: Whole = 36,
    members: Whole = 60,
    only: Annotated[list[str] | None, Parameter(negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    folder: Path = FOLDER,
    processes: Whole = 0,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Attack the rules: honest and scripted members over many terms, through the real transition.

    Prints the table of rules §13 with what was measured, and writes report.md, report.html, table.json and a picture
    for each attack. A row that fails is a finding about the rules and no fault of the run: the exit code is 0 whenever
    the laboratory ran, 1 when an invariant broke.

    :param seed: The first seed; the same seed gives the same table.
    :param seeds: How many seeds, one after another.
    :param terms: Terms of thirty blocks in each world.
    :param members: Founders in each world.
    :param only: An attack to play; may be given several times. All of them without it.
    :param settings: A parameter other than its default, as `streak_blocks=5`; may be given several times.
    :param folder: Where the report goes.
    :param processes: Worlds played at once; 0: one for each core.
    :param json_output: Print table.json instead of the table.
    """
    from dataclasses import replace

    from governance.simulation.laboratory.setting import Setting
    from node.cli.coop.rehearse import read_settings

    if not (1 <= seeds <= SEEDS_MAX and terms >= TERMS_MIN and members >= MEMBERS_MIN):
        what = f"a laboratory has 1 to {SEEDS_MAX} seeds, {TERMS_MIN} terms and {MEMBERS_MIN} members or more"
        raise MutuaError("usage", what, "see mutua lab --help")
    params = tuple(sorted(read_settings(settings).items())) if settings else ()
    setting = replace(Setting(seed=seed, terms=terms, members=members), params=params)
    report = make_report(setting, tuple(range(seed, seed + seeds)), only or [], processes)
    write_report(report, folder)
    if json_output:
        from governance.simulation.laboratory.report import table

        print_json(table(report))
    else:
        _print_table(report, folder)
    return EXIT_BROKEN if report.broken else EXIT_OK


def make_report(setting: Setting, seeds: tuple[int, ...], only: list[str], processes: int) -> Report:
    """Play what was asked for and draw its pictures."""
    from governance.simulation.laboratory.attackers import STUDIES
    from governance.simulation.laboratory.pictures import can_draw, draw
    from governance.simulation.laboratory.report import Report, section_of
    from governance.simulation.laboratory.runner import run

    unknown = sorted(set(only) - {*STUDIES, *_outside()})
    if unknown:
        what = f"there is no attack {unknown[0]!r}"
        raise MutuaError("attack_unknown", what, "one of " + ", ".join([*STUDIES, *_outside()]))
    began, has_pictures = perf_counter(), can_draw()
    chosen = [study for name, study in STUDIES.items() if not only or name in only]
    results = run(chosen, setting, seeds, processes=processes or None, progress=_say_progress)

    def png_of(evidence: Evidence) -> bytes | None:
        return draw(evidence.picture) if has_pictures and evidence.picture is not None else None

    sections = [
        section_of(item.study, item.evidence, worlds=item.worlds, seconds=item.seconds, png=png_of(item.evidence))
        for item in results
    ]
    sections += [
        _outside_section(name, setting.seed, draw if has_pictures else None)
        for name in _outside()
        if not only or name in only
    ]
    changed = "".join(f" --set {name}={value}" for name, value in setting.params)
    command = (
        f"mutua lab --seed {seeds[0]} --seeds {len(seeds)} --terms {setting.terms} --members {setting.members}{changed}"
    )
    broken = tuple(line for item in results for line in item.broken)
    return Report(command, setting, seeds, tuple(sections), broken, perf_counter() - began, has_pictures)


def _outside() -> dict[str, tuple[str, str]]:
    """Return title and story, by name, of the rows measured with the code of wallet, consensus and node."""
    return {
        "tracing": (
            "Tracing a payout",
            "An observer of the bitcoin chain knows amounts and denominations and looks for the outputs of one payee.",
        ),
        "leaking": (
            "Evidence leak",
            "Somebody reads all that leaves a member's node and looks for words of a document.",
        ),
        "lying": (
            "The equivocating proposer",
            "A member of the committee proposes two blocks in one view and tells each half another one.",
        ),
    }


def _outside_section(name: str, seed: int, draw: Callable[..., bytes] | None) -> Section:
    from governance.simulation.laboratory.report import Section
    from node.sandbox import laboratory as lab_checks

    began = perf_counter()
    evidence: Evidence = getattr(lab_checks, name)(seed)
    png = draw(evidence.picture) if draw is not None and evidence.picture is not None else None
    return Section(name, *_outside()[name], evidence=evidence, worlds=0, seconds=perf_counter() - began, png=png)


def write_report(report: Report, folder: Path) -> None:
    """Write the report's files."""
    from governance.simulation.laboratory.report import html, markdown, table
    from node.paths import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "report.md", markdown(report).encode())
    write_whole(folder / "report.html", html(report).encode())
    write_whole(folder / "table.json", json.dumps(table(report), indent=2, ensure_ascii=False).encode() + b"\n")
    for section in report.sections:
        if section.png is not None:
            write_whole(folder / f"{section.name}.png", section.png)


def _say_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_table(report: Report, folder: Path) -> None:
    """Print the table for people: each row, what it asks, each thing looked at."""
    verdicts = report.verdicts
    for item in verdicts:
        print(f"{item.row.number:>2}  {item.verdict.upper():<13}{item.row.attack}: {item.row.asked}")
        for check in item.checks:
            mark = {True: "met", False: "NOT MET", None: "open"}[check.is_met]
            words = f"{check.what}: asked {check.asked}; measured {check.measured}"
            print(textwrap.fill(words, WIDTH, initial_indent=f"      {mark:<9}", subsequent_indent=" " * 15))
    failing = _failing(verdicts)
    print(
        f"\nfindings: {len(failing)} rows fail ({', '.join(failing) or 'none'});"
        f" {sum(len(s.evidence.findings) for s in report.sections)} notes are in the report"
    )
    for line in report.broken:
        print(f"BROKEN INVARIANT: {line}")
    slowest = sorted(report.sections, key=lambda section: -section.seconds)
    print("seconds of one core: " + ", ".join(f"{section.name} {section.seconds:.0f}" for section in slowest))
    pictures = "" if report.has_pictures else "; no pictures, because matplotlib is not installed"
    print(f"{report.command}: {report.seconds:.0f} s; report in {folder}{pictures}")


def _failing(verdicts: list[Verdict]) -> list[str]:
    return [str(item.row.number) for item in verdicts if item.verdict == "fail"]
