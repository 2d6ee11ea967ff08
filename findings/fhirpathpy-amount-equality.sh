#!/usr/bin/env bash
# fhirpathpy 2.2.4: an amount read from a claim does not equal the same amount written in the rule
#
# Expected: FHIRPath (specification, section "Equality") compares decimals by value, trailing zeros aside. So for a
#   claim with a total of 80.35, the rule "total.value = 80.35" is true; and if <= and >= hold, = holds too.
# Happens: the number that Python's json module made stays a binary float on one side of "=", and the literal is a
#   Decimal. They are equal only where the float is exact: .25 and .50 work, .10 and .35 do not. "<=", ">=" and "~"
#   are right, "!=" is true as well, and the printed value is a clean Decimal. Multiplying by 1 repairs it.
#   A sum over the lines equals the total only when binary can hold that total exactly.
# Why it matters: the usual check "the lines add up to the total" refuses sound claims, but passes tests written with
#   round amounts. In a co-op that is a payout refused by a rule that looks right.
# Instead: read the claim with json.loads(text, parse_float=Decimal) before it is handed over; then each answer is
#   right. Test such rules with amounts that end in .10, not with .50.
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
import json
import sys
from decimal import Decimal
from importlib.metadata import version

import fhirpathpy
from fhirpathpy.models import models

TEXT = """{"resourceType": "Claim", "total": {"value": 80.35, "currency": "USD"},
  "item": [{"sequence": 1, "net": {"value": 80.10, "currency": "USD"}},
           {"sequence": 2, "net": {"value": 0.25, "currency": "USD"}}]}"""
RULES = [  # rule, answer with floats, answer with decimals; only the last column is what the specification says
    ("item[1].net.value = 0.25", True, True),
    ("item[0].net.value = 80.10", False, True),
    ("total.value = 80.35", False, True),
    ("total.value != 80.35", True, False),
    ("total.value <= 80.35 and total.value >= 80.35", True, True),
    ("total.value ~ 80.35", True, True),
    ("total.value * 1 = 80.35", True, True),
    ("item.where(net.value = 80.10).exists()", False, True),
    ("item.net.value.aggregate($this + $total, 0) = total.value", False, True),
]
print("fhirpathpy", version("fhirpathpy"))
print(f"{'rule':60}{'float':8}Decimal")
changed = []
for rule, known_float, known_decimal in RULES:
    seen = [
        fhirpathpy.evaluate(json.loads(TEXT, parse_float=kind), rule, {}, models["r4"]) for kind in (float, Decimal)
    ]
    print(f"{rule:60}{seen[0]!s:8}{seen[1]}")
    if seen != [[known_float], [known_decimal]]:
        changed.append(rule)
if changed:
    sys.exit("CHANGED: another answer for " + "; ".join(changed))
print("As described: amounts parsed the usual way are unequal to themselves unless binary can hold them.")
PY
env/bin/python check.py
