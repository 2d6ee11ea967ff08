"""Auto-accept: a member's own rules, kept and signed on their own node, which cast a yes in block s+1 (rules §6).

A rule names codes, a ceiling of charges and, if wanted, providers. It is a version of its own with a hash; the ballot
on the ledger names that hash and nothing else of the rule, so others learn that it was cast by a rule, not which rule.
Every version is kept, so that its member can always tell by which words a ballot was cast. A rule can only say yes:
there is no auto-deny.

`find_ballots` decides and is pure; `Rulebook` keeps the versions; `AutoAccept` casts when a block has become final, and
once more at a start. A ballot is cast at most once: what waits of this node already is looked at before another is
taken.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog
import trio

from governance.day import Day
from governance.filing.claims import AMOUNT_CENTS_MAX, TEXT_MAX
from governance.state.cases import CASES, OPEN_CASES, CaseRow
from governance.state.claims import CLAIMS
from governance.tables import Draft
from governance.voting import ballots
from governance.voting.ballots import AutoBallotBody
from ledger import signatures
from ledger.codec import Shape, decode, encode
from ledger.errors import MutuaError, RuleBroken
from ledger.hashing import HASH_SIZE, tagged_hash
from ledger.state import StateReader
from node.pool.intake import Outcome, RecordDraft, Refused

log = structlog.get_logger("mutua.auto_accept")

NAMES_MAX = 64
VERSIONS_MAX = 1_000
CODES_MAX = 100
PROVIDERS_MAX = 100
NAME_SIZE_MAX = 64
SALT_SIZE = 16
LOOK_AGAIN_S = 5.0
"""A node that catches up casts nothing; whether it has caught up is asked so often."""
_SIGNATURE_TAG = "auto-accept"


class AutoRule(Shape):
    """One version of an auto-accept rule. `providers` empty: any. `salt` keeps its hash from being guessed."""

    chain_id: bytes
    member: bytes
    name: str
    version: int
    is_revoked: bool
    codes: tuple[str, ...]
    charge_max_cents: int
    providers: tuple[bytes, ...]
    salt: bytes


class SignedRule(Shape):
    """A rule with its member's signature: by the identity key or a device key of the node."""

    rule: AutoRule
    key: bytes
    signature: bytes


# ---- Deciding: pure -----------------------------------------------------------------


def rule_hash_of(rule: AutoRule) -> bytes:
    """Return the 32-byte hash that a ballot names."""
    return tagged_hash("auto-accept-rule", encode(rule))


def is_met(rule: AutoRule, case: CaseRow, provider: bytes) -> bool:
    """True iff the rule accepts such a case: its code, its charges, its provider."""
    is_of_provider = not rule.providers or provider in rule.providers
    is_within = case.code in rule.codes and case.charges_cents <= rule.charge_max_cents
    return not rule.is_revoked and is_within and is_of_provider


def find_ballots(state: StateReader, height: int, member: bytes, rules: Iterable[AutoRule]) -> list[AutoBallotBody]:
    """Return the ballots to cast in block `height` + 1 on cases of block `height`, each naming the first rule met."""
    standing = sorted(rules, key=lambda rule: rule.name)
    day = Day(Draft(state), height + 1, b"")
    found: list[AutoBallotBody] = []
    for key in OPEN_CASES.scan(day.draft, height):
        case = CASES.get(day.draft, key.claim, key.code)
        provider = CLAIMS.get(day.draft, key.claim).provider
        rule = next((item for item in standing if is_met(item, case, provider)), None)
        if rule is None:
            continue
        body = AutoBallotBody(key.claim, key.code, rule_hash_of(rule))
        try:
            ballots.check_auto_accept(day, member, body)
        except RuleBroken:
            continue  # not in E, or there is a ballot already
        found.append(body)
    return found


# ---- Keeping ----------------------------------------------------------------------


