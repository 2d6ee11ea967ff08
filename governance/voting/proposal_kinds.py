"""What can be proposed: for each kind the check at its opening, and what a passed one does at its boundary (rules §12).

An effect that the state of that day no longer allows does nothing; it says why, and the proposal is void.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from governance import params, protocol
from governance.benefits import codes, contracts, plans, promotion, providers
from governance.day import Day, ceil_div
from governance.membership import attesters, members
from governance.money import accounts
from governance.state.attesters import ATTESTERS, VERIFIERS, PartyRow
from governance.state.codes import CodeVersion
from governance.state.contracts import CONTRACTS
from governance.state.coop import PHASES
from governance.state.members import MEMBERS
from governance.state.plans import PLANS
from governance.state.proposals import ProposeBody
from governance.state.providers import PROVIDERS
from governance.state.treasury import TREASURY, TreasuryRow, check_treasury
from governance.tables import Table
from ledger import calendar
from ledger.errors import RuleBroken

# ---- Rules --------------------------------------------------------------
CHANGES = ("add", "remove")
SIGNERS_MAX = 15
"""A script with more keys is not standard for relaying nodes."""
Void = str | None
"""Why a passed proposal does nothing; None: it took effect."""


@dataclass(frozen=True, slots=True)
class ProposalKind:
    """What may be proposed: `check` raises at its opening, `effect` takes effect or returns why not."""

    name: str
    check: Callable[[Day, ProposeBody], None]
    effect: Callable[[Day, ProposeBody], Void]
    is_critical: bool = False


# ---- Codes, parameters, plans ---------------------------------------------
def _check_demote(day: Day, body: ProposeBody) -> None:
    if not codes.code_on(day.draft, body.system, body.name, day.height).is_standard:
        raise RuleBroken("not_standard", f"code {body.name} is not standard", "each case of it is voted on already")


def _effect_demote(day: Day, body: ProposeBody) -> Void:
    if not codes.code_on(day.draft, body.system, body.name, day.height + 1).is_standard:
        return f"code {body.name} is not standard any more"
    paid, decided = promotion.share_of(day, body.system, body.name)
    promotion.apply_demotion(day, body.system, body.name)
    day.emit("code_demoted", code=body.name, paid=paid, decided=decided, allowed_cents=None, frequency=None)
    return None


def _check_param(_day: Day, body: ProposeBody) -> None:
    params.check_parameter(body.name, body.value)


def _effect_param(day: Day, body: ProposeBody) -> Void:
    before = params.apply_change(day.draft, body.name, body.value)
    day.emit("param_changed", name=body.name, **{"from": before, "to": body.value})
    return None


def _check_named(_day: Day, body: ProposeBody) -> None:
    if not body.name:
        raise RuleBroken("name_missing", "a code or plan needs a name", "name it")


def _effect_list(day: Day, body: ProposeBody) -> Void:
    version = CodeVersion(day.height + 1, body.standard, body.allowed_cents, body.frequency)
    codes.set_code(day.draft, body.system, body.name, version)
    return None


def _check_plan(day: Day, body: ProposeBody) -> None:
    _check_named(day, body)
    if body.figures is None:
        what = "a plan needs its figures"
        raise RuleBroken("plan_figures", what, "give deductible, copay, coinsurance and the others")


def _effect_plan(day: Day, body: ProposeBody) -> Void:
    """Open a plan, or give one new figures; the premium of a plan in force moves by re-rating alone."""
    assert body.figures is not None, "checked before"
    figures = replace(body.figures, from_day=day.height + 1)
    plan = PLANS.find(day.draft, body.name)
    set_now = day.params
    premium = body.premium_cents if plan is None else plan.premium_cents
    prior = body.prior_cents
    if plan is not None:
        prior = plan.prior_cents  # fixed where the plan began (rules §11), as its premium is moved by re-rating alone
    elif prior is None:
        prior = plans.prior_of(premium, set_now.reserve_bp, set_now.expense_bp)
    plans.put_figures(day.draft, body.name, premium, prior, figures)
    return None


# ---- The phase, and who belongs --------------------------------------------
def _check_phase(day: Day, body: ProposeBody) -> None:
    if body.name not in PHASES or PHASES.index(body.name) <= PHASES.index(day.coop.phase):
        what = f"the phase is {day.coop.phase}; it cannot become {body.name!r}"
        raise RuleBroken("phase_order", what, "recruit, then pilot, then live")


def why_not_live(day: Day) -> Void:
    """Return what keeps the gate to `live` shut, or None when it is open (rules §11).

    One term prepaid: the claims account holds the rates of all contracts. The membership whose simulated chance of ruin
    in the first year is at most 1 % is `live_members_min`: members agree on it before, by vote, from their actuary's
    figures.
    """
    set_now = day.params
    held, needed = accounts.balance_of(day.draft, "claims"), day.counts.rates_cents
    if held < needed:
        return f"the claims account holds {held}, one term of premiums is {needed}"
    if day.counts.members < set_now.live_members_min:
        return f"there are {day.counts.members} members, live_members_min is {set_now.live_members_min}"
    terms = day.terms_complete - day.coop.phase_height // calendar.TERM_BLOCKS if day.coop.phase == "pilot" else 0
    if terms < set_now.pilot_terms:
        return f"{terms} terms of pilot are complete, pilot_terms is {set_now.pilot_terms}"
    return None


def _effect_phase(day: Day, body: ProposeBody) -> Void:
    """Change the phase; to `live` only through the gate."""
    before = day.coop.phase
    if PHASES.index(body.name) <= PHASES.index(before):
        return f"the phase is {before} already"
    why = why_not_live(day) if body.name == "live" else None
    if why is not None:
        return why
    day.set_coop(phase=body.name, phase_height=day.height)
    if before == "recruit":
        contracts.start_deferred_contracts(day)
    day.emit("phase_changed", **{"from": before, "to": body.name})
    return None


def _check_expel(day: Day, body: ProposeBody) -> None:
    members.check_member(day.draft, body.member)


def _effect_expel(day: Day, body: ProposeBody) -> Void:
    row = MEMBERS.find(day.draft, body.member)
    if row is None or not row.is_member:
        return "the membership has ended"
    contract = CONTRACTS.find(day.draft, body.member)
    if contract is not None and contract.is_in_force:
        contracts.end_contract(day, body.member)
    elif contract is not None and contracts.is_deferred(contract):
        contracts.end_deferred(day, contract)
    else:
        members.end_membership(day, body.member)
    day.emit("member_expelled", member=body.member)
    return None


# ---- Attesters, verifiers, providers, signers ---------------------------------
def _check_change(body: ProposeBody, allowed: tuple[str, ...] = CHANGES) -> None:
    if body.change not in allowed:
        what = f"{body.change!r} is not a valid change for a {body.what}"
        raise RuleBroken("change_unknown", what, "one of " + ", ".join(allowed))


def _check_party(parties: Table[PartyRow]) -> Callable[[Day, ProposeBody], None]:
    """Return the check of a proposal on a list of parties."""

    def check(day: Day, body: ProposeBody) -> None:
        _check_change(body)
        is_listed = parties.find(day.draft, body.key) is not None
        if body.change == "add":
            providers.check_shape(body.key, body.name)
            if is_listed:
                raise RuleBroken("party_known", f"this {body.what} is listed already", "no change is needed")
            if len(attesters.keys_of(day.draft, parties)) >= attesters.PARTIES_MAX:
                what = f"{attesters.PARTIES_MAX} are listed, the most there may be"
                raise RuleBroken("parties_full", what, "take one off first")
        elif not is_listed:
            raise RuleBroken("party_unknown", f"no {body.what} of this key is listed", "see the list")

    return check


def _effect_party(parties: Table[PartyRow]) -> Callable[[Day, ProposeBody], Void]:
    """Return what a passed proposal does to a list of parties."""

    def effect(day: Day, body: ProposeBody) -> Void:
        if body.change == "add":
            parties.put(day.draft, PartyRow(body.key, body.name, day.height), body.key)
            day.emit("party_listed", role=body.what, party=body.key, name=body.name)
            return None
        row = parties.get(day.draft, body.key)
        parties.delete(day.draft, body.key)
        day.emit("party_unlisted", role=body.what, party=body.key, name=row.name)
        return None

    return effect


def _check_provider(day: Day, body: ProposeBody) -> None:
    _check_change(body)
    if body.change == "add":
        providers.check_new(day, body.key, body.name)
    elif PROVIDERS.find(day.draft, body.key) is None:
        raise RuleBroken("party_unknown", "no provider of this key is listed", "see the list of providers")


def _effect_provider(day: Day, body: ProposeBody) -> Void:
    if body.change == "add":
        providers.add(day, body.key, body.name)
    else:
        providers.remove(day, body.key)
    return None


def signers_after(row: TreasuryRow, body: ProposeBody) -> tuple[tuple[bytes, ...], int]:
    """Return signers and threshold after a proposal: a majority of 1..15, unchanged or the least where not named."""
    _check_change(body, (*CHANGES, "threshold"))
    signers = row.signers
    if body.change == "add":
        providers.check_shape(body.key, body.name or "signer")
        if body.key in signers:
            what = f"this key is one of the {len(signers)} signers already"
            raise RuleBroken("party_known", what, "no change is needed")
        signers = (*signers, body.key)
    elif body.change == "remove":
        if body.key not in signers:
            raise RuleBroken("party_unknown", "no signer has this key", "see the list of signers")
        signers = tuple(key for key in signers if key != body.key)
    threshold = body.value or min(max(row.threshold, len(signers) // 2 + 1), len(signers))
    if not 1 <= len(signers) <= SIGNERS_MAX or not len(signers) // 2 < threshold <= len(signers):
        what = f"{threshold} of {len(signers)} signers is not a majority of 1..{SIGNERS_MAX}"
        raise RuleBroken("signers_threshold", what, "name a threshold that is")
    return signers, threshold


def _check_signer(day: Day, body: ProposeBody) -> None:
    signers_after(check_treasury(day.draft), body)


def _effect_signer(day: Day, body: ProposeBody) -> Void:
    """Change whose attestations count. Coins move to a script of the new keys by a batch of the old ones."""
    row = check_treasury(day.draft)
    signers, threshold = signers_after(row, body)
    TREASURY.put(day.draft, replace(row, signers=signers, threshold=threshold))
    if body.change != "threshold":
        day.emit(
            "party_listed" if body.change == "add" else "party_unlisted", role="signer", party=body.key, name=body.name
        )
    if threshold != row.threshold:
        day.emit("signers_needed_changed", **{"from": row.threshold, "to": threshold})
    return None


# ---- The protocol version -------------------------------------------------------
def _check_version(day: Day, body: ProposeBody) -> None:
    """A version follows the last one decided on, from a later block on."""
    newest = protocol.newest(day.draft)
    if body.value <= newest.version:
        raise RuleBroken("protocol_version", f"version {newest.version} is decided on already", "propose a later one")
    _check_start(body, max(day.height, newest.height) + 1)


def _check_start(body: ProposeBody, earliest: int) -> None:
    if body.height < earliest:
        what = f"block {body.height} is too early: the first that it can be is {earliest}"
        raise RuleBroken("protocol_height", what, f"name {earliest} or later")


def _check_protocol(day: Day, body: ProposeBody) -> None:
    """At the opening: the height lies after the boundary at which a vote begun today takes effect."""
    _check_version(day, body)
    judged = day.height + day.params.proposal_blocks
    _check_start(body, ceil_div(judged, calendar.TERM_BLOCKS) * calendar.TERM_BLOCKS + calendar.TERM_BLOCKS + 1)


def _effect_protocol(day: Day, body: ProposeBody) -> Void:
    protocol.schedule(day.draft, body.value, body.height)
    day.emit("protocol_scheduled", version=body.value, starts=body.height)
    return None


def _checked(
    check: Callable[[Day, ProposeBody], None], effect: Callable[[Day, ProposeBody], Void]
) -> Callable[[Day, ProposeBody], Void]:
    """Return an effect that does nothing where its check would refuse it now; the row, so the state, keeps why."""

    def checked(day: Day, body: ProposeBody) -> Void:
        try:
            check(day, body)
        except RuleBroken as error:
            return error.what
        return effect(day, body)

    return checked


_CHECK_ATTESTER, _CHECK_VERIFIER = _check_party(ATTESTERS), _check_party(VERIFIERS)

KINDS: dict[str, ProposalKind] = {
    kind.name: kind
    for kind in (
        ProposalKind("demote", _check_demote, _effect_demote),
        ProposalKind("param", _check_param, _effect_param),
        ProposalKind("list", _check_named, _effect_list),
        ProposalKind("plan", _check_plan, _effect_plan),
        ProposalKind("phase", _check_phase, _effect_phase, is_critical=True),
        ProposalKind("expel", _check_expel, _effect_expel),
        ProposalKind(
            "attester", _CHECK_ATTESTER, _checked(_CHECK_ATTESTER, _effect_party(ATTESTERS)), is_critical=True
        ),
        ProposalKind("verifier", _CHECK_VERIFIER, _checked(_CHECK_VERIFIER, _effect_party(VERIFIERS))),
        ProposalKind("provider", _check_provider, _checked(_check_provider, _effect_provider)),
        ProposalKind("signer", _check_signer, _checked(_check_signer, _effect_signer), is_critical=True),
        ProposalKind("protocol", _check_protocol, _checked(_check_version, _effect_protocol), is_critical=True),
    )
}


def is_critical(body: ProposeBody) -> bool:
    """True iff a proposal needs two thirds and a term more of notice."""
    return KINDS[body.what].is_critical or (body.what == "param" and params.PARAMETERS[body.name].is_critical)
