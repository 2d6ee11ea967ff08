"""What the local API needs of a daemon; `node.daemon.Daemon` is the real one, and knows nothing of this file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from governance.membership.members import MemberRow
    from ledger.chain import Chain
    from ledger.codec import Shape
    from ledger.genesis import Charter, Founder
    from ledger.records import Attestation
    from node.agreement.driver import Driver
    from node.agreement.vote_log import VoteLog
    from node.execution.ledger import LedgerService
    from node.own.auto_accept import AutoAccept
    from node.p2p.network import Network
    from node.pool.intake import Intake
    from node.pool.mempool import Mempool
    from node.spread.block_sync import BlockSync
    from node.treasury.supervisor import TreasurySupervisor
    from wallet.keys import KeyRing


class Host(Protocol):
    """One node, as its API sees it."""

    keys: KeyRing
    charter: Charter
    founder: Founder | None
    chain: Chain
    mempool: Mempool
    ledger: LedgerService
    network: Network
    sync: BlockSync
    driver: Driver
    votes: VoteLog
    intake: Intake
    auto: AutoAccept
    documents: Path
    treasury: TreasurySupervisor | None
    """None on a node that signs no payouts."""

    def member(self) -> MemberRow | None:
        """Return the member, present or past, whose keys these are, in the newest state."""
        ...

    async def submit(self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = ()) -> bytes:
        """Sign, check, keep durably and spread a record; return its id."""
        ...

    def stop(self) -> None:
        """Ask the daemon to end."""
        ...
