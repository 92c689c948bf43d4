"""CIDEr-D, BLEU and ROUGE-L, cross-checked with the COCO evaluation's own code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.evaluation.generation import (
    DocumentFrequency,
    compare_texts,
    measure_text,
    text_values,
)
from ravl.evaluation.generation.cider import rate, scores
from ravl.evaluation.generation.overlap import bleu, distinct, rouge
from ravl.evaluation.generation.words import words_of
from tests.evaluation.generation.sentences import made

COCO = "pycocoevalcap is not installed: pip install --no-deps pycocoevalcap"


def ones(count: int) -> Any:
    return np.ones(count)


@pytest.mark.parametrize("seed", [0, 1])
def test_cider_is_that_of_the_coco_evaluation(seed: int) -> None:
    pytest.importorskip("pycocoevalcap", reason=COCO)
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    candidates, references = made(seed=seed)
    theirs = CiderScorer(n=4, sigma=6.0)
    for candidate, people in zip(candidates, references, strict=True):
        theirs += (candidate, people)
    total, each = theirs.compute_score()
    assert np.allclose(scores(candidates, references), each, atol=1e-6)
    assert text_values("captions", candidates, references)["CIDEr-D"] == pytest.approx(total)


@pytest.mark.parametrize("seed", [0, 1])
def test_bleu_is_that_of_the_coco_evaluation(seed: int) -> None:
    pytest.importorskip("pycocoevalcap", reason=COCO)
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    candidates, references = made(seed=seed)
    theirs = BleuScorer(n=4)
    for candidate, people in zip(candidates, references, strict=True):
        theirs += (candidate, people)
    total, _ = theirs.compute_score(option="closest", verbose=0)
    ours = bleu(candidates, references)
    for n in range(4):
        assert ours[f"BLEU-{n + 1}"](ones(len(candidates))) == pytest.approx(total[n], abs=1e-6)


def test_rouge_is_that_of_the_coco_evaluation() -> None:
    pytest.importorskip("pycocoevalcap", reason=COCO)
    from pycocoevalcap.rouge.rouge import Rouge

    candidates, references = made()
    theirs = [
        Rouge().calc_score([c], people) for c, people in zip(candidates, references, strict=True)
    ]
    assert np.allclose(rouge(candidates, references), theirs, atol=1e-9)


def test_a_perfect_text_has_the_best_scores() -> None:
    texts = ["a dog runs on the beach", "two people eat lunch outside"]
    found = text_values("captions", texts, [[t] for t in texts])
    assert found["CIDEr-D"] == pytest.approx(10)
    assert found["BLEU-4"] == pytest.approx(1)
    assert found["ROUGE-L"] == pytest.approx(1)


def test_several_texts_about_one_picture() -> None:
    people = ["a dog runs on the beach", "a dog on a beach"]
    frequency = DocumentFrequency.of([people, ["a red car"], ["two people"]])
    good, fair, bad = rate(["a dog runs on the beach", "a dog", "a red car"], people, frequency)
    assert good > fair > bad


def test_fixed_frequencies_are_used() -> None:
    people = [["a dog"], ["a cat"]]
    common = DocumentFrequency.of([["a dog"]] * 9 + [["a cat"]])
    found = scores(["a dog runs", "a cat runs"], people, common)
    assert found[1] > found[0]  # a dog tells next to nothing there


def test_variety() -> None:
    same = distinct(["a dog runs"] * 4)
    other = distinct(["a dog runs", "two people eat", "some red car", "blue skies above"])
    assert same["distinct-1"](ones(4)) == pytest.approx(3 / 12)
    assert same["distinct-2"](ones(4)) == pytest.approx(2 / 8)
    assert other["distinct-2"](ones(4)) == 1


def test_intervals_hold_the_value_and_differences_are_paired() -> None:
    candidates, references = made(60)
    found = measure_text("captions", candidates, references)
    for score in found.values():
        assert score.low <= score.value <= score.high
    better = [people[0] for people in references]
    gained = compare_texts("captions", better, candidates, references)
    assert gained["CIDEr-D"].clear
    nothing = compare_texts("captions", candidates, candidates, references)
    assert nothing["BLEU-4"].value == nothing["BLEU-4"].high == 0


def test_examples_of_one_picture_are_drawn_together() -> None:
    candidates, references = made(20)
    twice = measure_text("captions", candidates * 4, references * 4)
    grouped = measure_text(
        "captions", candidates * 4, references * 4, groups=np.tile(np.arange(20), 4)
    )
    wide, narrow = (s["ROUGE-L"].high - s["ROUGE-L"].low for s in (grouped, twice))
    assert wide > 1.4 * narrow


@pytest.mark.parametrize(
    "text", ["", "🙂🙂", "红色的 衬衫", "word " * 10_000, "\x07\x1b[31m", "..."]
)
def test_any_text_can_be_measured(text: str) -> None:
    found = measure_text("captions", [text, "a dog"], [["a dog", text], ["a dog"]])
    assert all(np.isfinite(s.value) for s in found.values())


def test_chinese_is_compared_by_characters() -> None:
    found = scores(
        ["一只红色的狗", "一辆车"],
        [["一只红狗在跑"], ["天空"]],
        DocumentFrequency.of([["一只红狗在跑"], ["天空"], ["大海"]]),
    )
    assert found[0] > 0.5
    assert found[1] == 0
    assert words_of("T-shirt, 红") == ["t-shirt", "红"]


@pytest.mark.parametrize(
    ("written", "references", "words"),
    [
        ([], [], "no text"),
        (["a"], [["a"], ["b"]], "numbers must be equal"),
        (["a", "b"], [["a"], []], "number 2"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(
    written: list[str], references: list[list[str]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        measure_text("captions", written, references)
