"""`mutua rehearse --data-dir`: a real ledger of signed blocks on disk, replayed under other parameters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from consensus.committee import committee_hash
from governance.filing.claims import ClaimBody, ClaimLine, EvidenceRef, claim_subject_hash
from governance.kinds import encode_body
from governance.voting.ballots import BallotBody
from ledger.chain import Chain
from ledger.charter import add_founder, new_charter, seal, sign_founder
from ledger.genesis import Charter, CharterCode, CharterPlan, CharterProvider, Founder
from ledger.leveldb import LevelDB
from ledger.records import Body, SignedRecord, attest, record_id_of, sign_record
from ledger.signatures import public_key_of
from ledger.store import MemoryStore
from node.execution.apply import encode_events, genesis_rows
from node.execution.header_rules import committee_of
from node.execution.propose import Proposer, build_candidate
from wallet.keys import KeyRing

RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 8)]
DOCTOR = b"\x77" * 32
PAPER = EvidenceRef(b"\x99" * 32, 12, "application/pdf")
BLOCKS = 66


def make_charter() -> Charter:
    plan = CharterPlan("basic", 30_000, 0, 0, 0, None, None, None, 0, None, ())
    charter = new_charter(
        "Riverside",
        seed=b"\x05" * 32,
        genesis_time_ms=1_700_000_000_000,
        day_one="2026-01-31",
        block_interval_ms=2_000,
        phase="live",
        claims_cents=1_000_000,
        reserve_cents=300_000,
        rate=6_000_000,
        plans=(plan,),
        params={"audit_random_bp": 0},
        codes=(CharterCode("h", "X9", False, None, None),),
        providers=(CharterProvider(public_key_of(DOCTOR), "clinic"),),
    )
    for number, ring in enumerate(RINGS):
        bare = Founder(
            ring.identity_key,
            ring.device_key,
            ring.cover_key,
            ring.consensus_key,
            ring.transport_key,
            b"",
            ring.onion.tip,
            f"/ip4/127.0.0.1/tcp/{4001 + number}",
            "",
            "basic",
            12,
            12,
            b"",
        )
        charter = add_founder(charter, sign_founder(ring.identity_seed, bare, charter.name))
    return seal(charter)


class Coop:
    """A chain in memory, and the numbers its members have used."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        charter = make_charter()
        self.chain = Chain.create(
            self.store, charter, genesis_rows(charter), committee_hash=committee_hash(committee_of(charter))
        )
        self.count = 0

    def sign(self, seed: bytes, kind: str, author: bytes, body, attestations=()) -> SignedRecord:
        self.count += 1
        return sign_record(
            seed,
            chain_id=self.chain.chain_id,
            kind=kind,
            author=author,
            number=self.count,
            valid_until_height=500,
            body=Body(self.count.to_bytes(16, "big"), encode_body(body)),
            attestations=attestations,
        )

    def claim(self, ring: KeyRing, charge_cents: int) -> SignedRecord:
        key = public_key_of(DOCTOR)
        line = ClaimLine("h", "X9", (), 1, charge_cents, 1, 1)
        body = ClaimBody(
            "coop", ring.cover_key, "member", "member", key, b"", "claim", b"", 0, b"", (PAPER,), b"", (line,)
        )
        attested = (attest(DOCTOR, self.chain.chain_id, "provider", claim_subject_hash(body)),)
        return self.sign(ring.cover_seed, "claim.file", ring.cover_key, body, attested)

    def ballots(self, claim: SignedRecord, rings: list[KeyRing]) -> list[SignedRecord]:
        body = BallotBody(record_id_of(claim.record), "X9", "accept", None, "", 1, PAPER.hash)
        return [self.sign(ring.identity_seed, "case.ballot", ring.identity_key, body) for ring in rings]

    def grow(self, records: list[SignedRecord]) -> None:
        committee = committee_of(self.chain.charter)
        index = (self.chain.height + 1) % len(committee)
        ring = next(ring for ring in RINGS if ring.consensus_key == committee[index])
        waiting = [(record_id_of(signed.record), signed) for signed in records]
        made, refused = build_candidate(
            self.chain, committee, Proposer(index, ring.consensus_key, ring.onion.reveal), waiting, 0
        )
        assert refused == {}
        self.chain.commit(made.block, b"certificate", made.delta, encode_events(made.events))


