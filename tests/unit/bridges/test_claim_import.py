import io
import json
from types import SimpleNamespace

import msgspec
import pytest

from governance.filing.claims import ClaimBody, claim_subject_hash
from ledger import signatures
from ledger.errors import MutuaError
from ledger.records import attestation_message
from node.api.bodies import body_from_json
from node.api.errors import ApiError, NodeNotRunning
from node.api.text import clean
from node.api.views.actions import BatchAnswer, Refusal
from node.api.views.coop import Code, Provider
from node.bridges.fhir import claim as claim_module
from node.bridges.fhir import mapping
from node.bridges.fhir.values import ImportMapping
from node.cli.claims import account as account_module
from node.cli.claims import importing
from node.cli.claims.importing import import_file, provider_attester

SEED = b"p" * 32
PROVIDER = signatures.public_key_of(SEED)
CHAIN = b"c" * 32


class FakeDaemon:
    """Answers as the local API does: knows claims by their source, has room for some a block, can fall silent."""

    family = "rule"

    def __init__(self, height: int = 9, room: int = 1_000, silent_after: int | None = None) -> None:
        self.bodies: list[dict] = []
        self.heights: list[int] = []
        self.height, self.room, self.silent_after = height, room, silent_after
        self.refuses: dict[str, tuple[str, str]] = {}
        self.refuses_late: dict[str, tuple[str, str]] = {}

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

    def blocks(self, count):
        """A full pool finds its way into a block."""
        if self.waiting >= self.room:
            self.settle()
        return [SimpleNamespace(height=self.height)]

    @property
    def waiting(self):
        return sum(height == 0 for height in self.heights)

    def settle(self):
        self.height += 1
        self.heights = [height or self.height for height in self.heights]

    def view(self, question):
        return {
            "providers": [Provider(key=PROVIDER.hex(), identifier="urn:example:clinics|north")],
            "codes": [Code(system="urn:x", code="1", from_day=0, is_standard=True)],
        }[question.name]

    def _refusal(self, index, body, refuses):
        hint, known = {"hint": "leave it out", "family": self.family}, [item["source_hash"] for item in self.bodies]
        if body["source_hash"] in known:
            place = known.index(body["source_hash"])
            words = {"code": "source_known", "what": "known", "claim": f"{place:064}", "height": self.heights[place]}
            return Refusal(index=index, **words, **hint)
        for line in body["lines"]:
            if line["code"] in refuses:
                code, what = refuses[line["code"]]
                return Refusal(index=index, code=code, what=what, **hint)
        return None

    def check(self, records):
        found = [
            self._refusal(index, msgspec.json.decode(item)["body"], self.refuses) for index, item in enumerate(records)
        ]
        return [item for item in found if item is not None]

    def submit_all(self, records):
        ids, refusals = [], []
        if self.silent_after is not None and len(self.bodies) >= self.silent_after:
            raise NodeNotRunning("node_off", "no node answers", "start it with mutua run", family="off")
        for index, item in enumerate(records):
            body = msgspec.json.decode(item)["body"]
            refusal = self._refusal(index, body, self.refuses_late)
            if refusal is None and self.waiting >= self.room:
                words = {"what": "full", "hint": "wait", "family": "node"}
                refusal = Refusal(index=index, code="mempool_full", **words)
            if refusal is None:
                self.bodies.append(body)
                self.heights.append(0)
            else:
                refusals.append(refusal)
            ids.append(None if refusal else f"{len(self.bodies) - 1:064}")
        return BatchAnswer(records=tuple(ids), refusals=tuple(refusals))


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
    assert (code, err, answer["claims"]) == (0, "", 3)
    assert [answer[name] for name in ("stood", "waiting", "refused", "unsent", "unsure")] == [[]] * 5
    assert [item["resource"] for item in answer["submitted"]] == ["Claim/c1", "Claim/c2", "Claim/c3"]


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


