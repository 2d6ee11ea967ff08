import re
from dataclasses import replace
from pathlib import Path

import pytest

from governance.filing import claims
from node.bridges.fhir import mapping as mapping_module
from node.bridges.fhir import values
from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import HCPCS_SYSTEM, ImportMapping, MappedLine

PLAIN = ImportMapping()


@pytest.fixture
def plan_of(make, context):
    def plan(*resources, mapping=PLAIN, context=context):
        return map_claims(read_fhir(make.bytes(make.bundle(*resources))), mapping, context)

    return plan


@pytest.fixture
def reasons_of(plan_of):
    def reasons(*resources, **options):
        plan = plan_of(*resources, **options)
        assert not plan.claims
        return [(reason.path, reason.code) for reason in plan.refusals]

    return reasons


def test_a_claim_with_a_hcpcs_line_imports_as_it_is(plan_of, make):
    modifier = [{"coding": [{"code": "GY"}]}, {"coding": [{"code": "59"}]}]
    plan = plan_of(make.claim(make.item("A0428", net=812, quantity={"value": 2}, modifier=modifier)))
    assert plan.refusals == ()
    claim = plan.claims[0]
    assert claim.lines == (MappedLine(HCPCS_SYSTEM, "A0428", ("GY", "59"), 2, 81_200, 5, 5),)
    assert (claim.use, claim.payee, claim.provider_key, claim.patient, claim.event_id) == (
        "claim",
        "member",
        b"N" * 32,
        "Patient/p1",
        b"",
    )
    assert len(claim.source_hash) == 32


def test_both_registered_spellings_of_hcpcs_become_one_system(plan_of, make):
    plan = plan_of(make.claim(make.item(system="urn:oid:2.16.840.1.113883.6.285")))
    assert plan.claims[0].lines[0].system == HCPCS_SYSTEM


