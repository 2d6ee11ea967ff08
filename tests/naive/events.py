"""How often each event of the scenario page occurred, with the kinds of some, and the list that none may be missing from."""

KINDS = {"claim_accepted": "how", "audit_drawn": "trigger", "claim_line": "refusal", "shown": "what", "refused": "do",
         "hold_placed": "trigger", "admission_stopped": "to"}  # fmt: skip

NAMES = {
    "refused": ["claim", "ballot", "withdraw", "evidence", "auto_accept", "delegate", "undelegate", "pay_premium", "change_plan", "leave",
                "apply", "vouch", "object", "propose", "sponsor", "cast", "report", "finding", "appeal", "quote", "show"],
    "claim_line": [None, 1, 2, 3, 4, 7, 8], "claim_accepted": ["standard", "vote", "appeal", "small", "lapse"],
    "claim_denied": [], "claim_lapsed": [], "panel_drawn": [], "payout_due": [], "payout_short": [], "premium_due": [], "premium_paid": [],
    "cover_suspended": [], "cover_resumed": [], "contract_ended": [], "premium_set": [], "code_promoted": [], "code_demoted": [],
    "renewal_warned": [], "renewal_refused": [], "renewal_cleared": [], "hold_placed": ["reports"], "hold_lifted": [],
    "audit_drawn": ["random", "claims", "arrears", "pair"], "fraud_found": [], "proposal_opened": [], "proposal_passed": [],
    "proposal_failed": [], "appeal_opened": [], "member_joined": [], "member_left": [], "member_expelled": [], "rate_set": [],
    "param_changed": [], "phase_changed": [], "admission_stopped": [True, False], "run_off": [], "disbanded": [],
    "shown": ["member", "claim", "code", "plan", "accounts", "params"], "end": [],
}  # fmt: skip


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