def test_every_claim_is_accounted_for_when_the_node_falls_silent_and_the_next_run_doubles_nothing(
    write, make, monkeypatch
):
    monkeypatch.setattr(importing, "AT_ONCE_MAX", 1)
    monkeypatch.setattr(account_module, "MEMORY_MAX", 1)
    path, daemon, out = write(*three(make)), FakeDaemon(silent_after=1), io.StringIO()
    with pytest.raises(NodeNotRunning):
        import_file(path, daemon, out=out, json=True)
    account = json.loads(out.getvalue())
    assert [item["resource"] for item in account["submitted"]] == ["Claim/c1"]
    assert (account["unsure"], account["unsent"]) == (["Claim/c2"], ["Claim/c3"])
    daemon.silent_after, again = None, io.StringIO()
    assert import_file(path, daemon, out=again) == 0
    assert len({body["source_hash"] for body in daemon.bodies}) == len(daemon.bodies) == 3
    last = again.getvalue().splitlines()[-1]
    assert last == "submitted 2 of 3 claims; 1 waiting on this node since an earlier run"
    daemon.settle()
    third = io.StringIO()
    assert import_file(path, daemon, out=third, json=True) == 0
    stood = json.loads(third.getvalue())["stood"]
    assert (stood[0]["resource"], stood[0]["claim"], stood[0]["height"]) == ("Claim/c1", "0" * 64, 10)
    assert len(stood) == 3


def test_a_node_that_fails_within_a_batch_stops_the_import_and_what_it_kept_is_told(write, make, monkeypatch):
    monkeypatch.setattr(importing, "AT_ONCE_MAX", 2)
    path, daemon, out = (
        write(*[make.claim(make.item(f"T1{n:03}"), id=f"c{n}") for n in range(5)]),
        FakeDaemon(),
        io.StringIO(),
    )
    daemon.refuses_late = {"T1001": ("disk", "the records could not be written or read (Input/output error)")}
    daemon.family = "node"
    with pytest.raises(ApiError, match="could not be written") as fault:
        import_file(path, daemon, out=out, json=True)
    account = json.loads(out.getvalue())
    assert [item["resource"] for item in account["submitted"]] == ["Claim/c0"]
    assert (account["unsure"], account["unsent"]) == (["Claim/c1"], ["Claim/c2", "Claim/c3", "Claim/c4"])
    assert fault.value.code == "disk"


def test_a_file_that_changes_under_the_import_stops_it_and_every_claim_is_accounted_for(write, make, monkeypatch):
    monkeypatch.setattr(importing, "AT_ONCE_MAX", 1)
    monkeypatch.setattr(mapping, "KEPT_MAX", 0)
    path, daemon, out = (
        write(*[make.claim(make.item(f"T1{n:03}"), id=f"c{n}") for n in range(9)]),
        FakeDaemon(),
        io.StringIO(),
    )
    submit_all = daemon.submit_all
    monkeypatch.setattr(daemon, "submit_all", lambda records: (path.write_text("{}"), submit_all(records))[1])
    with pytest.raises(MutuaError, match="changed while it was read"):
        import_file(path, daemon, out=out, json=True)
    account = json.loads(out.getvalue())
    assert 1 <= len(daemon.bodies) == len(account["submitted"]) < 4
    assert [*(item["resource"] for item in account["submitted"]), *account["unsent"]] == [
        f"Claim/c{n}" for n in range(9)
    ]


def test_of_a_large_file_a_few_claims_are_in_memory(write, make, monkeypatch):
    monkeypatch.setattr(importing, "AT_ONCE_MAX", 6)
    monkeypatch.setattr(mapping, "KEPT_MAX", 0)
    peaks = [peak_of(monkeypatch, importing, "_Draft"), peak_of(monkeypatch, claim_module, "MappedClaim")]
    daemon, path = FakeDaemon(), write(*[make.claim(make.item(f"T1{n:03}"), id=f"c{n}") for n in range(100)])
    assert import_file(path, daemon, out=io.StringIO(), json=True) == 0
    assert len(daemon.bodies) == 100
    assert all(0 < most <= 3 * 6 for (most,) in peaks)


