"""The sentence of the rules that decided, with its figures; fractions are compared by cross-multiplication."""

from __future__ import annotations

from governance.receipts import other_shapes, shapes
from governance.state.params import Params


def share_words(yes: int, no: int, need_bp: int) -> str:
    """Return the comparison of a yes share with what is needed.

    >>> share_words(4, 2, 4900)
    '10000·4 = 40000 ≥ 4900·(4+2) = 29400'
    """
    left, right = 10_000 * yes, need_bp * (yes + no)
    return f"10000·{yes} = {left} {'≥' if left >= right else '<'} {need_bp}·({yes}+{no}) = {right}"


def quorum_words(case: shapes.Case, yes: int, no: int, opened: int) -> str:
    """Return both halves of the quorum, each with its figures."""
    ballots = f"{yes}+{no} = {yes + no} {'≥' if yes + no >= case.quorum else '<'} {case.quorum} ballots"
    return f"{ballots}, {opened} {'≥' if opened >= case.opened_needed else '<'} {case.opened_needed} of them opened"


def accepted(case: shapes.Case, row: shapes.TallyRow, how: str) -> str:
    """Return the reason of an accepted case (rules §6)."""
    assert case.bar is not None
    last = case.s + case.params.vote_blocks
    if how == "small":
        limit = f"small_claim_cents {case.params.small_claim_cents}"
        return f"first lapse, charges {case.charges_cents} ≤ {limit}, no other small claim of the member paid this term"
    if how == "lapse":
        paid = f"award min({case.charges_cents}, lapse_pay_cents {case.params.lapse_pay_cents})"
        ballots = f"{row.yes}+{row.no} = {row.yes + row.no} < 3 ballots"
        return f"second lapse at the end of block {last}, {ballots}: {paid}"
    if row.streak < case.params.streak_blocks or case.eligible < case.params.min_voters:
        return _second_filing(case, row, last)
    first, share = row.height - case.params.streak_blocks + 1, share_words(row.yes, row.no, case.bar.need_bp)
    blocks = f"{case.params.streak_blocks} blocks {first}..{row.height}"
    return f"quorum and approval threshold met in each of the {blocks}; at the last {share}"


def denied(case: shapes.Case, row: shapes.TallyRow) -> str:
    """Return the reason of a denied case (rules §6)."""
    assert case.bar is not None
    if not row.has_quorum or case.eligible < case.params.min_voters:
        return _second_filing(case, row, row.height)
    quorum = quorum_words(case, row.yes, row.no, row.opened)
    share = share_words(row.yes, row.no, case.bar.need_bp)
    return f"at the end of block {row.height} the quorum is met ({quorum}) and {share}"


def _second_filing(case: shapes.Case, row: shapes.TallyRow, height: int) -> str:
    assert case.bar is not None
    ballots = f"{row.yes}+{row.no} = {row.yes + row.no} ≥ 3 ballots"
    share = share_words(row.yes, row.no, case.bar.need_bp)
    return f"second filing at the end of block {height}, no quorum needed: {ballots}, {share}"


def lapsed(case: shapes.Case, row: shapes.TallyRow) -> str:
    """Return the reason of a lapsed case (rules §6)."""
    end, least = f"the end of block {row.height}", case.params.min_voters
    if case.eligible < least:
        return f"electorate of {case.eligible} < {least} at {end}: the case can only lapse"
    if row.passes:
        return f"at {end} {row.streak} < {case.params.streak_blocks} passing blocks in a row"
    return f"at {end} no quorum: {quorum_words(case, row.yes, row.no, row.opened)}"


def appealed(appeal: shapes.Appeal, need_bp: int) -> str:
    """Return the reason of an appeal's judgement (rules §9)."""
    cast = appeal.yes + appeal.no
    ballots = f"{cast} {'≥' if cast >= appeal.quorum else '<'} {appeal.quorum} ballots"
    share = share_words(appeal.yes, appeal.no, need_bp)
    return f"appeal judged at the end of block {appeal.judged_height}: {ballots}, {share}"


def proposal(yes: int, no: int, abstain: int, turnout_needed: int, *, is_critical: bool) -> tuple[bool, str]:
    """Return whether a proposal's votes carry it, and the comparisons.

    >>> proposal(4, 2, 0, 5, is_critical=True)
    (True, 'turnout 4+2+0 = 6 ≥ 5, yes 4 > 2 no, critical 3·4 = 12 ≥ 2·(4+2) = 12')
    """
    cast = yes + no + abstain
    passes = yes > no and cast >= turnout_needed and (not is_critical or 3 * yes >= 2 * (yes + no))
    text = (
        f"turnout {yes}+{no}+{abstain} = {cast} {'≥' if cast >= turnout_needed else '<'} {turnout_needed}, yes {yes}"
        f" {'>' if yes > no else '≤'} {no} no"
    )
    if is_critical:
        text += (
            f", critical 3·{yes} = {3 * yes} {'≥' if 3 * yes >= 2 * (yes + no) else '<'} 2·({yes}+{no}) ="
            f" {2 * (yes + no)}"
        )
    return passes, text


def renewal(denied: int, voted: int, closings: int, set_now: Params) -> str:
    """Return the comparisons of a renewal's judgement."""
    parts = [
        f"N = {voted} {'≥' if voted >= set_now.renewal_min else '<'} {set_now.renewal_min}",
        f"closings in {closings} {'≥' if closings >= set_now.renewal_terms else '<'} {set_now.renewal_terms} terms",
    ]
    for percent, words in ((set_now.renewal_pct, "refusal"), (set_now.warning_pct, "warning")):
        sign = "≥" if 100 * denied >= percent * voted else "<"
        parts.append(f"{words} 100·{denied} = {100 * denied} {sign} {percent}·{voted} = {percent * voted}")
    return "; ".join(parts)


def premium(found: other_shapes.Rerating) -> str:
    """Return how a premium came about."""
    if found.estimate_cents is None:
        return f"no experience and no credibility: the target is the old premium {found.old_cents}"
    short = "<" if found.load_bp else "≥"
    return (
        f"estimate = ({found.cost_cents} + {found.credibility_k}·{found.prior_cents})·10000 // {found.weight_bp} ="
        f" {found.estimate_cents}; reserve {found.reserve_cents} {short}"
        f" {found.annual_premium_cents}·{found.reserve_bp} // 10000 ="
        f" {found.annual_premium_cents * found.reserve_bp // 10_000}; target = {found.estimate_cents}·10000 // (10000 −"
        f" {found.load_bp} − {found.expense_bp}) = {found.target_cents}; within {found.low_cents}..{found.high_cents}:"
        f" {found.new_cents}"
    )
