"""Which section of the rules refuses a record, by the code of the refusal.

A new code: add it under each section that asks for it, and write its section in docs/reference/errors.md with the line
`*Rule:* [§…](rules/README.md#…)`; `tests/docs/test_refusals.py` says what is missing.
"""

from __future__ import annotations

CODES = {
    "§1": "disbanded record_expired number_old number_used kind_unknown",
    "§2": (
        "not_a_member member_unknown member_twice no_admission applied applicant_unknown cover_taken owes "
        "nullifier_known not_in_standing vouched vouches_used objection_late objected notice_given signer_unknown "
        "identity_signature key_taken device_unknown devices_full guardian_own guardians_shape no_guardians "
        "move_pending move_paused move_stale no_move deposit_amount cover_other dependants_full dependant_unknown"
    ),
    "§2 §6": "reason_long",
    "§2 §3": "commitment_size deposit_counted",
    "§2 §3 §9 §11": "attestations_missing",
    "§3": "plan_unknown plan_twice contract_length guarantee_full no_contract nothing_owed premium_amount",
    "§5": (
        "claim_shape claim_known claim_not_own cover_unknown cover_signature provider_unknown provider_own "
        "provider_attestation supersedes_unknown duplicate_line source_known nothing_open preauth_open scheme_closed "
        "provider_signature provider_barred"
    ),
    "§5 §6 §9": "claim_unknown",
    "§6": (
        "case_unknown vote_closed ballot_frozen ballot_there evidence_version evidence_late evidence_full auto_late "
        "rule_hash award_high delegate_unfit delegate_full topic_size no_delegation"
    ),
    "§6 §9": "ballot_changed",
    "§6 §9 §12": "vote_not_open choice_unknown",
    "§6 §12": "not_eligible",
    "§2 §6 §9 §12": "may_not_vote",
    "§9": (
        "appealed appeal_late ground_unknown not_on_panel report_unfit reported outcome_unknown fraud_known no_panel "
        "audit_over"
    ),
    "§10": "document_unknown receipt_there",
    "§11": (
        "no_treasury baton_spent batch_shape batch_repeats batch_sum batch_unknown payout_not_due payout_sum "
        "confirmed_before rate_range not_on_committee"
    ),
    "§12": (
        "param_unknown param_range proposal_known proposal_unknown proposal_kind proposal_shape sponsored "
        "plan_figures name_missing not_standard phase_order phase_unknown change_unknown party_known party_unknown "
        "party_shape parties_full provider_removed signers_threshold protocol_version protocol_height genesis_figure"
    ),
}
"""By section, the codes of its refusals; each code is listed once."""
OF_A_FILE = ("action_unknown", "block_closed", "block_open", "code_needed", "rule_unknown", "unknown_name")
"""Refusals of a scenario file that are no rule of the co-op: a closed block, a name that is not in the file."""
RULES = {code: section for section, codes in CODES.items() for code in codes.split()}


def rule_of(code: str) -> str:
    """Return the section, or sections, of the rules that refuse with this code; empty where none does.

    >>> rule_of("vote_closed"), rule_of("disk_full")
    ('§6', '')
    """
    return RULES.get(code, "")
