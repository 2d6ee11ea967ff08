"""Providers: whose signature under a claim counts. The charter lists the first, verifiers or votes others (rules §12).

A verifier signs that a provider may treat people; one signature lists it. Only a vote takes a provider off the list
again: no single party can cut members off from their doctor. Claims that were filed before stay as they are.
"""

from __future__ import annotations

from governance.acts import Act, Attested, check_attested, hash_of
from governance.day import Day
from governance.membership import attesters
from governance.state.attesters import VERIFIERS
from governance.state.providers import PROVIDERS, REMOVED_PROVIDERS
from governance.tables import Mark, Name
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
KEY_SIZE_MAX = 128
IDENTIFIER_SIZE_MAX = 128


class ProviderBody(Shape):
    """List a provider under an identifier that people know it by."""

    key: bytes
    identifier: str


VERIFIED = Attested("verifier", hash_of("provider-list"), "a listed verifier of providers")


# ---- Rules --------------------------------------------------------------
def check_shape(key: bytes, identifier: str) -> None:
    """Raise RuleBroken for a key or an identifier of an impossible size."""
    if not 1 <= len(key) <= KEY_SIZE_MAX or not 1 <= len(identifier) <= IDENTIFIER_SIZE_MAX:
        what = f"a key has 1..{KEY_SIZE_MAX} bytes, a name 1..{IDENTIFIER_SIZE_MAX} characters"
        raise RuleBroken("party_shape", what, "name the party by its key and a name")


def check_new(day: Day, key: bytes, identifier: str) -> None:
    """Raise RuleBroken where the provider's key is listed already."""
    check_shape(key, identifier)
    if PROVIDERS.find(day.draft, key) is not None:
        raise RuleBroken("party_known", f"provider {identifier} is listed already", "it can already attest claims")


def check_list(day: Day, act: Act, body: ProviderBody) -> None:
    """Raise RuleBroken unless the provider is new and a verifier attests it (a rehearsal may leave it out)."""
    check_new(day, body.key, body.identifier)
    if REMOVED_PROVIDERS.find(day.draft, body.key) is not None:
        what = "members voted to take this provider off the list"
        raise RuleBroken("provider_removed", what, "propose it to them: mutua proposal open provider")
    if not day.coop.is_rehearsal or act.attestations:
        check_attested(act, VERIFIED, body, attesters.keys_of(day.draft, VERIFIERS), 1)


def apply_list(day: Day, _act: Act, body: ProviderBody) -> None:
    """List the provider."""
    add(day, body.key, body.identifier)


def add(day: Day, key: bytes, identifier: str) -> None:
    """List a provider from its record, or from the block after the vote, on."""
    REMOVED_PROVIDERS.delete(day.draft, key)
    PROVIDERS.put(day.draft, Name(identifier.encode()), key)
    day.emit("party_listed", role="provider", party=key, name=identifier)


def remove(day: Day, key: bytes) -> None:
    """Take a provider off the list."""
    identifier = PROVIDERS.get(day.draft, key).value.decode()
    PROVIDERS.delete(day.draft, key)
    REMOVED_PROVIDERS.put(day.draft, Mark(), key)
    day.emit("party_unlisted", role="provider", party=key, name=identifier)
