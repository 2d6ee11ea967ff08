"""Valid files changed in ways that must not matter give the same claims; changes that matter are refused, or show."""

import copy
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import ImportMapping

HOME, AWAY = "https://clinic.example/fhir", "http://Mirror.example:8080/r4/"
REFERRING = ("patient", "provider", "encounter")
JUNK = [None, 7, 1.5, "x", True, [], {}, [None], {"resourceType": None}, {"resourceType": "NoSuchType", "x": [[]]}]
UNUSED = {
    "Claim": ["diagnosis", "careTeam", "supportingInfo", "subType", "facility", "language", "procedure", "related"],
    "ClaimItem": ["revenue", "category", "programCode", "udi", "bodySite", "careTeamSequence"],
    "Encounter": ["type", "hospitalization", "participant", "statusHistory"],
    "Organization": ["name", "contact", "active", "noSuchElement"],
}


def valid_file(make, shape):
    """Return a Bundle of claims and all they refer to; `shape` gives (lines, encounter) of each claim."""
    claims = []
    for number, (lines, visit) in enumerate(shape):
        items = [
            make.item(
                f"A{number:02}{line:02}",
                net=10 * line + 5,
                quantity={"value": 1},
                servicedDate=None if line % 2 else "2026-01-05",
                encounter=[{"reference": f"Encounter/{visit}"}],
            )
            for line in range(lines)
        ]
        provider = {"reference": "Organization/1"}
        claims.append(make.claim(*items, id=f"c{number}", provider=provider, total=make.money(5 * lines * lines)))
    clinic = {"resourceType": "Organization", "id": "1", "identifier": [{"value": "south"}]}
    person = {"resourceType": "Patient", "id": "p1"}
    visits = [make.encounter(str(visit)) for visit in range(3)]
    bundle = make.bundle(*claims, *visits, clinic, person)
    for entry in bundle["entry"]:
        entry["fullUrl"] = f"{HOME}/{entry['resource']['resourceType']}/{entry['resource']['id']}"
    return bundle


def resources(bundle, *kinds):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] in kinds]


def items(bundle):
    return [item for claim in resources(bundle, "Claim") for item in claim["item"]]


def references(bundle):
    for holder in [*resources(bundle, "Claim"), *items(bundle)]:
        for name in REFERRING:
            for reference in holder.get(name, []) if name == "encounter" else [holder.get(name, {})]:
                if "reference" in reference:
                    yield reference


def turned(value, chance):
    """Return JSON with the names of its objects in another order."""
    if isinstance(value, list):
        return [turned(item, chance) for item in value]
    if isinstance(value, dict):
        return {name: turned(value[name], chance) for name in chance.sample(list(value), len(value))}
    return value


# ---- What must not matter: functions of (bundle, chance) that change the bundle -------------------------------------


def entries_in_another_order(bundle, chance):
    chance.shuffle(bundle["entry"])


def references_with_the_servers_address(bundle, chance):
    for reference in references(bundle):
        if chance.random() < 0.5:
            reference["reference"] = f"{HOME}/{reference['reference']}"


def references_to_a_version(bundle, chance):
    for reference in references(bundle):
        if chance.random() < 0.5:
            reference["reference"] += "/_history/7"


def another_servers_address(bundle, chance):
    for entry in bundle["entry"]:
        entry["fullUrl"] = entry["fullUrl"].replace(HOME + "/", AWAY)
    for reference in references(bundle):
        reference["reference"] = reference["reference"].replace(HOME + "/", AWAY)


def no_addresses(bundle, chance):
    for entry in bundle["entry"]:
        del entry["fullUrl"]


def unused_elements(bundle, chance):
    for holder in [*resources(bundle, *UNUSED), *items(bundle)]:
        for name in UNUSED[holder.get("resourceType", "ClaimItem")]:
            if chance.random() < 0.3:
                holder[name] = [chance.choice(JUNK)] if name not in ("name", "active") else chance.choice(JUNK)


def unused_resources(bundle, chance):
    for number in range(3):
        strange = {"resourceType": chance.choice(["CatalogEntry", "Nothing", "List"]), "id": number, "entry": JUNK}
        bundle["entry"].insert(chance.randrange(len(bundle["entry"])), {"resource": strange, "fullUrl": 7})


def contained_resources(bundle, chance):
    for holder in resources(bundle, *UNUSED):
        holder["contained"] = chance.sample(JUNK, 4)


def extensions(bundle, chance):
    for holder in [*resources(bundle, "Claim", "Encounter"), *items(bundle)]:
        holder["extension"] = [{"url": "urn:x", "_valueCode": {"id": "x"}}, {"url": "urn:y", "_valueDateTime": {}}]


def extensions_of_primitives(bundle, chance):
    for claim in resources(bundle, "Claim"):
        claim["_created"] = claim["_status"] = {"extension": [{"url": "urn:x", "valueString": "x"}]}
    for item in items(bundle):
        item["_servicedDate"] = item["net"]["_value"] = {"id": "x"}


def texts_and_tags(bundle, chance):
    for holder in resources(bundle, *UNUSED):
        holder["text"] = {"status": "generated", "div": '<div>"}]</div>'}
        holder["meta"] = {"versionId": str(chance.random()), "tag": [{"code": "HTEST"}]}
    for item in items(bundle):
        item["productOrService"]["text"] = item["productOrService"]["coding"][0]["display"] = "a new name"


