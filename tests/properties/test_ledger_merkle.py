"""Our trees are those of RFC 6962: pymerkle, which shares no code with us, agrees on roots and proofs."""

from __future__ import annotations

from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle

COUNT = 300
LEAVES = [b"leaf %d" % number for number in range(COUNT)]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


@pytest.fixture(scope="module")
def oracle() -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in LEAVES:
        tree.append_entry(leaf)
    return tree


def naive_root(leaves: list[bytes]) -> bytes:
    """The recursion of RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def test_roots_agree_for_every_size_up_to_300(oracle) -> None:
    frontier = merkle.Frontier()
    for size in range(1, COUNT + 1):
        frontier.append(HASHES[size - 1])
        root = merkle.merkle_root(LEAVES[:size])
        assert root == oracle.get_root(size)
        assert frontier.root() == root
        assert frontier.size == size
    assert merkle.Frontier().root() == merkle.merkle_root([]) == naive_root([])


def test_inclusion_proofs_hold_for_every_size_up_to_300(oracle) -> None:
    for size in range(1, COUNT + 1):
        root = oracle.get_root(size)
        for index in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
            path = merkle.inclusion_proof(HASHES[:size], index)
            assert merkle.is_included(LEAVES[index], index, size, path, root)
            theirs = oracle.prove_inclusion(index + 1, size)
            assert list(path) == theirs.path[1:]
            pymerkle.verify_inclusion(HASHES[index], root, theirs)


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_roots_follow_the_recursion_of_the_rfc(leaves: list[bytes]) -> None:
    assert merkle.merkle_root(leaves) == naive_root(leaves)


@given(st.integers(1, 60), st.data())
def test_a_wrong_inclusion_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = merkle.merkle_root(LEAVES[:size])
    path = merkle.inclusion_proof(HASHES[:size], index)
    assert merkle.is_included(LEAVES[index], index, size, path, root)
    assert not merkle.is_included(b"other", index, size, path, root)
    other = data.draw(st.integers(-1, size))
    if other != index:
        assert not merkle.is_included(LEAVES[index], other, size, path, root)
    assert not merkle.is_included(LEAVES[index], index, size, (*path, root), root)
    if path:
        assert not merkle.is_included(LEAVES[index], index, size, path[:-1], root)
        step = data.draw(st.integers(0, len(path) - 1))
        changed = (*path[:step], merkle.leaf_hash(path[step]), *path[step + 1 :])
        assert not merkle.is_included(LEAVES[index], index, size, changed, root)


def test_indexes_outside_the_tree_raise() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError):
            merkle.inclusion_proof(HASHES[:3], index)
