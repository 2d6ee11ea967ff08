import gzip
import json
from decimal import Decimal

import pytest

from ledger.errors import MutuaError
from node.bridges.fhir.canonical import canonical_json, source_hash_of
from node.bridges.fhir.reading import read_fhir


def test_a_single_resource_a_bundle_and_ndjson_hold_the_same_claim(make):
    claim = make.claim()
    single = read_fhir(make.bytes(claim))
    bundle = read_fhir(make.bytes(make.bundle(claim)))
    lines = read_fhir(make.bytes(claim) + b"\n\n" + make.bytes(make.encounter()) + b"\n")
    assert (
        [r.content for r in single.resources] == [r.content for r in bundle.resources] == [lines.resources[0].content]
    )
    assert lines.resources[1].kind == "Encounter"
    assert not single.refusals + bundle.refusals + lines.refusals


def test_pretty_printed_json_with_a_byte_order_mark_is_read(make):
    data = b"\xef\xbb\xbf" + json.dumps(make.claim(), indent=2).encode()
    assert len(read_fhir(data).resources) == 1


def test_amounts_are_read_as_exact_decimals(make):
    data = make.bytes(make.claim()).replace(b'"value": 125', b'"value": 125.10')
    assert read_fhir(data).resources[0].content["item"][0]["net"]["value"] == Decimal("125.10")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b'{"resourceType": "Claim",\n "id": }', "line 2, column 8"),
        (b'{"resourceType": "Claim"}\n{"resourceType": "Claim"\n', "line 2"),
        (b'{"resourceType": "Claim"} trailing', "line 1, column 27"),
        (b'{"id": "\xff"}', "line 1 is not UTF-8"),
        (b"[1, 2]", "not a FHIR resource"),
        (b"{}", "no resourceType"),
        (b'{"resourceType": "Claim", "resourceType": "Claim"}', "twice"),
        (b'{"resourceType": "Claim", "x": NaN}', "NaN"),
        (b'{"resourceType": "Claim", "x": 1e999999999}', "digits"),
        (b'{"resourceType": "Claim", "x": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"resourceType": "Claim", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deeply"),
        (b'{"resourceType": "Bundle", "entry": 7}', "not a list"),
        (b'{"resourceType": "Bundle", "entry": [7]}', "not an object"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Bundle"}}]}', "inside a Bundle"),
    ],
)
def test_what_is_not_json_or_not_fhir_is_one_clear_error_that_names_the_place(data, words):
    with pytest.raises(MutuaError) as caught:
        read_fhir(data)
    assert caught.value.code == "fhir_malformed"
    assert words in caught.value.what
    assert caught.value.hint


def test_a_resource_that_is_not_valid_r4_gives_a_reason_for_each_part_and_repeats_no_value(make):
    claim = make.claim(make.item(servicedDate="2026-13-01", secret="Jane Doe"), provider=None)
    reasons = read_fhir(make.bytes(claim)).refusals
    assert {(r.path, r.code) for r in reasons} >= {
        ("Claim.item[0].servicedDate", "fhir_invalid"),
        ("Claim.item[0].secret", "fhir_invalid"),
    }
    assert any("provider" in r.path for r in reasons)
    assert not any("Jane" in r.what for r in reasons)


def test_an_absurdly_nested_resource_is_a_reason_not_a_crash(make):
    deep = json.loads('{"extension":[' * 90 + "{}" + "]}" * 90)
    reasons = read_fhir(make.bytes(make.claim(extension=[deep]))).refusals
    assert [r.what for r in reasons] == ["nested more than 64 levels deep"]


def test_text_that_is_not_unicode_is_a_reason(make):
    reasons = read_fhir(make.bytes(make.claim(patient={"reference": "Patient/\ud800"}))).refusals
    assert [r.code for r in reasons] == ["fhir_invalid"]


def test_other_resources_are_counted_and_passed_over(make):
    file = read_fhir(
        make.bytes(
            make.bundle(
                make.claim(),
                {"resourceType": "Observation"},
                {"resourceType": "Observation"},
                {"resourceType": "Patient"},
            )
        )
    )
    assert file.ignored == (("Observation", 2), ("Patient", 1))


def test_entries_without_a_resource_carry_nothing(make):
    bundle = make.bundle(make.claim())
    bundle["entry"].append({"request": {"method": "DELETE", "url": "Claim/9"}})
    assert len(read_fhir(make.bytes(bundle)).resources) == 1


def test_a_source_is_the_same_however_it_is_printed_and_whatever_the_server_adds():
    plain = {"resourceType": "Claim", "id": "1", "total": {"value": Decimal(125)}}
    printed = {
        "total": {"value": Decimal("1.2500E+2")},
        "id": "1",
        "meta": {"versionId": "3"},
        "text": {"div": "x"},
        "resourceType": "Claim",
    }
    assert source_hash_of(plain) == source_hash_of(printed)
    assert source_hash_of(plain) != source_hash_of({**plain, "id": "2"})


def test_negative_zero_and_small_numbers_have_one_canonical_form():
    assert canonical_json([Decimal("-0.00"), Decimal("1E-7"), 0, Decimal(10)]) == "[0,0.0000001,0,10]"


def test_statements_are_read_and_passed_over_because_they_are_no_claims(reference_file):
    file = read_fhir(gzip.decompress(reference_file("fhir_eob_sample/eob_200_synthetic.ndjson.gz").read_bytes()))
    assert (file.resources, file.ignored, file.refusals) == ((), (("ExplanationOfBenefit", 200),), ())
