from __future__ import annotations

import numpy as np
import pytest

from ravl.models.cca import Covariances

RANDOM = np.random.default_rng(0)


def twins(count: int = 300, shared: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 8) and texts (n, 6) that share some directions; the rest is noise."""
    random = np.random.default_rng(1)
    common = random.normal(size=(count, shared))
    turn = random.normal(size=(shared, 14))
    both = common @ turn + 0.3 * random.normal(size=(count, 14))
    return both[:, :8].astype(np.float32), both[:, 8:].astype(np.float32)


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(count), np.arange(count)


@pytest.mark.parametrize("long", ["pictures", "texts"])
def test_it_is_scikit_learn_s_canonical_correlation(long):
    from sklearn.cross_decomposition import CCA

    seen, read = twins() if long == "pictures" else twins()[::-1]
    first, second = Covariances.of(seen, read, *pairs(300)).heads(3, 1e-6, 1e-6)
    mine = [
        ((x - head.mean) / head.scale) @ head.weight.T + head.bias
        for head, x in ((first, seen), (second, read))
    ]
    theirs = CCA(3, max_iter=5000, tol=1e-9).fit(seen, read).transform(seen, read)
    for ours, others in zip(mine, theirs, strict=True):
        same = np.abs(np.corrcoef(ours.T, others.T)[:3, 3:].diagonal())
        np.testing.assert_allclose(same, 1, atol=1e-3)
    # Each direction counts as much as its correlation.
    each = [np.corrcoef(a, b)[0, 1] for a, b in zip(*(m.T for m in mine), strict=True)]
    np.testing.assert_allclose([m.std(0) for m in mine], [each, each], rtol=0.01)
    assert each == sorted(each, reverse=True)


def test_texts_find_unseen_pictures():
    seen, read = twins(600)
    found = Covariances.of(seen[:300], read[:300], *pairs(300)).heads(3, 0.1, 0.1)
    scores = found[1](read[300:]) @ found[0](seen[300:]).T
    ranks = (scores > scores.diagonal()[:, None]).sum(1)
    assert np.mean(ranks < 10) > 0.5  # by chance it would be 0.03


def test_each_text_of_a_picture_is_a_pair():
    seen, read = twins(90)
    owners = np.repeat(np.arange(30), 3)
    one = Covariances.of(seen[:30], read, owners, np.arange(90))
    other = Covariances.of(seen[owners], read, *pairs(90))
    both = zip(one.heads(2, 0.1, 0.1), other.heads(2, 0.1, 0.1), (seen, read), strict=True)
    for a, b, x in both:
        close = [np.corrcoef(p, q)[0, 1] for p, q in zip(a(x).T, b(x).T, strict=True)]
        np.testing.assert_allclose(np.abs(close), 1, atol=0.02)


def test_blocks_of_texts_do_not_matter(monkeypatch):
    seen, read = twins(100)
    whole = Covariances.of(seen, read, *pairs(100)).heads(3, 0.1, 0.1)[1]
    monkeypatch.setattr("ravl.models.cca.BLOCK", 7)
    parts = Covariances.of(seen, read, *pairs(100)).heads(3, 0.1, 0.1)[1]
    np.testing.assert_allclose(np.abs(parts.weight), np.abs(whole.weight), atol=1e-4)


def test_what_never_varies_says_nothing():
    seen, read = twins()
    seen[:, 2] = 7
    head = Covariances.of(seen, read, *pairs(300)).heads(3, 0.1, 0.1)[0]
    other = seen.copy()
    other[:, 2] = 8
    np.testing.assert_allclose(head(other), head(seen), atol=0.01)


def test_no_more_directions_than_features():
    seen, read = twins()
    assert {h.dimension for h in Covariances.of(seen, read, *pairs(300)).heads(50, 1, 1)} == {6}


def test_features_after_a_relu_are_tamed():
    seen, read = twins()
    heads = Covariances.of(np.maximum(seen, 0), read, *pairs(300)).heads(3, 0.1, 0.1)
    assert [head.power for head in heads] == [0.5, 1.0]
