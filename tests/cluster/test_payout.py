"""A claim becomes a mined payout on real daemons: sockets, LevelDB, a bitcoin engine.

Then the stopped folders pass an audit.
"""

import json
import time

import pytest

pytest.importorskip("pbk", reason="the regtest engine needs the extra demo: pip install 'mutua[demo]'")

from governance.filing.claims import ClaimBody, claim_subject_hash
from ledger.genesis import CharterCode, CharterPlan
from ledger.records import attest
from ledger.signatures import public_key_of
from node.api.actions import store_document
from node.api.bodies import body_from_json, body_to_json
from node.audit.verify import audit_folder
from node.sandbox.devnet import Devnet, Spec

SYSTEM = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
PLAN = CharterPlan("basic", 50_000, 0, 0, 0, None, None, None, 0, None, ())
PATIENCE_S = 90


@pytest.fixture(scope="module")
def paid(tmp_path_factory):
    """A devnet of seven on which ten standard claims and one refused one were filed and paid; stopped."""
    folder = tmp_path_factory.mktemp("payout")
    codes = (CharterCode(SYSTEM, "T1015", True, 14_000, None),)
    spec = Spec(
        seed=7,
        founders=7,
        interval_ms=900,
        start_in_s=14,
        plans=(PLAN,),
        codes=codes,
        params=(("crowd_payees", 4), ("crowd_wait", 3)),
    )
    devnet = Devnet(folder / "net", spec)
    try:
        devnet.make()
        for node in devnet.nodes:
            devnet.start_node(node)
        devnet.wait_ready(devnet.nodes)
        clients = [node.client() for node in devnet.nodes]
        wait_for(lambda: clients[0].get_json("/v1/status")["height"] >= 2)
        clients[1].change_auto_rule("add", {"name": "x", "codes": ["X1"], "charge_max_cents": 20_000})
        filed = [file_claim(devnet, index, day=1) for index in range(7)]
        voted = file_claim(devnet, 0, day=1, code="X1")
        wait_for(lambda: len(clients[0].get_json("/v1/views/payouts")) == 7)
        wait_for(lambda: all(item["status"] == "confirmed" for item in clients[0].get_json("/v1/views/payouts")))
        final = clients[0].get_json("/v1/status")["height"] + 2
        wait_for(lambda: min(client.get_json("/v1/status")["height"] for client in clients) >= final)
        yield_value = {
            "devnet": devnet,
            "filed": filed,
            "voted": clients[4].get_json("/v1/views/claim", id=voted),
            "rules": clients[1].auto_rules(),
            "payouts": clients[3].get_json("/v1/views/payouts"),
            "batches": clients[3].get_json("/v1/views/batches"),
            "receipt": clients[2].get_json(f"/v1/records/{filed[0]}"),
            "events": [
                event for height in range(final) for event in clients[1].get_json(f"/v1/blocks/{height}")["events"]
            ],
        }
    finally:
        devnet.stop()
    return yield_value


def wait_for(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.2)


def file_claim(devnet, index, day, code="T1015"):
    node = devnet.nodes[index]
    client = node.client()
    status = client.get_json("/v1/status")
    seed = next(iter(devnet.providers.values()))
    document = json.dumps({"visit": index}).encode()
    digest = store_document(node.folder / "documents", document)
    body = {
        "scheme": status["name"],
        "cover_id": status["cover"],
        "submitter_role": "member",
        "payee": "member",
        "provider_id": public_key_of(seed).hex(),
        "event_id": "",
        "use": "claim",
        "supersedes": "",
        "other_payer_cents": 0,
        "source_hash": "",
        "evidence": [{"hash": digest.hex(), "size_bytes": len(document), "media": "application/json"}],
        "lines": [
            {
                "system": SYSTEM,
                "code": code,
                "modifiers": [],
                "units": 1,
                "charge_cents": 12_345 + index,
                "first_day": day,
                "last_day": day,
            }
        ],
    }
    subject = claim_subject_hash(body_from_json(ClaimBody, {**body, "payout_commitment": ""}))
    body["attestations"] = [body_to_json(attest(seed, bytes.fromhex(status["chain_id"]), "provider", subject))]
    return client.post_json("/v1/submit", {"kind": "claim.file", "body": body})["record_id"]


def test_a_standard_claim_is_accepted_in_its_block_and_paid_in_the_next(paid):
    accepted = {event["claim"]: event["height"] for event in paid["events"] if event["event"] == "claim_accepted"}
    due = {event["claim"]: event["height"] for event in paid["events"] if event["event"] == "payout_due"}
    assert set(accepted) == set(paid["filed"])
    assert due == {claim: height + 1 for claim, height in accepted.items()}


def test_every_payout_is_mined_over_at_least_four_outputs_and_sums_to_what_was_due(paid):
    for item in paid["payouts"]:
        assert item["outputs"] >= 4
        assert item["sent_sat"] + item["credit_sat"] == item["amount_sat"]
        assert item["left_sat"] == 0
    assert all(batch["confirmations"] >= 1 for batch in paid["batches"])


def test_a_standing_rule_said_yes_in_the_first_block_of_the_vote(paid):
    (case,) = paid["voted"]["cases"]
    (ballot,) = case["ballots"]
    assert ballot["voter"] == paid["devnet"].nodes[1].keys.identity_key.hex()
    assert (ballot["choice"], ballot["height"], ballot["rule_hash"]) == (
        "accept",
        case["s"] + 1,
        paid["rules"][0]["rule_hash"],
    )


def test_each_batch_spends_the_change_of_the_one_before(paid):
    txids = [batch["unsigned_txid"] for batch in paid["batches"]]
    assert len(set(txids)) == len(txids)
    assert [batch["baton_txid"] for batch in paid["batches"][1:]] == txids[:-1]


def test_a_receipt_proves_that_the_record_is_in_its_block(paid):
    assert paid["receipt"]["state"] == "final"
    assert paid["receipt"]["record_id"] == paid["filed"][0]


def test_the_stopped_folders_pass_an_audit_and_have_one_state(paid):
    reports = [audit_folder(node.folder) for node in paid["devnet"].nodes]
    assert [report.findings for report in reports] == [()] * 7
    assert min(report.counts.records for report in reports) >= 7


def test_no_address_and_no_document_is_in_ledger_or_log(paid):
    for node in paid["devnet"].nodes:
        log = (node.folder / "log.jsonl").read_bytes()
        assert b"bcrt1" not in log
        assert b'"visit"' not in log
        for path in (node.folder / "ledger").iterdir():
            data = path.read_bytes()
            assert b"bcrt1" not in data
            assert b'"visit"' not in data
