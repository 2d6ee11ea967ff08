"""Which code a line means. HCPCS Level II is known by its URI and form; every other system is an opaque (URI, code).

No text of CPT, SNOMED CT or ICD is read, kept or shipped: their codes pass through as the member's own data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from node.bridges.fhir.values import HCPCS_SYSTEM, MODIFIERS_MAX, TEXT_SIZE_MAX, Unmappable, fields_of

CPT_SYSTEM = "http://www.ama-assn.org/go/cpt"
_LEVEL_II = frozenset(
    (
        "cms.gov/medicare/coding/hcpcsreleasecodesets",
        "cms.gov/medicare/coding/medhcpcsgeninfo",
        "terminology.hl7.org/codesystem/hcpcs-level-ii",
        "urn:oid:2.16.840.1.113883.6.285",
        "2.16.840.1.113883.6.285",
    )
)
"""Spellings of HCPCS Level II: HL7's registered URI and OID, its terminology server's, an old page of CMS."""
_BOTH_LEVELS = frozenset(
    (
        "bluebutton.cms.gov/resources/codesystem/hcpcs",
        "terminology.hl7.org/codesystem/hcpcs",
        "terminology.hl7.org/codesystem/hcpcs-all-codes",
        "urn:oid:2.16.840.1.113883.6.14",
        "2.16.840.1.113883.6.14",
    )
)
"""Spellings of HCPCS as a whole, whose Level I is CPT: Blue Button's URI, two of HL7's older ones, the OID."""
_HCPCS_FORM = re.compile(r"[A-V][0-9]{4}")
_CPT_FORM = re.compile(r"[0-9]{4}[0-9A-Z]")
_SCHEME = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)

Coding = tuple[str, str]


class CodeList:
    """The codes of the charter, found under any known spelling of their systems, and the member's aliases."""

    def __init__(self, listed: Iterable[Coding], aliases: Mapping[Coding, Coding]) -> None:
        self._aliases = aliases
        self._listed: dict[Coding, Coding] = {}
        self._systems: dict[str, str] = {}
        for system, code in sorted(listed):
            self._listed.setdefault((_plain(_one_spelling(system, code)), code), (system, code))
            self._systems.setdefault(code, system)

    def coding(self, system: str, code: str) -> tuple[Coding, bool]:
        """Return a coding as the ledger spells it, and if the charter lists it or the member has said what it is."""
        known = _one_spelling(system, code)
        for spelling in ((system, code), (known, code)):
            if spelling in self._aliases:
                return self._aliases[spelling], True
        listed = self._listed.get((_plain(known), code))
        return (listed, True) if listed else ((known, code), False)

    def system_of(self, code: str) -> str:
        """Return a system under which the charter lists this code, or nothing."""
        return self._systems.get(code, "")


def code_of(item: dict[str, Any], path: str, codes: CodeList) -> Coding:
    """Return (system, code) of a line, which may name the same service in several systems.

    The order of preference: the first coding on the charter's list, the first HCPCS Level II coding, the one marked
    `userSelected`, the first.
    """
    path = f"{path}.productOrService"
    usable = [coding for coding in codings_of(item.get("productOrService")) if coding.get("code")]
    if not usable:
        hint = "text alone names no service; ask the provider for a code"
        raise Unmappable(path, "fhir_code_missing", "the line has no coded service", hint)
    known = [codes.coding(str(coding.get("system") or ""), str(coding["code"])) for coding in usable]
    chosen = [number for number, (_, is_listed) in enumerate(known) if is_listed]
    chosen += [number for number, (coding, _) in enumerate(known) if coding[0] == HCPCS_SYSTEM]
    chosen += [number for number, coding in enumerate(usable) if coding.get("userSelected") is True]
    number = [*chosen, 0][0]
    (system, code), is_listed = known[number]
    if not system:
        what = f"the code {code} names no coding system"
        raise Unmappable(f"{path}.coding", "fhir_code_system", what, "name the system by its URI")
    if system == HCPCS_SYSTEM and not _HCPCS_FORM.fullmatch(code):
        what = f"{code} is not a valid HCPCS Level II code (a letter A to V and four digits)"
        raise Unmappable(f"{path}.coding", "fhir_code_form", what, f"give CPT codes under {CPT_SYSTEM}")
    elsewhere = codes.system_of(code)
    if elsewhere and not is_listed:
        what = f"the co-op lists {code} under {elsewhere}, and the line gives it under {system}"
        given = f"{usable[number].get('system') or ''}|{code}"
        hint = f"--map-code '{given}={elsewhere}|{code}' if it is that service, '{given}={system}|{code}' if not"
        raise Unmappable(f"{path}.coding", "fhir_code_elsewhere", what, hint)
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
        code = next((str(coding["code"]) for coding in codings_of(concept) if coding.get("code")), None)
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


def codings_of(concept: Any) -> list[dict[str, Any]]:
    """Return the codings of a CodeableConcept."""
    return list(fields_of(concept).get("coding") or [])


def _one_spelling(system: str, code: str) -> str:
    """Return the one spelling of a system that has several; Level I of HCPCS is CPT."""
    plain = _plain(system).lower().removesuffix("/index.html")
    if plain in _LEVEL_II:
        return HCPCS_SYSTEM
    if plain in _BOTH_LEVELS:
        return CPT_SYSTEM if _CPT_FORM.fullmatch(code) else HCPCS_SYSTEM
    return system


def _plain(system: str) -> str:
    """Return a URI without what is written by chance: http or https, www, a slash at the end."""
    return _SCHEME.sub("", system, count=1).rstrip("/") if system[:4].lower() == "http" else system
