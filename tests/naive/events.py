"""How often each event of the scenario page occurred, some by kind, and the events that must all occur."""

KINDS = {
    "claim_accepted": "how",
    "audit_drawn": "trigger",
    "claim_line": "refusal",
    "shown": "what",
    "refused": "do",
    "hold_placed": "trigger",
    "admission_stopped": "to",
    "preauth_line": "refusal",
    "preauthorised": "how",
    "application_ended": "why",
    "party_listed": "role",
    "party_unlisted": "role",
}

NAMES = {
    "refused": [
        "claim",
        "ballot",
        "withdraw",
        "evidence",
        "auto_accept",
        "delegate",
        "undelegate",
        "pay_premium",
        "change_plan",
        "leave",
        "apply",
        "vouch",
        "object",
        "propose",
        "sponsor",
        "cast",
        "report",
        "finding",
        "appeal",
        "quote",
        "show",
        "withdraw_application",
        "list_provider",
        "device",
        "guardians",
        "move_identity",
        "object_move",
        "dependant",
    ],
    "claim_line": [None, 1, 2, 3, 4, 7, 8],
    "claim_accepted": ["standard", "vote", "appeal", "small", "lapse"],
    "claim_denied": [],
    "claim_lapsed": [],
    "panel_drawn": [],
    "payout_due": [],
    "payout_short": [],
    "premium_due": [],
    "premium_paid": [],
    "cover_suspended": [],
    "cover_resumed": [],
    "contract_ended": [],
    "premium_set": [],
    "code_promoted": [],
    "code_demoted": [],
    "renewal_warned": [],
    "renewal_refused": [],
    "renewal_cleared": [],
    "hold_placed": ["reports", "contest"],
    "hold_lifted": [],
    "audit_drawn": ["random", "claims", "arrears", "pair"],
    "fraud_found": [],
    "proposal_opened": [],
    "proposal_passed": [],
    "proposal_failed": [],
    "appeal_opened": [],
    "member_joined": [],
    "member_left": [],
    "member_expelled": [],
    "rate_set": [],
    "param_changed": [],
    "phase_changed": [],
    "admission_stopped": [True, False],
    "run_off": [],
    "disbanded": [],
    "shown": ["member", "claim", "code", "plan", "accounts", "params", "coop"],
    "end": [],
    # added by the project
    "preauth_line": [None, 1, 2, 3, 4, 7],
    "preauthorised": ["vote", "lapse", "appeal"],
    "deposit_returned": [],
    "application_ended": ["objections", "withdrawn", "expired", "run_off"],
    "proposal_void": [],
    "party_listed": ["attester", "verifier", "provider", "signer"],
    "party_unlisted": ["attester", "verifier", "provider", "signer"],
    "signers_needed_changed": [],
    "protocol_scheduled": [],
    "protocol_changed": [],
    "device_certified": [],
    "device_revoked": [],
    "provider_claimed": [],
    "cover_added": [],
    "cover_begun": [],
    "cover_ended": [],
    "credit_lost": [],
    "credit_regained": [],
    "guardians_set": [],
    "identity_move_opened": [],
    "identity_move_objected": [],
    "identity_moved": [],
}


def name_of(event):
    """An event's name, with its kind where the page names several."""
    field = KINDS.get(event["event"])
    return event["event"] if field is None else f"{event['event']}:{event[field]}"


def all_names():
    found = []
    for event, kinds in NAMES.items():
        found += [f"{event}:{kind}" for kind in kinds] or [event]
    return found


def missing(counts):
    return [name for name in all_names() if not counts.get(name)]


def table(counts):
    """The counts, one line a name, sorted by name; what never occurred stands there with 0."""
    names = sorted(set(counts) | set(all_names()))
    return "\n".join(f"{counts.get(name, 0):9,} {name}" for name in names)
