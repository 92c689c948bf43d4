from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from ravl.models.fusion import FusionConfig, FusionModel, with_language
from ravl.models.silence_transformers import silence_transformers

F, D, C, K = 10, 6, 3, 4


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def config(**changes: Any) -> FusionConfig:
    made = {"features": F, "vectors": D, "labels": C, "base": F, "evidence": K, "dropout": 0.0}
    return FusionConfig(**made | changes)


@pytest.fixture
def model(language) -> FusionModel:
    torch.manual_seed(0)
    with silence_transformers():
        made: Any = with_language(config(), str(language))
    found: FusionModel = made.eval()
    return found


@pytest.fixture
def spoken(model) -> Any:
    """With an output layer that says something."""
    with torch.no_grad():
        torch.manual_seed(1)
        model.out.weight.normal_()
    return model


def queries(b: int = 3) -> Tensor:
    return torch.randn(b, F, generator=torch.Generator().manual_seed(2))


def neighbours(b: int = 3, k: int = K, seed: int = 3) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {
        "features": torch.randn(b, k, F, generator=random),
        "labels": torch.randn(b, k, D, generator=random),
        "texts": torch.randn(b, k, D, generator=random),
        "likeness": torch.rand(b, k, generator=random),
        **{name: torch.ones(b, k, dtype=torch.bool) for name in ("picture", "label", "text")},
    }


def test_untrained_it_answers_exactly_as_its_base(model):
    x = queries()
    expected = model.base(x)
    for given in (None, neighbours(), neighbours(seed=9)):
        assert torch.equal(model(x, neighbours=given).logits, expected)
    other = torch.randn(3, F)
    assert torch.equal(model(x, base=other, neighbours=neighbours()).logits, model.base(other))


@pytest.mark.parametrize("what", ["features", "labels", "texts", "likeness"])
def test_trained_it_reads_all_of_its_evidence(spoken, what):
    before, changed = neighbours(), neighbours()
    changed[what] = changed[what].clone()
    changed[what][:, 1] += 1
    x = queries()
    difference = spoken(x, neighbours=before).logits - spoken(x, neighbours=changed).logits
    assert difference.abs().min(1).values.min() > 1e-6
    assert (spoken(x, neighbours=before).logits - spoken(x).logits).abs().min() > 1e-6


def test_it_reads_the_query_and_its_text(spoken):
    x = queries()
    moved = (
        spoken(x + 1, base=x, neighbours=neighbours()).logits
        - spoken(x, neighbours=neighbours()).logits
    )
    assert moved.abs().max() > 1e-4
    tokens = torch.tensor([[7, 8, 9]] * 3)
    one, other = (spoken(x, tokens=t, neighbours=neighbours()).logits for t in (tokens, tokens + 1))
    assert (one - other).abs().max() > 1e-4
    padded = torch.tensor([[7, 8, 9, 0, 0]] * 3)
    torch.testing.assert_close(spoken(x, tokens=padded).logits, spoken(x, tokens=padded).logits)


def test_order_of_neighbours_matters_by_their_rank(spoken):
    x, given = queries(), neighbours()
    turned = {name: value.flip(1) for name, value in given.items()}
    assert (
        spoken(x, neighbours=given).logits - spoken(x, neighbours=turned).logits
    ).abs().max() > 1e-6


@pytest.mark.parametrize(
    ("flag", "values"), [("picture", "features"), ("label", "labels"), ("text", "texts")]
)
def test_what_is_marked_absent_changes_nothing(spoken, flag, values):
    x, one, other = queries(), neighbours(), neighbours()
    for given in (one, other):
        given[flag][:, 2] = False
    other[values] = other[values].clone()
    other[values][:, 2] = 99
    torch.testing.assert_close(spoken(x, neighbours=one).logits, spoken(x, neighbours=other).logits)
    other[flag][:, 2] = True
    assert (
        spoken(x, neighbours=one).logits - spoken(x, neighbours=other).logits
    ).abs().max() > 1e-6


