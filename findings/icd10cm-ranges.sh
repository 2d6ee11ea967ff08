#!/usr/bin/env bash
# simple_icd_10_cm 1.5.0 and ICD-10-CM itself: a printed range of codes is neither a subtree nor an alphabetical range
#
# Expected: "C00-C96, malignant neoplasms" holds the code C50.911 of breast cancer: the library has get_descendants()
#   and is_descendant() for that (its README, sections of these names). And where it does not help, one expects that
#   a code lies in a range if its first three characters do, since chapters list the codes in ascending order.
# Happens: (1) The classification's XML gives the wide ranges as empty siblings of the narrow ones. So 12 blocks,
#   among them C00-C96, M00-M25 and T07-T88, are leaves without descendants, next to thousands of codes that they
#   are meant to cover. (2) Some categories with a letter in third place stand between two with digits: C4A between
#   C43 and C44, M1A between M08 and M10, Z3A between Z36 and Z37. As text a letter sorts behind all digits, so 304
#   billable codes fall out of the range of the very block that holds them.
# Why it matters: a benefit "all cancers" by subtree covers nothing, and a benefit C43-C44 or M05-M14 by comparison
#   refuses Merkel cell cancer or chronic gout, without an error either way.
# Instead: turn a range into a set of codes once, by position in the tabular list (get_index of the first category up
#   to the last descendant of the last one), and test membership in that set.
set -euo pipefail
command -v python3 >/dev/null || { echo "needs python3 with venv"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check simple_icd_10_cm==1.5.0 setuptools==80.9.0 \
  >pip.log 2>&1 || { tail -3 pip.log; echo "could not install the pinned packages"; exit 77; }

cat >check.py <<'PY'
import sys
from importlib.metadata import version

import simple_icd_10_cm as cm

codes = cm.get_all_codes(True)
blocks = [code for code in codes if cm.is_block(code) and "-" in code]
empty = [block for block in blocks if not cm.get_descendants(block)]
missed = [
    code
    for block in blocks
    for code in cm.get_descendants(block)
    if cm.is_leaf(code) and cm.is_subcategory(code) and not block[:3] <= code[:3] <= block[-3:]
]


def by_position(first, last):
    """The set of codes that a printed range means: from its first category to the end of its last one."""
    end = max([cm.get_index(last), *map(cm.get_index, cm.get_descendants(last))])
    return set(codes[cm.get_index(first) : end + 1])


print("simple_icd_10_cm", version("simple_icd_10_cm"), "with", len(codes), "codes")
print("blocks without descendants:", *empty)
print("C50.911 below C00-C96:", cm.is_descendant("C50.911", "C00-C96"))
print("codes outside the text range of their own block:", len(missed), "in", *sorted({code[:3] for code in missed}))
print("C4A.0 below C43-C44:", cm.is_descendant("C4A.0", "C43-C44"), "- by text:", "C43" <= "C4A.0"[:3] <= "C44")
cancer = by_position("C00", "C96")
found = "C50.911" in cancer, "C4A.0" in by_position("C43", "C44"), "D00.0" in cancer
print("by position, C50.911 in C00-C96, C4A.0 in C43-C44, D00.0 in C00-C96:", *found)
if (
    len(empty) != 12
    or {"C00-C96", "M00-M25", "T07-T88"} - set(empty)
    or cm.is_descendant("C50.911", "C00-C96")
    or len(missed) != 304
    or {code[:3] for code in missed} != {"C4A", "M1A", "Z3A"}
    or not cm.is_descendant("C4A.0", "C43-C44")
    or found != (True, True, False)
):
    sys.exit("CHANGED: ranges, empty blocks or the order of the codes are not as described")
print("As described: neither the subtree nor the alphabet tells what a printed range covers.")
PY
env/bin/python -W ignore check.py