class Rulebook:
    """The versions in the file, oldest first. The newest version of a name is the one that holds."""

    def __init__(self, path: Path, chain_id: bytes, keys: frozenset[bytes]) -> None:
        self._path = path
        self._chain_id = chain_id
        self._keys = keys
        self.versions: tuple[SignedRule, ...] = ()

    def load(self) -> None:
        """Read the file, if there is one. MutuaError `auto_rules_unusable` when it is not what this node signed."""
        try:
            value = json.loads(self._path.read_bytes())
            versions = tuple(decode(SignedRule, bytes.fromhex(item["signed"])) for item in value["auto_accept"])
            for item in versions:
                self._check(item)
        except FileNotFoundError:
            versions = ()
        except (OSError, ValueError, TypeError, KeyError, RecursionError, MutuaError) as error:
            hint = "put the file back from a backup, or move it away and write your rules again"
            raise MutuaError("auto_rules_unusable", f"{self._path.name} cannot be used: {error}", hint) from None
        self.versions = versions

    def _check(self, item: SignedRule) -> None:
        rule = item.rule
        if rule.chain_id != self._chain_id:
            raise ValueError("a rule is of another co-op")
        signed = (item.signature, _SIGNATURE_TAG, rule.chain_id, encode(rule))
        if item.key not in self._keys or not signatures.is_signed(item.key, *signed):
            raise ValueError(f"rule {rule.name!r} is not signed by this node's member")

    def newest(self) -> dict[str, AutoRule]:
        """Return the newest version by name, revoked ones included."""
        return {item.rule.name: item.rule for item in self.versions}

    def standing(self) -> list[AutoRule]:
        """Return the rules that hold now."""
        return [rule for rule in self.newest().values() if not rule.is_revoked]

    def put(self, rule: AutoRule, seed: bytes) -> AutoRule:
        """Sign a version and keep it durably. Errors: `auto_rule_shape`, `auto_rules_full`, those of the disk."""
        check_rule(rule)
        if len(self.versions) >= VERSIONS_MAX or len({*self.newest(), rule.name}) > NAMES_MAX:
            what = f"a node keeps at most {NAMES_MAX} rules in {VERSIONS_MAX} versions"
            raise MutuaError("auto_rules_full", what, "replace one that you have")
        signature = signatures.sign(seed, _SIGNATURE_TAG, rule.chain_id, encode(rule))
        versions = (*self.versions, SignedRule(rule, signatures.public_key_of(seed), signature))
        from node.paths import SECRET_MODE, write_whole

        shown = [{**rule_json(item.rule), "signed": encode(item).hex()} for item in versions]
        write_whole(self._path, json.dumps({"auto_accept": shown}, indent=1).encode() + b"\n", SECRET_MODE)
        self.versions = versions
        return rule


def check_rule(rule: AutoRule) -> None:
    """Raise MutuaError `auto_rule_shape` unless the rule has a name, codes, a ceiling, and stays within the bounds."""
    problem = None
    if not 1 <= len(rule.name) <= NAME_SIZE_MAX or not rule.name.isprintable():
        problem = f"its name has 1 to {NAME_SIZE_MAX} letters"
    elif not 1 <= len(rule.codes) <= CODES_MAX or not all(1 <= len(code) <= TEXT_MAX for code in rule.codes):
        problem = f"it names 1 to {CODES_MAX} codes"
    elif not 1 <= rule.charge_max_cents <= AMOUNT_CENTS_MAX:
        problem = "its ceiling of charges is at least 1"
    elif len(rule.providers) > PROVIDERS_MAX or any(len(key) != HASH_SIZE for key in rule.providers):
        problem = f"it names at most {PROVIDERS_MAX} providers, by their keys"
    if problem is not None:
        raise MutuaError("auto_rule_shape", f"the rule is not valid: {problem}", "correct it and give it again")


