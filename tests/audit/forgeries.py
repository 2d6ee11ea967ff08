"""What a forger makes of a sound ledger or a proof, by kind. Each kind is a function of a seed's random numbers.

`ROWS`: rows of the store, whoever wrote them. `SIGNED`: blocks that a quorum signs anew, with whatever hangs on them.
`PROOFS`: files of `mutua audit prove`. `OPTIONS`: ledgers that are sound in themselves, and what the auditor must say
to have them found. `ARGUED`: what no audit of one folder can see, and the words of the page that say so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from random import Random

import msgspec

from audit.ledgers import (
    BLOCKS,
    PAPER,
    QUORUM,
    RINGS,
    Coop,
    Rows,
    certificate_of,
    committee,
    made_of,
    world,
)
from consensus.messages import Cell, CellKind, VoteKind
from consensus.votelog import append, begin
from governance.kinds import encode_body
from governance.money.rates import QuoteBody
from ledger.blocks import Block, Header
from ledger.chain import (
    BLOCK_PREFIX,
    BODY_PREFIX,
    CERTIFICATE_PREFIX,
    CHARTER_KEY,
    EVENTS_PREFIX,
    HASH_PREFIX,
    HEADER_PREFIX,
    RECORD_PREFIX,
    STATE_PREFIX,
    TIP_KEY,
    Chain,
    height_bytes,
)
from ledger.codec import decode, encode
from ledger.proofs import build_inclusion_proof, proof_to_json
from ledger.records import Attestation, Body, Record, SignedRecord, body_hash_of, record_id_of, sign_record
from ledger.state import StateTree
from ledger.store import MemoryStore
from node.execution.header_rules import committee_of

Bytes = dict[bytes, bytes]
TABLES = (
    HEADER_PREFIX,
    BLOCK_PREFIX,
    CERTIFICATE_PREFIX,
    BODY_PREFIX,
    RECORD_PREFIX,
    EVENTS_PREFIX,
    HASH_PREFIX,
    STATE_PREFIX,
    CHARTER_KEY,
    TIP_KEY,
)
HEIGHTS = (1, 2, 4, 5, 8, 30, BLOCKS)
"""Blocks worth forging: all with records, and the last of a term."""


# ---- Rows of the store ---------------------------------------------------------------


def _flip(random: Random, data: bytes) -> bytes:
    at = random.randrange(8 * len(data)) if data else 0
    return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :] if data else b"\x00"


CHANGES: dict[str, Callable[[Random, bytes, list[bytes]], bytes | None]] = {
    "gone": lambda _random, _value, _others: None,
    "one bit flipped": lambda random, value, _others: _flip(random, value),
    "cut short": lambda random, value, _others: value[: random.randrange(len(value))] if value else b"\x00",
    "made longer": lambda random, value, _others: value + random.randbytes(random.randrange(1, 9)),
    "with another's value": lambda random, value, others: random.choice(others or [value + b"\x00"]),
}


def _changed(table: bytes, how: str) -> Callable[[Random], Bytes]:
    def forge(random: Random) -> Bytes:
        rows = dict(world().rows)
        keys = [key for key in rows if key.startswith(table)]
        key = random.choice(keys)
        value = CHANGES[how](random, rows[key], [rows[other] for other in keys if rows[other] != rows[key]])
        if value is None:
            del rows[key]
        else:
            rows[key] = value
        return rows

    return forge


def _added(table: bytes) -> Callable[[Random], Bytes]:
    """Add a row to a table: under a fresh name of the right length, a longer or a shorter one; any value."""

    def forge(random: Random) -> Bytes:
        rows = dict(world().rows)
        like = random.choice([key for key in rows if key.startswith(table)])
        rest = len(like) - len(table)
        if table in (HEADER_PREFIX, BLOCK_PREFIX, CERTIFICATE_PREFIX, EVENTS_PREFIX):
            beyond = BLOCKS + random.choice((1, 2, 2**40))
            height = random.choice((0, beyond) if table == CERTIFICATE_PREFIX else (beyond,))
            names = [height_bytes(height), like[2:] + b"\x00", like[2:-1], b""]
        else:
            names = [random.randbytes(rest), like[len(table) :] + b"\x00", like[len(table) : -1] + b"\xff\xff"]
        fresh = [table + name for name in names if table + name not in rows]
        rows[random.choice(fresh)] = random.choice((rows[like], b"", random.randbytes(9)))
        return rows

    return forge


def _unknown_row(random: Random) -> Bytes:
    name = random.choice((b"a", b"b", b"c", b"dd/", b"k/peer", b"m/", b"m/tip2", b"q/", b"s", b"t/x", b"z", b"\xff"))
    return world().rows | {name + random.randbytes(random.choice((0, 8, 32))): random.randbytes(8)}


def _huge_tip(random: Random) -> Bytes:
    row = world().rows[TIP_KEY]
    return world().rows | {TIP_KEY: height_bytes(random.choice((2**33, 2**62, 2**64 - 1))) + row[8:]}


def _tip_count(random: Random) -> Bytes:
    row = world().rows[TIP_KEY]
    return world().rows | {TIP_KEY: row[:-8] + height_bytes(random.choice((0, 1, 2**63)))}


def _swapped_bodies(random: Random) -> Bytes:
    rows = dict(world().rows)
    one, two = random.sample([key for key in rows if key.startswith(BODY_PREFIX)], 2)
    rows[one], rows[two] = rows[two], rows[one]
    return rows


def _spare_body(random: Random) -> Bytes:
    body = Body(random.randbytes(16), random.randbytes(20))
    return world().rows | {BODY_PREFIX + body_hash_of(body): encode(body)}


ROWS: dict[str, Callable[[Random], Bytes]] = {
    **{f"a row {table.decode()} {how}": _changed(table, how) for table in TABLES for how in CHANGES},
    **{f"a row {table.decode()} too many": _added(table) for table in TABLES},
    "a row of no table": _unknown_row,
    "a tip far above the last block": _huge_tip,
    "a tip with another count of rows": _tip_count,
    "two bodies exchanged": _swapped_bodies,
    "a whole body to which no record commits": _spare_body,
}


# ---- Blocks that a quorum signs anew ---------------------------------------------------


def _header_value(random: Random, name: str, header: Header) -> bytes | int:
    old = getattr(header, name)
    if isinstance(old, bytes):
        near = [bytes(32), header.parent, header.committee_hash, random.randbytes(32), _flip(random, old)]
        return random.choice([value for value in near if value != old])
    if name == "proposed_time_ms":
        return old - random.choice((1, 1000, old))  # later is another history: see ARGUED
    near = [0, 1, old + 1, max(0, old - 1), old + 7, random.randrange(2**16)]
    return random.choice([value for value in near if value != old])


def _header_field(name: str) -> Callable[[Random], Bytes]:
    def forge(random: Random) -> Bytes:
        forged, height = Rows(world().rows), random.choice(HEIGHTS)
        header = forged.header(height)
        value = _header_value(random, name, header)
        if name == "proposer":
            value = random.choice((len(committee()), 2**31, (header.proposer + 1) % len(committee())))
        return forged.seal(height, **{name: value}).rows

    return forge


def _own_quote(random: Random, member: int, number: int, *, seed: bytes = b"", **changes) -> SignedRecord:
    ring = RINGS[member]
    parts = {
        "chain_id": Rows(world().rows).header(0).chain_id,
        "kind": "rate.quote",
        "author": ring.identity_key,
        "valid_until_height": 500,
    }
    body = Body(random.randbytes(16), encode_body(QuoteBody(6_100_000)))
    return sign_record(seed or ring.device_seed, number=number, body=body, **(parts | changes))


def _with_record(make: Callable[[Random, int], SignedRecord]) -> Callable[[Random], Bytes]:
    """Add a record to a block, which keeps its state root."""

    def forge(random: Random) -> Bytes:
        forged, height = Rows(world().rows), random.choice(HEIGHTS)
        signed = make(random, height)
        records = forged.records(height)
        records.insert(random.randint(0, len(records)), signed.record)
        forged.put_records(height, records, [signed.body])
        return forged.seal(height).rows

    return forge


def _changed_record(change: Callable[[Random, Record], Record]) -> Callable[[Random], Bytes]:
    """Change a record whose author does not sign again."""

    def forge(random: Random) -> Bytes:
        forged = Rows(world().rows)
        height = random.choice((1, 2, 4, 8))
        records = forged.records(height)
        at = random.randrange(len(records))
        old = records[at]
        records[at] = change(random, old)
        forged.put_records(height, records)
        if records[at].body_hash != old.body_hash:
            forged.rows[BODY_PREFIX + records[at].body_hash] = forged.rows.pop(BODY_PREFIX + old.body_hash)
        return forged.seal(height).rows

    return forge


def _forged_attestation(random: Random) -> Bytes:
    forged = Rows(world().rows)
    height = random.choice((2, 5))
    records = forged.records(height)
    at = next(index for index, record in enumerate(records) if record.attestations)
    old = records[at].attestations[0]
    other = random.choice((msgspec.structs.replace(old, signature=_flip(random, old.signature)), _foreign(old)))
    records[at] = msgspec.structs.replace(records[at], attestations=(other,))
    forged.put_records(height, records)
    return forged.seal(height).rows


def _foreign(old: Attestation) -> Attestation:
    return msgspec.structs.replace(old, key=RINGS[3].identity_key)


def _dropped(random: Random) -> Bytes:
    forged, height = Rows(world().rows), random.choice((1, 2, 4, 5, 8))
    records = forged.records(height)
    gone = records.pop(random.randrange(len(records)))
    forged.put_records(height, records)
    del forged.rows[BODY_PREFIX + gone.body_hash]
    return forged.seal(height).rows


def _moved(random: Random) -> Bytes:
    """Move a record to a later block; state roots and events stay."""
    forged, height = Rows(world().rows), random.choice((1, 2, 4))
    records = forged.records(height)
    moved = records.pop(random.randrange(len(records)))
    later = random.choice((9, 12, 30, BLOCKS))
    forged.put_records(height, records)
    forged.put_records(later, [moved, *forged.records(later)])
    return forged.seal(height).rows


def _repeated(random: Random) -> Bytes:
    forged, height = Rows(world().rows), random.choice((1, 2, 4))
    later = random.choice((height, 5, 9, 30))
    record = random.choice(forged.records(height))
    places = dict(forged.rows)
    forged.put_records(later, [*forged.records(later), record])
    if random.random() < 0.5:  # the index keeps the first place
        forged.rows |= {key: value for key, value in places.items() if key.startswith(RECORD_PREFIX)}
    return forged.seal(min(height, later)).rows


def _reordered_without_index(random: Random) -> Bytes:
    forged, height = Rows(world().rows), random.choice((1, 2, 4, 8))
    index = {key: value for key, value in forged.rows.items() if key.startswith(RECORD_PREFIX)}
    records = forged.records(height)
    forged.put_records(height, records[1:] + records[:1])
    forged.rows |= index
    return forged.seal(height).rows


def _state_row(random: Random) -> Bytes:
    """Change a state row, or add or drop one, and fit the last header's root to it."""
    forged = Rows(world().rows)
    key = random.choice([key for key in forged.rows if key.startswith(STATE_PREFIX)])
    value = random.choice((None, forged.rows[key] + b"\x00", _flip(random, forged.rows[key])))
    if value is None:
        del forged.rows[key]
    else:
        forged.rows[random.choice((key, key + b"2"))] = value
    tree = StateTree((key[2:], value) for key, value in forged.rows.items() if key.startswith(STATE_PREFIX))
    forged.seal(BLOCKS, state_root=tree.root())
    forged.rows[TIP_KEY] = forged.rows[TIP_KEY][:-8] + height_bytes(tree.size)
    return forged.rows


