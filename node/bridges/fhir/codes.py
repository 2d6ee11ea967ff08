"""Which code a line means. HCPCS Level II is known by its URI and form; every other system is an opaque (URI, code).

No text of CPT, SNOMED CT or ICD is read, kept or shipped: their codes pass through as the member's own data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from node.bridges.fhir.values import HCPCS_SYSTEM, MODIFIERS_MAX, TEXT_SIZE_MAX, Unmappable, fields_of

HCPCS_SPELLINGS = frozenset((HCPCS_SYSTEM, "urn:oid:2.16.840.1.113883.6.285"))
"""The URI and the OID under which HL7 registers HCPCS Level II."""
_HCPCS_FORM = re.compile(r"[A-V][0-9]{4}")

Coding = tuple[str, str]


def code_of(
    item: dict[str, Any], path: str, aliases: Mapping[Coding, Coding], charter_codes: frozenset[Coding]
) -> Coding:
    """Return (system, code) of a line, which may name the same service in several systems.

    The order of preference: the first coding on the charter's list, the first HCPCS Level II coding, the one marked
    `userSelected`, the first.
    """
    path = f"{path}.productOrService"
    concept = item.get("productOrService")
    codings = _codings(concept)
    usable = [(_known(coding, aliases), coding.get("userSelected") is True) for coding in codings if coding.get("code")]
    if not usable:
        hint = "text alone names no service; ask the provider for a code"
        raise Unmappable(path, "fhir_code_missing", "the line has no coded service", hint)
    system, code = _pick(usable, charter_codes)
    if not system:
        what = f"the code {code} names no coding system"
        raise Unmappable(f"{path}.coding", "fhir_code_system", what, "name the system by its URI")
    if system == HCPCS_SYSTEM and not _HCPCS_FORM.fullmatch(code):
        what = f"{code} is not a valid HCPCS Level II code (a letter A to V and four digits)"
        hint = "give CPT codes under http://www.ama-assn.org/go/cpt"
        raise Unmappable(f"{path}.coding", "fhir_code_form", what, hint)
    return checked_text(system, f"{path}.coding.system"), checked_text(code, f"{path}.coding.code")


def modifiers_of(item: dict[str, Any], path: str) -> tuple[str, ...]:
    """Return the modifier codes of a line, in the order given."""
    concepts: list[Any] = item.get("modifier") or []
    path = f"{path}.modifier"
    if len(concepts) > MODIFIERS_MAX:
        what = f"{len(concepts)} modifiers, more than {MODIFIERS_MAX}"
        raise Unmappable(path, "fhir_modifiers", what, "keep the modifiers that change the service")
    found: list[str] = []
    for number, concept in enumerate(concepts):
        code = next((str(coding["code"]) for coding in _codings(concept) if coding.get("code")), None)
        if code is None:
            what = "the modifier has no code"
            raise Unmappable(f"{path}[{number}]", "fhir_modifiers", what, "give modifiers as codes")
        found.append(checked_text(code, f"{path}[{number}]"))
    return tuple(found)


def checked_text(text: str, path: str) -> str:
    """Return `text` in Unicode form NFC, as the ledger keeps it; refuse what a screen could not show safely."""
    text = unicodedata.normalize("NFC", text)
    if not text or len(text) > TEXT_SIZE_MAX or not text.isprintable():
        what = f"text is empty, longer than {TEXT_SIZE_MAX} characters or not printable"
        raise Unmappable(path, "fhir_text", what, "correct it at the provider")
    return text


def _codings(concept: Any) -> list[dict[str, Any]]:
    return list(fields_of(concept).get("coding") or [])


def _known(coding: dict[str, Any], aliases: Mapping[Coding, Coding]) -> Coding:
    """Return the ledger's spelling of a coding: HCPCS under its URI, then the member's aliases."""
    system, code = str(coding.get("system") or ""), str(coding["code"])
    if system in HCPCS_SPELLINGS:
        system = HCPCS_SYSTEM
    return aliases.get((system, code), (system, code))


def _pick(usable: list[tuple[Coding, bool]], charter_codes: frozenset[Coding]) -> Coding:
    listed = [coding for coding, _ in usable if coding in charter_codes]
    hcpcs = [coding for coding, _ in usable if coding[0] == HCPCS_SYSTEM]
    selected = [coding for coding, is_selected in usable if is_selected]
    return [*listed, *hcpcs, *selected, usable[0][0]][0]
