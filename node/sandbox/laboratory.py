"""The rows of rules §13 that need wallet, consensus or the node, which the laboratory in governance may not import."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from governance.simulation.laboratory.measures import share
from governance.simulation.laboratory.study import Check, Evidence, Layer, Picture

P_MAX = 0.25
"""Default of `p_max`; rules §13 asks it of every output."""
PROPOSERS = 40
BATCHES = 400
SECRET_WORDS = ("carcinoma in situ", "Zbigniew Testowy", "1971-03-02")


def tracing(seed: int, batches: int = BATCHES) -> Evidence:
    """Plan batches with the signers' own code and look at each output, as an observer of the chain would."""
    from node.treasury.plan import DuePayout, Policy, choose, plan_outputs

    rng = Random(f"{seed}/tracing")  # noqa: S311  # chance that can be repeated is the point
    policy, links = Policy(fee_sat_per_vb=5), list[float]()
    lonely = planned = 0
    for number in range(batches):
        count = rng.choice((1, 2, 3, 5, 8, 8, 8, 12, 16, 24))
        amounts = [int(200_000 * rng.lognormvariate(0, 1)) + 40_000 for _ in range(count)]
        due = [DuePayout(bytes([i]) * 32, bytes([i, 1]) * 16, amount, number) for i, amount in enumerate(amounts)]
        programs = {item.commitment: tuple(bytes([index]) + rng.randbytes(21) for index in range(64)) for item in due}
        plans = plan_outputs(choose(due, programs, number + policy.crowd_wait, policy), programs, policy)
        outputs = [(piece, payout_id) for payout_id, item in plans.items() for piece in item.split.pieces_sat]
        totals, own = Counter(piece for piece, _ in outputs), Counter(outputs)
        planned += bool(outputs)
        lonely += len({payout_id for _, payout_id in outputs}) == 1
        links += [own[output] / totals[output[0]] for output in outputs]
    return _traced(links, f"{planned} batches, {lonely} with a single payee")


def _traced(links: Sequence[float], batches: str) -> Evidence:
    """Judge P(link) of each output: the payee's share of the outputs of its denomination in the batch."""
    over = sum(link > P_MAX for link in links)
    what, asked = "outputs of batches as the signers plan them", "P(link) ≤ p_max (25 %) for every output, by payee"
    measured = f"{share(over, len(links))} outputs above it, worst {100 * max(links, default=0):.0f} %; {batches}"
    check = Check(11, what, asked, measured, over == 0)
    finding = (
        "The planner of batches does not apply `p_max` yet: a payee may hold all outputs of a denomination."
        " Rules §11 asks for a cap, a queue for the rest and a wider cap after `relax_wait`. No cap can hide a payee"
        " who is alone in a batch (1 of 1): under the rule such a payout waits for others, for ever if none come. The"
        " rules should say which of the two gives way."
    )
    steps = tuple(float(value) for value in range(0, 101, 5))
    curve = tuple(100 * sum(100 * link <= step for link in links) / max(1, len(links)) for step in steps)
    title = "Every output hides among others of its denomination"
    if over:
        title = "Most outputs hide among others, but too many can be identified by their denomination"
    layers = (
        Layer("step", "attacker", "batches as planned", steps, curve),
        Layer("vline", "bound", "p_max 25 %", (100 * P_MAX,)),
    )
    x_label = "P(link): share of a denomination that goes to one payee, %"
    picture = Picture(title, x_label, "outputs at or below it, %", layers)
    return Evidence((check,), (finding,) if over else (), {"over": over, "outputs": len(links)}, picture)