def test_cpt_snomed_and_icd_codes_pass_as_opaque_codes(plan_of, make):
    systems = ["http://www.ama-assn.org/go/cpt", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"]
    plan = plan_of(make.claim(*[make.item(f"9921{n}", system=system) for n, system in enumerate(systems)]))
    assert [(line.system, line.code) for line in plan.claims[0].lines] == [
        (system, f"9921{n}") for n, system in enumerate(systems)
    ]


def test_a_cpt_code_under_the_hcpcs_system_is_refused(reasons_of, make):
    assert reasons_of(make.claim(make.item("99213"))) == [("Claim.item[0].productOrService.coding", "fhir_code_form")]


def test_of_several_codings_the_one_on_the_charters_list_is_taken(plan_of, make, context):
    coding = [
        {"system": "urn:x", "code": "1"},
        {"system": HCPCS_SYSTEM, "code": "G0439"},
        {"system": "urn:y", "code": "2"},
    ]
    claim = make.claim(make.item(productOrService={"coding": coding}))
    assert plan_of(claim).claims[0].lines[0].code == "G0439"
    assert plan_of(claim, context=replace(context, codes=frozenset({("urn:y", "2")}))).claims[0].lines[0].code == "2"


def test_a_members_aliases_translate_codes_and_providers(plan_of, make):
    mapping = ImportMapping(codes={("urn:local", "visit"): (HCPCS_SYSTEM, "T1015")}, providers={"clinic 7": "south"})
    claim = make.claim(make.item("visit", system="urn:local"), provider={"identifier": {"value": "clinic 7"}})
    mapped = plan_of(claim, mapping=mapping).claims[0]
    assert (mapped.lines[0].code, mapped.provider_identifier, mapped.provider_key) == ("T1015", "south", b"S" * 32)


def test_a_provider_is_found_through_the_organization_it_refers_to(plan_of, make):
    clinic = {"resourceType": "Organization", "id": "o1", "name": "Clinic", "identifier": [{"value": "south"}]}
    assert (
        plan_of(make.claim(provider={"reference": "Organization/o1"}), clinic).claims[0].provider_identifier == "south"
    )


def test_a_logical_id_alone_names_no_provider(reasons_of, make):
    assert reasons_of(make.claim(provider={"reference": "Organization/south"})) == [
        ("Claim.provider", "fhir_provider_unknown")
    ]


def test_identifiers_of_two_providers_are_refused(reasons_of, make):
    clinic = {
        "resourceType": "Organization",
        "id": "o",
        "name": "C",
        "identifier": [{"value": "south"}, {"system": "urn:example:clinics", "value": "north"}],
    }
    assert reasons_of(make.claim(provider={"reference": "Organization/o"}), clinic) == [
        ("Claim.provider", "fhir_provider_ambiguous")
    ]


# ---- Days ---------------------------------------------------------------------------------------------------------


def test_days_come_from_the_line_then_the_encounter_then_the_claim(plan_of, make):
    visit = {"reference": "Encounter/e1"}
    claim = make.claim(
        make.item(
            servicedPeriod={"start": "2026-01-01T08:00:00Z", "end": "2026-01-02"}, servicedDate=None, encounter=[visit]
        ),
        make.item(servicedDate=None, encounter=[visit]),
        make.item(servicedDate=None),
        billablePeriod={"start": "2026-01-06", "end": "2026-01-07"},
    )
    plan = plan_of(claim, make.encounter())
    assert [(line.first_day, line.last_day) for line in plan.claims[0].lines] == [(1, 2), (3, 4), (6, 7)]


def test_the_day_is_the_calendar_day_where_the_service_took_place(plan_of, make):
    plan = plan_of(
        make.claim(make.item(servicedDate=None, encounter=[{"reference": "Encounter/e1"}])),
        make.encounter(start="2026-01-03T23:30:00-05:00", end="2026-01-03T23:50:00-05:00"),
    )
    assert (plan.claims[0].lines[0].first_day, plan.claims[0].lines[0].last_day) == (3, 3)


def test_an_encounter_may_be_contained_named_by_address_or_by_urn(plan_of, make):
    inside = make.claim(make.item(servicedDate=None, encounter=[{"reference": "#e1"}]), contained=[make.encounter()])
    assert plan_of(inside).claims[0].lines[0].first_day == 3
    outside = make.claim(
        make.item(servicedDate=None, encounter=[{"reference": "https://example.org/fhir/Encounter/e1/_history/2"}])
    )
    assert plan_of(outside, make.encounter()).claims[0].lines[0].first_day == 3
    identity = "0d197c4c-5a60-4ed1-b8a4-f236f66f95ac"
    inside = [
        make.claim(
            make.item(f"A000{n}"),
            id=f"c{n}",
            patient={"reference": "#p"},
            contained=[{"resourceType": "Patient", "id": "p"}],
        )
        for n in range(2)
    ]
    assert [reason.code for reason in plan_of(*inside).refusals] == ["fhir_several_patients"]
    assert len(plan_of(*inside, mapping=ImportMapping(patient="#p")).claims) == 2
    by_urn = make.claim(make.item(servicedDate=None, encounter=[{"reference": f"urn:uuid:{identity}"}]))
    assert plan_of(by_urn, make.encounter(identity)).claims[0].lines[0].first_day == 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"servicedDate": None}, ("Claim.item[0].servicedDate", "fhir_date_missing")),
        (
            {"servicedDate": None, "encounter": [{"reference": "Encounter/elsewhere"}]},
            ("Claim.item[0].encounter[0]", "fhir_date_missing"),
        ),
        ({"servicedDate": "2026-01"}, ("Claim.item[0].servicedDate", "fhir_date_partial")),
        ({"servicedDate": "2026-01-11"}, ("Claim.item[0].servicedDate", "fhir_date_future")),
        ({"servicedDate": "2025-12-31"}, ("Claim.item[0].servicedDate", "fhir_date_early")),
        (
            {"servicedDate": None, "servicedPeriod": {"start": "2026-01-04", "end": "2026-01-03"}},
            ("Claim.item[0].servicedPeriod", "fhir_date_order"),
        ),
        (
            {"servicedDate": None, "servicedPeriod": {"start": "2026-01-04"}},
            ("Claim.item[0].servicedPeriod.end", "fhir_date_missing"),
        ),
    ],
)
def test_lines_whose_days_are_unknown_or_outside_the_co_op_are_refused(reasons_of, make, fields, reason):
    assert reasons_of(make.claim(make.item(**fields))) == [reason]


