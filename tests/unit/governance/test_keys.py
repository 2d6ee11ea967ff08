"""Keys on a real chain: who signs, who attests, and who is nobody's."""

from __future__ import annotations

import pytest

from governance.benefits.contracts import LeaveBody
from governance.events import render
from governance.kinds import KINDS
from governance.membership.guardians import GUARDIANS_MAX, GuardiansBody
from governance.membership.identity import DEVICES_MAX, DeviceBody, MoveBody, MoveObjectBody, RevokeBody
from governance.state.applications import ApplyBody
from governance.views import members as views
from ledger.records import ATTESTATION_MAX, Attestation


class Keys:
    """Records about keys: ann with a phone, bob and cy and a friend outside as guardians, a fresh key."""

    def __init__(self, chain):
        self.chain = chain
        self.ann, self.bob, self.cy = (chain.members[i].key for i in range(3))
        self.phone, self.new, self.friend = chain.key("phone"), chain.key("new"), chain.key("friend")

    def certify(self, device=None, *, author=None, by=None, over=None, **fields):
        """A device certified by `author`; the device (or `by`) signs that it wants to work for `over`."""
        body, author = DeviceBody(device or self.phone), author or self.ann
        subject = KINDS["device.certify"].attested[0].subject(over or author, body)
        return self.chain.act(
            "device.certify", author, body, attested=[Attestation("device", by or body.device, subject, b"")], **fields
        )

    def guardians(self, threshold=2, keys=None, **fields):
        return self.chain.act(
            "guardians.set", self.ann, GuardiansBody(threshold, keys or (self.bob, self.cy, self.friend)), **fields
        )

    def move(self, *by, new_key=None, serial=1, author=None, attested=None, **fields):
        """Ann's move, signed by these guardians and the new key; `attested` in place of that."""
        body = MoveBody(self.ann, new_key or self.new, serial)
        guardian, fresh = KINDS["identity.move"].attested
        if attested is None:
            attested = [Attestation(guardian.role, item, guardian.subject(b"", body), b"") for item in by]
            attested.append(Attestation(fresh.role, body.new_key, fresh.subject(b"", body), b""))
        return self.chain.act("identity.move", author or self.bob, body, attested=attested, **fields)


@pytest.fixture
def keys(chain):
    return Keys(chain)


def test_a_device_must_want_to_be_one_and_for_this_member(chain, keys):
    chain.check(keys.certify())
    assert chain.refusal(keys.certify(by=chain.key("other"))) == "attestations_missing"
    assert chain.refusal(keys.certify(over=keys.bob)) == "attestations_missing"
    assert chain.refusal(keys.certify(signer=chain.key("device", 0))) == "identity_signature"
    for taken in (keys.bob, chain.key("device", 1), chain.key("device", 0), chain.key("cover", 2), chain.doctor):
        assert chain.refusal(keys.certify(taken)) == "key_taken"


def test_no_more_devices_than_a_move_can_revoke(chain, keys):
    at_first = len(chain.members[0].devices)
    chain.live([keys.certify(chain.key("phone", i), number=i + 1) for i in range(DEVICES_MAX - at_first)])
    assert chain.refusal(keys.certify(chain.key("phone", 99), number=99)) == "devices_full"
    chain.live([chain.act("device.revoke", keys.ann, RevokeBody(chain.key("phone", 3)), number=98)])
    chain.check(keys.certify(chain.key("phone", 99), number=99))
    assert chain.refusal(keys.certify(chain.key("phone", 3), number=99)) == "key_taken"


def test_the_new_key_must_want_to_be_one_and_guardians_sign_this_move_alone(chain, keys):
    chain.live([keys.guardians()])
    good = keys.move(keys.bob, keys.cy)
    chain.check(good)
    assert chain.refusal(keys.move(attested=good.attestations[:2])) == "attestations_missing"
    assert (
        chain.refusal(keys.move(attested=keys.move(keys.bob, keys.cy, new_key=chain.key("new", 1)).attestations))
        == "attestations_missing"
    )
    assert chain.refusal(keys.move(keys.bob, keys.ann)) == "attestations_missing"
    assert chain.refusal(keys.move(keys.bob, keys.cy, serial=0)) == "move_stale"
    assert chain.refusal(keys.move(keys.bob, keys.cy, author=chain.key("stranger"))) == "not_a_member"


def test_after_a_move_the_new_key_alone_signs_under_the_old_id(chain, keys):
    chain.live([keys.guardians()], [keys.move(keys.bob, keys.cy)], *([] for _ in range(7)))
    shown = render(views.keys_view(chain.state, keys.ann))
    assert (shown["identity_key"], shown["devices"], shown["move"]) == (keys.new.hex(), [], None)
    for signer in (keys.ann, chain.key("device", 0)):
        assert (
            chain.refusal(chain.act("member.leave", keys.ann, LeaveBody(), signer=signer, number=9)) == "signer_unknown"
        )
    assert chain.refusal(chain.act("member.leave", keys.new, LeaveBody())) == "not_a_member"
    chain.check(chain.act("member.leave", keys.ann, LeaveBody(), signer=keys.new))
    chain.check(keys.certify(signer=keys.new))
    assert chain.refusal(keys.certify(number=9)) == "signer_unknown"


def test_a_pending_move_is_shown_and_its_key_is_kept_until_an_objection(chain, keys):
    chain.live([keys.guardians()], [keys.move(keys.bob, keys.cy)])
    shown = render(views.keys_view(chain.state, keys.ann))
    assert shown["move"] == {"member": keys.ann.hex(), "new_key": keys.new.hex(), "opened_height": 2, "until": 9}
    assert chain.refusal(keys.certify(keys.new, author=keys.cy)) == "key_taken"
    chain.live([chain.act("identity.object", keys.ann, MoveObjectBody(), number=2)])
    shown = render(views.keys_view(chain.state, keys.ann))
    assert (shown["move"], shown["guardians"]["paused_until"]) == (None, 33)
    chain.check(keys.certify(keys.new, author=keys.cy))
    assert views.keys_view(chain.state, chain.key("stranger")) is None


def test_guardians_on_a_chain_are_whole_keys_and_fit_one_record(chain, keys):
    many = tuple(chain.key("friend", i) for i in range(GUARDIANS_MAX + 1))
    assert chain.refusal(keys.guardians(1, (b"bob",))) == "guardians_shape"
    assert chain.refusal(keys.guardians(1, many)) == "guardians_shape"
    chain.check(keys.guardians(1, many[1:]))
    assert GUARDIANS_MAX + 1 <= ATTESTATION_MAX


def test_a_guardians_revoked_device_speaks_no_more(chain, keys):
    chain.live([keys.certify(author=keys.bob), keys.guardians(1, (keys.phone,))])
    chain.check(keys.move(keys.phone, author=keys.cy))
    chain.live([chain.act("device.revoke", keys.bob, RevokeBody(keys.phone), number=2)])
    assert chain.refusal(keys.move(keys.phone, author=keys.cy)) == "attestations_missing"


def test_nobody_joins_with_a_key_of_a_member(chain, keys):
    chain.live([keys.certify()])
    apply = ApplyBody(chain.key("cover", 9), "p", 1, b"", b"", 0, b"", b"")
    assert chain.refusal(chain.act("member.apply", keys.phone, apply)) == "key_taken"
    with_her_phone = ApplyBody(keys.phone, "p", 1, b"", b"", 0, b"", b"")
    assert chain.refusal(chain.act("member.apply", chain.key("fresh"), with_her_phone)) == "cover_taken"
