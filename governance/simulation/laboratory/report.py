"""The report as Markdown, HTML and JSON: the table of rules §13, the findings, a section and a picture per attack."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from governance.simulation.laboratory.rows import FAIL, OPEN, PASS, Verdict, judge_rows
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Check, Evidence, Study

MARKS = {True: "met", False: "NOT MET", None: "not measured"}
WORDS = {PASS: "pass", FAIL: "**FAIL**", OPEN: "not measured"}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "td,th{border-bottom:1px solid #ccc;padding:.4rem;text-align:left;vertical-align:top}"
    ".fail{color:#c8401e;font-weight:bold}.pass{color:#1f6f8b}img{max-width:100%}"
)


@dataclass(frozen=True, slots=True)
class Section:
    """An attack in the report. `png`: its picture, if one could be drawn."""

    name: str
    title: str
    story: str
    evidence: Evidence
    worlds: int
    seconds: float
    png: bytes | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the laboratory found."""

    command: str
    setting: Setting
    seeds: tuple[int, ...]
    sections: tuple[Section, ...]
    broken: tuple[str, ...]
    seconds: float
    has_pictures: bool

    @property
    def verdicts(self) -> list[Verdict]:
        """The rows of rules §13."""
        return judge_rows(check for section in self.sections for check in section.evidence.checks)

    @property
    def findings(self) -> list[tuple[Section, str]]:
        """The findings with their sections."""
        return [(section, finding) for section in self.sections for finding in section.evidence.findings]


def section_of(study: Study, evidence: Evidence, *, worlds: int, seconds: float, png: bytes | None) -> Section:
    """Return the section of a study."""
    return Section(study.name, study.title, " ".join(study.story.split()), evidence, worlds, seconds, png)


def measured_words(checks: Sequence[Check]) -> str:
    """Return what a row's checks measured, in one cell."""
    words = "; ".join(f"{check.what}: {check.measured} ({MARKS[check.is_met]})" for check in checks)
    return words or "nothing in this run looked at it"


def _intro(report: Report) -> list[str]:
    setting = report.setting
    params = ", ".join(f"{name} = {value}" for name, value in setting.params) or "defaults"
    broken = "none broken" if not report.broken else f"{len(report.broken)} BROKEN"
    worlds, seeds = sum(section.worlds for section in report.sections), ", ".join(map(str, report.seeds))
    made = (
        f"Made by `{report.command}` in {report.seconds:.0f} s. {worlds} worlds of {setting.members} founders over"
        f" {setting.terms} terms ({setting.blocks:,} blocks) each, seeds {seeds}; every record through the real"
        f" transition; parameters: {params}."
    )
    honest = (
        f"Honest members vote on a case with a probability of {100 * setting.turnout:.0f} %, are right in"
        f" {100 * setting.accuracy:.0f} %, open the evidence in {100 * setting.opening:.0f} %; of those drawn for a"
        f" panel {100 * setting.duty_turnout:.0f} % vote. Amounts are in units of the currency. Invariants at each"
        f" boundary: {broken}."
    )
    missing = "There are no pictures: matplotlib is not installed (`pip install 'mutua[plots]'`)."
    return [made, honest] if report.has_pictures else [made, honest, missing]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def markdown(report: Report) -> str:
    """Return the report as Markdown; pictures are files beside it."""
    lines = ["# The adversary laboratory", "", *(part for text in _intro(report) for part in (text, ""))]
    lines += ["## Rules §13, row by row", ""]
    lines += ["| | attack | what must hold | measured | verdict |", "|--:|---|---|---|---|"]
    lines += [
        f"| {item.row.number} | {_cell(item.row.attack)} | {_cell(item.row.asked)} |"
        f" {_cell(measured_words(item.checks))} | {WORDS[item.verdict]} |"
        for item in report.verdicts
    ]
    lines += ["", "## Findings", ""]
    lines += [f"- *{section.title}.* {finding}" for section, finding in report.findings]
    lines += [f"- **Broken invariant.** {line}" for line in report.broken]
    for section in report.sections:
        lines += ["", f"## {section.title}", "", section.story, ""]
        lines += ["| row | looked at | asked | measured | |", "|--:|---|---|---|---|"]
        lines += [
            f"| {c.row} | {_cell(c.what)} | {_cell(c.asked)} | {_cell(c.measured)} | {MARKS[c.is_met]} |"
            for c in section.evidence.checks
        ]
        if section.png is not None and section.evidence.picture is not None:
            lines += ["", f"![{section.evidence.picture.title}]({section.name}.png)"]
        worlds = f"{section.worlds} worlds, {section.seconds:.1f} s of one core." if section.worlds else ""
        lines += ["", worlds or f"{section.seconds:.1f} s."]
    return "\n".join(lines) + "\n"