def test_the_day_of_the_next_block_is_the_last_one_allowed(plan_of, make):
    assert plan_of(make.claim(make.item(servicedDate="2026-01-10"))).claims[0].lines[0].last_day == 10


def test_a_cancelled_or_open_encounter_gives_no_day(reasons_of, make):
    claim = make.claim(make.item(servicedDate=None, encounter=[{"reference": "Encounter/e1"}]))
    assert reasons_of(claim, make.encounter(status="cancelled")) == [
        ("Claim.item[0].encounter[0]", "fhir_encounter_status")
    ]
    assert reasons_of(claim, make.encounter(end=None)) == [("Encounter/e1.period.end", "fhir_date_missing")]


# ---- Amounts and lines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"net": {"value": 10, "currency": "EUR"}}, "net.currency", "fhir_currency"),
        ({"net": {"value": 10}}, "net.currency", "fhir_currency"),
        ({"net": {"currency": "USD"}}, "net.value", "fhir_amount_missing"),
        ({"net": None}, "net", "fhir_amount_missing"),
        ({"net": {"value": 0, "currency": "USD"}}, "net", "fhir_amount_not_positive"),
        ({"net": {"value": -5, "currency": "USD"}}, "net", "fhir_amount_not_positive"),
        ({"net": {"value": 10.005, "currency": "USD"}}, "net", "fhir_amount_fractional"),
        ({"net": {"value": 1e20, "currency": "USD"}}, "net", "fhir_amount_too_large"),
        ({"quantity": {"value": 0}}, "quantity.value", "fhir_units"),
        ({"quantity": {"value": 1.5}}, "quantity.value", "fhir_units"),
        ({"quantity": {"unit": "hours"}}, "quantity.value", "fhir_units"),
        ({"unitPrice": {"value": 60, "currency": "USD"}, "quantity": {"value": 2}}, "net", "fhir_amount_contradicts"),
        ({"modifier": [{"coding": [{"code": "A"}]}] * 5}, "modifier", "fhir_modifiers"),
        ({"productOrService": {"text": "a visit"}}, "productOrService", "fhir_code_missing"),
        ({"productOrService": {"coding": [{"code": "7"}]}}, "productOrService.coding", "fhir_code_system"),
    ],
)
def test_lines_that_cannot_be_billed_exactly_are_refused(reasons_of, make, fields, path, code):
    assert reasons_of(make.claim(make.item(**fields))) == [(f"Claim.item[0].{path}", code)]


def test_without_net_the_charge_is_price_times_quantity_times_factor(plan_of, make):
    plan = plan_of(make.claim(make.item(net=25, unitPrice=make.money(12.5), quantity={"value": 4}, factor=0.5)))
    assert plan.claims[0].lines[0].charge_cents == 2_500
    item = make.item(unitPrice=make.money(12.5), quantity={"value": 4}, factor=0.5)
    del item["net"]
    assert plan_of(make.claim(item)).claims[0].lines[0].charge_cents == 2_500


def test_a_currency_without_minor_units_takes_whole_amounts_only(make, context, plan_of, reasons_of):
    francs = replace(context, currency="XAF", exponent=0)
    item = dict(make.item(), net=make.money(15_000, "XAF"))
    assert plan_of(make.claim(item), context=francs).claims[0].lines[0].charge_cents == 15_000
    half = dict(make.item(), net=make.money(15_000.5, "XAF"))
    assert reasons_of(make.claim(half), context=francs) == [("Claim.item[0].net", "fhir_amount_fractional")]


def test_a_total_that_is_not_the_sum_of_the_lines_is_refused(reasons_of, plan_of, make):
    items = make.item(net=100), make.item("T1015", net=20)
    assert plan_of(make.claim(*items, total=make.money(120))).claims[0].charge_cents == 12_000
    assert reasons_of(make.claim(*items, total=make.money(125))) == [("Claim.total", "fhir_amount_contradicts")]


