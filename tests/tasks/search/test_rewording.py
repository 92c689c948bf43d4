from __future__ import annotations

import pytest

from ravl.tasks.search.rewording import reworded

TEXT = "A child in a pink dress is climbing up the stairs ."


def test_the_first_variant_is_keywords_the_others_lack_some_words():
    ((first, *others),) = reworded([TEXT], 3, seed=0)
    assert first == "child pink dress climbing up stairs"
    words = TEXT.split()
    for other in others:
        kept = other.split()
        assert 0 < len(kept) < len(words)
        rest = iter(words)
        assert all(word in rest for word in kept)  # in their order


def test_short_texts_stay_and_nothing_becomes_empty():
    assert reworded(["dog", "a dog", "the of a"], 2, seed=0)[:2] == [("dog",) * 2, ("a dog",) * 2]
    assert all(all(some) for some in reworded(["the of a", "红 格 子"], 4, seed=1))


@pytest.mark.parametrize("other", [1, 2])
def test_the_seed_decides(other):
    assert reworded([TEXT] * 3, 4, 0) == reworded([TEXT] * 3, 4, 0)
    assert reworded([TEXT] * 3, 4, 0) != reworded([TEXT] * 3, 4, other)