def _genesis_time(random: Random) -> Bytes:
    forged = Rows(world().rows)
    name = random.choice(("proposed_time_ms", "scheduled_time_ms", "epoch", "randomness", "proposer", "reserved"))
    return forged.seal(0, **{name: _header_value(random, name, forged.header(0))}).rows


def _genesis_record(random: Random) -> Bytes:
    forged = Rows(world().rows)
    signed = _own_quote(random, 0, 900)
    forged.put_records(0, [signed.record], [signed.body])
    return forged.seal(0).rows


def _events(random: Random) -> Bytes:
    rows = dict(world().rows)
    key = EVENTS_PREFIX + height_bytes(random.choice((1, 2, 4, 7)))
    lines = rows[key].split(b"\n")
    rows[key] = random.choice((b"\n".join(lines[1:]), rows[key] + b"\n" + lines[0], rows[key].replace(b"0", b"1", 1)))
    if rows[key] == world().rows[key]:
        rows[key] += b" "
    return rows


def _certificate(make: Callable[[Random, Header], bytes]) -> Callable[[Random], Bytes]:
    def forge(random: Random) -> Bytes:
        forged, height = Rows(world().rows), random.choice(range(1, BLOCKS + 1))
        return forged.rows | {CERTIFICATE_PREFIX + height_bytes(height): make(random, forged.header(height))}

    return forge