def test_a_claim_has_at_least_one_line_and_at_most_the_charters_maximum(reasons_of, plan_of, make, context):
    small = replace(context, lines_max=2)
    assert len(plan_of(make.claim(make.item(), make.item("T1015")), context=small).claims[0].lines) == 2
    assert reasons_of(make.claim(*[make.item()] * 3), context=small) == [("Claim.item", "fhir_lines")]
    assert reasons_of(make.claim(item=None)) == [("Claim.item", "fhir_lines")]


# ---- The claim as a whole -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "cancelled"}, ("Claim.status", "fhir_status")),
        ({"status": "draft"}, ("Claim.status", "fhir_status")),
        ({"use": "predetermination"}, ("Claim.use", "fhir_use")),
        ({"use": "bogus"}, ("Claim.use", "fhir_use")),
        ({"provider": {"display": "somebody"}}, ("Claim.provider", "fhir_provider_unknown")),
        ({"payee": {"type": {"coding": [{"code": "other"}]}}}, ("Claim.payee.type", "fhir_payee")),
        (
            {"insurance": [{"sequence": n, "focal": n == 1, "coverage": {"display": "c"}} for n in (1, 2)]},
            ("Claim.insurance", "fhir_other_coverage"),
        ),
        ({"patient": {"display": "x"}}, ("Claim.patient", "fhir_text")),
    ],
)
def test_claims_that_are_not_ours_to_file_are_refused(reasons_of, make, fields, reason):
    assert reasons_of(make.claim(**fields)) == [reason]


def test_preauthorizations_and_payees_keep_their_meaning(plan_of, make):
    claim = plan_of(make.claim(use="preauthorization", payee={"type": {"coding": [{"code": "provider"}]}})).claims[0]
    assert (claim.use, claim.payee) == ("preauth", "provider")


def test_a_co_op_that_takes_no_preauthorizations_refuses_them_in_the_file(reasons_of, make, context):
    assert reasons_of(make.claim(use="preauthorization"), context=replace(context, uses=frozenset({"claim"}))) == [
        ("Claim.use", "fhir_use")
    ]


def test_one_bad_claim_keeps_the_whole_file_out_and_every_reason_is_given(plan_of, make):
    bad = make.claim(make.item(net=-1, servicedDate="2027-01-01"), id="c2", use="bogus")
    plan = plan_of(make.claim(), bad)
    assert plan.claims == ()
    assert [(r.resource, r.code) for r in plan.refusals] == [
        ("Claim/c2", "fhir_use"),
        ("Claim/c2", "fhir_amount_not_positive"),
        ("Claim/c2", "fhir_date_future"),
    ]
    assert all(reason.what and reason.hint for reason in plan.refusals)


def test_a_file_without_claims_says_so(reasons_of, make):
    assert reasons_of(make.encounter()) == [("Claim", "fhir_no_claims")]


def test_a_service_that_stands_twice_in_a_file_is_refused(reasons_of, plan_of, make):
    assert reasons_of(make.claim(make.item(), make.item(net=9))) == [("Claim.item[1]", "fhir_duplicate_line")]
    assert reasons_of(make.claim(), make.claim(id="c2")) == [("Claim.item[0]", "fhir_duplicate_line")]
    assert len(plan_of(make.claim(), make.claim(make.item(servicedDate="2026-01-06"), id="c2")).claims) == 2


def test_one_code_under_two_systems_in_a_claim_is_refused(reasons_of, make):
    items = make.item(), make.item(system="urn:x", servicedDate="2026-01-06")
    assert reasons_of(make.claim(*items)) == [("Claim.item[1].productOrService", "fhir_code_two_systems")]


def test_the_bounds_are_those_of_the_rules():
    assert (values.LINES_MAX, values.TEXT_SIZE_MAX, values.CHARGE_CENTS_MAX) == (
        claims.LINES_MAX,
        claims.TEXT_MAX,
        claims.AMOUNT_CENTS_MAX,
    )
    assert values.UNITS_MAX <= claims.UNITS_MAX


