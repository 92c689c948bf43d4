from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ravl.models.fusion import FusionConfig
from ravl.models.generation import network
from ravl.models.generation.decoder import add_copy_prior, copy_logits
from ravl.models.generation.network import GeneratorModel
from ravl.models.generation.vocabulary import PAD, WordVocabulary
from ravl.models.generation.warm_start import new_generator
from tests.training.tiny_bert import tiny_bert

TEXTS = ["red above green", "blue", "yellow and black and white", "green below red below blue"]
FEATURES = 6


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def vocabulary() -> WordVocabulary:
    return WordVocabulary.of(TEXTS * 3, 300)


@pytest.fixture
def model(bert: Path, vocabulary: WordVocabulary) -> Any:
    torch.manual_seed(0)
    config = FusionConfig(features=FEATURES, vectors=4, evidence=2)
    return new_generator(config, str(bert), vocabulary, layers=2).eval()


def loss(model: Any, inputs: dict[str, Any], **more: Any) -> float:
    with torch.no_grad():
        return float(model(**inputs, **more)["loss"])


def batch(vocabulary: WordVocabulary) -> dict[str, Any]:
    torch.manual_seed(1)
    ids = pad_sequence(vocabulary(TEXTS), batch_first=True)
    return {"features": torch.randn(2, FEATURES), "ids": ids, "owners": torch.tensor([0, 0, 1, 1])}


def test_the_loss_is_that_of_each_word(model: Any, vocabulary: WordVocabulary) -> None:
    model.config.smoothing = 0.0
    inputs = batch(vocabulary)
    states, there = model.encoder.read(inputs["features"], None, None)
    own = inputs["owners"]
    each = model.log_probabilities(inputs["ids"], states[own], there[own])
    words = (inputs["ids"] != PAD).sum() - len(own)
    assert loss(model, inputs) == pytest.approx(float((-each.sum() / words).detach()), rel=1e-5)


def test_order_and_padding_change_nothing(
    model: Any, vocabulary: WordVocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = batch(vocabulary)
    together = loss(model, inputs)
    monkeypatch.setattr(network, "SAME_LENGTH", 1)
    assert loss(model, inputs) == pytest.approx(together, rel=1e-5)
    longer = {**inputs, "ids": F.pad(inputs["ids"], (0, 5))}
    assert loss(model, longer) == pytest.approx(together, rel=1e-5)


def test_a_later_word_is_not_seen(model: Any, vocabulary: WordVocabulary) -> None:
    states, there = model.encoder.read(torch.zeros(1, FEATURES), None, None)
    first, second = vocabulary(["red above green", "red above blue"])
    ids = torch.stack([first, second])
    logits, _ = model._predict(ids, states.expand(2, -1, -1), there.expand(2, -1), None)
    assert torch.allclose(logits[0], logits[len(first) - 1], atol=1e-5)


def test_what_is_worth_nothing_is_not_learned(model: Any, vocabulary: WordVocabulary) -> None:
    inputs = batch(vocabulary)
    assert loss(model, inputs, worth=torch.zeros(4)) == 0


def test_the_better_text_becomes_likelier(model: Any, vocabulary: WordVocabulary) -> None:
    inputs = batch(vocabulary)

    def likely() -> torch.Tensor:
        states, there = model.encoder.read(inputs["features"], None, None)
        own = inputs["owners"]
        found: torch.Tensor = model.log_probabilities(inputs["ids"], states[own], there[own])
        return found.detach()

    before = likely()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    model(**inputs, worth=torch.tensor([1.0, -1.0, 0.0, 0.0]))["loss"].backward()
    optimiser.step()
    after = likely()
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_untrained_it_does_not_listen(model: Any, vocabulary: WordVocabulary) -> None:
    inputs = batch(vocabulary)
    prior = torch.rand(2, len(vocabulary))
    assert loss(model, inputs, prior=prior) == pytest.approx(loss(model, inputs))


def test_loud_words_become_likelier_once_it_listens(model: Any, vocabulary: WordVocabulary) -> None:
    torch.nn.init.ones_(model.decoder.cls.gate.bias)
    shares = torch.zeros(1, len(vocabulary))
    shares[0, vocabulary.words_of("red above green")] = 1
    states, there = model.encoder.read(torch.zeros(1, FEATURES), None, None)
    ids = pad_sequence(vocabulary(["red above green"]), batch_first=True)
    quiet = model.log_probabilities(ids, states, there)
    loud = model.log_probabilities(ids, states, there, copy_logits(shares))
    assert loud > quiet


def test_nothing_is_heard_outside(model: Any) -> None:
    states = torch.randn(1, 2, model.decoder.config.hidden_size)
    torch.nn.init.ones_(model.decoder.cls.gate.bias)
    before = model.decoder.cls(states)
    with add_copy_prior(torch.ones(1, model.decoder.config.vocab_size)):
        assert not torch.allclose(model.decoder.cls(states), before)
    assert torch.allclose(model.decoder.cls(states), before)


def test_silence_is_zero() -> None:
    found = copy_logits(torch.tensor([0.0, 0.5, 1.0]))
    assert found[0] == 0
    assert found[2] > found[1] > 0


def test_it_is_the_same_after_loading(
    model: Any, vocabulary: WordVocabulary, tmp_path: Path
) -> None:
    torch.nn.init.ones_(model.decoder.cls.gate.bias)
    model.save_pretrained(tmp_path)
    loaded = GeneratorModel.from_pretrained(tmp_path).eval()
    inputs = batch(vocabulary)
    prior = torch.rand(2, len(vocabulary))
    assert loss(loaded, inputs, prior=prior) == pytest.approx(
        loss(model, inputs, prior=prior), rel=1e-5
    )
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight


def test_known_words_start_as_the_language_model_has_them(
    bert: Path, vocabulary: WordVocabulary, model: Any
) -> None:
    from transformers import AutoModel, AutoTokenizer

    theirs: Any = AutoModel.from_pretrained(bert)
    tokenizer: Any = AutoTokenizer.from_pretrained(bert)
    (red,) = vocabulary.words_of("red")
    number = tokenizer("red", add_special_tokens=False)["input_ids"][0]
    own = model.get_input_embeddings().weight[red]
    assert torch.allclose(own, theirs.get_input_embeddings().weight[number], atol=1e-5)


def test_layers_are_taken_evenly(bert: Path, vocabulary: WordVocabulary) -> None:
    config = FusionConfig(features=FEATURES, vectors=4, evidence=2)
    made = new_generator(config, str(bert), vocabulary, layers=1)
    assert made.decoder.config.num_hidden_layers == 1
    more = new_generator(config, str(bert), vocabulary, layers=9)
    assert more.decoder.config.num_hidden_layers == 2  # no more than there are