def _one_twice(random: Random, header: Header) -> bytes:
    data, size = certificate_of(header), 64
    at, other = random.sample(range(QUORUM), 2)
    start = len(data) - size * QUORUM
    parts = [data[start + size * index : start + size * (index + 1)] for index in range(QUORUM)]
    parts[at] = parts[other]
    return data[:start] + b"".join(parts)


SIGNED: dict[str, Callable[[Random], Bytes]] = {
    **{f"a header with another {field.name}": _header_field(field.name) for field in fields(Header)},
    "headers with another epoch from here on": lambda random: (
        Rows(world().rows).seal(random.choice(HEIGHTS), onwards=True, epoch=random.randrange(1, 99)).rows
    ),
    "a genesis header with another field": _genesis_time,
    "a genesis with a record": _genesis_record,
    "blocks by another than the leader": lambda random: made_of(
        world().plan, Coop(), by_view=random.randrange(1, len(committee()))
    ),
    "a record too many": _with_record(lambda random, _height: _own_quote(random, 4, 700)),
    "a record by a stranger": _with_record(lambda random, _h: _own_quote(random, 4, 700, seed=random.randbytes(32))),
    "a record in another's name": _with_record(lambda r, _h: _own_quote(r, 4, 700, author=RINGS[0].identity_key)),
    "a record under a used number": _with_record(lambda random, _height: _own_quote(random, 0, 1)),
    "a record that was too old": _with_record(lambda r, h: _own_quote(r, 4, 700, valid_until_height=h - 1)),
    "a record of another chain": _with_record(lambda r, _h: _own_quote(r, 4, 700, chain_id=r.randbytes(32))),
    "a record of a kind unknown": _with_record(lambda r, _h: _own_quote(r, 4, 700, kind=r.choice(("", "x", "rate.q")))),
    "a record with a forged signature": _changed_record(
        lambda random, old: msgspec.structs.replace(old, signature=_flip(random, old.signature))
    ),
    "a record with another number": _changed_record(
        lambda random, old: msgspec.structs.replace(old, number=old.number + random.randrange(1, 40))
    ),
    "a record with another author": _changed_record(
        lambda _random, old: msgspec.structs.replace(old, author=RINGS[4].identity_key)
    ),
    "a record with another body hash": _changed_record(
        lambda random, old: msgspec.structs.replace(old, body_hash=random.randbytes(32))
    ),
    "a record with a forged attestation": _forged_attestation,
    "a record dropped": _dropped,
    "a record moved to another block": _moved,
    "a record twice": _repeated,
    "records reordered, the index not": _reordered_without_index,
    "a state row with its root": _state_row,
    "events invented": _events,
    "a certificate of too few": _certificate(lambda r, h: certificate_of(h, sorted(r.sample(range(5), QUORUM - 1)))),
    "a certificate with one signature twice": _certificate(_one_twice),
    "a certificate of another vote": _certificate(lambda _r, h: certificate_of(h, kind=VoteKind.NOTARIZE)),
    "a certificate of another epoch": _certificate(lambda r, h: certificate_of(h, epoch=r.randrange(1, 9))),
    "a certificate of another height": _certificate(lambda r, h: certificate_of(h, height=h.height + r.choice((1, 9)))),
    "a certificate of another block": _certificate(lambda r, h: certificate_of(h, block_hash=r.randbytes(32))),
    "a certificate with a byte more": _certificate(lambda r, h: certificate_of(h) + r.randbytes(1)),
}


