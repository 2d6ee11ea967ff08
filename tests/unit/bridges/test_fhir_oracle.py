"""`fhir.resources` as the oracle: our tables against its models, and our verdict on a claim against its verdict."""

import copy
import json
from decimal import Decimal
from importlib import import_module

import pytest
from pydantic import ValidationError

from node.bridges.fhir.exact import exact
from node.bridges.fhir.shape import PRIMITIVES, faults_of
from node.bridges.fhir.tables import CODES, NOT_UNDERSTOOD, TABLES

PARENTS = {"BundleLink": "bundle", "ClaimPayee": "claim", "ClaimInsurance": "claim", "ClaimItem": "claim"}
CLOSED = [kind for kind, table in TABLES.items() if not table.is_open]
THEIR_NAMES = {"boolean": "bool", "Tag": "Coding", "decimal": "Decimal"}


def model_of(kind):
    """Return the library's model: its R4B ones serve R4 (4.0.1) for the types used here."""
    return getattr(import_module(f"fhir.resources.R4B.{PARENTS.get(kind, kind.lower())}"), kind)


def elements_of(kind):
    """Return the library's elements of a type by their names in JSON."""
    return {
        field.alias: field
        for field in model_of(kind).model_fields.values()
        if field.alias and not field.alias.startswith("_") and field.alias != "fhir_comments"
    }


@pytest.mark.parametrize("kind", CLOSED)
def test_a_table_has_the_elements_of_r4_with_their_types(kind):
    theirs, table = elements_of(kind), TABLES[kind]
    assert set(table.elements) - {"resourceType"} == set(theirs)
    for name, field in theirs.items():
        element = table.elements[name]
        # lists of primitives are passed over here, and the library writes them in its own way
        assert element.is_list == ("List[" in str(field.annotation)), name
        if element.kind:
            word = THEIR_NAMES.get(element.kind, element.kind)
            assert word.lower() in str(field.annotation).lower().replace("_", ""), name


@pytest.mark.parametrize("kind", CLOSED)
def test_a_table_requires_what_r4_requires(kind):
    model = model_of(kind)
    fields = {field.alias for field in model.model_fields.values() if field.is_required()}
    if hasattr(model, "get_required_fields"):
        fields |= {model.model_fields[name].alias for name, _ in model.get_required_fields(model)}
    assert TABLES[kind].required == fields


@pytest.mark.parametrize("name", CODES)
def test_the_code_lists_are_those_of_r4(name):
    kind, _, element = name.partition(".")
    assert set(elements_of(kind)[element].json_schema_extra["enum_values"]) == CODES[name]


def test_every_type_a_table_names_exists():
    used = {element.kind for table in TABLES.values() for element in table.elements.values()}
    assert used - {"", "Tag"} <= PRIMITIVES.keys() | TABLES.keys()


# ---- Verdicts on claims -------------------------------------------------------------------------------------------


def full_claim(make):
    """Return a valid claim in which every element that is looked at stands."""
    coded = {"coding": [{"system": "urn:x", "code": "a b", "userSelected": True, "display": "x"}], "text": "x"}
    who = {"reference": "Organization/1", "identifier": {"use": "official", "system": "urn:c", "value": "n"}}
    line = make.item(
        quantity={"value": 2, "unit": "x"},
        unitPrice=make.money(62.5),
        factor=1,
        modifier=[coded, coded],
        encounter=[{"reference": "Encounter/1"}],
        extension=[{"url": "urn:e", "valueString": "x"}],
    )
    stay = dict(line, servicedPeriod={"start": "2026-01-01T10:00:00Z", "end": "2026-01-02"})
    del stay["servicedDate"]
    claim = make.claim(
        line,
        stay,
        meta={"tag": [{"code": "x"}]},
        payee={"type": coded},
        provider=who,
        billablePeriod={"start": "2026-01-01", "end": "2026-01-02"},
        total=make.money(250),
    )
    return exact(json.dumps(claim).encode())


