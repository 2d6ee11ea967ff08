"""Sealed lists of payout addresses, opened: by this signer's own entry, or with the key that another signer sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import trio

from ledger.errors import MalformedBytes
from node.treasury.messages import OpenedBlob
from node.treasury.plan import DuePayout, is_too_small
from node.treasury.protocols import Context
from wallet import seal


class AddressLists:
    """The open lists of payouts that are due or in an open batch."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._opened: dict[bytes, OpenedBlob] = {}
        self.programs: dict[bytes, tuple[bytes, ...]] = {}
        """Output programs by commitment."""

    async def open_for(self, payouts: Sequence[DuePayout]) -> None:
        """Open the lists that have arrived and have an entry for this signer."""
        host = self._context.host
        for payout in payouts:
            name = payout.commitment
            if name in self.programs or is_too_small(payout, host.policy) or (blob := host.blob(name)) is None:
                continue
            try:
                key = await trio.to_thread.run_sync(seal.open_key, blob, self._context.secrets.device_seed)
                self.take(OpenedBlob(name, key, blob))
            except MalformedBytes as error:
                host.event("treasury_list_closed", commitment=name.hex(), code=error.code)

    def take(self, item: OpenedBlob) -> None:
        """Keep an opened list; MalformedBytes unless commitment, key and list agree."""
        if item.commitment in self.programs:
            return
        if seal.commitment_of(item.blob) != item.commitment:
            what = "a sealed list is not the one that was named"
            raise MalformedBytes("blob_commitment", what, "send the blob of the claim")
        self.programs[item.commitment] = seal.open_with_key(item.blob, item.key)
        self._opened[item.commitment] = item

    def opened(self, commitments: Iterable[bytes]) -> tuple[OpenedBlob, ...]:
        """Return those of these lists that are open here, with their keys."""
        return tuple(self._opened[name] for name in commitments if name in self._opened)

    def forget_but(self, payouts: Iterable[DuePayout]) -> None:
        """Drop the lists of all other payouts."""
        names = {payout.commitment for payout in payouts}
        self.programs = {name: value for name, value in self.programs.items() if name in names}
        self._opened = {name: value for name, value in self._opened.items() if name in names}