def change_of(newest: dict[str, AutoRule], action: str, rule: AutoRule) -> AutoRule:
    """Return the version that `add`, `replace` or `revoke` makes of a rule. MutuaError `auto_rule_name`, `usage`."""
    old = newest.get(rule.name)
    holds = old is not None and not old.is_revoked
    version = 1 if old is None else old.version + 1
    if action == "add":
        if holds:
            what = f"there is a rule {rule.name!r} already"
            raise MutuaError("auto_rule_name", what, "replace it, or choose another name")
        return msgspec.structs.replace(rule, version=version, is_revoked=False)
    if old is None or not holds:
        names = ", ".join(sorted(name for name, item in newest.items() if not item.is_revoked)) or "none yet"
        raise MutuaError("auto_rule_name", f"there is no rule {rule.name!r}", f"your rules: {names}")
    if action == "replace":
        return msgspec.structs.replace(rule, version=version, is_revoked=False)
    if action == "revoke":
        return msgspec.structs.replace(old, version=version, is_revoked=True, salt=rule.salt)
    raise MutuaError("usage", f"{action!r} is not an action on an auto-accept rule", "add, replace or revoke")


def rule_json(rule: AutoRule) -> dict[str, Any]:
    """Return a rule for people and programs, with the hash that its ballots name."""
    return {
        "name": rule.name,
        "version": rule.version,
        "is_revoked": rule.is_revoked,
        "codes": list(rule.codes),
        "charge_max_cents": rule.charge_max_cents,
        "providers": [key.hex() for key in rule.providers],
        "rule_hash": rule_hash_of(rule).hex(),
    }


# ---- Casting ----------------------------------------------------------------------

Look = Callable[..., Awaitable[Any]]
Submit = Callable[[Sequence[RecordDraft]], Awaitable[Sequence[Outcome]]]


@dataclass(eq=False, slots=True)
class AutoAccept:
    """Casts what the rules say whenever a block has become final. `member` gives whose ballots they are, or None."""

    rulebook: Rulebook
    state: StateReader
    _: KW_ONLY
    height: Callable[[], int]
    member: Callable[[], bytes | None]
    is_syncing: Callable[[], bool]
    look: Look
    submit: Submit
    problem: MutuaError | None = field(default=None, init=False)
    _wake: trio.Event = field(default_factory=trio.Event, init=False)
    _done: int = field(default=-1, init=False)

    def __post_init__(self) -> None:
        try:
            self.rulebook.load()
        except MutuaError as error:
            self.problem = error
            # The sentence says it all.
            log.error("auto_rules_unusable", what=error.what, hint=error.hint)  # noqa: TRY400

    def wake(self) -> None:
        """A block has become final, or a rule has changed."""
        self._done = -1
        self._wake.set()

    def versions(self) -> Sequence[SignedRule]:
        """Return every version, oldest first. MutuaError when the file cannot be used."""
        if self.problem is not None:
            raise self.problem
        return self.rulebook.versions

    async def change(self, action: str, rule: AutoRule, seed: bytes) -> AutoRule:
        """Add, replace or revoke a rule, durably before this returns."""
        self.versions()
        made = self.rulebook.put(change_of(self.rulebook.newest(), action, rule), seed)
        self.wake()
        return made

    async def run(self) -> None:
        """Cast until cancelled."""
        while True:
            self._wake = trio.Event()
            height = self.height()
            if height != self._done and not self.is_syncing():
                await self.cast_due(height)
                self._done = height if self.height() == height and not self._wake.is_set() else -1
            with trio.move_on_after(LOOK_AGAIN_S):
                await self._wake.wait()

    async def cast_due(self, height: int) -> int:
        """Cast the ballots due on cases of block `height`; return how many. A refusal is only logged."""
        member = self.member()
        rules = self.rulebook.standing()
        if member is None or not rules or self.problem is not None:
            return 0
        due = cast("list[AutoBallotBody]", await self.look(find_ballots, self.state, height, member, rules))
        try:
            outcomes = await self.submit([RecordDraft("case.auto_ballot", body) for body in due])
        except (MutuaError, OSError) as error:
            log.warning("auto_ballots_not_cast", count=len(due), what=str(error))
            return 0
        for body, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, Refused):
                log.info("auto_ballot_refused", claim=body.claim.hex()[:12], code=outcome.error.code)
            else:
                log.info("auto_ballot_cast", claim=body.claim.hex()[:12], rule=body.rule_hash.hex()[:12])
        return sum(not isinstance(outcome, Refused) for outcome in outcomes)