# ---- Ledgers that are sound in themselves -----------------------------------------------


def cut(height: int) -> Bytes:
    """Return the ledger as it was at a height."""
    return made_of(world().plan[:height], Coop())


def votes_file(height: int) -> bytes:
    """Return the vote log of a member that voted up to a height."""
    data, head = begin(bytes(32))
    for each in range(1, height + 1):
        record, head = append(head, Cell(CellKind.NOTARIZE, each, 0, bytes([each]) * 32, b"x" * 40))
        data += record
    return data


def _cut(random: Random) -> tuple[Bytes, list[str], bytes | None]:
    return cut(random.randrange(0, BLOCKS)), ["--at-least", str(BLOCKS)], None


def _cut_with_votes(random: Random) -> tuple[Bytes, list[str], bytes | None]:
    return cut(random.randrange(0, BLOCKS - 1)), [], votes_file(BLOCKS + random.choice((0, 1)))


def _other(_random: Random) -> tuple[Bytes, list[str], bytes | None]:
    return world().other, ["--charter", "CHARTER"], None


OPTIONS: dict[str, Callable[[Random], tuple[Bytes, list[str], bytes | None]]] = {
    "a ledger cut, with --at-least": _cut,
    "a ledger cut, beside its vote log": _cut_with_votes,
    "another co-op's ledger, with --charter": _other,
}


