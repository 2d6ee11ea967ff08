"""A co-op of any size and age, written straight to the state, and the acts of its members: what cost is measured on.

Everything follows from numbers: two runs write the same rows. Members are written through the functions of the modules;
the past of an old ledger - closed claims, cases, ballots, receipts, records, payouts - as rows, because living through
it would take hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar, get_origin, get_type_hints

from governance.acts import Act
from governance.benefits import contracts, promotion
from governance.day import Day
from governance.filing import claims
from governance.genesis import CodeSpec, GenesisSpec, PlanSpec, genesis_rows
from governance.kinds import encode_body
from governance.membership import delegation, members
from governance.money import payouts, premiums, rates
from governance.state.ballots import BALLOTS, OPENINGS, BallotRow, OpeningRow
from governance.state.cases import CASES, CLOSED_VOTES, CaseRow, ClosedVote, ClosedVotesRow
from governance.state.claims import CLAIMS, LINE_USES, ClaimRow, LineRow, LineUse
from governance.state.keys import DEVICES
from governance.state.members import MemberRow
from governance.state.payouts import PAYOUT_HISTORY, PayoutRow
from governance.tables import Draft, Name
from governance.voting import approval_threshold, ballots
from ledger.codec import Shape
from ledger.store import Store

T = TypeVar("T", bound=Shape)
CHUNK = 5_000
PROVIDERS = 50
VALID_UNTIL = 10**6
BALLOTS_A_CASE = 30
OLD_TERM = 40


def name_of(kind: str, number: int) -> bytes:
    """Return the key or id of a thing of this population, 32 bytes."""
    return sha256(f"{kind}/{number}".encode()).digest()


def plain(shape: type[T], **fields: object) -> T:
    """Return a row with these fields; the others are empty, zero, false or None, by their type."""
    empty = {bytes: b"", str: "", int: 0, bool: False}
    hints = get_type_hints(shape)
    values = {
        name: empty.get(hint, () if get_origin(hint) is tuple else None)
        for name, hint in hints.items()
        if name in shape.__struct_fields__
    }
    return shape(**{**values, **fields})


def founding() -> GenesisSpec:
    """Return a founding without members.

    One plan, a standard and ten other codes, fifty providers, implied attestations.
    """
    listed = [
        CodeSpec("S", is_standard=True, allowed_cents=30_000, frequency=10**6),
        *(CodeSpec(f"X{i}", is_standard=False) for i in range(10)),
    ]
    return GenesisSpec(
        claims_cents=10**13,
        reserve_cents=10**12,
        rate=10_000_000,
        is_rehearsal=True,
        plans=(PlanSpec("basic", 50_000),),
        providers=tuple((name_of("provider", i), f"clinic {i}") for i in range(PROVIDERS)),
        codes=tuple(listed),
    )


def first_height(age: str) -> int:
    """Return the height just before the boundary at which a population of this age is met."""
    return 30 * (OLD_TERM if age == "old" else 1) - 1


def write_population(store: Store, count: int, age: str, closed_claims: int) -> None:
    """Write `count` members, and for an old ledger a past of `closed_claims` decided by vote."""
    store.write(dict(genesis_rows(founding())))
    term = (first_height(age) - 1) // 30
    for start in range(0, count, CHUNK):
        day = Day(Draft(store), 0, b"")
        for i in range(start, min(start + CHUNK, count)):
            _put_member(day, i, term)
        store.write(day.draft.delta())
    if age == "old":
        for start in range(0, closed_claims, 500):
            day = Day(Draft(store), first_height(age), b"")
            for i in range(start, min(start + 500, closed_claims)):
                _put_closed(day, i, count, closed_claims)
            store.write(day.draft.delta())


def _put_member(day: Day, number: int, term: int) -> None:
    """Write a founder; every second contract has twelve terms, the others are rolled over each term."""
    key = name_of("member", number)
    row = plain(MemberRow, key=key, cover=name_of("cover", number), is_founder=True, is_member=True, no_vote_until=-1)
    members.add_member(day, row)
    members.set_voting_right(day, key, True)
    DEVICES.put(day.draft, Name(key), name_of("device", number))
    length = 12 if number % 2 else 1
    contracts.start_contract(day, key, "basic", length_terms=length, first_term=0, prepaid_terms=0)
    contracts.change(day, key, first_term=term if length == 1 else term // 12 * 12)


def _put_closed(day: Day, number: int, count: int, total: int) -> None:
    """Write a claim of the past: one line, one case, decided by thirty ballots with receipts.

    Seven of ten accepted and paid.
    """
    is_yes = number // 10 % 10 < 7
    paid_cents = 20_000 if is_yes else 0
    height = 1 + number * (day.height - 80) // total
    claim, code, provider = name_of("past", number), f"X{number % 10}", name_of("provider", number % PROVIDERS)
    claimant = number % count
    cover, member = name_of("cover", claimant), name_of("member", claimant)
    voters = [name_of("member", (claimant + 1 + i * 7) % count) for i in range(BALLOTS_A_CASE)]
    term = (height + 29) // 30
    day = Day(day.draft, height + 30, b"")
    line = plain(
        LineRow,
        code=code,
        units=1,
        charge_cents=20_000,
        first_day=height,
        last_day=height,
        status="settled" if is_yes else "denied",
        plan="basic",
        units_paid=int(is_yes),
        allowed_cents=paid_cents,
        benefit_cents=paid_cents,
    )
    row = plain(
        ClaimRow,
        claim=claim,
        cover=cover,
        member=member,
        height=height,
        submitter_role="member",
        payee="member",
        provider=provider,
        evidence_version=1,
        is_copay_taken=True,
        benefit_cents=paid_cents,
        lines=(line,),
    )
    CLAIMS.put(day.draft, row, claim)
    case = plain(
        CaseRow,
        claim=claim,
        code=code,
        carried_height=height,
        lines=(0,),
        charges_cents=20_000,
        excluded=tuple(sorted((member, provider))),
        eligible=count - 1,
        bar_bp=5_000,
        passing_since=(height + 16) * is_yes,
        status="accepted" if is_yes else "denied",
        how="vote" if is_yes else "",
        yes=BALLOTS_A_CASE * is_yes,
        no=BALLOTS_A_CASE * (not is_yes),
        opened=BALLOTS_A_CASE,
        award_cents=paid_cents,
        benefit_cents=paid_cents,
        closed_height=height + 30,
    )
    CASES.put(day.draft, case, claim, code)
    for voter in voters:
        BALLOTS.put(
            day.draft,
            BallotRow(voter, "accept" if is_yes else "deny", None, "", 1, height + 3, 0, b""),
            claim,
            code,
            voter,
        )
        OPENINGS.put(day.draft, OpeningRow(height + 3, True, b"opened"), claim, voter)
        approval_threshold.add_closing(day.draft, voter, term, approval_threshold.RecordRow(int(not is_yes), 1, 0))
    votes = tuple(ClosedVote(voter, not is_yes, False) for voter in voters)
    CLOSED_VOTES.put(day.draft, ClosedVotesRow(term, votes), claim, code)
    LINE_USES.put(day.draft, LineUse(claim, 0), cover, provider, code, height)
    if is_yes:
        paid = plain(
            PayoutRow,
            rank=payouts.VOTED,
            height=height + 30,
            claim=claim,
            case=code,
            cover=cover,
            provider=provider,
            payee=cover,
            benefit_cents=paid_cents,
            owed_cents=paid_cents,
        )
        PAYOUT_HISTORY.put(day.draft, paid, claim, code)
    promotion.note_closing(day, row, "", code, (0,), is_accepted=is_yes)


@dataclass
class Population:
    """The members as they act: who filed, who voted, who delegated, who paid so far."""

    count: int
    """Of these members the first ones act."""
    claims: int = 0
    open_cases: list[tuple[bytes, str, int]] = field(default_factory=list[tuple[bytes, str, int]])
    """(claim, code, claimant)"""
    cast: dict[bytes, int] = field(default_factory=dict[bytes, int])
    delegated: int = 0
    paid: int = 0
    numbers: dict[bytes, int] = field(default_factory=dict[bytes, int])

    def act(self, kind: str, body: Shape, author: bytes, record_id: bytes = b"") -> Act:
        """Return a record as the rules see it."""
        number = self.numbers[author] = self.numbers.get(author, 0) + 1
        return Act(kind, author, author, record_id or bytes(32), number, VALID_UNTIL, encode_body(body), ())

    def claim(self, height: int, code: str) -> Act:
        """File a claim of one line; a voted one is remembered for the ballots of later blocks."""
        self.claims += 1
        claimant = (self.claims * 37) % self.count
        claim, cover = name_of("claim", self.claims), name_of("cover", claimant)
        line = claims.ClaimLine("", code, (), 1, 20_000 + self.claims, height, height)
        body = claims.ClaimBody(
            "",
            cover,
            "member",
            "member",
            name_of("provider", self.claims % PROVIDERS),
            b"",
            "claim",
            b"",
            0,
            b"",
            (),
            b"",
            (line,),
        )
        if code != "S":
            self.open_cases.append((claim, code, claimant))
        return self.act("claim.file", body, cover, claim)

    def ballot(self, case: tuple[bytes, str, int]) -> Act:
        """Cast the next ballot on a case, with a receipt."""
        claim, code, claimant = case
        index = self.cast[claim] = self.cast.get(claim, 0) + 1
        voter = (claimant + 1 + index * 17 % (self.count - 1)) % self.count
        body = ballots.BallotBody(claim, code, "deny" if index % 5 == 0 else "accept", None, "seen", 1, b"opened")
        return self.act("case.ballot", body, name_of("member", voter))

    def delegate(self) -> Act:
        """Let one more member delegate, three to a delegate."""
        self.delegated += 1
        delegator = self.count - self.delegated
        body = delegation.DelegateBody(
            name_of("member", self.count // 4 + self.delegated // 3), "*" if self.delegated % 2 else "X1"
        )
        return self.act("vote.delegate", body, name_of("member", delegator))

    def premium(self) -> Act:
        """Pay the premium of one more member."""
        member = name_of("member", self.paid)
        self.paid += 1
        return self.act("premium.paid", premiums.PremiumBody(member, 0, b""), member)

    def quote(self, author: int) -> Act:
        """Quote the rate."""
        return self.act("rate.quote", rates.QuoteBody(10_000_000 + author), name_of("member", author))

    def records(self, height: int, count: int, *, has_ballots: bool) -> Iterator[tuple[str, Act]]:
        """Yield (kind, act) of one block in a fixed mix.

        Of 20, 2 standard and 1 voted claim, 12 ballots, 1 delegation, 3 premiums, 1 quote.
        """
        known = list(self.open_cases)
        for i in range(count):
            place = i % 20
            if place < 2:
                yield "claim, standard", self.claim(height, "S")
            elif place == 2:
                yield "claim, voted", self.claim(height, f"X{i // 20 % 10}")
            elif place < 15 and has_ballots:
                yield "ballot", self.ballot(known[(i * 13 + height) % len(known)])
            elif place == 15:
                yield "delegation", self.delegate()
            elif 16 <= place < 19:
                yield "premium", self.premium()
            elif place == 19:
                yield "quote", self.quote(i)