def peak_of(monkeypatch, module, name: str) -> list[int]:
    """Have a class count how many of its objects there are; return where the most of them will stand."""
    kind, alive, peak = getattr(module, name), [0], [0]

    class Counted(kind):
        def __init__(self, *values, **named):
            kind.__init__(self, *values, **named)
            alive[0] += 1
            peak[0] = max(peak[0], alive[0])

        def __del__(self):
            alive[0] -= 1

    monkeypatch.setattr(module, name, Counted)
    return peak


def test_an_import_waits_for_blocks_to_make_room(run, write, make, monkeypatch):
    monkeypatch.setattr(importing, "WAIT_STEP_S", 0)
    daemon = FakeDaemon(room=1)
    code, out, err = run(write(*three(make)), daemon, json=True)
    assert (code, err, len(json.loads(out)["submitted"])) == (0, "", 3)
    assert daemon.heights == sorted(daemon.heights[:2]) + [0]


def test_what_finds_no_room_in_time_is_told_and_left_to_the_next_run(write, make):
    path, daemon, out = write(*three(make)), FakeDaemon(room=2), io.StringIO()
    with pytest.raises(MutuaError) as full:
        import_file(path, daemon, out=out, json=True, wait_s=0)
    assert full.value.code == "mempool_full"
    account = json.loads(out.getvalue())
    assert (len(account["submitted"]), account["unsent"], account["unsure"]) == (2, ["Claim/c3"], [])
    daemon.room, second = 9, io.StringIO()
    assert import_file(path, daemon, out=second, json=True) == 0
    assert [item["resource"] for item in json.loads(second.getvalue())["submitted"]] == ["Claim/c3"]


def test_a_rule_that_changed_meanwhile_refuses_one_claim_and_no_other(run, write, make):
    daemon = FakeDaemon()
    daemon.refuses_late = {"T1015": ("provider_unknown", "the provider is not listed")}
    code, out, err = run(write(*three(make)), daemon)
    assert code == 5
    assert out.splitlines()[-1] == "submitted 2 of 3 claims; 1 refused"
    assert err.splitlines() == [
        (
            "mutua: claims.json: the rules refused 1 claim; the others were submitted; correct what is listed and"
            " import the file again"
        ),
        "  Claim/c2  claim: the provider is not listed; leave it out [provider_unknown]",
    ]


def test_a_claim_that_contradicts_an_earlier_one_is_found_before_anything_is_filed_and_can_be_left_out(
    run, write, make
):
    daemon, path = FakeDaemon(), write(*three(make))
    daemon.refuses = {"A0428": ("duplicate_line", "line 1: code A0428 of day 5 is already in claim 7f3a")}
    code, out, err = run(path, daemon)
    assert (code, out, daemon.bodies) == (5, "", [])
    assert err.splitlines() == [
        (
            "mutua: claims.json was not imported, for 1 reason; nothing was submitted; correct what is listed and"
            " import the file again"
        ),
        (
            "  Claim/c3  claim: line 1: code A0428 of day 5 is already in claim 7f3a; compare the two: mutua claim"
            " show; if the earlier one is right: --leave-out Claim/c3 [duplicate_line]"
        ),
    ]
    assert run(path, daemon, mapping=ImportMapping(leave_out=frozenset(["Claim/c3"])))[0] == 0
    assert len(daemon.bodies) == 2
    with pytest.raises(MutuaError, match="no claim 'Claim/c9'"):
        run(path, daemon, mapping=ImportMapping(leave_out=frozenset(["Claim/c9"])))
    spoilt = write(*three(make), make.claim(id="c4", use="bogus"))
    assert run(spoilt, daemon, mapping=ImportMapping(leave_out=frozenset(["Claim/c3", "Claim/c4"])))[0] == 0


def test_a_request_stays_within_what_the_node_takes(run, write, make, monkeypatch):
    sizes: list[int] = []
    daemon = FakeDaemon()
    monkeypatch.setattr(importing, "BATCH_SIZE_MAX", 1_500)
    monkeypatch.setattr(
        daemon, "check", lambda records: sizes.append(len(msgspec.json.encode({"records": records}))) or []
    )
    assert run(write(*three(make)), daemon)[0] == 0
    assert len(sizes) > 1
    assert max(sizes) <= 1_500


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
