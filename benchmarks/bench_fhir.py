"""Claims of a FHIR file, from its bytes to mapped claims, against `fhir.resources` parsing the same file.

Rival: `Bundle.model_validate_json`, in the same run: it reads and validates, and maps nothing. Ours reads, checks and
maps. The file is a Bundle of claims of three lines, each with its Encounter. Peak memory is that of a process of its
own over a small and a large file of the same kind; `--megabytes 1024` takes some minutes. Prints a table; exits 1
when the ratio is under its target.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from trees import keep, median_of, parser_of

from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import HCPCS_SYSTEM, CharterContext, ImportMapping

TARGET = 1.0
CLAIMS = 5_000
RUNS = 3
SMALL_MB = 2
DAY_ONE, DAYS = date(2020, 1, 1), 2_000
SERVER = "https://clinic.example/fhir"
CONTEXT = CharterContext("USD", 2, DAY_ONE, DAYS, {"urn:clinics|north": b"N" * 32})
CHILD = """
import sys
from pathlib import Path
from bench_fhir import CONTEXT, ImportMapping, map_claims, read_fhir
plan = map_claims(read_fhir(Path(sys.argv[1])), ImportMapping(), CONTEXT)
assert not plan.refusals, plan.refusals[:3]
count = sum(1 for claim in plan.claims)
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
print(count, peak / 1024)
"""


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def line_of(number: int, place: int) -> dict[str, Any]:
    price = {"value": 12.5 * (place + 1), "currency": "USD"}
    return {
        "sequence": place + 1,
        "productOrService": coded(HCPCS_SYSTEM, f"{'AGT'[place]}{number // DAYS:04}"),
        "encounter": [{"reference": f"Encounter/e{number}"}],
        "quantity": {"value": 1},
        "unitPrice": price,
        "net": price,
    }


def entries(number: int) -> Iterator[dict[str, Any]]:
    """Yield the claim of a number, and its visit."""
    claim = {
        "resourceType": "Claim",
        "id": f"c{number}",
        "status": "active",
        "type": coded("http://terminology.hl7.org/CodeSystem/claim-type", "professional"),
        "use": "claim",
        "patient": {"reference": "Patient/p1"},
        "created": "2026-01-06",
        "provider": {"identifier": {"system": "urn:clinics", "value": "north"}},
        "priority": coded("http://terminology.hl7.org/CodeSystem/processpriority", "normal"),
        "diagnosis": [
            {"sequence": 1, "diagnosisCodeableConcept": coded("http://hl7.org/fhir/sid/icd-10", "J18.9")},
        ],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "the co-op"}}],
        "item": [line_of(number, place) for place in range(3)],
        "total": {"value": 75.0, "currency": "USD"},
    }
    day = (DAY_ONE + timedelta(days=number % DAYS)).isoformat()
    visit = {
        "resourceType": "Encounter",
        "id": f"e{number}",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "period": {"start": f"{day}T10:00:00Z", "end": f"{day}T11:00:00Z"},
    }
    for resource in (claim, visit):
        yield {"fullUrl": f"{SERVER}/{resource['resourceType']}/{resource['id']}", "resource": resource}


def bundle_of(count: int) -> bytes:
    parts = [entry for number in range(count) for entry in entries(number)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": parts}).encode()


def write_bundle(path: Path, megabytes: int) -> None:
    """Write a Bundle of this size, piece by piece."""
    size, number = 0, 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"resourceType": "Bundle", "type": "collection", "entry": [')
        while size < megabytes << 20:
            text = ", ".join(json.dumps(entry) for entry in entries(number))
            size += file.write(f"{',' if number else ''}{text}\n")
            number += 1
        file.write("]}")


def peak_of(folder: Path, megabytes: int) -> tuple[int, float]:
    """Return how many claims a file of this size has, and the peak of a process that maps it, in MB."""
    path = folder / f"{megabytes}.json"
    write_bundle(path, megabytes)
    command, here = [sys.executable, "-c", CHILD, str(path)], Path(__file__).parent
    done = subprocess.run(command, cwd=here, check=True, capture_output=True, text=True)
    count, peak = done.stdout.split()
    return int(count), float(peak)


def seconds_of(work: Callable[[], Any]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--claims", type=int, default=CLAIMS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--megabytes", type=int, default=32, help="size of the large file")
    chosen = parser.parse_args()
    from fhir.resources.R4B.bundle import Bundle

    data = bundle_of(chosen.claims)
    micros = 1e6 / chosen.claims

    def ours() -> None:
        plan = map_claims(read_fhir(data), ImportMapping(), CONTEXT)
        assert len(plan.claims) == chosen.claims, plan.refusals[:3]

    runs: list[dict[str, float]] = []
    for _ in range(chosen.runs):
        rival_s, read_s, whole_s = (
            seconds_of(work) for work in (lambda: Bundle.model_validate_json(data), lambda: read_fhir(data), ours)
        )
        runs.append(
            {
                "fhir.resources, us": rival_s * micros,
                "ours, read, us": read_s * micros,
                "ours, read, check and map, us": whole_s * micros,
                "ratio": rival_s / whole_s,
            }
        )
    figures = median_of(runs)
    with tempfile.TemporaryDirectory() as name:
        for megabytes in (SMALL_MB, chosen.megabytes):
            count, figures[f"peak MB, {megabytes} MB file"] = peak_of(Path(name), megabytes)
    print(f"{chosen.claims} claims of 3 lines, {len(data) / 1e6:.1f} MB; a claim, median of {chosen.runs}")
    print(f"(the large file has {count} claims)")
    for name, figure in figures.items():
        print(f"  {name:<40}{figure:>9.2f}")
    print(f"ratio {figures['ratio']:.2f} (target {TARGET})")
    keep(chosen.json, figures)
    return 0 if figures["ratio"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
