"""Where a node stands, in words: what `mutua status`, `mutua doctor` and the screens say alike."""

from __future__ import annotations

from node.api.text import clean, clock, counted, short
from node.api.views.node import Status, TreasuryJob


def sync_words(status: Status) -> str:
    """Return whether the node is in sync, with the share it has while it is not; a cut-off node cannot know."""
    if status.peers.alone_since_ms is not None:
        return f"cut off since {clock(status.peers.alone_since_ms)} UTC"
    if not status.is_syncing:
        return "in sync"
    if not status.sync_target:
        return "syncing"
    return f"syncing {status.height} of {status.sync_target} ({100 * status.height // status.sync_target} %)"


def peer_words(status: Status) -> str:
    """Return how many members' nodes are connected; for a cut-off node also whom it heard last."""
    peers = status.peers
    words = f"{peers.connected} of {peers.known} connected"
    if peers.alone_since_ms is None:
        return words
    heard = f"the last one heard was {short(peers.last_heard)}" if peers.last_heard else "none heard since the start"
    return f"{words}; {heard}. What you send waits here until one is connected"


def waiting_words(status: Status) -> str:
    """Return where a record is that the node has taken and that is in no block yet."""
    if status.peers.alone_since_ms is None:
        return "stored on this node and on its way into a block"
    return f"stored on this node, where it waits: the node is {sync_words(status)}"


def consensus_words(status: Status) -> str:
    """Return this node's part in agreeing on blocks."""
    consensus = status.consensus
    if not consensus.is_member:
        return "follows; it is not in the committee"
    if consensus.quarantine is not None:
        return quarantine_words(status)
    return "votes on blocks" if consensus.is_signing else "in the committee; it asks its peers before it signs"


def quarantine_words(status: Status) -> str:
    """Return why a quarantined node does not sign, and until when."""
    until = status.consensus.quarantine_until
    end = "until enough peers have told how far they are" if until is None else f"until block {until} is final"
    advice = status.consensus.signs_elsewhere
    words = f"signs nothing {end}: {clean(status.consensus.quarantine, 200)}"
    return words if advice is None else f"{words}. Only one may: {clean(advice, 400)}"


def misbehaviour_words(status: Status) -> str:
    """Return how often this node has seen another member's node contradict itself."""
    return (
        f"{counted(status.consensus.misbehaviour, 'proof')} that another node signed two things where it may sign one"
    )


def treasury_words(job: TreasuryJob) -> str:
    """Return what a signer's node does for the treasury."""
    open_batches = f"; {job.open_batches} unconfirmed {'batch' if job.open_batches == 1 else 'batches'}"
    words = {
        "off": "you are a signer, but no Bitcoin backend is configured: this node signs no payouts",
        "starting": "you are a signer; the treasury's job is starting",
        "waiting": f"you are a signer; the last step failed and is tried again: {clean(job.last_error, 200)}",
        "working": "you are a signer; the last step went well",
    }[job.state]
    return words + (open_batches if job.open_batches else "")
