"""Receipts of proposals, renewals and premiums in plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from governance.receipts import other_shapes
from governance.receipts.words import ReceiptFormatter, threshold_words


def explain_proposal(receipt: other_shapes.ProposalReceipt, of_bytes: Callable[[bytes], str]) -> Iterator[str]:
    """Yield a proposal's receipt, sentence by sentence."""
    show = ReceiptFormatter("", 0, of_bytes)
    body = receipt.body
    about = body.name or show.name(body.member or body.key)
    value = f" = {body.value}" if body.what == "param" else ""
    critical = " It needs two thirds yes and takes effect one term later." if receipt.is_critical else ""
    yield (
        f"Proposal {show.name(receipt.proposal)}, {body.what} {body.change + ' ' if body.change else ''}{about}{value}:"
        f" {receipt.status}.{critical}"
    )
    if receipt.sponsors:
        yield (
            f"§12 sponsors: {len(receipt.sponsors)} of max({receipt.sponsor_min}, {receipt.voters} voters /"
            f" {receipt.sponsor_div} rounded up) = {receipt.sponsors_needed}."
        )
    if receipt.opened_height is None:
        yield f"{receipt.sponsors_needed - len(receipt.sponsors)} more signatures open the vote."
        return
    last = receipt.opened_height + receipt.proposal_blocks
    yield (
        f"It opened in block {receipt.opened_height} with {receipt.eligible} voters; votes count in blocks"
        f" {receipt.opened_height + 1} to {last}, and min({receipt.turnout_max}, {receipt.eligible} /"
        f" {receipt.turnout_div} rounded up) = {receipt.turnout_needed} are needed, abstentions included."
    )
    yield f"{receipt.yes} yes, {receipt.no} no, {receipt.abstain} abstained; the last vote of each member counts."
    if receipt.judged_height is not None:
        yield (
            f"§12 {'passed' if receipt.passes else 'failed'} at the end of block {receipt.judged_height}:"
            f" {receipt.reason}."
        )
    if receipt.effective_height is not None:
        done = {"in_force": "it took effect", "void": f"it was void: {receipt.void_reason}"}.get(
            receipt.status, "it takes effect"
        )
        yield f"At the end of block {receipt.effective_height} {done}."


def explain_member(receipt: other_shapes.MemberReceipt, of_bytes: Callable[[bytes], str]) -> Iterator[str]:
    """Yield a member's approval threshold and renewals, sentence by sentence."""
    show = ReceiptFormatter("", 0, of_bytes)
    yield f"Member {show.name(receipt.member)} as of block {receipt.height}, as if a claim were included now."
    yield threshold_words(receipt.bar, is_open=False)
    if not receipt.renewals:
        yield "No renewal has been judged: block 360 is the first that judges (§7)."
    said = "none"
    for item in receipt.renewals:
        if item is not receipt.renewals[-1] and item.outcome == "none" and said == "none":
            continue
        said = item.outcome
        words = {
            "none": "nothing changed",
            "warned": f"warned; a refusal now would end cover with block {max(item.last_block, item.height + 30)}",
            "refused": f"refused: cover ends with block {item.until}",
            "cleared": "the refusal was cleared",
            "ended": "judged once more: cover ended",
        }[item.outcome]
        yield f"§7 renewal at block {item.height}: {words}. {item.reason}."


def explain_premium(receipt: other_shapes.PremiumReceipt, of_bytes: Callable[[bytes], str]) -> Iterator[str]:
    """Yield a plan's re-ratings, sentence by sentence."""
    show = ReceiptFormatter(receipt.currency, receipt.exponent, of_bytes)
    times = len(receipt.reratings)
    yield (
        f"Plan {receipt.plan}: {times} {'boundary' if times == 1 else 'boundaries'} re-rated it up to block"
        f" {receipt.height}."
    )
    for item in receipt.reratings:
        pairs = (
            f"{sum(row.weight_bp for row in item.terms) / 10_000:g} contract terms with {show.money(item.cost_cents)}"
            " of benefits"
        )
        yield (
            f"§11 block {item.height}: {show.money(item.old_cents)} became {show.money(item.new_cents)}, from {pairs}."
            f" {item.reason}."
        )