def leaking(seed: int) -> Evidence:
    """Keep a document as a node does and look for its words in the records and the state that leave the node."""
    from governance.filing.claims import ClaimBody, ClaimLine
    from governance.genesis import GenesisSpec, MemberSpec, PlanSpec, genesis_rows
    from governance.kinds import encode_body
    from governance.state.claims import EvidenceRef
    from governance.transition import Act, BlockContext, OpenBlock
    from ledger.store import MemoryStore
    from node.cli.claims.evidence import keep_document

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "letter.txt"
        file.write_text("\n".join(SECRET_WORDS), encoding="utf-8")
        kept = [keep_document(Path(folder) / place, file)[0] for place in ("one", "two")]
    refs = (EvidenceRef(bytes.fromhex(kept[0]["hash"]), kept[0]["size_bytes"], kept[0]["media"]),)
    line = ClaimLine("", "X1", (), 1, 10_000, 1, 1)
    body = encode_body(ClaimBody("", b"m", "member", "member", b"doc", b"", "claim", b"", 0, b"", refs, b"", (line,)))
    spec = GenesisSpec(
        is_rehearsal=True,
        plans=(PlanSpec("basic", 1),),
        members=(MemberSpec(b"m", b"m", "basic"),),
        providers=((b"doc", "doc"),),
    )
    store = MemoryStore(genesis_rows(spec))
    block = OpenBlock(store, BlockContext(1, bytes(32)))
    block.take(Act("claim.file", b"m", b"m", b"claim", 1, 2**62, body, ()))
    store.write(block.close().delta)
    rows = [body, *(key + value for key, value in store.scan(b""))]
    hits = sum(words.encode() in data for words in SECRET_WORDS for data in rows)
    asked, found = (
        "no plaintext of the evidence",
        f"{hits} hits of {len(SECRET_WORDS)} phrases in {len(rows)} byte strings",
    )
    unseen = "not run here: no test scans a node's log for evidence"
    checks = (
        Check(12, "a claim's record and the state it makes", asked, found, hits == 0),
        Check(12, "logs of a running node", asked, unseen, None),
    )
    finding = (
        "Hashes of documents have no salt: the same letter kept by two people has the same hash, so a guess at a short"
        " document can be confirmed from the ledger. Rules §10 asks for salted hashes."
    )
    has_salt = kept[0]["hash"] != kept[1]["hash"]
    return Evidence(checks, () if has_salt else (finding,), {"hits": hits, "seed": seed})


def lying(seed: int, runs: int = PROPOSERS) -> Evidence:
    """Run whole committees with a member that proposes two blocks, over the step function of the daemons."""
    from consensus.simulator import options_of, simulate
    from governance.kinds import KINDS

    violations: list[str] = []
    views: list[float] = []
    for number in range(seed, seed + runs):
        options = options_of(number)
        options = replace(options, byzantine=number % options.size, is_byzantine_gone=False)
        try:
            views.append(simulate(options).view_max)
        except AssertionError as error:
            violations.append(f"seed {number}: {error}")
    has_kind = any("misbehaviour" in name for name in KINDS)
    safe = "finality by > 2/3: one block a height, and no standstill"
    most = f"up to {max(views, default=0):.0f} views for a height"
    runs_words = f"{len(violations)} of {runs} runs broke safety or stood still; {most}"
    lost = "a misbehaviour record, and the seat is lost"
    kind_words = "a record kind takes them" if has_kind else "each node keeps proofs; no record kind takes them"
    checks = (
        Check(13, "committees with an equivocating proposer", safe, runs_words, not violations and bool(views)),
        Check(13, "two contradicting signatures", lost, kind_words, has_kind),
    )
    finding = (
        "An equivocating proposer cannot hurt safety, and keeps its seat: nodes keep the two signatures"
        " (`consensus.misbehaviour`), but no record brings them to the ledger and the committee's draw ignores them."
    )
    findings = () if has_kind else (finding,)
    tops = sorted({int(view) for view in views})
    counts = tuple(float(sum(int(view) == top for view in views)) for top in tops)
    layer = Layer("bars", "attacker", "runs with an equivocating member", y=counts, labels=tuple(map(str, tops)))
    title = "An equivocating proposer costs views, never a second block"
    picture = Picture(title, "highest view a run needed", "runs", (layer,))
    return Evidence(checks, findings + tuple(violations), {"runs": runs, "violations": len(violations)}, picture)
