"""FHIR R4 (4.0.1) as tables: of each type that a claim needs, its elements and what must hold of them.

`name:Type` is checked as `Type`; `!` marks a required element and `*` a list. `Type` is a key of `TABLES`, a primitive
of `shape`, or `Tag`; `-` is passed over: nothing of it is used. An element of `NOT_UNDERSTOOD` may change what all
beside it means (R4 calls it a modifier) in a way that this program does not know: a reason to refuse.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_UNDERSTOOD = frozenset(("implicitRules", "modifierExtension", "comparator"))
CODES = {
    "Identifier.use": frozenset(("usual", "official", "temp", "secondary", "old")),
    "Bundle.type": frozenset(
        (
            *("document", "message", "transaction", "transaction-response", "batch", "batch-response"),
            *("history", "searchset", "collection"),
        )
    ),
}
"""Required codes, where the mapping does not itself refuse every code that it cannot use."""

_DATA = "id:- extension*:-"
_BACKBONE = f"{_DATA} modifierExtension*:-"
_RESOURCE = "resourceType:- id:id meta:Meta implicitRules:uri language:-"
_DOMAIN = f"{_RESOURCE} text:- contained*:- extension*:- modifierExtension*:-"


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type."""

    kind: str
    """Its type; empty when it is passed over."""
    is_list: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One type: its elements, those that are required, those of which only one may stand, and if others may stand."""

    elements: dict[str, Element]
    required: frozenset[str]
    one_of: frozenset[str]
    is_open: bool


def _table(text: str, one_of: str = "", *, is_open: bool = False) -> Table:
    elements, required = dict[str, Element](), set[str]()
    for part in text.split():
        head, _, kind = part.partition(":")
        name = head.rstrip("*!")
        elements[name] = Element("" if kind == "-" else kind, "*" in head)
        if "!" in head:
            required.add(name)
    return Table(elements, frozenset(required), frozenset(one_of.split()), is_open)


_IDENTIFIED = _table(f"{_RESOURCE} modifierExtension*:- identifier*:Identifier", is_open=True)

TABLES: dict[str, Table] = {
    "Bundle": _table(
        f"{_RESOURCE} type!:code identifier:- timestamp:- total:unsignedInt link*:BundleLink entry*:- signature:-"
    ),
    "BundleLink": _table(f"{_BACKBONE} relation!:string url!:uri"),
    "Claim": _table(
        f"{_DOMAIN} status!:code type!:CodeableConcept use!:code patient!:Reference billablePeriod:Period"
        " created!:dateTime provider!:Reference priority!:CodeableConcept payee:ClaimPayee insurance!*:ClaimInsurance"
        " item*:ClaimItem total:Money identifier*:- subType:- enterer:- insurer:- fundsReserve:- related*:-"
        " prescription:- originalPrescription:- referral:- facility:- careTeam*:- supportingInfo*:- diagnosis*:-"
        " procedure*:- accident:-"
    ),
    "ClaimPayee": _table(f"{_BACKBONE} type!:CodeableConcept party:-"),
    "ClaimInsurance": _table(
        f"{_BACKBONE} sequence!:positiveInt focal!:boolean coverage!:Reference identifier:- businessArrangement:-"
        " preAuthRef*:- claimResponse:-"
    ),
    "ClaimItem": _table(
        f"{_BACKBONE} sequence!:positiveInt productOrService!:CodeableConcept modifier*:CodeableConcept"
        " servicedDate:date servicedPeriod:Period quantity:Quantity unitPrice:Money factor:decimal net:Money"
        " encounter*:Reference detail*:- careTeamSequence*:- diagnosisSequence*:- procedureSequence*:-"
        " informationSequence*:- revenue:- category:- programCode*:- locationCodeableConcept:- locationAddress:-"
        " locationReference:- udi*:- bodySite:- subSite*:-",
        one_of="servicedDate servicedPeriod",
    ),
    "Encounter": _table(
        f"{_DOMAIN} status!:code class!:Coding period:Period identifier*:Identifier statusHistory*:- classHistory*:-"
        " type*:- serviceType:- priority:- subject:- episodeOfCare*:- basedOn*:- participant*:- appointment*:-"
        " length:- reasonCode*:- reasonReference*:- diagnosis*:- account*:- hospitalization:- location*:-"
        " serviceProvider:- partOf:-"
    ),
    "Organization": _IDENTIFIED,
    "Practitioner": _IDENTIFIED,
    "PractitionerRole": _IDENTIFIED,
    "Patient": _IDENTIFIED,
    "Meta": _table(f"{_DATA} versionId:- lastUpdated:- source:- profile*:- security*:- tag*:Tag"),
    "CodeableConcept": _table(f"{_DATA} coding*:Coding text:-"),
    "Coding": _table(f"{_DATA} system:uri version:- code:code display:- userSelected:boolean"),
    "Identifier": _table(f"{_DATA} use:code type:- system:uri value:string period:- assigner:-"),
    "Money": _table(f"{_DATA} value:decimal currency:code"),
    "Period": _table(f"{_DATA} start:dateTime end:dateTime"),
    "Quantity": _table(f"{_DATA} value:decimal comparator:code unit:- system:- code:-"),
    "Reference": _table(f"{_DATA} reference:string type:- identifier:Identifier display:-"),
}
