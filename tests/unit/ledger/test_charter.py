"""A charter is drafted, completed, sealed and read back; each fault is one error that names its field."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from ledger.charter import add_founder, new_charter, seal, sign_founder
from ledger.charter_checks import treasury_sat_for
from ledger.charter_file import charter_from_file, charter_to_json, charter_to_toml, founder_from_file, founder_to_toml
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.genesis import (
    Charter,
    CharterCode,
    CharterParty,
    CharterPlan,
    CharterProvider,
    CharterTreasury,
    Founder,
    chain_id_of,
)
from ledger.hashing import tagged_hash
from ledger.selftest import encode_point, torsion_point
from ledger.signatures import public_key_of

PLAN = CharterPlan("basic", 30_000, 50_000, 2_000, 2_000, 400_000, None, 20_000_000, 1, None, ())
replace = msgspec.structs.replace
BITCOIN_KEYS = [  # the points 1·G .. 3·G of secp256k1
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
]


def seed(number: int, kind: str) -> bytes:
    return tagged_hash("test-key", b"%d" % number, kind.encode())


def entry(number: int, name: str = "Riverside", **fields) -> Founder:
    keys = [public_key_of(seed(number, kind)) for kind in ("identity", "device", "cover", "consensus", "transport")]
    bare = Founder(
        *keys,
        bytes.fromhex(BITCOIN_KEYS[number - 1]),
        seed(number, "onion"),
        f"/ip4/127.0.0.1/tcp/{4000 + number}",
        "",
        "basic",
        12,
        1,
        b"",
    )
    return sign_founder(seed(number, "identity"), replace(bare, **fields), name)


def draft() -> Charter:
    charter = new_charter(
        "Riverside",
        seed=b"\x05" * 32,
        genesis_time_ms=1_700_000_000_000,
        day_one="2026-01-31",
        block_interval_ms=2_000,
        claims_cents=1_000_000,
        reserve_cents=300_000,
        rate=6_000_000,
        params={"quorum_min": 5, "audit_random_bp": 0},
        plans=(PLAN,),
        codes=(CharterCode("urn:hcpcs", 'A"é\\', True, 1200, None),),
        providers=(CharterProvider(public_key_of(b"\x42" * 32), "Dr. Ò"),),
        attesters=(
            CharterParty(public_key_of(b"\x43" * 32), "Town registry"),
            CharterParty(public_key_of(b"\x44" * 32), "Notary"),
        ),
        verifiers=(CharterParty(public_key_of(b"\x45" * 32), "Medical board"),),
    )
    treasury = CharterTreasury("regtest", 2, b"\x07" * 32, 0, treasury_sat_for(charter), 2)
    return replace(charter, treasury=treasury)


def full() -> Charter:
    charter = draft()
    for number in (1, 2, 3):
        charter = add_founder(charter, entry(number))
    return charter


def fault_of(charter: Charter) -> str:
    with pytest.raises(MutuaError) as caught:
        seal(charter)
    assert caught.value.code == "charter_invalid"
    assert caught.value.hint
    return caught.value.what


def test_a_charter_comes_back_from_its_file_byte_for_byte() -> None:
    sealed = seal(full())
    assert encode(charter_from_file(charter_to_toml(sealed).encode())) == encode(sealed)
    assert charter_from_file(charter_to_toml(sealed, is_sealed=True).encode()) == sealed
    assert charter_from_file(encode(sealed)) == sealed


def test_a_draft_comes_back_too() -> None:
    assert charter_from_file(charter_to_toml(draft()).encode()) == draft()


def test_an_entry_comes_back_from_its_file() -> None:
    assert founder_from_file(founder_to_toml(entry(1)).encode()) == entry(1)


def test_odd_names_survive_the_file() -> None:
    for name in ('quote " backslash \\ tab\t newline\n', "del \x7f null \x00", "日本語 é", "# not a comment", "'''"):
        charter = replace(draft(), name=name)
        assert charter_from_file(charter_to_toml(charter, is_sealed=True).encode()) == charter


def test_parameters_are_sealed_in_order() -> None:
    charter = replace(full(), params=(("quorum_min", 5), ("audit_random_bp", 0)))
    assert seal(charter).params == (("audit_random_bp", 0), ("quorum_min", 5))


def test_a_change_after_sealing_is_found() -> None:
    text = charter_to_toml(seal(full()), is_sealed=True)
    with pytest.raises(MutuaError) as caught:
        charter_from_file(text.replace("premium_cents = 30000", "premium_cents = 40000").encode())
    assert "chain_id" in caught.value.what


def test_an_entry_of_the_same_founder_replaces_the_old_one_in_place() -> None:
    moved = entry(2, address="/ip4/127.0.0.1/tcp/9")
    charter = add_founder(full(), moved)
    assert [founder.address for founder in charter.founders] == [
        "/ip4/127.0.0.1/tcp/4001",
        "/ip4/127.0.0.1/tcp/9",
        "/ip4/127.0.0.1/tcp/4003",
    ]


def test_an_entry_signed_for_another_charter_or_changed_is_refused() -> None:
    for wrong in (entry(1, name="Other"), replace(entry(1), contract_terms=6)):
        with pytest.raises(MutuaError) as caught:
            add_founder(draft(), wrong)
        assert "signature" in caught.value.what


def test_two_founders_never_share_a_key() -> None:
    device = public_key_of(seed(1, "device"))
    with pytest.raises(MutuaError) as caught:
        add_founder(add_founder(draft(), entry(1)), entry(2, cover_key=device))
    assert "founder 2's cover_key" in caught.value.what
    assert "founder 1's device_key" in caught.value.what


def test_keys_that_are_no_keys_are_refused() -> None:
    for field in ("identity_key", "device_key", "cover_key", "consensus_key", "transport_key"):
        for bad in (b"", b"\x01" + bytes(31), encode_point(torsion_point())):
            with pytest.raises(MutuaError) as caught:
                add_founder(draft(), entry(1, **{field: bad}))
            assert field in caught.value.what


CASES = [
    ({"version": 2}, "version"),
    ({"name": ""}, "name"),
    ({"name": " x"}, "name"),
    ({"name": "e\u0301"}, "name"),
    ({"currency": "usd"}, "currency"),
    ({"exponent": 9}, "exponent"),
    ({"phase": "dream"}, "phase"),
    ({"genesis_time_ms": 0}, "genesis_time_ms"),
    ({"block_interval_ms": 1}, "block_interval_ms"),
    ({"day_one": "tomorrow"}, "day_one"),
    ({"day_one": "20260131"}, "day_one"),
    ({"seed": b""}, "seed"),
    ({"committee_max": 0}, "committee_max"),
    ({"claim_way": "coin"}, "claim_way"),
    ({"plans": ()}, "plans"),
    ({"plans": (PLAN, PLAN)}, "plans"),
    ({"plans": (replace(PLAN, coinsurance_bp=10_001),)}, "coinsurance_bp"),
    ({"params": (("a", 1), ("a", 2))}, "params"),
    ({"params": (("A b", 1),)}, "params"),
    ({"founders": ()}, "founders"),
    ({"claims_cents": 999}, "treasury.amount_sat"),
    ({"rate": 0}, "rate"),
    ({"name": "Else"}, "signature"),
    ({"plans": (replace(PLAN, name="other"),)}, "founder 1's plan"),
    ({"providers": (CharterProvider(bytes(32), "x"),)}, "provider 'x'"),
    ({"attesters": (CharterParty(bytes(32), "x"),)}, "attester 'x'"),
    (
        {"attesters": (CharterParty(public_key_of(b"\x44" * 32), "x"), CharterParty(public_key_of(b"\x46" * 32), "x"))},
        "attesters",
    ),
    ({"verifiers": (CharterParty(public_key_of(seed(1, "cover")), "x"),)}, "verifier 'x'"),
    ({"verifiers": (CharterParty(public_key_of(b"\x43" * 32), "x"),)}, "verifier 'x'"),
    ({"codes": (CharterCode("", "x", False, None, None),)}, "code 'x'"),
    ({"providers": (CharterProvider(public_key_of(seed(1, "cover")), "x"),)}, "provider 'x'"),
]


@pytest.mark.parametrize(("fields", "named"), CASES)
def test_a_fault_is_told_by_its_field(fields, named) -> None:
    assert named in fault_of(replace(full(), **fields))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"threshold": 1}, "threshold"),
        ({"threshold": 4}, "threshold"),
        ({"txid": b"x"}, "txid"),
        ({"amount_sat": 5}, "amount_sat"),
        ({"fee_sat_per_vb": 0}, "fee_sat_per_vb"),
        ({"network": "moon"}, "network"),
    ],
)
def test_a_fault_of_the_treasury_is_told_by_its_field(fields, named) -> None:
    charter = full()
    assert named in fault_of(replace(charter, treasury=replace(charter.treasury, **fields)))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"bitcoin_key": b"\x02" + b"\xff" * 32}, "bitcoin_key"),
        ({"bitcoin_key": b"\x04" * 33}, "bitcoin_key"),
        ({"onion_tip": b""}, "onion_tip"),
        ({"address": "127.0.0.1:80"}, "address"),
        ({"address": "/ip4/127.0.0.1/tcp/99999"}, "address"),
        ({"address": "/ip4/0.0.0.0/tcp/4001"}, "address"),
        ({"plan": "gold"}, "plan"),
        ({"contract_terms": 2}, "contract_terms"),
        ({"prepaid_terms": 121}, "prepaid_terms"),
        ({"household": " "}, "household"),
    ],
)
def test_a_fault_of_an_entry_is_told_by_its_field(fields, named) -> None:
    with pytest.raises(MutuaError) as caught:
        add_founder(draft(), entry(1, **fields))
    assert f"new founder's {named}" in caught.value.what


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('currency = "USD"', "currency = 5", "currency"),
        ("exponent = 2", 'exponent = "2"', "exponent"),
        ("exponent = 2", "exponent = true", "exponent"),
        ("exponent = 2", "exponent = -1", "exponent"),
        ("exponent = 2\n", "", "exponent"),
        ("exponent = 2", "exponents = 2", "exponents"),
        ('seed = "0505', 'seed = "05 05', "seed"),
        ('seed = "0505', 'seed = "GG05', "seed"),
        ("quorum_min = 5", "quorum_min = 5.0", "params.quorum_min"),
        ("is_standard = true", "is_standard = 1", "codes[1].is_standard"),
        ("[treasury]", "[treasure]", "treasure"),
        ("[[plans]]", "[plans]", "plans"),
        ("prepaid_terms = 1", "prepaid_terms = 1\nx = 1", "founders[1].x"),
        ("exponent = 2", "exponent =", "file"),
    ],
)
def test_a_fault_of_the_file_is_told_by_its_field(old, new, named) -> None:
    text = charter_to_toml(full())
    assert old in text
    with pytest.raises(MutuaError) as caught:
        charter_from_file(text.replace(old, new, 1).encode())
    assert caught.value.code == "charter_invalid"
    assert named in caught.value.what


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\xdc\x00\x01\x01", b"[" * 5_000, b"\x00", "é".encode()])
def test_bytes_that_are_no_charter_are_one_error(data: bytes) -> None:
    with pytest.raises(MutuaError):
        charter_from_file(data)


def test_without_bitcoin_there_is_nothing_to_sum() -> None:
    charter = replace(full(), treasury=CharterTreasury("regtest", 0, b"", 0, 0, 1))
    assert seal(charter) == charter


def test_json_names_the_chain() -> None:
    sealed = seal(full())
    shown = charter_to_json(sealed)
    assert shown["chain_id"] == chain_id_of(sealed).hex()
    assert json.loads(json.dumps(shown))["founders"][0]["plan"] == "basic"
    assert shown["params"] == {"audit_random_bp": 0, "quorum_min": 5}


# ---- The commands ---------------------------------------------------------------


def run(*words: str) -> int:
    from node.cli.coop.charter import app

    return app(list(words), exit_on_error=False, result_action="return_value")


def test_the_commands_lead_from_a_draft_to_a_sealed_charter(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("node.cli.coop.charter._check_rules", lambda _charter: None)
    path = tmp_path / "draft.toml"
    assert run("new", str(path), "--name", "Riverside") == 0
    for number in (1, 2):
        (tmp_path / f"{number}.toml").write_text(founder_to_toml(entry(number)))
    assert run("add", str(path), str(tmp_path / "1.toml"), str(tmp_path / "2.toml")) == 0
    capsys.readouterr()
    assert run("seal", str(path), "--out", str(tmp_path / "out"), "--json") == 0
    chain_id = json.loads(capsys.readouterr().out)["chain_id"]
    sealed = charter_from_file((tmp_path / "out" / "charter.toml").read_bytes())
    assert chain_id_of(sealed).hex() == chain_id
    assert charter_from_file((tmp_path / "out" / "charter.bin").read_bytes()) == sealed
    assert run("show", str(tmp_path / "out" / "charter.bin")) == 0
    assert chain_id in capsys.readouterr().out


def test_a_draft_is_shown_as_not_sealed(tmp_path: Path, capsys) -> None:
    path = tmp_path / "draft.toml"
    run("new", str(path), "--name", "Riverside")
    capsys.readouterr()
    run("show", str(path), "--json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["chain_id"] is None
    assert "founders" in shown["fault"]


def test_nothing_is_overwritten_and_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "draft.toml"
    run("new", str(path), "--name", "Riverside")
    before = path.read_bytes()
    for words, code in (
        (("new", str(path), "--name", "Other"), "file_exists"),
        (("add", str(path), str(tmp_path / "none")), "file_unreadable"),
        (("add", str(path)), "entry_missing"),
        (("seal", str(path)), "charter_invalid"),
    ):
        with pytest.raises(MutuaError) as caught:
            run(*words)
        assert caught.value.code == code
    assert path.read_bytes() == before
