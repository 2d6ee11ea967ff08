import gzip
import json
import os
import tracemalloc
from decimal import Decimal

import pytest

from ledger.errors import MutuaError
from node.bridges.fhir import scanning
from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.scanning import Span, scan
from node.bridges.fhir.values import ImportMapping


def contents_of(file):
    return [file.resource(number).content for number in file.claims]


def test_a_single_resource_a_bundle_and_ndjson_hold_the_same_claim(make):
    claim = make.claim()
    single = read_fhir(make.bytes(claim))
    bundle = read_fhir(make.bytes(make.bundle(claim)))
    lines = read_fhir(make.bytes(claim) + b"\n\n" + make.bytes(make.encounter()) + b"\n")
    assert contents_of(single) == contents_of(bundle) == contents_of(lines) == [claim]
    assert lines.find("Encounter/e1", "", "").where == "line 3"
    assert [single.resource(0).where, bundle.resource(0).where, lines.resource(0).where] == [
        "file",
        "entry 1",
        "line 1",
    ]


def test_pretty_printed_json_with_a_byte_order_mark_is_read(make):
    data = b"\xef\xbb\xbf" + json.dumps(make.bundle(make.claim()), indent=2).encode()
    assert len(read_fhir(data).claims) == 1


@pytest.mark.parametrize("written", ["10.00", "125.10", "123456789012345678.90", "0.30000000000000004"])
def test_amounts_are_taken_from_the_text_of_the_file(make, written):
    """The library of the tests reads 10.00 as 10.0 and loses the end of 18 digits: both go through a float there."""
    data = make.bytes(make.claim()).replace(b'"value": 125', b'"value": ' + written.encode())
    value = read_fhir(data).resource(0).content["item"][0]["net"]["value"]
    assert (type(value), str(value)) == (Decimal, written)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b'{"resourceType": "Claim",\n "id": }', "line 2, column 8"),
        (b'{"resourceType": "Claim"}\n{"resourceType": "Claim"\n', "line 3, column 1"),
        (b'{"resourceType": "Claim"} trailing', "line 1, column 27"),
        (b'{"resourceType": "Claim"}\nnull', "line 2 holds JSON that is not a FHIR resource"),
        (b'{"id": "\xff"}', "no resourceType"),
        (b'{"resourceType": "Claim", "id": "\xff"}', "line 1 is not UTF-8 (byte 33)"),
        (b"[1, 2]", "not a FHIR resource"),
        (b"{}", "no resourceType"),
        (b'{"resourceType": "Claim", "x": NaN}', "NaN"),
        (b'{"resourceType": "Bundle", "entry": 7}', "not a list"),
        (b'{"resourceType": "Bundle", "entry": [null]}', "entry 1 of the file is not an object"),
        (b'{"resourceType": "Bundle", "entry": [{}, {"resource": 7}]}', "the resource of entry 2 is not an object"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": null}}]}', "entry 1 has no resourceType"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Bundle"}}]}', "Bundle in entry 1"),
        (b'{"resourceType": "Bundle", "entry": [{}], "entry": []}', "'entry' twice"),
        (b'{"resourceType": "Bundle", "entry": [{} {}]}', "column 41: Expecting ',' delimiter"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "X", "a": tru}}]}', "column 78"),
        (b'{"resourceType": "Bundle", "total": 1', "line 1, column 38"),
        (b'{"resourceType": "Claim", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deeply"),
        (b'{"resourceType": "Claim", "x": ' + b"[" * 300 + b"]" * 300 + b"}", "deeply"),
    ],
)
def test_what_is_not_json_or_not_fhir_is_one_clear_error_that_names_the_place(data, words):
    with pytest.raises(MutuaError) as caught:
        file = read_fhir(data)
        contents_of(file)
    assert caught.value.code == "fhir_malformed"
    assert words in caught.value.what
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'"resourceType": "Claim", "resourceType": "Claim"', "'resourceType' twice"),
        (b'"resourceType": "Claim", "total": {"value": 1, "value": 2}', "'value' twice"),
        (b'"resourceType": "Claim", "x": 1e999999999', "digits"),
        (b'"resourceType": "Claim", "x": ' + b"9" * 5000, "digits"),
    ],
)
def test_a_claim_that_readers_would_disagree_on_is_refused(text, words):
    for data in (b"{%b}" % text, b'{"resourceType": "Bundle", "entry": [{"resource": {%b}}]}' % text):
        with pytest.raises(MutuaError, match=words) as caught:
            contents_of(read_fhir(data))
        assert caught.value.code == "fhir_malformed"


def test_a_resource_that_is_not_valid_r4_gives_a_reason_for_each_part_and_repeats_no_value(make, context):
    claim = make.claim(make.item(servicedDate="2026-13-01", secret="Jane Doe"), provider=None)
    reasons = map_claims(read_fhir(make.bytes(claim)), ImportMapping(), context).refusals
    assert {(r.path, r.code) for r in reasons} == {
        ("Claim.item[0].servicedDate", "fhir_invalid"),
        ("Claim.item[0].secret", "fhir_invalid"),
        ("Claim.provider", "fhir_invalid"),
    }
    assert not any("Jane" in r.what for r in reasons)


