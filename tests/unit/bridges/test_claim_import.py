import io
import json
from types import SimpleNamespace

import pytest

from governance.filing.claims import ClaimBody, claim_subject_hash
from ledger import signatures
from ledger.errors import MutuaError
from ledger.records import attestation_message
from node.api.bodies import body_from_json
from node.api.errors import ApiError
from node.api.text import clean
from node.api.views.actions import Refusal, Submitted
from node.api.views.coop import Code, Provider
from node.bridges.fhir.values import ImportMapping
from node.cli.claims.importing import import_file, provider_attester

SEED = b"p" * 32
PROVIDER = signatures.public_key_of(SEED)
CHAIN = b"c" * 32


class FakeDaemon:
    """Answers as the local API does, knows sources it has seen, and can fail at the n-th claim."""

    def __init__(self, height: int = 9, fail_at: int | None = None, error: ApiError | None = None) -> None:
        self.bodies: list[dict] = []
        self.height, self.fail_at, self.error = height, fail_at, error
        self.refuses: dict[int, tuple[str, str]] = {}

    def status(self):
        return SimpleNamespace(
            name="demo",
            cover="cc" * 32,
            chain_id=CHAIN.hex(),
            currency="USD",
            exponent=2,
            height=self.height,
            day_one="2026-01-01",
        )

    def view(self, question):
        return {
            "providers": [Provider(key=PROVIDER.hex(), identifier="urn:example:clinics|north")],
            "codes": [Code(system="urn:x", code="1", from_day=0, is_standard=True)],
        }[question.name]

    def check(self, records):
        known = {body["source_hash"] for body in self.bodies}
        found = [(index, *self.refuses[index]) for index in range(len(records)) if index in self.refuses]
        found += [
            (index, "source_known", "known") for index, item in enumerate(records) if item.body["source_hash"] in known
        ]
        return [
            Refusal(index=index, code=code, what=what, hint="leave it out", family="rule")
            for index, code, what in found
        ]

    def submit(self, kind, body):
        assert kind == "claim.file"
        if self.fail_at == len(self.bodies):
            raise self.error
        if body["source_hash"] in {known["source_hash"] for known in self.bodies}:
            raise ApiError("source_known", "this source was imported before", "see the claim it became", family="rule")
        self.bodies.append(body)
        return Submitted(record_id=f"{len(self.bodies):064}", kind="claim.file", state="pending", height=self.height)


@pytest.fixture
def write(make, tmp_path):
    def write_file(*resources):
        path = tmp_path / "claims.json"
        path.write_bytes(make.bytes(make.bundle(*resources)))
        return path

    return write_file


@pytest.fixture
def run():
    def run_import(path, daemon, **options):
        out, err = io.StringIO(), io.StringIO()
        code = import_file(path, daemon, out=out, err=err, **options)
        return code, out.getvalue(), err.getvalue()

    return run_import


def three(make):
    return [
        make.claim(make.item(code), id=f"c{number}") for number, code in enumerate(["G0439", "T1015", "A0428"], start=1)
    ]


def test_a_file_is_submitted_claim_by_claim_with_plain_lines(run, write, make):
    daemon = FakeDaemon()
    code, out, err = run(write(*three(make)), daemon)
    assert (code, err, len(daemon.bodies)) == (0, "", 3)
    lines = out.splitlines()
    assert lines[0] == "claims.json: 3 claims, 3 lines, charges 375.00 USD"
    assert lines[1].startswith("Claim/c1 submitted as 000")
    assert lines[-1] == "submitted 3 of 3 claims"


def test_with_json_the_answer_is_one_object(run, write, make):
    code, out, err = run(write(*three(make)), FakeDaemon(), json=True)
    answer = json.loads(out)
    assert (code, err, answer["claims"], answer["known"]) == (0, "", 3, [])
    assert [item["resource"] for item in answer["imported"]] == ["Claim/c1", "Claim/c2", "Claim/c3"]


def test_a_body_is_a_whole_claim_that_names_no_patient_and_the_provider_can_attest_it(run, write, make):
    daemon = FakeDaemon()
    run(write(make.claim()), daemon, attester=provider_attester({PROVIDER: SEED}, CHAIN))
    fields = dict(daemon.bodies[0])
    attestation = fields.pop("attestations")[0]
    body = body_from_json(ClaimBody, {**fields, "payout_commitment": "ab" * 32})
    assert attestation["subject_hash"] == claim_subject_hash(body).hex()
    message = attestation_message("provider", claim_subject_hash(body))
    assert signatures.is_signed(PROVIDER, bytes.fromhex(attestation["signature"]), "attestation", CHAIN, message)
    assert "Patient/p1" not in json.dumps(daemon.bodies)
    assert "c1" not in json.dumps(daemon.bodies[0]["lines"])


