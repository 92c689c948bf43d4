from __future__ import annotations

import numpy as np
import pytest

from ravl.store import near_hashes
from ravl.store.near_hashes import MOST_BITS, bands, near_pairs


def _slow(known, asked, most):
    bits = np.bitwise_count(asked[:, None] ^ known[None, :])
    return {
        (int(i), int(j), int(bits[i, j])) for i, j in zip(*np.nonzero(bits <= most), strict=True)
    }


def _near_each_other(random, count: int):
    """Hashes of which many differ in a few bits."""
    first = random.integers(-(2**63), 2**63, max(1, count // 20))
    hashes = random.choice(first, count)
    for _ in range(5):
        flipped = np.int64(1) << random.integers(0, 63, count)
        hashes = np.where(random.random(count) < 0.7, hashes ^ flipped, hashes)
    return hashes


@pytest.mark.parametrize("at_once", [8_000_000, 500])
@pytest.mark.parametrize("most", [0, 1, 6, MOST_BITS])
def test_finds_the_pairs_that_comparing_all_finds(most, at_once, monkeypatch):
    monkeypatch.setattr(near_hashes, "AT_ONCE", at_once)
    random = np.random.default_rng(most)
    known, asked = _near_each_other(random, 300), random.integers(-(2**63), 2**63, 40)
    asked = np.concatenate([asked, known[:100], known[:5]])
    found = [
        (int(a), int(b), int(n))
        for block in near_pairs(known, asked, most)
        for a, b, n in zip(*block, strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == _slow(known, asked, most)
    assert [a for a, _, _ in found] == sorted(a for a, _, _ in found)


def test_nothing_to_compare():
    nothing = np.zeros(0, np.int64)
    assert list(near_pairs(nothing, nothing, 6)) == []
    assert all(len(a) == 0 for a, _, _ in near_pairs(nothing, np.ones(3, np.int64), 6))


def test_more_bits_than_bands_allow_are_refused():
    with pytest.raises(ValueError, match="up to 7 bits"):
        next(near_pairs(np.zeros(1, np.int64), np.zeros(1, np.int64), 8))


def test_bands_of_a_negative_hash():
    assert bands(-1) == [65535] * 4
    assert bands(0x0001_0002_0003_0004) == [4, 3, 2, 1]