def test_text_that_is_not_unicode_is_a_reason(make, context):
    file = read_fhir(make.bytes(make.bundle(make.claim(patient={"reference": "Patient/\ud800"}))))
    assert [(r.code, r.where) for r in map_claims(file, ImportMapping(), context).refusals] == [
        ("fhir_invalid", "entry 1")
    ]


def test_other_resources_are_counted_and_passed_over_whatever_they_hold(make):
    strange = {"resourceType": "CatalogEntry", "id": 7, "contained": [None], "identifier": 1, "x": 1.5}
    others = [strange, {"resourceType": "Observation"}, {"resourceType": "Observation", "meta": None}]
    file = read_fhir(make.bytes(make.bundle(make.claim(), *others)))
    assert file.ignored == (("CatalogEntry", 1), ("Observation", 2))
    assert len(file.claims) == 1


def test_entries_without_a_resource_carry_nothing(make):
    bundle = make.bundle(make.claim())
    bundle["entry"] += [{"request": {"method": "DELETE", "url": "Claim/9"}}, {"resource": None}]
    assert len(read_fhir(make.bytes(bundle)).claims) == 1


def test_a_bundle_may_give_its_entries_before_its_type(make):
    bundle = make.bundle(make.encounter(), make.claim())
    turned = dict(reversed(bundle.items()))
    assert contents_of(read_fhir(make.bytes(turned))) == contents_of(read_fhir(make.bytes(bundle)))
    listed = {"entry": [{"item": {"display": "x"}}], "resourceType": "List", "status": "current", "mode": "working"}
    assert read_fhir(make.bytes(listed)).ignored == (("List", 1),)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_the_pieces_in_which_a_file_is_read_change_nothing(make, monkeypatch, size):
    awkward = make.claim(id='a"\\', text={"div": '<p>}],"\\" {[</p>'})
    bundle = {"id": "b\\\\", "entry": [{"resource": awkward}, {}, {"resource": make.encounter()}], "total": 1}
    data = json.dumps({**bundle, "resourceType": "Bundle"}, indent=1).encode() + b"\n\n" + make.bytes(awkward)
    whole = list(scan(lambda offset, count: data[offset : offset + count]))
    assert [data[part.offset : part.offset + len(part.text)] == part.text for part in whole if isinstance(part, Span)]
    monkeypatch.setattr(scanning, "CHUNK_SIZE", size)
    monkeypatch.setattr(scanning, "LOOK_SIZE", 40)
    assert list(scan(lambda offset, count: data[offset : offset + count])) == whole


def test_a_file_is_read_once_whatever_the_order_of_its_names(make):
    claim = dict(sorted(make.claim().items(), key=lambda item: item[0] == "resourceType"))
    data, read = b"\n".join(make.bytes(claim) for _ in range(4_000)), []
    parts = list(scan(lambda offset, size: read.append(offset) or data[offset : offset + size]))
    assert len(parts) == 4_000
    assert len(read) < 20


def test_memory_holds_one_entry_and_not_the_file(make):
    head, entry, tail = b'{"resourceType":"Bundle","entry":[', make.bytes({"resource": make.claim()}) + b",", b"{}]}"
    count = 20_000
    size = len(head) + count * len(entry) + len(tail)

    def read_at(offset, length):
        parts, end = [], min(offset + length, size)
        while offset < end:
            if offset < len(head):
                part = head[offset:end]
            elif (at := offset - len(head)) < count * len(entry):
                part = entry[at % len(entry) :][: end - offset]
            else:
                part = tail[at - count * len(entry) :]
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    tracemalloc.start()
    try:
        parts = sum(1 for _ in scan(read_at))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert parts == count + 2
    assert peak < 6 * scanning.CHUNK_SIZE < size / 2


def test_an_entry_larger_than_memory_allows_is_refused(make, monkeypatch):
    monkeypatch.setattr(scanning, "CHUNK_SIZE", 64)
    monkeypatch.setattr(scanning, "ENTRY_SIZE_MAX", 2_000)
    with pytest.raises(MutuaError) as caught:
        read_fhir(make.bytes(make.bundle(make.claim(), {"resourceType": "Binary", "data": "x" * 9_000})))
    assert caught.value.code == "fhir_too_large"


def test_a_path_is_a_regular_file_that_does_not_change(make, context, tmp_path):
    path = tmp_path / "claims.json"
    path.write_bytes(make.bytes(make.claim()))
    file = read_fhir(path)
    assert len(map_claims(file, ImportMapping(), context).claims) == 1
    path.write_bytes(make.bytes(make.claim(make.item(net=7))))
    os.mkfifo(tmp_path / "pipe")
    for act in (
        lambda: map_claims(file, ImportMapping(), context),
        lambda: read_fhir(tmp_path / "pipe"),
        lambda: read_fhir(tmp_path),
        lambda: read_fhir(tmp_path / "absent"),
    ):
        with pytest.raises(MutuaError) as caught:
            act()
        assert caught.value.code == "fhir_unreadable"


def test_statements_are_read_and_passed_over_because_they_are_no_claims(reference_file):
    file = read_fhir(gzip.decompress(reference_file("fhir_eob_sample/eob_200_synthetic.ndjson.gz").read_bytes()))
    assert (list(file.claims), file.ignored) == ([], (("ExplanationOfBenefit", 200),))
