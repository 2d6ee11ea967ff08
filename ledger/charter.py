"""The charter as founders make it: a draft, their signed entries, the seal; they compare it by its chain id.

The way: `new_charter` makes a draft, `add_founder` takes each founder's signed entry, `seal` checks everything
(`ledger.charter_checks`) and gives the value whose canonical bytes are the chain. `ledger.charter_file` reads and
writes it as a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ledger import genesis, signatures
from ledger.charter_checks import CLAIM_WAYS, check_charter, check_founder, check_unique_keys, founder_message
from ledger.genesis import Charter, Founder
from ledger.hashing import ZERO_HASH


def new_charter(
    name: str,
    *,
    seed: bytes,
    genesis_time_ms: int,
    day_one: str,
    block_interval_ms: int = 86_400_000,
    currency: str = "USD",
    exponent: int = 2,
    phase: str = "pilot",
    committee_max: int = 100,
    claims_cents: int = 0,
    reserve_cents: int = 0,
    rate: int = 0,
    params: Mapping[str, int] | None = None,
    plans: Iterable[genesis.CharterPlan] = (),
    codes: Iterable[genesis.CharterCode] = (),
    providers: Iterable[genesis.CharterProvider] = (),
    treasury: genesis.CharterTreasury | None = None,
    attesters: Iterable[genesis.CharterParty] = (),
    verifiers: Iterable[genesis.CharterParty] = (),
    community: Iterable[str] = (),
) -> Charter:
    """Return a draft without founders. `seed`: 32 fresh random bytes. Nothing is checked before `seal`."""
    return Charter(
        version=genesis.CHARTER_VERSION,
        name=name,
        currency=currency,
        exponent=exponent,
        phase=phase,
        genesis_time_ms=genesis_time_ms,
        block_interval_ms=block_interval_ms,
        day_one=day_one,
        seed=seed,
        committee_max=committee_max,
        claims_cents=claims_cents,
        reserve_cents=reserve_cents,
        rate=rate,
        claim_way=CLAIM_WAYS[0],
        params=tuple(sorted((params or {}).items())),
        plans=tuple(plans),
        codes=tuple(codes),
        providers=tuple(providers),
        attesters=tuple(attesters),
        verifiers=tuple(verifiers),
        community=tuple(community),
        treasury=treasury or no_treasury(),
        founders=(),
    )


def no_treasury() -> genesis.CharterTreasury:
    """Return the treasury of a co-op that holds no bitcoin yet."""
    return genesis.CharterTreasury(network="regtest", threshold=0, txid=b"", vout=0, amount_sat=0, fee_sat_per_vb=1)


def sign_founder(identity_seed: bytes, founder: Founder, charter_name: str) -> Founder:
    """Return the entry signed by its identity key. The chain has no id yet: 32 zero bytes stand for it."""
    signature = signatures.sign(identity_seed, "charter-founder", ZERO_HASH, founder_message(founder, charter_name))
    return msgspec.structs.replace(founder, signature=signature)


def add_founder(draft: Charter, founder: Founder) -> Charter:
    """Return the draft with a signed entry more; an entry with the same identity key is replaced in its place."""
    check_founder(draft, founder, "the new founder's")
    others = [founder if each.identity_key == founder.identity_key else each for each in draft.founders]
    if founder not in others:
        others.append(founder)
    check_unique_keys(others, draft)
    return msgspec.structs.replace(draft, founders=tuple(others))


def seal(draft: Charter) -> Charter:
    """Return the charter with its parameters in order, after checking all of it. MutuaError `charter_invalid`."""
    charter = msgspec.structs.replace(draft, params=tuple(sorted(draft.params)))
    check_charter(charter)
    return charter
