from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from ravl.drift.permutation import permutation_test
from tests.drift.samples import sample


def test_false_alarms_come_at_the_rate_whatever_the_ties():
    random = np.random.default_rng(0)
    runs = 400
    p = [permutation_test(sample(random, 60), sample(random, 40), 199, i) for i in range(runs)]
    alarms = np.mean([min(each for _, each in found.values()) <= 0.1 for found in p])
    assert alarms == pytest.approx(0.1, abs=3 * np.sqrt(0.1 * 0.9 / runs))


@pytest.mark.parametrize("signal", ["similarity", "confidence", "disagreement", "answers"])
def test_each_signal_is_found_and_named_by_itself(signal):
    random = np.random.default_rng(1)
    found = permutation_test(sample(random, 200), sample(random, 200, signal))
    assert found[signal][1] <= 0.002
    assert all(p > 0.05 for name, (_, p) in found.items() if name != signal)


def test_statistic_is_that_of_kolmogorov_and_smirnov():
    random = np.random.default_rng(2)
    then, now = sample(random, 50), sample(random, 30, "confidence")
    found = permutation_test(then, now, 99)
    free = permutation_test(type(then)(then.numbers, None), type(now)(now.numbers, None), 99)
    assert list(free) == list(then.numbers), "captions have no mix"
    for name in then.numbers:
        assert free[name][0] == found[name][0]
        expected = ks_2samp(then.numbers[name], now.numbers[name]).statistic
        assert found[name][0] == pytest.approx(expected)


def test_p_is_adjusted_for_the_number_of_signals():
    random = np.random.default_rng(3)
    then, now = sample(random, 100), sample(random, 100)
    alone = type(then)({"similarity": then.numbers["similarity"]}, [()] * 100)
    other = type(now)({"similarity": now.numbers["similarity"]}, [()] * 100)
    assert (
        permutation_test(alone, other)["similarity"][1]
        <= permutation_test(then, now)["similarity"][1]
    )