def places_in(value, kind, path=()):
    """Yield (path, type, name) of every element of a claim that the tables look at."""
    for name, item in value.items():
        element = TABLES[kind].elements.get(name)
        if element is None or not element.kind or element.kind == "Tag":
            continue
        yield (*path, name), kind, name
        if element.kind in TABLES:
            items = enumerate(item) if element.is_list else [(None, item)]
            for number, inner in items:
                where = (*path, name) if number is None else (*path, name, number)
                yield from places_in(inner, element.kind, where)


def changed(claim, path, change):
    claim = copy.deepcopy(claim)
    place = claim
    for step in path[:-1]:
        place = place[step]
    change(place, path[-1])
    return claim


CHANGES = {
    "removed": lambda place, name: place.pop(name),
    "null": lambda place, name: place.update({name: None}),
    "an object": lambda place, name: place.update({name: {"x": 1}}),
    "a list of lists": lambda place, name: place.update({name: [[]]}),
    "a lone true": lambda place, name: place.update({name: True}),
    "a word": lambda place, name: place.update({name: "no such word"}),
    "an empty text": lambda place, name: place.update({name: ""}),
    "a negative number": lambda place, name: place.update({name: -7}),
    "a fraction": lambda place, name: place.update({name: Decimal("0.5")}),
    "a day that is none": lambda place, name: place.update({name: "2026-02-30"}),
    "a year": lambda place, name: place.update({name: "2026"}),
    "a time without a zone": lambda place, name: place.update({name: "2026-01-01T10:00:00"}),
    "renamed": lambda place, name: place.update({f"{name}s": place.pop(name)}),
    "a primitive's extension": lambda place, name: place.update({f"_{name}": {"id": "x"}}),
}
THEY_TAKE = {
    # pydantic makes one JSON type of another: a number from true or text, a time from a number
    *((words, kind) for words in ("a lone true", "a year") for kind in ("positiveInt", "decimal")),
    *((words, "dateTime") for words in ("a fraction", "a negative number")),
    # it does not know the codes that R4 requires, takes spaces and nothing for a URI, and null for what must stand
    *((words, "code") for words in ("a word", "a year", "a day that is none", "a time without a zone")),
    *((words, "uri") for words in ("a word", "an empty text")),
    *(("null", kind) for kind in ("CodeableConcept", "Reference")),
}
"""(change, type) that R4 forbids, and the library lets pass."""
THEY_REFUSE = {("a primitive's extension", "id")}
"""(change, type) that the library refuses, and that says nothing here."""


def is_valid_for_them(claim):
    try:
        model_of("Claim").model_validate(claim)
    except ValidationError:
        return False
    return True


def test_every_fault_the_library_finds_in_what_a_claim_needs_is_found_here_and_no_other(make):
    claim = full_claim(make)
    assert faults_of(claim, "Claim") == []
    assert is_valid_for_them(claim)
    seen = set()
    for path, kind, name in places_in(claim, "Claim"):
        of = TABLES[kind].elements[name].kind
        seen.add((kind, name))
        for words, change in CHANGES.items():
            mutant = changed(claim, path, change)
            ours, theirs = not faults_of(mutant, "Claim"), is_valid_for_them(mutant)
            known = (words, of) in (THEY_REFUSE if ours else THEY_TAKE)
            assert ours == theirs or known, f"{words} at {path}: here {ours}, there {theirs}"
    looked_at = {
        (kind, name)
        for kind in ("Claim", "ClaimItem", "ClaimPayee", "Money", "Quantity", "Period", "Coding", "Identifier")
        for name, element in TABLES[kind].elements.items()
        if element.kind not in ("", "Tag") and name not in NOT_UNDERSTOOD
    }
    assert looked_at <= seen


def test_the_library_reads_the_same_values_but_for_digits_that_a_float_loses(make):
    claim = full_claim(make)
    text = json.dumps(claim, default=float)
    theirs = json.loads(model_of("Claim").model_validate_json(text).model_dump_json())
    for path, kind, name in places_in(claim, "Claim"):
        ours, place = claim, theirs
        for step in path:
            ours, place = ours[step], place[step]
        if TABLES[kind].elements[name].kind in PRIMITIVES:
            assert (float(ours) == float(place)) if isinstance(ours, Decimal) else (ours == place), path