@pytest.fixture(scope="module")
def rows() -> dict[bytes, bytes]:
    """A ledger of 66 blocks: one case with six votes, accepted; one with three, lapsed."""
    coop = Coop()
    won, thin = coop.claim(RINGS[0], 20_000), coop.claim(RINGS[1], 9_000)
    coop.grow([won, thin])
    coop.grow([*coop.ballots(won, RINGS[1:6]), *coop.ballots(thin, RINGS[2:5])])
    while coop.chain.height < 9:
        coop.grow([])
    coop.grow(coop.ballots(won, RINGS[6:]))
    while coop.chain.height < BLOCKS:
        coop.grow([])
    return dict(coop.store.scan(b""))


@pytest.fixture
def history(rows, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    store = LevelDB(folder / "ledger", create=True)
    store.write(rows)
    store.close()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_flips_stand_first_and_the_sums_after(call, history) -> None:
    before = contents(history)
    done = call("rehearse", "--data-dir", history, "--set", "quorum_min=3")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "66 blocks replayed with quorum_min 3 (was 5); every vote as it was cast"
    assert lines[2] == "1 decision would flip:"
    assert lines[4].split()[1:] == [
        "X9",
        "lapsed",
        "in",
        "block",
        "61",
        "accepted",
        "in",
        "block",
        "16,",
        "90.00",
        "USD",
    ]
    paid = next(line for line in lines if line.startswith("paid out"))
    assert paid.split() == ["paid", "out", "200.00", "USD", "290.00", "USD"]
    assert contents(history) == before, "the folder of the node is not changed"


def test_json_is_the_whole_comparison(call, history) -> None:
    done = call("rehearse", "--data-dir", history, "--set", "quorum_min=3", "--set", "streak_blocks=10", "--json")
    found = json.loads(done.out)
    assert found["height"] == BLOCKS
    assert found["changes"] == [
        {"name": "quorum_min", "old": 5, "new": 3},
        {"name": "streak_blocks", "old": 15, "new": 10},
    ]
    changes = {item["change"]: (item["old"]["height"], item["new"]["height"]) for item in found["decisions"]}
    assert changes == {"height": (16, 11), "outcome": (61, 11)}
    assert found["totals"]["new"]["paid_cents"] == 29_000
    assert found["refused"] == found["overruled"] == []


def test_ballots_after_the_end_are_listed_as_refused_with_the_rule(call, history) -> None:
    done = call("rehearse", "--data-dir", history, "--set", "vote_blocks=5")
    assert "1 decision would flip" in done.out
    assert "accepted in block 16, 200.00 USD  lapsed in block 6" in done.out
    assert "1 record would be refused; the replay went on without:" in done.out
    assert done.out.splitlines()[-1].split()[:4] == ["10", "1", "case.ballot", "vote_closed"]


def test_a_value_as_it_was_changes_nothing(call, history) -> None:
    done = call("rehearse", "--data-dir", history, "--set", "quorum_min=5")
    assert "0 decisions would flip" in done.out
    assert "refused" not in done.out


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        (["bar_floor=1"], "param_unknown", "did you mean bar_floor_bp?"),
        (["vote_blocks=0"], "param_range", "1..240 blocks"),
        (["vote_blocks"], "set_shape", "NAME=VALUE"),
        (["vote_blocks=1.5"], "set_shape", "whole number"),
        (["vote_blocks=-"], "set_shape", "whole number"),
        (["vote_blocks=" + "9" * 5_000], "set_shape", "whole number"),
        (["vote_blocks=3", "vote_blocks=4"], "set_shape", "twice"),
        ([], "set_shape", "--set NAME=VALUE"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_error_with_its_mend_and_exit_code_2(call, history, settings, code, words) -> None:
    given = [word for text in settings for word in ("--set", text)]
    done = call("rehearse", "--data-dir", history, *given, "--json")
    assert (done.code, done.out) == (2, "")
    error = json.loads(done.err)["error"]
    assert error["code"] == code
    assert words in error["what"] + error["hint"]
    assert error["hint"]


def test_scenario_and_folder_exclude_each_other(call, history) -> None:
    for arguments in ((), ("file", "--data-dir", history), ("file", "--set", "vote_blocks=3")):
        done = call("rehearse", *arguments)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("mutua: a rehearsal needs a scenario FILE, or --data-dir FOLDER")


def test_a_folder_without_a_ledger_is_named(call, tmp_path) -> None:
    done = call("rehearse", "--data-dir", tmp_path / "none", "--set", "vote_blocks=3")
    assert done.code == 2
    assert done.err == f"mutua: there is no ledger in {tmp_path}/none; name a data folder, or a copy of one\n"


def test_a_folder_in_use_is_refused(call, history) -> None:
    code = (
        "import fcntl, sys; h = open(sys.argv[1], 'ab'); fcntl.flock(h, fcntl.LOCK_EX); print('held', flush=True);"
        " sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(history / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        done = call("rehearse", "--data-dir", history, "--set", "vote_blocks=3")
    finally:
        holder.communicate("")
    assert done.code == 2
    assert "stop it first, or work on a copy" in done.err


def damaged(history: Path, key: bytes, value: bytes | None) -> Path:
    store = LevelDB(history / "ledger")
    store.write({key: value})
    store.close()
    return history


def test_a_ledger_that_says_something_else_than_the_rules_is_a_finding(call, history) -> None:
    done = call(
        "rehearse",
        "--data-dir",
        damaged(history, b"e/" + (16).to_bytes(8, "big"), b"[]"),
        "--set",
        "vote_blocks=3",
        "--json",
    )
    assert (done.code, done.out) == (6, "")
    assert json.loads(done.err)["error"]["code"] == "history_differs"


def test_a_body_that_was_dropped_cannot_be_replayed(call, history, rows) -> None:
    body = next(key for key in rows if key.startswith(b"d/"))
    done = call("rehearse", "--data-dir", damaged(history, body, None), "--set", "vote_blocks=3", "--json")
    assert done.code == 2
    assert json.loads(done.err)["error"]["code"] == "body_missing"


def test_a_long_run_says_now_and_then_how_far_it_is(call, history, monkeypatch) -> None:
    import node.cli.coop.rehearse as command

    monkeypatch.setattr(command, "PROGRESS_BLOCKS_PLAIN", 30)
    done = call("rehearse", "--data-dir", history, "--set", "vote_blocks=60", "--json")
    assert done.err == "block 30 of 66\nblock 60 of 66\n"
    json.loads(done.out)
    monkeypatch.setattr(command.sys.stderr, "isatty", lambda: True)
    watched = call("rehearse", "--data-dir", history, "--set", "vote_blocks=60", "--json")
    assert watched.code == 0
    assert watched.err == "\rblock 20 of 66\rblock 40 of 66\rblock 60 of 66\r\x1b[K", (
        "one line that moves, and is gone at the end"
    )


def test_batches_that_no_longer_fit_are_counted_and_not_mixed_with_the_members_records() -> None:
    from governance.simulation.counterfactual import Changed, Comparison, Refusal, Standing, Totals
    from node.api.text import Units
    from node.cli.coop.rehearse import comparison_lines

    sums = Totals(1, 0, 0, 5, 5, 0, 9, 9)
    refusals = (
        Refusal(7, "treasury.batch", b"b", "baton_spent", "spent"),
        Refusal(8, "case.ballot", b"c", "vote_closed", "the case closed in block 7"),
        Refusal(8, "case.ballot", b"d", "vote_closed", "the case closed in block 7"),
        *(Refusal(9 + number, "case.ballot", b"e", "vote_closed", "late") for number in range(45)),
    )
    standings = ((b"\x01" * 32, Standing(5_000, 0), Standing(7_500, 100)), (b"\x02" * 32, None, Standing(5_000, 0)))
    found = Comparison(
        60,
        (Changed("vote_blocks", 60, 6),),
        ((31, "vote_blocks", 50),),
        (),
        refusals,
        standings,
        (("basic", 100, None),),
        (),
        sums,
        sums,
    )
    lines = list(comparison_lines(found, Units("USD", 2)))
    assert "note: from block 31 on vote_blocks is 50, as a proposal of the history decided" in lines
    assert "47 records would be refused; the replay went on without:" in lines
    assert any(line.split()[:5] == ["8", "2", "case.ballot", "vote_closed", "the"] for line in lines)
    assert "and 6 more lines; --json lists every record" in lines
    assert lines[-1] == "1 record of the treasury would not fit what is decided now; --json lists them"
    assert any(line.endswith("75 % less 1 %") for line in lines)
    assert any(line.startswith("premium of basic") and line.endswith("–") for line in lines)


# ---- audit explain: the same ledger, one claim of it ---------------------------------


@pytest.fixture(scope="module")
def claims(rows) -> dict[int, str]:
    """Ids of the two claims, by what they charge."""
    from governance.state.claims import CLAIMS
    from governance.tables import Draft

    return {
        row.lines[0].charge_cents: row.claim.hex() for row in CLAIMS.scan(Draft(Chain.open(MemoryStore(rows)).state))
    }


def test_a_claim_is_explained_from_a_stopped_nodes_folder(call, history, claims) -> None:
    before = contents(history)
    done = call("audit", "explain", claims[20_000][:10], "--data-dir", history)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert (
        lines[0]
        == f"Claim {claims[20_000][:12]} was filed in block 1 for 200.00 USD. Everything in it is decided; the benefit"
        " so far is 200.00 USD, paid to the member."
    )
    assert (
        "  §6 who votes: 7 voters at the end of block 1, without 1 claimant: electorate of 6. Quorum 5 ballots,"
        " 3 of them with the evidence opened." in lines
    )
    assert (
        "  §7 your approval threshold: 0 denials among 0 counted ballots in terms -12 to 0; 100·0 = 0 ≥ 0·20 = 0:"
        " 50 % yes is needed, less seniority of 0 % for 0 full years: 50 %." in lines
    )
    assert "  block 2: 5 yes, 0 no, 0 abstained, 5 opened: passes." in lines
    assert (
        "  §6 accepted in block 16: quorum and approval threshold met in each of the 15 blocks 2..16; at the"
        " last 10000·6 = 60000 ≥ 5000·(6+0) = 30000." in lines
    )
    assert contents(history) == before, "the folder of the node is not changed"


def test_a_lapsed_claim_says_which_half_of_the_quorum_was_missing(call, history, claims) -> None:
    text = call("audit", "explain", claims[9_000], "-d", history).out
    assert (
        "  §6 lapsed in block 61: at the end of block 61 no quorum: 3+0 = 3 < 5 ballots, 3 ≥ 3 of them opened."
        in text.splitlines()
    )
    assert "it may be filed again once, free." in text


def test_the_receipt_of_a_real_ledger_is_computed_again_by_a_stranger(call, history, claims) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from receipts.stranger import problems

    for claim in claims.values():
        receipt = json.loads(call("audit", "explain", claim, "--data-dir", history, "--json").out)
        assert receipt["height"] == BLOCKS
        assert list(problems(receipt)) == []
        receipt["cases"][0]["tallies"][5]["yes"] += 1
        assert list(problems(receipt)) != []


def test_an_unknown_claim_is_said_before_anything_is_replayed(call, history) -> None:
    done = call("audit", "explain", "ffffffffff", "-d", history)
    assert done.code == 2
    assert "no claim begins with ffffffffff" in done.err


def test_a_running_node_gives_up_a_long_replay_and_names_the_way_offline(rows, claims, monkeypatch) -> None:
    import node.audit.receipts
    from ledger.errors import MutuaError

    monkeypatch.setattr(node.audit.receipts, "PAUSE_S", 0.01)
    with pytest.raises(MutuaError, match="mutua audit explain") as refused:
        node.audit.receipts.claim_receipt(Chain.open(MemoryStore(rows)), bytes.fromhex(claims[9_000]), live_s_max=0.05)
    assert refused.value.code == "receipt_long"


def test_a_members_bar_and_a_plans_premium_are_explained_too(call, history) -> None:
    done = call("audit", "explain", "--member", RINGS[1].identity_key.hex()[:10], "-d", history)
    assert done.code == 0, done.err
    assert (
        done.out.splitlines()[1]
        == "§7 your approval threshold: 0 denials among 1 counted ballot in terms -10 to 2; 100·0 = 0 ≥ 0·20 = 0:"
        " 50 % yes is needed, less seniority of 0 % for 0 full years: 50 %."
    )
    plan = call("audit", "explain", "--premium", "basic", "-d", history)
    assert plan.out.splitlines()[0] == "Plan basic: 2 boundaries re-rated it up to block 66."
    told = json.loads(call("audit", "explain", "--premium", "basic", "-d", history, "--json").out)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from receipts.stranger_others import premium_problems

    assert list(premium_problems(told)) == []
    assert [item["height"] for item in told["reratings"]] == [30, 60]


@pytest.mark.parametrize(
    "arguments", [(), ("aabbccddee", "--premium", "basic"), ("--proposal", "00" * 32), ("--premium", "gold")]
)
def test_nothing_or_two_things_or_an_unknown_thing_is_no_explanation(call, history, arguments) -> None:
    assert call("audit", "explain", *arguments, "-d", history).code == 2
