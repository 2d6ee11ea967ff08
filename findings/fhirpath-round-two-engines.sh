#!/usr/bin/env bash
# fhirpathpy 2.2.4 and npm fhirpath 5.2.2: one rule about cents, two results
#
# Expected: FHIRPath (specification, sections "round" and "mod") rounds in the traditional way, a half goes up to the
#   next one, and takes mod as the remainder of a division cut towards zero, so that it agrees with div. Both engines
#   say they implement it, and decimals are decimal, so a rule gives one result wherever it runs.
# Happens: the Python engine rounds a half to the even neighbour (25.125 gives 25.12, the JavaScript one 25.13), and its
#   mod takes the sign of the divisor while div still cuts: (-7 div 2) * 2 + (-7 mod 2) is -5. The JavaScript
#   engine works on binary floats: 1.005.round(2) is 1 instead of 1.01, and 0.3 mod 0.1 is almost 0.1 instead of 0.
# Why it matters: a co-payment written as a FHIRPath rule differs by a cent between the node and the browser, and
#   a hash, a vote or a signature over the result then differs as well. A refund (negative) splits into a wrong rest.
# Instead: let rules work in whole cents with div and non-negative numbers only, or take the operands out with
#   FHIRPath and do the arithmetic in your own code with one named rounding.
set -euo pipefail
command -v python3 >/dev/null || { echo "needs python3 with venv"; exit 77; }
command -v npm >/dev/null || { echo "needs node and npm"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check \
  fhirpathpy==2.2.4 antlr4-python3-runtime==4.13.2 python-dateutil==2.9.0.post0 >install.log 2>&1 ||
  { tail -3 install.log; echo "could not install the pinned packages"; exit 77; }
echo '{"private": true}' >package.json
npm install --ignore-scripts --no-audit --no-fund --save-exact fhirpath@5.2.2 >install.log 2>&1 ||
  { tail -3 install.log; echo "could not install the pinned package"; exit 77; }

cat >rules.json <<'JSON'
["(100.50 * 0.25).round(2)", "0.125.round(2)", "2.5.round(0)", "3.5.round(0)", "1.005.round(2)",
 "-7 div 2", "-7 mod 2", "(-7 div 2) * 2 + (-7 mod 2)", "7 mod (-2)", "0.3 mod 0.1"]
JSON
cat >engine.js <<'JS'
const fhirpath = require('fhirpath');
const rules = require('./rules.json');
console.log(JSON.stringify(rules.map(rule => String(fhirpath.evaluate({}, rule)[0]))));
JS
cat >check.py <<'PY'
import json
import subprocess
import sys
from importlib.metadata import version

import fhirpathpy

RIGHT = ["25.13", "0.13", "3", "4", "1.01", "-3", "-1", "-7", "1", "0"]  # by the specification
KNOWN_PYTHON = ["25.12", "0.12", "2", "4", "1", "-3", "1", "-5", "-1", "0.0"]
KNOWN_NODE = ["25.13", "0.13", "3", "4", "1", "-3", "-1", "-7", "1", "0.09999999999999998"]
with open("rules.json") as file:
    rules = json.load(file)
with open("node_modules/fhirpath/package.json") as file:
    node_version = json.load(file)["version"]
python = [str(fhirpathpy.evaluate({}, rule)[0]) for rule in rules]
node = json.loads(subprocess.check_output(["node", "engine.js"]))
print("fhirpathpy", version("fhirpathpy"), "and npm fhirpath", node_version)
print(f"{'rule':32}{'right':8}{'Python':8}JavaScript")
for row in zip(rules, RIGHT, python, node, strict=True):
    print("{:32}{:8}{:8}{}".format(*row))
changed = [rule for rule, *pair in zip(rules, python, KNOWN_PYTHON, strict=True) if pair[0] != pair[1]]
changed += [rule for rule, *pair in zip(rules, node, KNOWN_NODE, strict=True) if pair[0] != pair[1]]
if changed:
    sys.exit("CHANGED: another result for " + ", ".join(sorted(set(changed))))
print("As described: the two engines round a half and take a remainder in different ways.")
PY
env/bin/python check.py
