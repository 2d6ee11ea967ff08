"""The state's root depends on the rows alone, and shows each row and each absence."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ledger import state as state_module
from ledger.state import EMPTY_TREE, StateTree, fork_of, is_proved, leaf_of, path_of, root_of
from ledger.store import MemoryStore, SortedKeys

keys = st.binary(max_size=3) | st.sampled_from([b"", b"\xff", b"\xff\xff", b"a/1", b"a/2", b"b"])
values = st.binary(max_size=4)
rows_of = st.dictionaries(keys, values, max_size=30)
deltas = st.dictionaries(keys, st.none() | values, max_size=15)


def after(rows: dict[bytes, bytes], delta: dict[bytes, bytes | None]) -> dict[bytes, bytes]:
    merged = {**rows, **delta}
    return {key: value for key, value in merged.items() if value is not None}


def plain_tree(leaves: list[tuple[int, bytes]], depth: int = 0) -> bytes:
    """The tree as its definition says, without buckets: (path, value hash) of the rows below one node."""
    if not leaves:
        return EMPTY_TREE
    if len(leaves) == 1:
        return leaf_of(leaves[0][0].to_bytes(32, "big"), leaves[0][1])
    bit = 1 << (255 - depth)
    left, right = [leaf for leaf in leaves if not leaf[0] & bit], [leaf for leaf in leaves if leaf[0] & bit]
    halves = plain_tree(left, depth + 1), plain_tree(right, depth + 1)
    return fork_of(depth, *halves) if left and right else halves[bool(right)]


def plain_root(rows: dict[bytes, bytes]) -> bytes:
    return root_of(
        len(rows),
        plain_tree([(int.from_bytes(path_of(key), "big"), sha256(value).digest()) for key, value in rows.items()]),
    )


@given(rows_of, deltas)
def test_the_root_is_the_one_of_the_definition(rows, delta) -> None:
    tree = StateTree(rows.items())
    assert tree.root() == plain_root(rows)
    assert tree.root_after(delta) == plain_root(after(rows, delta))


def test_a_large_tree_keeps_the_root_of_the_definition_while_it_is_laid_out_anew() -> None:
    rows = {i.to_bytes(2, "big"): b"v" for i in range(600)}
    tree = StateTree(list(rows.items())[:5])
    for start in range(0, 600, 150):
        tree.apply({key: rows[key] for key in list(rows)[start : start + 150]})
    assert tree.root() == plain_root(rows) == StateTree(rows.items()).root()
    for key in (b"\0\7", b"absent"):
        assert is_proved(key, rows.get(key), tree.proof_of(key, MemoryStore(rows)), tree.root())
    gone = {key: None for key in list(rows)[::3]}
    tree.apply(gone)
    assert tree.root() == plain_root(after(rows, gone))
    tree.apply(dict.fromkeys(rows))
    assert tree.root() == StateTree().root()


@given(rows_of, deltas)
def test_root_after_equals_a_rebuild_and_changes_nothing(rows, delta) -> None:
    tree = StateTree(rows.items())
    before = tree.root()
    rebuilt = StateTree(after(rows, delta).items())
    assert tree.root_after(delta) == rebuilt.root()
    assert tree.size_after(delta) == rebuilt.size
    assert tree.root() == before
    tree.apply(delta)
    assert tree.root() == rebuilt.root()
    assert tree.size == rebuilt.size


@given(rows_of, st.randoms())
def test_the_root_does_not_depend_on_how_the_rows_came(rows, random) -> None:
    items = list(rows.items())
    random.shuffle(items)
    one_by_one = StateTree()
    for key, value in items:
        one_by_one.apply({key: value})
    assert one_by_one.root() == StateTree(rows.items()).root()


@given(rows_of, rows_of)
def test_other_rows_have_another_root(rows, others) -> None:
    assert (StateTree(rows.items()).root() == StateTree(others.items()).root()) == (rows == others)


@given(rows_of, deltas, keys)
def test_a_tree_with_empty_buckets_that_is_laid_out_anew_with_every_row_is_the_same_tree(rows, delta, key) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_module, "BUCKET_ROWS", 1)
        patch.setattr(state_module, "BUCKET_ROWS_MAX", 1)
        tree = StateTree(rows.items())
        assert tree.root() == plain_root(rows)
        assert tree.root_after(delta) == plain_root(after(rows, delta))
        tree.apply(delta)
        now = after(rows, delta)
        assert tree.root() == plain_root(now)
        assert is_proved(key, now.get(key), tree.proof_of(key, MemoryStore(now)), tree.root())


@given(st.sets(st.integers(0, 255), max_size=16), st.integers(0, 31))
def test_a_bucket_of_paths_that_share_many_bits_has_the_root_of_the_definition(numbers, place) -> None:
    paths = [bytes(place) + bytes([number]) + bytes(31 - place) for number in sorted(numbers)]
    bucket = b"".join(path + leaf_of(path, bytes(32)) for path in paths)
    expected = plain_tree([(int.from_bytes(path, "big"), bytes(32)) for path in paths])
    assert state_module._bucket_hash(bucket) == expected


many_rows_of = st.integers(0, 80).map(lambda count: {i.to_bytes(2, "big"): bytes([i]) for i in range(count)})


@given(rows_of | many_rows_of, keys, values)
def test_a_proof_shows_a_row_or_its_absence_and_nothing_else(rows, key, other) -> None:
    tree, state = StateTree(rows.items()), MemoryStore(rows)
    proof, root = tree.proof_of(key, state), tree.root()
    assert is_proved(key, rows.get(key), proof, root)
    assert is_proved(key, other, proof, root) == (rows.get(key) == other)
    assert is_proved(key, None, proof, root) == (key not in rows)
    for step in range(len(proof.steps)):
        assert not is_proved(
            key, rows.get(key), msgspec.structs.replace(proof, steps=proof.steps[:step] + proof.steps[step + 1 :]), root
        )
    assert not is_proved(key, rows.get(key), msgspec.structs.replace(proof, size=proof.size + 1), root)


@given(many_rows_of, st.integers(0, 79), st.integers(0, 255))
def test_no_proof_with_other_depths_hides_a_row(rows, index, depth) -> None:
    key = index.to_bytes(2, "big")
    if key not in rows:
        return
    tree, state = StateTree(rows.items()), MemoryStore(rows)
    for missing in (b"x1", b"x2", b"x3"):
        proof = tree.proof_of(missing, state)
        assert is_proved(missing, None, proof, tree.root())
        assert not is_proved(key, None, proof, tree.root())
        for step, (_, sibling) in enumerate(proof.steps):
            bent = (*proof.steps[:step], (depth, sibling), *proof.steps[step + 1 :])
            assert not is_proved(key, None, msgspec.structs.replace(proof, steps=bent), tree.root())


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=120), st.integers(0, 60), st.integers(0, 60))
def test_sorted_keys_are_those_of_a_sorted_set(changes, first, last) -> None:
    pieces, kept = SortedKeys([]), set[bytes]()
    pieces.PIECE = 3
    for is_added, number in changes:
        key = bytes([number])
        if is_added and key not in kept:
            pieces.add(key)
            kept.add(key)
        elif not is_added and key in kept:
            pieces.remove(key)
            kept.discard(key)
    assert pieces.between(b"", None) == sorted(kept)
    assert pieces.between(bytes([first]), bytes([last])) == sorted(
        key for key in kept if bytes([first]) <= key < bytes([last])
    )


class StoreAgainstDict(RuleBasedStateMachine):
    """MemoryStore behaves like a sorted dict under any sequence of batches and scans."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.rows: dict[bytes, bytes] = {}

    @rule(batch=deltas)
    def write(self, batch) -> None:
        self.store.write(batch)
        self.rows = after(self.rows, batch)

    @rule(prefix=keys, start=keys)
    def scan(self, prefix, start) -> None:
        expected = sorted((k, v) for k, v in self.rows.items() if k.startswith(prefix) and k >= prefix + start)
        assert list(self.store.scan(prefix, start)) == expected

    @rule(key=keys)
    def get(self, key) -> None:
        assert self.store.get(key) == self.rows.get(key)

    @invariant()
    def same_root(self) -> None:
        assert StateTree(self.store.scan(b"")).root() == StateTree(self.rows.items()).root()


TestStoreAgainstDict = StoreAgainstDict.TestCase