def test_every_reason_and_error_of_the_importer_stands_in_the_reference():
    root = Path(values.__file__).parents[3]
    sources = [*Path(values.__file__).parent.glob("*.py"), root / "node" / "cli" / "claims" / "importing.py"]
    used = {code for source in sources for code in re.findall(r'"(fhir_[a-z_]+)"', source.read_text("utf-8"))}
    documented = set(
        re.findall(
            r"^\| `(fhir_[a-z_]+)` \|",
            (root / "docs" / "reference" / "fhir-import.md").read_text("utf-8"),
            re.MULTILINE,
        )
    )
    assert used == documented


def test_the_same_claim_twice_is_taken_once_and_two_versions_are_refused(plan_of, reasons_of, make):
    plan = plan_of(make.claim(), make.claim(meta={"versionId": "2"}))
    assert (len(plan.claims), plan.repeated) == (1, 1)
    assert reasons_of(make.claim(), make.claim(make.item(net=5))) == [("Claim", "fhir_duplicate_id")]


def test_claims_of_several_patients_need_a_choice(plan_of, reasons_of, make):
    mine, other = make.claim(), make.claim(id="c2", patient={"reference": "Patient/p2"})
    assert reasons_of(mine, other) == [("Claim.patient", "fhir_several_patients")]
    plan = plan_of(mine, other, mapping=ImportMapping(patient="Patient/p2"))
    assert [claim.resource for claim in plan.claims] == ["Claim/c2"]
    assert plan.other_patients == 1
    assert reasons_of(mine, mapping=ImportMapping(patient="Patient/p9")) == [("Claim", "fhir_no_claims")]


def test_claims_of_one_encounter_share_their_event(plan_of, make):
    visit = [{"reference": "Encounter/e1"}]
    plan = plan_of(
        make.claim(make.item(encounter=visit)),
        make.claim(make.item("T1015", encounter=[{"reference": "Encounter/e1/_history/4"}]), id="c2"),
        make.claim(make.item("A0428"), id="c3"),
        make.encounter(),
    )
    first, second, third = (claim.event_id for claim in plan.claims)
    assert first == second
    assert len(first) == 32
    assert third == b""


def test_ids_of_different_types_may_be_equal(plan_of, make):
    plan = plan_of(
        make.claim(make.item(servicedDate=None, encounter=[{"reference": "Encounter/c1"}])), make.encounter("c1")
    )
    assert len(plan.claims) == 1


def test_the_plan_is_the_same_every_time(plan_of, make):
    assert plan_of(make.claim(), make.claim(make.item("T1015"), id="c2")) == plan_of(
        make.claim(), make.claim(make.item("T1015"), id="c2")
    )


# ---- Identity: one visit and one patient under all spellings, two of different clinics kept apart ------------------


def visit_at(make, identity, provider, reference, **fields):
    item = make.item(f"A{identity:04}", encounter=[{"reference": reference}])
    return make.claim(item, id=f"c{identity}", provider={"identifier": {"value": provider}}, **fields)


def test_an_event_is_a_visit_at_one_provider_however_it_is_spelled(plan_of, make):
    mapping = ImportMapping(providers={"north": "urn:example:clinics|north"})
    identity = "0d197c4c-5a60-4ed1-b8a4-f236f66f95ac"
    spelled = ["Encounter/1", "https://a.example/fhir/Encounter/1", "http://b.example:8080/Encounter/1/_history/3"]
    claims = [visit_at(make, number, "south", text) for number, text in enumerate(spelled)]
    others = [
        visit_at(make, 10, "north", "Encounter/1"),
        visit_at(make, 11, "south", "Encounter/2"),
        visit_at(make, 12, "south", f"urn:uuid:{identity}"),
        visit_at(make, 13, "south", f"Encounter/{identity.upper()}"),
        visit_at(make, 14, "south", "#e1", contained=[make.encounter()]),
    ]
    plan = plan_of(*claims, *others, mapping=mapping)
    events = [claim.event_id for claim in plan.claims]
    assert len(set(events[:3])) == 1
    assert len({events[0], *events[3:6]}) == 4
    assert events[5] == events[6]
    assert events[7] == b""  # a contained visit is of its claim alone


