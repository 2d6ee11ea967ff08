"""The state's root depends on the rows alone, and absence is shown by two neighbours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ledger import merkle
from ledger.state import StateTree, leaf_of, root_of
from ledger.store import MemoryStore

keys = st.binary(max_size=3) | st.sampled_from([b"", b"\xff", b"\xff\xff", b"a/1", b"a/2", b"b"])
values = st.binary(max_size=4)
rows_of = st.dictionaries(keys, values, max_size=30)
deltas = st.dictionaries(keys, st.none() | values, max_size=15)


def after(rows: dict[bytes, bytes], delta: dict[bytes, bytes | None]) -> dict[bytes, bytes]:
    merged = {**rows, **delta}
    return {key: value for key, value in merged.items() if value is not None}


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
    assert tree.leaf_hashes() == rebuilt.leaf_hashes()


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


@given(rows_of, keys)
def test_a_missing_key_lies_between_two_neighbours_that_are_included(rows, key) -> None:
    tree = StateTree(rows.items())
    hashes, size = tree.leaf_hashes(), tree.size
    tree_root = merkle.root_of_hashes(hashes)
    assert tree.root() == root_of(size, tree_root)
    position = tree.position_of(key)
    if key in rows:
        assert tree.key_at(position) == key
        return
    for index in {position - 1, position} & set(range(size)):
        neighbour = tree.key_at(index)
        assert neighbour < key if index < position else neighbour > key
        path = merkle.inclusion_proof(hashes, index)
        assert merkle.is_included(leaf_of(neighbour, rows[neighbour]), index, size, path, tree_root)


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