def _html_cells(texts: Sequence[str]) -> str:
    return "".join(f"<td>{escape(text)}</td>" for text in texts)


def html(report: Report) -> str:
    """Return the report as one HTML file with its pictures inside."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>The adversary laboratory</title>',
        f"<style>{STYLE}</style><h1>The adversary laboratory</h1>",
    ]
    parts += [f"<p>{escape(text)}</p>" for text in _intro(report)]
    parts.append(
        "<h2>Rules §13, row by row</h2><table><tr><th></th><th>attack</th><th>what must"
        " hold</th><th>measured</th><th>verdict</th></tr>"
    )
    for item in report.verdicts:
        cells = (str(item.row.number), item.row.attack, item.row.asked, measured_words(item.checks))
        kind = item.verdict.split()[0]
        parts.append(f'<tr>{_html_cells(cells)}<td class="{kind}">{escape(item.verdict)}</td></tr>')
    parts.append("</table><h2>Findings</h2><ul>")
    parts += [f"<li><b>{escape(section.title)}.</b> {escape(finding)}</li>" for section, finding in report.findings]
    parts += [f'<li class="fail">Broken invariant: {escape(line)}</li>' for line in report.broken]
    parts.append("</ul>")
    for section in report.sections:
        parts.append(f"<h2>{escape(section.title)}</h2><p>{escape(section.story)}</p><table>")
        for check in section.evidence.checks:
            kind = {True: "pass", False: "fail", None: ""}[check.is_met]
            cells = _html_cells((str(check.row), check.what, check.asked, check.measured))
            parts.append(f'<tr>{cells}<td class="{kind}">{MARKS[check.is_met]}</td></tr>')
        parts.append("</table>")
        if section.png is not None and section.evidence.picture is not None:
            alt = escape(section.evidence.picture.title)
            parts.append(f'<p><img alt="{alt}" src="data:image/png;base64,{b64encode(section.png).decode()}"></p>')
    return "\n".join([*parts, "</html>"]) + "\n"


def table(report: Report) -> dict[str, Any]:
    """Return the table with its figures, ready for JSON. Without `seconds` two runs of one seed are alike."""
    spent = [(section.name, section.seconds) for section in report.sections]
    return {
        "seeds": list(report.seeds),
        "terms": report.setting.terms,
        "members": report.setting.members,
        "params": dict(report.setting.params),
        "rows": [_row_json(item) for item in report.verdicts],
        "findings": [{"study": section.name, "finding": finding} for section, finding in report.findings],
        "figures": {section.name: _plain(section.evidence.figures) for section in report.sections},
        "broken": list(report.broken),
        "seconds": {name: round(seconds, 1) for name, seconds in [("all", report.seconds), *spent]},
    }


def _row_json(item: Verdict) -> dict[str, Any]:
    row = {"row": item.row.number, "attack": item.row.attack, "asked": item.row.asked, "verdict": item.verdict}
    checks = [{"what": c.what, "asked": c.asked, "measured": c.measured, "met": c.is_met} for c in item.checks]
    return {**row, "checks": checks}


def _plain(figures: Mapping[str, Any]) -> Any:
    """Return figures with the keys JSON wants."""
    return json.loads(json.dumps({str(key): value for key, value in figures.items()}, default=str))