def _late(random: Random) -> Bytes:
    return made_of(world().plan, Coop(), late_ms=random.randrange(1, 900))


def _reordered(random: Random) -> Bytes:
    plan = [random.sample(records, len(records)) for records in world().plan]
    return made_of(plan, Coop())


def _left_out(random: Random) -> Bytes:
    plan = [list(records) for records in world().plan]
    plan[random.choice((0, 7, BLOCKS - 1))].pop()
    return made_of(plan, Coop())


ARGUED: dict[str, tuple[str, Callable[[Random], Bytes]]] = {
    "another history: the order of records": ("another order", _reordered),
    "another history: a record left out": ("left out", _left_out),
    "another history: blocks dated later": ("dated later", _late),
    "a certificate by other members": (
        "another quorum",
        _certificate(lambda r, h: certificate_of(h, sorted(r.sample(range(5), QUORUM)))),
    ),
    "a certificate of a later view": (
        "a later view",
        _certificate(lambda r, h: certificate_of(h, view=r.choice((1, 5)))),
    ),
    "a ledger cut, and nobody says": ("cut", lambda random: cut(random.randrange(1, BLOCKS))),
    "another co-op's ledger, and nobody says": ("another co-op", lambda _random: world().other),
}


# ---- Proofs --------------------------------------------------------------------------------


def chain_of(rows: Bytes) -> Chain:
    """Return the chain in rows that are sound."""
    return Chain.open(MemoryStore(rows))


def proof_text(random: Random) -> str:
    """Return the proof of a record; now and then of one in the newest block, which is its own anchor."""
    records = [signed.record for block in world().plan for signed in block]
    return _proof_text(chain_of(world().rows), record_id_of(random.choice(records)))


def _proof_text(chain: Chain, record_id: bytes) -> str:
    return proof_to_json(build_inclusion_proof(chain, record_id, committee_of(chain.charter)))


Table = dict[str, object]


def _hex_flip(random: Random, text: str) -> str:
    return _flip(random, bytes.fromhex(text)).hex()


