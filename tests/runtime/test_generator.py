"""The exported generator writes what the generator writes, and keeps what all promise."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.errors import DataError, QueryError
from ravl.exports.networks import write_networks
from ravl.models.generation.base import (
    Candidate,
    Decoding,
    EvidenceItem,
    GenerationRequest,
    Generator,
)
from ravl.models.generation.fused import FusedGenerator
from ravl.runs.run import GENERATOR, Run
from ravl.runtime.generator import OnnxGenerator
from ravl.testing.generator_contract import GeneratorContract
from tests.models.generation.tiny import requests, tiny_fused

FIGURES = [
    Decoding(num_beams=1, max_new_tokens=8),
    Decoding(num_beams=2, max_new_tokens=8),
    Decoding(num_beams=4, max_new_tokens=12),
    Decoding(num_beams=3, num_return_sequences=5, max_new_tokens=10),
    Decoding(num_beams=4, max_new_tokens=10, min_new_tokens=6, num_return_sequences=2),
    Decoding(num_beams=4, max_new_tokens=12, no_repeat_ngram_size=2, num_return_sequences=4),
    Decoding(num_beams=4, max_new_tokens=10, length_penalty=0.0, num_return_sequences=4),
    Decoding(num_beams=4, max_new_tokens=10, length_penalty=2.0, num_return_sequences=4),
    Decoding(num_beams=1, max_new_tokens=1),
]


@dataclass(frozen=True)
class Both:
    """A generator, and the folder of its export with what the manifest says."""

    fused: FusedGenerator
    folder: Path
    about: dict[str, Any]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, language: Path) -> Both:
    folder = tmp_path_factory.mktemp("generator")
    tiny_fused(language).save(folder / "run" / GENERATOR)
    run = Run(folder / "run", {"how": {"max_new_tokens": 8}})
    memory: Any = None  # it is for towers
    networks = write_networks(run, folder / "out", memory)
    assert all(its["parity"]["random"] < 1e-4 for its in networks.values())
    loaded = FusedGenerator.load(folder / "run" / GENERATOR, 8)
    return Both(loaded, folder / "out" / GENERATOR, networks["write"])


@pytest.fixture
def fused(both: Both) -> FusedGenerator:
    return both.fused


@pytest.fixture
def generator(both: Both) -> OnnxGenerator:
    return OnnxGenerator(both.folder, both.about, 8)


class TestExported(GeneratorContract):
    @pytest.fixture
    def generator(self, both: Both) -> Generator:
        return OnnxGenerator(both.folder, both.about, 8)

    def requests(self, count: int) -> list[GenerationRequest]:
        return requests(count)


def asked() -> list[GenerationRequest]:
    passage = EvidenceItem(text="a red shirt and a green dog")
    more = requests(4, question="What colour is number")
    weighted_texts = [("a red shirt", 0.6), ("a blue dog", 0.4)]
    return [
        *requests(4),
        *more,
        GenerationRequest(
            more[0].features,
            "What?",
            evidence_items=[passage, *more[0].evidence_items],
            weighted_texts=weighted_texts,
        ),
        GenerationRequest(more[1].features, evidence_items=(), weighted_texts=weighted_texts),
    ]


@pytest.mark.parametrize("how", FIGURES, ids=range(len(FIGURES)))
def test_searches_find_the_texts_that_torch_finds(
    fused: FusedGenerator, generator: OnnxGenerator, how: Decoding
) -> None:
    expected, found = fused(asked(), how), generator(asked(), how)
    for those, these in zip(expected, found, strict=True):
        assert [c.text for c in these] == [c.text for c in those]
        assert [c.tokens for c in these] == [c.tokens for c in those]
        for a, b in zip(these, those, strict=True):
            assert a.log_probability == pytest.approx(b.log_probability, abs=1e-3)


def test_texts_are_as_likely_as_for_torch(fused: FusedGenerator, generator: OnnxGenerator) -> None:
    texts = [["a red shirt", "a blue dog", ""], [], ["green " * 20], *[["a car"]] * 7]
    expected = fused.log_probabilities(asked(), texts)
    found = generator.log_probabilities(asked(), texts)
    assert [len(its) for its in found] == [3, 0, 1] + [1] * 7
    flat: list[tuple[Candidate, Candidate]] = [
        pair for two in zip(found, expected, strict=True) for pair in zip(*two, strict=True)
    ]
    for a, b in flat:
        assert (a.text, a.tokens) == (b.text, b.tokens)
        assert a.log_probability == pytest.approx(b.log_probability, abs=1e-3)


def test_sampling_draws_from_the_same_odds(fused: FusedGenerator, generator: OnnxGenerator) -> None:
    how = Decoding(
        do_sample=True, num_return_sequences=400, max_new_tokens=1, temperature=0.8, top_p=0.9
    )
    shares = []
    for one in (fused, generator):
        drawn = [c.text for seed in range(3) for c in one(requests(1), replace(how, seed=seed))[0]]
        shares.append(set(drawn))
    # Texts are different ones, so that what can be compared is which can be drawn at all.
    assert len(shares[0] & shares[1]) >= 0.9 * len(shares[0] | shares[1])


@pytest.mark.parametrize(
    "change", [{"require": ("shirt",)}, {"forbid": ("dog",)}, {"schema": "{}"}]
)
def test_constraints_are_refused(generator: OnnxGenerator, change: dict[str, Any]) -> None:
    name = next(iter(change))
    with pytest.raises(QueryError, match=f"cannot do {name}"):
        generator(requests(1), Decoding(**change))


def test_what_is_missing_or_damaged_is_named(both: Both, tmp_path: Path) -> None:
    shutil.copytree(both.folder, tmp_path / "g")
    (tmp_path / "g" / "write.onnx").write_bytes(b"no graph")
    with pytest.raises(DataError, match=r"write\.onnx is missing or damaged"):
        OnnxGenerator(tmp_path / "g", both.about, 8)
    shutil.copy(both.folder / "write.onnx", tmp_path / "g")
    (tmp_path / "g" / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer\.json is missing or damaged"):
        OnnxGenerator(tmp_path / "g", both.about, 8)


def test_vectors_are_of_the_kind_that_a_graph_takes(generator: OnnxGenerator) -> None:
    wide = [
        GenerationRequest(r.features.astype(np.float64), evidence_items=r.evidence_items)
        for r in requests(2)
    ]
    assert generator(wide, FIGURES[1]) == generator(requests(2), FIGURES[1])