def test_a_urn_means_the_resource_that_bears_it(make, context):
    bundle = make.bundle(visit_at(make, 1, "south", "urn:uuid:AB"), visit_at(make, 2, "south", "Encounter/e1"))
    bundle["entry"].append({"fullUrl": "urn:uuid:ab", "resource": make.encounter()})
    first, second = map_claims(read_fhir(make.bytes(bundle)), PLAIN, context).claims
    assert first.event_id == second.event_id
    bundle["entry"].append({"fullUrl": "urn:uuid:ab", "resource": make.encounter("e2")})
    assert {reason.code for reason in map_claims(read_fhir(make.bytes(bundle)), PLAIN, context).refusals} == {
        "fhir_duplicate_id"
    }


def test_a_patient_that_is_two_is_a_reason(make, context):
    bundle = make.bundle(make.claim(patient={"reference": "urn:uuid:ab"}))
    bundle["entry"] += [{"fullUrl": "urn:uuid:ab", "resource": {"resourceType": "Patient", "id": i}} for i in "pq"]
    for patient in ("", "Patient/p"):
        plan = map_claims(read_fhir(make.bytes(bundle)), ImportMapping(patient=patient), context)
        assert [(reason.path, reason.code) for reason in plan.refusals] == [("Claim.patient", "fhir_duplicate_id")]


def test_a_patient_is_one_under_all_spellings(plan_of, reasons_of, make):
    spelled = ["Patient/p1", "https://a.example/fhir/Patient/p1", "https://a.example/fhir/Patient/p1/_history/2"]
    claims = [
        make.claim(make.item(f"A000{number}"), id=f"c{number}", patient={"reference": text})
        for number, text in enumerate(spelled)
    ]
    for patient in ("", *spelled, "http://A.example/fhir/Patient/p1"):
        plan = plan_of(*claims, mapping=ImportMapping(patient=patient))
        assert [(claim.resource, claim.patient) for claim in plan.claims] == [
            (f"Claim/c{number}", "Patient/p1") for number in range(3)
        ]
        assert plan.other_patients == 0
    stranger = make.claim(make.item("A0009"), id="c9", patient={"reference": "https://b.example/Patient/p1"})
    for patient in ("", "Patient/p1"):
        assert reasons_of(*claims, stranger, mapping=ImportMapping(patient=patient)) == [
            ("Claim.patient", "fhir_several_patients")
        ]
    plan = plan_of(*claims, stranger, mapping=ImportMapping(patient="https://a.example/fhir/Patient/p1"))
    assert (len(plan.claims), plan.other_patients) == (3, 1)


def test_a_patient_may_be_named_by_an_identifier_or_a_urn(plan_of, make):
    by_identifier = make.claim(patient={"identifier": {"system": "urn:ids", "value": "7"}})
    assert len(plan_of(by_identifier, mapping=ImportMapping(patient="urn:ids|7")).claims) == 1
    by_query = make.claim(patient={"reference": "Patient?identifier=urn:ids%7C7"})
    assert plan_of(by_query).claims[0].patient == "Patient?identifier=urn:ids|7"
    inside = [
        make.claim(
            make.item(f"A000{n}"),
            id=f"c{n}",
            patient={"reference": "#p"},
            contained=[{"resourceType": "Patient", "id": "p"}],
        )
        for n in range(2)
    ]
    assert [reason.code for reason in plan_of(*inside).refusals] == ["fhir_several_patients"]
    assert len(plan_of(*inside, mapping=ImportMapping(patient="#p")).claims) == 2
    by_urn = make.claim(patient={"reference": "urn:uuid:0d197c4c-5a60-4ed1-b8a4-f236f66f95ac"})
    plan = plan_of(by_urn, mapping=ImportMapping(patient="Patient/0D197C4C-5A60-4ED1-B8A4-F236F66F95AC"))
    assert len(plan.claims) == 1


