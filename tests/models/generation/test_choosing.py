from __future__ import annotations

import numpy as np
import pytest

from ravl.models.generation.candidate_ranker import CandidateRanker, fit_chooser

NAMES = ("tells", "noise")


def pictures(count: int = 60) -> tuple[list[dict[str, np.ndarray]], list[np.ndarray]]:
    random = np.random.default_rng(0)
    scores, quality = [], []
    for _ in range(count):
        good = random.normal(size=6)
        scores.append(
            {
                "tells": (10 * good + random.normal(size=6)).astype(np.float32),
                "noise": random.normal(size=6).astype(np.float32),
            }
        )
        quality.append(good)
    return scores, quality


def test_the_score_that_tells_is_followed() -> None:
    scores, quality = pictures()
    chooser = fit_chooser(scores, quality, NAMES)
    chosen = [q[chooser(s).argmax()] for s, q in zip(scores, quality, strict=True)]
    assert np.mean(chosen) > 0.9 * np.mean([q.max() for q in quality])
    assert chooser.share(("tells",)) > 0.8


def test_a_score_that_misleads_counts_against() -> None:
    scores, quality = pictures()
    turned = [{**s, "tells": -s["tells"]} for s in scores]
    chooser = fit_chooser(turned, quality, NAMES)
    assert chooser.weights[0] < 0


def test_size_does_not_matter() -> None:
    scores, quality = pictures()
    large = [{**s, "tells": 1000 * s["tells"]} for s in scores]
    first, second = fit_chooser(scores, quality, NAMES), fit_chooser(large, quality, NAMES)
    assert np.allclose(first.weights, second.weights, atol=1e-3)


def test_with_nothing_to_choose_between_all_count_alike() -> None:
    one = [{"tells": np.ones(1, np.float32), "noise": np.ones(1, np.float32)}]
    chooser = fit_chooser(one, [np.ones(1)], NAMES)
    assert chooser.share(("tells",)) == pytest.approx(0.5)


def test_it_is_the_same_after_saving() -> None:
    scores, quality = pictures()
    chooser = fit_chooser(scores, quality, NAMES)
    again = CandidateRanker.from_arrays(chooser.arrays(), chooser.names)
    assert np.allclose(again(scores[0]), chooser(scores[0]))
