#!/usr/bin/env bash
# fhirpathpy 2.2.4: two dates of one resource are compared as text
#
# Expected: FHIRPath (specification, section "Comparison") compares dateTimes as points in time, after bringing
#   both to one zone; if the values agree as far as the shorter one goes, the answer is empty, which means unknown.
#   FHIR R4 allows a year, a month or a day as a dateTime, and its invariant per-1 asks that a Period's start be no
#   later than its end. The package says it implements FHIRPath.
# Happens: if both sides come out of the resource, they are compared letter by letter, with the R4 model loaded or
#   not. A stay "2026-02-28 to 2026" is called wrong instead of unknown. A visit from 11:00+02:00 to 09:30Z (half an
#   hour) ends before it starts. Replace either side by a literal, or convert both sides, and the answer is right.
# Why it matters: a co-op that checks claims with per-1 or its own dates rule refuses honest claims from a clinic in
#   another zone or with a rounded date, and in the other direction lets a wrong period pass.
# Instead: write toDateTime() on both sides, and treat empty as "cannot be decided" and not as false; or compare the
#   periods in your own code by the first and the last possible moment.
set -euo pipefail
command -v python3 >/dev/null || { echo "needs python3 with venv"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check \
  fhirpathpy==2.2.4 antlr4-python3-runtime==4.13.2 python-dateutil==2.9.0.post0 >pip.log 2>&1 ||
  { tail -3 pip.log; echo "could not install the pinned packages"; exit 77; }

cat >check.py <<'PY'
import sys
from importlib.metadata import version

import fhirpathpy
from fhirpathpy.models import models

CASES = [  # start, end, what the specification says about start <= end, what the package says
    ("2026-02-28", "2026-03-01", [True], [True]),
    ("2026-02-28", "2026", [], [False]),
    ("2026", "2026-03-01", [], [True]),
    ("2026-03-01", "2026-03-01T18:00:00Z", [], [True]),
    ("2026-03-01T11:00:00+02:00", "2026-03-01T09:30:00Z", [True], [False]),
    ("2026-03-01T10:30:00Z", "2026-03-01T11:00:00+02:00", [False], [True]),
]
print("fhirpathpy", version("fhirpathpy"))
print(f"{'start':26}{'end':26}{'right':9}{'both read':11}{'literal':9}converted")
changed = []
for start, end, right, known in CASES:
    claim = {"resourceType": "Claim", "billablePeriod": {"start": start, "end": end}}

    def ask(path):
        return fhirpathpy.evaluate(claim, path, {}, models["r4"])

    read = ask("billablePeriod.select(start <= end)")
    literal = ask(f"billablePeriod.start <= @{end}")
    converted = ask("billablePeriod.select(start.toDateTime() <= end.toDateTime())")
    print(f"{start:26}{end:26}{right!s:9}{read!s:11}{literal!s:9}{converted}")
    if read != known or literal != right or converted != right:
        changed.append(f"{start} to {end}")
if changed:
    sys.exit("CHANGED: another answer for " + ", ".join(changed))
print("As described: two dates read from the resource are compared as text.")
PY
env/bin/python check.py
