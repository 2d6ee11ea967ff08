"""The summary, read from the folders of stopped nodes, never from the demo's own memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from governance.events import render
from governance.state.treasury import PaymentRow
from governance.views import claims, members, money
from ledger.chain import Chain
from ledger.leveldb import opened_aside

PAID_BY = 70
COUNTED = ("claim_accepted", "claim_denied", "claim_lapsed", "payout_due")
Events = list[dict[str, Any]]


def read_events(chain: Chain) -> Events:
    """Return every event of a ledger, in order."""
    return [
        json.loads(line)
        for height in range(chain.height + 1)
        for line in (chain.events(height) or b"").splitlines()
        if line
    ]


def summarise(
    members: Sequence[Path], followers: Sequence[Path], killed: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """Return the summary of stopped data folders; `killed`: the killed node, with its heights at that time."""
    histories = {folder.name: _state_roots(folder) for folder in [*members, *followers]}
    heights = {name: len(history) - 1 for name, history in histories.items()}
    common = min(heights.values())
    roots = [history[common] for history in histories.values()]
    with opened_aside(members[0] / "ledger") as store:
        chain = Chain.open(store)
        events = read_events(chain)
        body = {
            "claims": _claims(chain, events),
            "bars": {folder: item["bar_bp"] for folder, item in _members(chain, members).items()},
            "payouts": _payouts(chain, events),
        }
    names = [folder.name for folder in [*members, *followers]]
    back = killed.get("node")
    is_back = bool(back) and heights[str(back)] >= max(heights.values()) - 1
    follows = all(heights[folder.name] >= heights[members[0].name] - 1 for folder in followers)
    return {
        "nodes": len(names),
        "height": common,
        "state_roots": roots,
        **body,
        "restarted_caught_up": is_back and roots[names.index(str(back))] == roots[0],
        "killed": killed,
        "follower_caught_up": follows and len(set(roots)) == 1,
        "audit_exit_codes": [audit_exit_code(folder) for folder in [*members, *followers]],
        "seconds": round(seconds, 1),
        "amounts": "synthetic: see docs/explanation/synthetic-visits.md",
    }


def _state_roots(folder: Path) -> list[str]:
    """Return the state root of every height of a stopped folder's ledger, genesis first."""
    with opened_aside(folder / "ledger") as store:
        chain = Chain.open(store)
        headers = [chain.header(height) for height in range(chain.height + 1)]
    return [header.state_root.hex() for header in headers if header is not None]


def audit_exit_code(folder: Path) -> int:
    """Run `mutua audit verify` on a stopped folder and return its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "node.cli.main", "audit", "verify", str(folder)], capture_output=True, check=False
    ).returncode


def _claims(chain: Chain, events: Events) -> dict[str, int]:
    named = {name: [event for event in events if event["event"] == name] for name in COUNTED}
    paid = {(event["claim"], event["height"]) for event in named["payout_due"] if event["case"] is None}
    standard = [event for event in named["claim_accepted"] if event["how"] == "standard"]
    return {
        "imported": sum(1 for claim in claims.claims_view(chain.state) if claim.source_hash),
        "standard_accepted": len(standard),
        "standard_paid": sum(1 for event in standard if (event["claim"], event["height"] + 1) in paid),
        "standard_within_deductible": sum(1 for event in standard if not event["benefit_cents"]),
        "vote_accepted": sum(1 for event in named["claim_accepted"] if event["how"] == "vote"),
        "denied": len(named["claim_denied"]),
        "lapsed": len(named["claim_lapsed"]),
    }


def _members(chain: Chain, folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the member view of each folder's member, in the order of the charter's founders."""
    found: dict[str, dict[str, Any]] = {}
    for folder, founder in zip(folders, chain.charter.founders, strict=True):
        view = members.member_view(chain.state, chain.height, founder.identity_key)
        assert view is not None
        found[folder.name] = render(view)
    return found


def _payouts(chain: Chain, events: Events) -> dict[str, Any]:
    payments = [item.row for item in money.payouts_view(chain.state)]
    batches = money.batches_view(chain.state)
    due = [event for event in events if event["event"] == "payout_due" and event["height"] <= PAID_BY]
    early = [item for item in payments if item.height <= PAID_BY and item.amount_sat]
    sent = [item for item in payments if item.sent_sat]
    mined = {item.row.unsigned_txid for item in batches if item.confirmations > 0}

    def is_mined(item: PaymentRow) -> bool:
        return bool(item.sent_sat) and not item.left_sat and set(item.batches) <= mined

    def is_credit(item: PaymentRow) -> bool:
        return not item.sent_sat and not item.left_sat and bool(item.credit_sat)

    return {
        "due_by_70": sum(1 for event in due if event["amount_sat"]),
        "due_by_70_mined": sum(map(is_mined, early)),
        "due_by_70_credit_only": sum(map(is_credit, early)),
        "due_by_70_open": sum(1 for item in early if item.left_sat or not set(item.batches) <= mined),
        "paid": sum(map(is_mined, payments)),
        "queued": sum(1 for item in payments if item.left_sat),
        "credit_sat": sum(item.credit_sat for item in payments),
        "sent_sat": sum(item.sent_sat for item in payments),
        "outputs_per_payee_min": min((item.outputs for item in sent), default=0),
        "txids": [item.row.unsigned_txid.hex() for item in batches],
        "confirmed": sum(1 for item in batches if item.confirmations > 0),
    }