def test_nobody_near_is_as_no_evidence(spoken):
    given = neighbours()
    for name in ("picture", "label", "text"):
        given[name][:] = False
    torch.testing.assert_close(
        spoken(queries(), neighbours=given).logits, spoken(queries()).logits, atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("flag", ["label", "text", "picture"])
def test_an_answer_does_not_depend_on_who_is_answered_beside_it(spoken, flag):
    """The first has no neighbour with a label, the others have."""
    x, given = queries(), neighbours()
    given[flag][0] = False
    together = spoken(x, neighbours=given).logits
    for i in range(3):
        alone = spoken(x[i : i + 1], neighbours={n: v[i : i + 1] for n, v in given.items()}).logits
        torch.testing.assert_close(alone, together[i : i + 1], atol=1e-5, rtol=1e-4)


def test_gradients_reach_evidence_and_language_model(spoken):
    targets = torch.eye(C)
    spoken(queries(), neighbours=neighbours(), targets=targets).loss.backward()
    top = spoken.language.encoder.layer[-1]
    for part in (
        spoken.near_picture,
        spoken.near_label,
        spoken.near_text,
        spoken.near_likeness,
        spoken.picture,
        spoken.rank,
        top.attention.self.query,
        top.attention.self.value,
        top.output.dense,
    ):
        assert part.weight.grad is not None
        assert part.weight.grad.abs().max() > 1e-7
    assert spoken.null.grad is not None
    assert spoken.null.grad.abs().max() > 1e-7


def test_the_first_step_only_moves_the_output_layer(model):
    model(queries(), neighbours=neighbours(), targets=torch.eye(C)).loss.backward()
    assert model.out.weight.grad.abs().max() > 1e-4
    assert not model.near_label.weight.grad.any()


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_loss_is_that_of_the_linear_head(language, exclusive):
    torch.manual_seed(0)
    with silence_transformers():
        model = with_language(config(exclusive=exclusive, smoothing=0.2), str(language)).eval()
    x, targets = queries(), torch.eye(C)
    smooth = targets * 0.8 + (0.2 / C if exclusive else 0.1)
    with torch.no_grad():
        model.weights.copy_(torch.tensor([1.0, 2.0, 3.0]))
    logits = model.base(x)
    if exclusive:
        weighted = model.weights * smooth
        expected = -(weighted * logits.log_softmax(1)).sum() / weighted.sum()
    else:
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, smooth, reduction="none"
        )
        expected = (model.weights * each).sum(1).mean()
    torch.testing.assert_close(model(x, neighbours=neighbours(), targets=targets).loss, expected)


def test_saved_and_loaded_it_answers_the_same(spoken, tmp_path):
    with silence_transformers():
        spoken.save_pretrained(tmp_path)
        again: Any = FusionModel.from_pretrained(tmp_path, use_safetensors=True).eval()
    for given in (None, neighbours()):
        torch.testing.assert_close(
            again(queries(), neighbours=given).logits, spoken(queries(), neighbours=given).logits
        )
    torch.testing.assert_close(again.weights, spoken.weights)


def test_it_has_the_language_models_weights(model, language):
    import transformers

    bert: Any = transformers.AutoModel.from_pretrained(language)
    theirs = dict(bert.named_parameters())
    mine = dict(model.language.named_parameters())
    assert set(theirs) - set(mine) == {"pooler.dense.weight", "pooler.dense.bias"}
    for name, value in mine.items():
        assert torch.equal(value, theirs[name]), name


def test_a_model_that_reads_no_neighbours(language, tmp_path):
    with silence_transformers():
        model = with_language(config(evidence=0), str(language)).eval()
        model.save_pretrained(tmp_path)
        again: Any = FusionModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(again(queries()).logits, model.base(queries()))


SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 200,
}
FAMILIES = {
    "roberta": SMALL,
    "electra": SMALL | {"embedding_size": 32},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "vocab_size": 200},
    "modernbert": SMALL | {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_any_bert_like_language_model_reads_neighbours(family, tmp_path):
    from transformers import AutoConfig, AutoModel

    from ravl.training.language_model import language_layers

    known = AutoConfig.for_model(family, **FAMILIES[family])
    AutoModel.from_config(known).save_pretrained(tmp_path / "lm")
    torch.manual_seed(0)
    config = FusionConfig(features=8, vectors=6, labels=3, base=8, evidence=2)
    model = with_language(config, str(tmp_path / "lm"))
    torch.nn.init.normal_(model.out.weight)
    there = torch.ones(4, 2, dtype=torch.bool)
    neighbours = {
        "features": torch.randn(4, 2, 8),
        "labels": torch.randn(4, 2, 6),
        "texts": torch.randn(4, 2, 6),
        "likeness": torch.rand(4, 2),
        "picture": there,
        "label": there,
        "text": there,
    }
    features = torch.randn(4, 8)
    model.save_pretrained(tmp_path / "fusion")
    again = FusionModel.from_pretrained(tmp_path / "fusion").eval()
    with torch.inference_mode():
        told, alone = again(features, neighbours=neighbours).logits, again(features).logits
    assert not torch.allclose(told, alone, atol=1e-4)
    assert torch.allclose(told, model.eval()(features, neighbours=neighbours).logits, atol=1e-5)
    assert len(language_layers(again.language)) == 2