def test_two_servers_may_use_one_id_and_a_claim_means_its_own(make, context, plan_of):
    def entry(server, resource):
        return {"fullUrl": f"{server}/{resource['resourceType']}/{resource['id']}", "resource": resource}

    def claim(server, code):
        item = make.item(code, servicedDate=None, encounter=[{"reference": "Encounter/e1"}])
        return entry(server, make.claim(item, id=f"c-{code}"))

    def bundle(*entries):
        data = make.bytes({"resourceType": "Bundle", "type": "collection", "entry": entries})
        return map_claims(read_fhir(data), ImportMapping(patient="Patient/p1"), context)

    a, b = "https://a.example/fhir", "https://b.example"
    visits = entry(a, make.encounter(start="2026-01-02", end="2026-01-02")), entry(b, make.encounter())
    assert bundle(claim(a, "A0001"), *visits).claims[0].lines[0].first_day == 2
    assert bundle(*visits, claim(b, "A0001")).claims[0].lines[0].first_day == 3
    assert not bundle(claim("https://c.example", "A0001"), *visits).claims
    stateless = {"resource": claim(a, "A0001")["resource"]}
    assert [(r.path, r.code) for r in bundle(stateless, *visits).refusals] == [
        ("Claim.item[0].encounter[0]", "fhir_duplicate_id")
    ]


def test_a_provider_is_found_by_a_conditional_reference(plan_of, make):
    by_query = {"reference": "Organization?identifier=urn:example:clinics%7Cnorth"}
    assert plan_of(make.claim(provider=by_query)).claims[0].provider_key == b"N" * 32
    doctor = {"resourceType": "Practitioner", "id": "d", "identifier": [{"value": "npi 7"}, {"value": "south"}]}
    through = make.claim(provider={"reference": "Practitioner?identifier=npi 7"})
    assert plan_of(through, doctor).claims[0].provider_key == b"S" * 32


# ---- Dates, codes and pages -----------------------------------------------------------------------------------------


def test_the_claims_period_dates_a_line_whose_encounter_is_elsewhere_or_has_no_period(plan_of, make):
    item = make.item(servicedDate=None, encounter=[{"reference": "Encounter/e1"}])
    claim = make.claim(item, billablePeriod={"start": "2026-01-06", "end": "2026-01-07"})
    undated = {name: value for name, value in make.encounter().items() if name != "period"}
    for others in ([], [undated]):
        assert plan_of(claim, *others).claims[0].lines[0].first_day == 6
    assert plan_of(claim, make.encounter()).claims[0].lines[0].first_day == 3


def test_a_cancelled_visit_refuses_a_line_that_has_a_date_of_its_own(reasons_of, make):
    claim = make.claim(make.item(encounter=[{"reference": "Encounter/e1"}]))
    assert reasons_of(claim, make.encounter(status="cancelled")) == [
        ("Claim.item[0].encounter[0]", "fhir_encounter_status")
    ]


@pytest.mark.parametrize(
    "system",
    [
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets/",
        "http://terminology.hl7.org/CodeSystem/hcpcs-Level-II",
        "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes",
        "https://bluebutton.cms.gov/resources/codesystem/hcpcs",
        "urn:oid:2.16.840.1.113883.6.14",
    ],
)
def test_known_spellings_of_hcpcs_are_the_system_that_the_charter_lists(plan_of, make, context, system):
    assert plan_of(make.claim(make.item(system=system))).claims[0].lines[0].system == HCPCS_SYSTEM
    for listed in (HCPCS_SYSTEM, "urn:oid:2.16.840.1.113883.6.285"):
        charter = replace(context, codes=frozenset({(listed, "G0439")}))
        assert plan_of(make.claim(make.item(system=system)), context=charter).claims[0].lines[0].system == listed