def _field(name: str) -> Callable[[Random, Table], object]:
    def forge(random: Random, table: Table) -> object:
        old = table[name]
        if isinstance(old, int):
            new: object = random.choice((old + 1, max(0, old - 1) if old else 5, -1, str(old), True, None, 2**70))
        elif isinstance(old, list):
            steps = list(old)
            ways = [lambda: steps.append("00" * 32), lambda: steps.insert(0, random.randbytes(32).hex())]
            if steps:
                ways += [steps.pop, lambda: steps.__setitem__(0, _hex_flip(random, steps[0])), steps.clear]
            random.choice(ways)()
            new = steps
        elif name in ("kind", "chain"):
            new = random.choice(("claim.file", "x", "", old.upper()))
            new = "y" if new == old else new
        else:
            new = random.choice((_hex_flip(random, old), old[:-2], old + "00", old.upper(), "", None, " " + old))
            new = old[:-1] if new == old else new
        return table | {name: new}

    return forge


def _exchanged(random: Random, table: Table) -> object:
    """Take one word of another record's proof."""
    other = json.loads(proof_text(random))
    names = [name for name in table if other[name] != table[name]]
    return table | {name: other[name] for name in random.sample(names, 1)} if names else []


def _without(random: Random, table: Table) -> object:
    gone = random.choice(list(table))
    return {name: value for name, value in table.items() if name != gone}


PROOF_FIELDS = tuple(json.loads(proof_text(Random(0))))
PROOFS: dict[str, Callable[[Random, Table], object]] = {
    **{f"a proof with another {name}": _field(name) for name in PROOF_FIELDS},
    "a proof with a word of another's": _exchanged,
    "a proof with a word more": lambda r, table: table | {r.choice(("note", "amount_cents", "", "Kind")): "2,000"},
    "a proof with a word less": _without,
    "a proof with a word twice": lambda r, table: "\n".join(
        [json.dumps(table)[:-1] + f', "{(name := r.choice(PROOF_FIELDS))}": {json.dumps(table[name])}' + "}"]
    ),
    "a proof with a certificate of too few": lambda r, table: (
        table | {"certificate": certificate_of(_anchor(), sorted(r.sample(range(5), QUORUM - 1))).hex()}
    ),
    "a proof with another block's certificate": lambda r, table: (
        table | {"certificate": certificate_of(_anchor(), block_hash=r.randbytes(32)).hex()}
    ),
    "a proof of another chain": lambda _r, _t: json.loads(_stranger_proof()),
}


def _anchor() -> Header:
    return Rows(world().rows).header(BLOCKS)


def _stranger_proof() -> str:
    chain = chain_of(world().other)
    record_id = next(key[2:] for key, _ in chain.store.scan(RECORD_PREFIX))
    return _proof_text(chain, record_id)


# ---- What is explained -----------------------------------------------------------------------


def _claim_record() -> Record:
    return world().plan[1][0].record


def _other_body(random: Random) -> Bytes:
    key = BODY_PREFIX + _claim_record().body_hash
    body = decode(Body, world().rows[key])
    return world().rows | {key: encode(Body(body.salt, _flip(random, body.data)))}


def _other_ballot(random: Random) -> Bytes:
    signed = random.choice(world().plan[3])
    old, new = random.choice(((b"accept", b"reject"), (PAPER.hash, bytes(32)), (b"X9", b"X8")))
    body = Body(random.choice((signed.body.salt, bytes(16))), signed.body.data.replace(old, new))
    return world().rows | {BODY_PREFIX + signed.record.body_hash: encode(body)}


def _other_records(random: Random) -> Bytes:
    """Change a block's records and leave its header."""
    forged, height = Rows(world().rows), random.choice((1, 2, 4))
    key = BLOCK_PREFIX + height_bytes(height)
    block = decode(Block, forged.rows[key])
    records = list(block.records)
    at = random.randrange(len(records))
    records[at] = msgspec.structs.replace(records[at], number=records[at].number + 30)
    forged.rows[key] = encode(Block(block.header, tuple(records)))
    return forged.rows


EXPLAINED: dict[str, Callable[[Random], Bytes]] = {
    "explain: the claim's body is another": _other_body,
    "explain: a ballot's body is another": _other_ballot,
    "explain: a block holds other records": _other_records,
}
