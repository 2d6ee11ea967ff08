#!/usr/bin/env bash
# hl7apy 1.3.5: reading a message and writing it back loses each Z segment, in strict mode too
#
# Expected: HL7 v2.5 (chapter 2, local extensions) lets two partners agree on segments of their own, whose names begin
#   with Z, anywhere in a message. The library's tutorial (Z Elements) says that they are supported, and a Z segment
#   added by hand is indeed kept and written. So parse_message() followed by to_er7() should give it back.
# Happens: parse_message() sorts the segments into the groups of the standard (find_groups=True unless told
#   otherwise), and what has no place there is dropped: no error, no warning, not even with STRICT. validate() then
#   answers True, about the message without them. With find_groups=False all is kept, but validate() of a message
#   that has groups raises.
# Why it matters: clinics put local insurance data (plan of the co-op, co-payment, sponsor) into a Z segment. A gateway
#   that reads, corrects a field and sends on removes it, and the receiver sees a perfectly valid message.
# Instead: parse with find_groups=False when anything is to be written back, parse a second time with groups to
#   validate, and compare the list of segment names before and after.
set -euo pipefail
command -v python3 >/dev/null || { echo "needs python3 with venv"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check hl7apy==1.3.5 >pip.log 2>&1 ||
  { tail -3 pip.log; echo "could not install the pinned package"; exit 77; }

cat >check.py <<'PY'
import sys
from importlib.metadata import version

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import ValidationError
from hl7apy.parser import parse_message

HEAD = "MSH|^~\\&|CLINIC|A|COOP|B|20260301||{}|1|P|2.5"
PATIENT = "EVN||20260301", "PID|1||123^^^X^MR||Invented^Name"
LINES = {
    "admission": ["ADT^A01^ADT_A01", "PV1|1|O", "IN1|1|PLAN|INS", "ZIN|1|COOP7", "IN1|2|PLANB|INS"],
    "charges": ["DFT^P03^DFT_P03", "FT1|1|||20260301||CG|99213", "ZFT|1|15", "FT1|2|||20260301||CG|87070"],
}
MESSAGES = {name: [HEAD.format(kind), *PATIENT, *rest] for name, (kind, *rest) in LINES.items()}


def validity(message):
    try:
        return message.validate()
    except ValidationError as error:
        return f"ValidationError: {error}"


print("hl7apy", version("hl7apy"))
changed = []
for name, lines in MESSAGES.items():
    text = "\r".join(lines)
    print(name, "- received:", *(line[:3] for line in lines))
    for level in ("TOLERANT", "STRICT"):
        message = parse_message(text, validation_level=getattr(VALIDATION_LEVEL, level))
        written = message.to_er7().split("\r")
        valid = validity(message)
        print(f"  {level:9} written: ", *(line[:3] for line in written), "- validate:", valid)
        if written != [line for line in lines if line[0] != "Z"] or valid is not True:
            changed.append(f"{name} {level}")
    flat = parse_message(text, find_groups=False)
    valid = validity(flat)
    print("  no groups written: ", *(line[:3] for line in flat.to_er7().split("\r")), "- validate:", valid)
    if flat.to_er7() != text or valid is True:
        changed.append(f"{name} without groups")
by_hand = parse_message("\r".join(MESSAGES["admission"][:4]))
by_hand.add_segment("ZIN").zin_1 = "1"
kept = by_hand.to_er7().endswith("\rZIN|1")
print("a ZIN added by hand is written:", kept)
if changed or not kept:
    sys.exit("CHANGED: " + (", ".join(changed) or "a segment added by hand") + " is written or judged in another way")
print("As described: Z segments that were read are not written back, and the rest counts as valid.")
PY
env/bin/python check.py