def test_level_one_of_hcpcs_is_cpt_where_one_uri_means_both(plan_of, make):
    claim = make.claim(make.item("99213", system="https://bluebutton.cms.gov/resources/codesystem/hcpcs"))
    assert plan_of(claim).claims[0].lines[0].system == "http://www.ama-assn.org/go/cpt"


def test_a_code_that_is_listed_under_another_system_is_said_and_the_hint_can_be_followed(plan_of, make, context):
    charter = replace(context, codes=frozenset({("urn:listed", "7")}))
    claim = make.claim(make.item("7", system="urn:other"))
    (reason,) = plan_of(claim, context=charter).refusals
    assert (reason.path, reason.code) == ("Claim.item[0].productOrService.coding", "fhir_code_elsewhere")
    hints = re.findall(r"'([^|']+)\|7=([^|']+)\|7'", reason.hint)
    assert [target for _, target in hints] == ["urn:listed", "urn:other"]
    for given, target in hints:
        mapping = ImportMapping(codes={(given, "7"): (target, "7")})
        assert plan_of(claim, context=charter, mapping=mapping).claims[0].lines[0].system == target
    both = make.claim(
        make.item(productOrService={"coding": [{"system": s, "code": "7"} for s in ("urn:o", "urn:listed")]})
    )
    assert plan_of(both, context=charter).claims[0].lines[0].system == "urn:listed"


def test_a_page_of_a_search_is_taken_only_if_asked_for(make, context):
    def page(claim, own, following, total=2):
        links = [{"relation": "self", "url": own}, *([{"relation": "next", "url": following}] if following else [])]
        entry = {"resource": claim, "search": {"mode": "match"}}
        sent_along = {"resource": {"resourceType": "Patient"}, "search": {"mode": "include"}}
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [entry, sent_along], "link": links}
        return make.bytes(bundle | ({"total": total} if total else {}))

    def plan(data, **options):
        return map_claims(read_fhir(data), ImportMapping(**options), context)

    one, two = make.claim(make.item("A0001")), make.claim(make.item("A0002"), id="c2")
    for total in (2, None):
        first = page(one, "urn:page:1", "urn:page:2", total)
        assert [reason.code for reason in plan(first).refusals] == ["fhir_pages_missing"]
        taken = plan(first, is_partial=True)
        assert len(taken.claims) == 1
        assert taken.missing_pages
        whole = plan(first + b"\n" + page(two, "urn:page:2", "", total))
        assert (len(whole.claims), whole.missing_pages) == (2, "")
    assert plan(page(one, "urn:page:1", "urn:page:2", 1)).refusals
    renamed = plan(page(one, "urn:page:1", "urn:page:2") + b"\n" + page(two, "urn:other", ""))
    assert len(renamed.claims) == 2


# ---- Large files ----------------------------------------------------------------------------------------------------


def test_a_file_too_large_to_keep_gives_the_same_claims_and_reasons(make, context, monkeypatch):
    claims = [make.claim(make.item(f"A{number:04}"), id=f"c{number}") for number in range(7)]
    repeated = [*claims, claims[3], make.claim(make.item("A0005"), id="c9")]

    def plans():
        return [map_claims(read_fhir(make.bytes(make.bundle(*them))), PLAIN, context) for them in (claims, repeated)]

    kept = plans()
    monkeypatch.setattr(mapping_module, "KEPT_MAX", 2)
    again = plans()
    assert tuple(again[0].claims) == tuple(again[0].claims) == kept[0].claims
    assert (len(again[0].claims), again[0].claims[6], list(again[0].claims[1:3])) == (
        7,
        kept[0].claims[6],
        list(kept[0].claims[1:3]),
    )
    assert again[1].refusals == kept[1].refusals
    assert [reason.code for reason in kept[1].refusals] == ["fhir_duplicate_line"]


def test_a_file_of_faults_ends_with_enough_of_them(make, context, monkeypatch):
    monkeypatch.setattr(mapping_module, "REASONS_MAX", 5)
    bad = make.bundle(*[make.claim(id=f"c{number}", use="bogus") for number in range(50)])
    assert len(map_claims(read_fhir(make.bytes(bad)), PLAIN, context).refusals) == 5