def test_reasons_are_printed_and_nothing_is_submitted(run, write, make):
    daemon = FakeDaemon()
    code, out, err = run(write(*three(make), make.claim(make.item(net=-1), id="c4", use="bogus")), daemon)
    assert (code, out, daemon.bodies) == (5, "", [])
    assert (
        err.splitlines()[0]
        == "mutua: claims.json was not imported, for 2 reasons; nothing was submitted; correct what is listed and"
        " import the file again"
    )
    assert "Claim/c4 (entry 4)  Claim.use: use 'bogus'" in err
    assert "[fhir_amount_not_positive]" in err


def test_reasons_as_json_are_complete(run, write, make):
    code, out, err = run(write(*[make.claim(id=f"c{n}", use="bogus") for n in range(60)]), FakeDaemon(), json=True)
    error = json.loads(err)["error"]
    assert (code, out, error["code"], len(error["reasons"])) == (5, "", "fhir_refused", 60)
    assert set(error["reasons"][0]) == {"resource", "path", "code", "what", "hint", "where"}


def test_a_long_list_of_reasons_is_cut_for_people(run, write, make):
    _, _, err = run(write(*[make.claim(id=f"c{n}", use="bogus") for n in range(60)]), FakeDaemon())
    assert err.splitlines()[-1] == "  and 10 more; --json lists all"


def test_a_service_of_the_next_block_is_taken_and_one_after_it_refused(run, write, make):
    path = write(make.claim(make.item(servicedDate="2026-01-10")))
    assert run(path, FakeDaemon(height=9))[0] == 0
    assert run(path, FakeDaemon(height=8))[0] == 5


def test_preauthorizations_are_refused_before_the_daemon_is_asked(run, write, make):
    daemon = FakeDaemon()
    assert run(write(make.claim(use="preauthorization")), daemon)[0] == 5
    assert daemon.bodies == []


def test_after_a_crash_in_the_middle_a_second_run_doubles_nothing(run, write, make):
    path = write(*three(make))
    daemon = FakeDaemon(
        fail_at=2, error=ApiError("node_off", "no node answers", "start it with mutua run", family="off")
    )
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(ApiError):
        import_file(path, daemon, out=out, err=err)
    assert (
        err.getvalue() == "claims.json: the import stopped; 2 of 3 claims were submitted; run the command again,"
        " no claim is submitted twice\n"
    )
    daemon.fail_at = None
    code, out_text, _ = run(path, daemon)
    assert (code, len(daemon.bodies)) == (0, 3)
    assert len({body["source_hash"] for body in daemon.bodies}) == 3
    assert out_text.splitlines()[-1] == "submitted 1 of 3 claims, 2 were imported before"


def test_a_rule_that_refuses_a_claim_ends_the_import_with_its_words(run, write, make):
    daemon = FakeDaemon(
        fail_at=1, error=ApiError("duplicate_line", "line 0 stands in a claim already", "leave it out", family="rule")
    )
    code, _, err = run(write(*three(make)), daemon)
    assert code == 5
    assert (
        err
        == "mutua: claims.json: line 0 stands in a claim already; leave it out; 1 of 3 claims were submitted; run the"
        " command again, no claim is submitted twice\n"
    )


def test_a_line_that_stands_in_an_earlier_claim_is_found_before_anything_is_filed(run, write, make):
    daemon = FakeDaemon()
    daemon.refuses = {2: ("duplicate_line", "line 0: code A0428 of day 5 stands in a claim already")}
    code, out, err = run(write(*three(make)), daemon)
    assert (code, out, daemon.bodies) == (5, "", [])
    assert err.splitlines() == [
        (
            "mutua: claims.json was not imported, for 1 reason; nothing was submitted; correct what is listed and"
            " import the file again"
        ),
        "  Claim/c3  claim: line 0: code A0428 of day 5 stands in a claim already; leave it out [duplicate_line]",
    ]


def test_a_provider_key_that_is_not_here_stops_before_the_first_claim(write, make):
    daemon = FakeDaemon()
    with pytest.raises(MutuaError, match="let the provider sign"):
        import_file(write(make.claim()), daemon, attester=provider_attester({}, CHAIN))
    assert daemon.bodies == []


def test_a_file_that_is_not_json_is_one_line_and_exit_2(run, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text('{"resourceType": "Claim",\n')
    code, out, err = run(path, FakeDaemon())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mutua: broken.json: the file is not JSON: line 2, column 1")
    assert run(tmp_path / "absent.json", FakeDaemon(), json=True)[0] == 2


def test_one_patients_claims_are_taken_from_a_file_of_many(run, write, make):
    path = write(make.claim(), make.claim(id="c2", patient={"reference": "Patient/p2"}))
    assert run(path, FakeDaemon())[0] == 5
    code, out, _ = run(path, FakeDaemon(), mapping=ImportMapping(patient="Patient/p2"))
    assert code == 0
    assert "1 of other patients left out" in out


def test_a_terminal_gets_a_bar(write, make):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    assert import_file(write(*three(make)), FakeDaemon(), out=out) == 0
    assert "importing claims" in out.getvalue()


def test_text_of_a_file_cannot_move_the_cursor():
    assert "\x1b" not in clean("Claim/\x1b[2J")