def other_spellings_of_hcpcs(bundle, chance):
    spellings = ("urn:oid:2.16.840.1.113883.6.285", "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets/")
    for item in items(bundle):
        item["productOrService"]["coding"][0]["system"] = chance.choice(spellings)


HARMLESS = [
    entries_in_another_order,
    references_with_the_servers_address,
    references_to_a_version,
    another_servers_address,
    no_addresses,
    unused_elements,
    unused_resources,
    contained_resources,
    extensions,
    extensions_of_primitives,
    texts_and_tags,
    other_spellings_of_hcpcs,
]


def claims_of(data, context):
    plan = map_claims(read_fhir(data), ImportMapping(), context)
    assert plan.refusals == ()
    return sorted(plan.claims, key=lambda claim: claim.resource)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=4),
    st.sets(st.sampled_from(HARMLESS), min_size=1, max_size=6),
    st.integers(0, 2**32),
    st.sampled_from(["compact", "indented", "lines"]),
)
def test_changes_that_must_not_matter_give_the_same_claims(make, context, shape, changes, seed, form):
    bundle, chance = valid_file(make, shape), random.Random(seed)
    before = claims_of(make.bytes(bundle), context)
    assert len({claim.event_id for claim in before}) == len({visit for _, visit in shape})
    for change in sorted(changes, key=HARMLESS.index):
        change(bundle, chance)
    bundle = turned(bundle, chance)
    data = json.dumps(bundle, indent=2 if form == "indented" else None).encode()
    if form == "lines":
        data = b"\n".join(json.dumps(entry["resource"]).encode() for entry in bundle["entry"])
    assert claims_of(data, context) == before


# ---- What matters ---------------------------------------------------------------------------------------------------


def put(*path, **values):
    """Return a change that sets elements at a place of the first resource of a type."""

    def change(bundle):
        place = resources(bundle, path[0])[0] if path[0] != "Bundle" else bundle
        for step in path[1:]:
            place = place[step]
        place.update(values)

    change.__name__ = "/".join(map(str, (*path, *values)))
    return change


MODIFIER = [{"url": "urn:negated", "valueBoolean": True}]
REFUSED = [
    *((put(*at, modifierExtension=MODIFIER), "fhir_not_understood") for at in (
        ("Claim",), ("Claim", "item", 0), ("Claim", "insurance", 0), ("Encounter",), ("Organization",)
    )),
    *((put(kind, implicitRules="urn:x"), "fhir_not_understood") for kind in (
        "Bundle", "Claim", "Encounter", "Organization"
    )),
    (put("Claim", "item", 0, "quantity", comparator="<"), "fhir_not_understood"),
    (put("Claim", meta={"tag": [{"code": "SUBSETTED"}]}), "fhir_not_understood"),
    *((put("Encounter", status=status), "fhir_encounter_status") for status in (
        "planned", "cancelled", "entered-in-error", "bogus"
    )),
    (put("Bundle", type="searchset", total=250), "fhir_pages_missing"),
    (put("Bundle", link=[{"relation": "next", "url": "urn:x"}]), "fhir_pages_missing"),
    (put("Bundle", type="bag"), "fhir_invalid"),
    (put("Claim", "item", 0, unknown=1), "fhir_invalid"),
    (put("Claim", "item", 0, servicedPeriod={"start": "2026-01-01", "end": "2026-01-01"}), "fhir_invalid"),
    (put("Organization", identifier=[{"value": "south", "use": "old"}]), "fhir_provider_unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code"), REFUSED, ids=lambda item: getattr(item, "__name__", item))
def test_what_must_be_understood_and_is_not_refuses_the_file_and_names_the_place(make, context, change, code):
    bundle = valid_file(make, [(2, 0), (1, 1)])
    change(bundle)
    plan = map_claims(read_fhir(make.bytes(bundle)), ImportMapping(), context)
    assert {reason.code for reason in plan.refusals} == {code}
    for reason in plan.refusals:
        assert reason.where or reason.resource == "file"
        changed_name = change.__name__.rpartition("/")[2]
        if code == "fhir_not_understood":
            assert changed_name in reason.path


SHOWN = [
    (put("Claim", "item", 0, "net", value=6), "charge_cents"),
    (put("Claim", "item", 0, servicedDate="2026-01-06"), "first_day"),
    (put("Claim", "item", 0, "productOrService", "coding", 0, code="B0001"), "code"),
    (put("Claim", "item", 0, "quantity", value=3), "units"),
    (put("Encounter", period={"start": "2026-01-01", "end": "2026-01-02"}), "first_day"),
]


@pytest.mark.parametrize(("change", "name"), SHOWN, ids=lambda item: getattr(item, "__name__", item))
def test_what_a_record_takes_from_a_file_changes_the_claim_and_its_source(make, context, change, name):
    bundle = valid_file(make, [(2, 0)])
    for claim in resources(bundle, "Claim"):
        del claim["total"]
    (before,) = claims_of(make.bytes(bundle), context)
    altered = copy.deepcopy(bundle)
    change(altered)
    (after,) = claims_of(make.bytes(altered), context)
    assert [getattr(line, name) for line in after.lines] != [getattr(line, name) for line in before.lines] or (
        name == "charge_cents" and after.charge_cents != before.charge_cents
    )
    assert after.source_hash != before.source_hash
