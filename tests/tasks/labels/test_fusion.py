"""Training of the fusion model: what learns, what is drawn, and how it goes on after a stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from ravl.encoders.towers.freezing import trainable
from ravl.errors import DataError, RavlError
from ravl.memory import Memory
from ravl.models.fusion import FusionModel, with_language
from ravl.models.silence_transformers import silence_transformers
from ravl.tasks.fit import fit
from ravl.tasks.labels.batches import FusionData
from ravl.training.fit_settings import FitSettings
from ravl.training.language_model import (
    language_layers,
    merge_adapters,
    new_model,
    prepare_language,
)
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise, perturb_neighbours
from tests.helpers import ColourEncoder
from tests.labelled import near_of, shades
from tests.models.test_fusion import config, neighbours, queries
from tests.models.test_reader import Arrays, numbers
from tests.training.painted_labels import FUSION
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]


def made(language: Path, strategy: str, **changes: Any) -> FusionModel:
    settings = FitSettings(language_model=str(language), tune_language_model=strategy, **changes)
    torch.manual_seed(0)
    model = new_model(
        settings, features=10, vectors=6, labels=3, exclusive=True, base=10, k=4, weights=None
    )
    model.base.requires_grad_(False)
    return model


# --- what learns ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "layers", "slow"),
    [("head", 0, 0), ("top:1", 1, 16), ("top:2", 2, 32), ("full", 2, 37), ("lora", 0, 0)],
)
def test_only_what_is_meant_learns(language, strategy, layers, slow):
    model = made(language, strategy)
    learn_slowly = prepare_language(model, strategy)
    names = {name for name, _ in trainable(model)}
    own = {
        "picture",
        "near_picture",
        "near_label",
        "near_text",
        "near_likeness",
        "rank",
        "kind",
        "null",
        "norm",
        "out",
    }
    assert own <= {name.split(".")[0] for name in names}
    assert not any(name.startswith("base") for name in names)
    of_language = {name for name in names if name.startswith("language")}
    assert len(learn_slowly) == slow
    if strategy == "lora":
        assert len(of_language) == 4  # the upper layer's query and value, each two matrices
        assert all(".1.attention.self." in n and "lora" in n for n in of_language)
        return
    trained = {n for n in of_language if "encoder.layer" in n}
    assert {n.split("encoder.layer.")[1][0] for n in trained} == set("10"[:layers])
    assert ("language.embeddings.word_embeddings.weight" in names) == (strategy == "full")


def test_more_layers_than_there_are(language):
    with pytest.raises(DataError, match="needs 5 layers, but the model has 2. Use at most top:2"):
        prepare_language(made(language, "top:5"), "top:5")
    assert len(language_layers(made(language, "head").language)) == 2


def step(model: FusionModel, optimiser: Any) -> None:
    model.train()
    model(queries(), neighbours=neighbours(), targets=torch.eye(3)).loss.backward()
    optimiser.step()
    optimiser.zero_grad()


@pytest.mark.parametrize("strategy", ["head", "top:1", "full", "lora"])
def test_a_few_steps_change_only_what_learns(language, strategy):
    model = made(language, strategy)
    prepare_language(model, strategy)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    learning = {name for name, _ in trainable(model)}
    optimiser = torch.optim.AdamW((p for _, p in trainable(model)), lr=0.01, weight_decay=0)
    for _ in range(3):
        step(model, optimiser)
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed <= learning
    unused = {n for n in learning if n.split(".")[-2:] in (["key", "bias"],)}
    assert {n for n in learning - changed if "position" not in n and "token_type" not in n} <= (
        unused
    )


def test_merged_adapters_answer_as_they_did(language, tmp_path):
    model = made(language, "lora")
    prepare_language(model, "lora")
    plain = made(language, "lora")
    optimiser = torch.optim.AdamW((p for _, p in trainable(model)), lr=0.05)
    for _ in range(5):
        step(model, optimiser)
    model.eval()
    before = model(queries(), neighbours=neighbours()).logits
    merge_adapters(model)
    torch.testing.assert_close(
        model(queries(), neighbours=neighbours()).logits, before, atol=1e-5, rtol=1e-4
    )
    assert set(model.state_dict()) == set(plain.state_dict())  # a plain model again
    query = "language.encoder.layer.1.attention.self.query.weight"
    assert not torch.equal(model.state_dict()[query], plain.state_dict()[query])
    with silence_transformers():
        model.save_pretrained(tmp_path)
        again: Any = FusionModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(
        again(queries(), neighbours=neighbours()).logits, before, atol=1e-5, rtol=1e-4
    )


def test_a_new_model_takes_its_weights_and_settings(language):
    settings = FitSettings(language_model=str(language), dropout=0.4, label_smoothing=0.1)
    weights = np.array([1, 2, 3], np.float32)
    model = new_model(
        settings, features=10, vectors=6, labels=3, exclusive=False, base=10, k=4, weights=weights
    )
    assert model.weights.tolist() == [1, 2, 3]
    assert (model.config.dropout, model.config.smoothing) == (0.4, 0.1)
    assert model.config.exclusive is False
    with silence_transformers():
        other = with_language(config(), str(language))
    assert model.config.language == other.config.language


# --- what is drawn -------------------------------------------------------------------------


def test_an_order_of_its_own_in_each_epoch():
    order = EpochSampler(np.arange(50), 3)
    first = list(order)
    assert list(order) == first  # the same as long as the epoch is
    order.set_epoch(1)
    second = list(order)
    assert second != first
    assert sorted(second) == list(range(50))
    again = EpochSampler(np.arange(50), 3)
    again.set_epoch(1)
    assert list(again) == second
    assert list(EpochSampler(np.arange(50), 4)) != first
    assert list(EpochSampler([7, 9], 0)) in ([7, 9], [9, 7])


def some(n: int = 200, width: int = 16, rows: int = 400):
    random = np.random.default_rng(0)
    positions = np.stack([random.permutation(rows // 2)[:width] for _ in range(n)])
    similarity = -np.sort(-random.random((n, width)), axis=1)
    return near_of(positions.tolist(), similarity.tolist())


def test_undisturbed_neighbours_are_the_nearest():
    neighbours = some()
    found = perturb_neighbours(neighbours, 16, 400, RetrievalNoise(0, 0), np.random.default_rng(0))
    np.testing.assert_array_equal(found.positions, neighbours.positions)
    found = perturb_neighbours(
        neighbours, 8, 400, RetrievalNoise(0, 0, pool=1), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(found.positions, neighbours.positions[:, :8])


def test_they_are_drawn_from_twice_as_many_in_order():
    neighbours = some(width=30)
    found = perturb_neighbours(neighbours, 8, 400, RetrievalNoise(0, 0), np.random.default_rng(0))
    assert found.positions.shape == (200, 8)
    assert (np.diff(found.similarity, axis=1) <= 0).all()
    ranks = [
        [neighbours.positions[i].tolist().index(p) for p in found.positions[i]] for i in range(200)
    ]
    assert set(np.ravel(ranks)) == set(range(16))  # the first 2 k, and none behind them
    for i in range(200):
        np.testing.assert_array_equal(found.similarity[i], neighbours.similarity[i][ranks[i]])


def test_some_see_strangers_and_some_see_nothing():
    neighbours = some(2000, 8)
    before = neighbours.positions.copy()
    found = perturb_neighbours(
        neighbours, 8, 400, RetrievalNoise(0.2, 0.3), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(neighbours.positions, before)  # what was given stays
    blind = ~found.found.any(1)
    assert blind.mean() == pytest.approx(0.2, abs=0.03)
    assert (found.similarity[blind] == 0).all()
    strange = (found.positions != neighbours.positions)[~blind]
    assert strange.mean() == pytest.approx(0.3, abs=0.02)
    assert found.positions.max() > 200  # rows that are nobody's neighbours


def test_where_there_is_none_no_stranger_comes():
    neighbours = near_of([[3, -1, -1]] * 50, [[0.5, 0, 0]] * 50)
    found = perturb_neighbours(neighbours, 3, 9, RetrievalNoise(0, 0.9), np.random.default_rng(0))
    assert (found.positions[:, 1:] == -1).all()


def test_no_stranger_is_the_example_itself():
    """In a bank of twelve rows, three of which show each example, many strangers would be."""
    own = [np.array([i % 12, (i + 1) % 12, (i + 2) % 12]) for i in range(300)]
    neighbours = near_of([[(i + 5) % 12, (i + 6) % 12] for i in range(300)], [[0.5, 0.4]] * 300)
    drawn = np.random.default_rng
    blind = perturb_neighbours(neighbours, 2, 12, RetrievalNoise(0, 0.9), drawn(0))
    found = perturb_neighbours(neighbours, 2, 12, RetrievalNoise(0, 0.9), drawn(0), own)
    assert any(np.isin(blind.positions[i], own[i]).any() for i in range(300))
    assert not any(np.isin(found.positions[i], own[i]).any() for i in range(300))
    assert (found.similarity[~found.found] == 0).all()


def data_of(epoch: int = 0, seed: int = 0, own: Any = None) -> FusionData:
    order = EpochSampler(np.arange(40), seed)
    order.set_epoch(epoch)
    positions = np.random.default_rng(1).integers(0, 12, (40, 8))
    given = near_of(positions.tolist(), np.full((40, 8), 0.5).tolist())
    targets = np.eye(3, dtype=np.float32)[np.arange(40) % 3]
    return FusionData(
        numbers(40, 10), targets, given, Arrays(), 4, RetrievalNoise(0.2, 0.3), order, seed, own
    )


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        torch.equal(one["neighbours"][name], other["neighbours"][name])
        for name in one["neighbours"]
    )


def test_a_batch_depends_on_seed_epoch_and_examples_alone():
    chosen = [5, 3, 8, 1]
    batch = data_of().__getitems__(chosen)
    assert batch["neighbours"]["features"].shape == (4, 4, 10)
    torch.testing.assert_close(batch["features"], torch.from_numpy(numbers(40, 10)[chosen]))
    other = data_of()
    other.__getitems__([9, 2])  # what was drawn before does not matter
    assert same(batch, other.__getitems__(chosen))
    assert not same(batch, data_of(epoch=1).__getitems__(chosen))
    assert not same(batch, data_of(seed=1).__getitems__(chosen))


def test_a_batch_never_holds_the_example_itself():
    arrays = Arrays()
    own = [np.array([i % 12]) for i in range(40)]
    leaks = {True: 0, False: 0}
    for known in (True, False):
        for epoch in range(20):
            data = data_of(epoch, own=own if known else None)
            data._near = near_of([[(i + 1) % 12] * 8 for i in range(40)], np.full((40, 8), 0.5))  # type: ignore[arg-type]
            found = data.__getitems__(list(range(40)))["neighbours"]
            mine = torch.from_numpy(arrays.features[np.arange(40) % 12])[:, None]
            equal = (found["features"] == mine).all(-1) & found["picture"]
            leaks[known] += int(equal.sum())
    assert leaks[True] == 0
    assert leaks[False] > 10  # the test would see it


# --- going on where it stopped -------------------------------------------------------------


def weights(out: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = load_file(out / "fusion" / "model.safetensors")
    return {**found, **load_file(out / "predictor.safetensors")}


def check_same(one: Path, other: Path) -> None:
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        np.testing.assert_allclose(value, theirs[name], atol=1e-6, err_msg=name)


def stop_after(monkeypatch: Any, steps: int, run: Any) -> None:
    """Interrupt a fit after so many steps of training."""
    left = iter(range(steps))
    forward = FusionModel.forward

    def stops(self: Any, *args: Any, **inputs: Any) -> Any:
        if inputs.get("targets") is not None and next(left, None) is None:
            raise KeyboardInterrupt
        return forward(self, *args, **inputs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FusionModel, "forward", stops)
        run()


@pytest.fixture
def shop(tmp_path):
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path / "pictures"))
        yield memory


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("lora", 9),
        *(pytest.param(*p, marks=pytest.mark.slow) for p in (("top:1", 5), ("full", 9))),
    ],
)
def test_interrupted_it_ends_with_the_same_weights(
    shop, tmp_path, language, monkeypatch, strategy, steps
):
    """After 5 steps while training without retrieval, after 9 while training with it."""
    options = FUSION | {"epochs": 2, "tune_language_model": strategy}

    def run(name: str) -> Any:
        return fit(
            "classify",
            shop,
            out=tmp_path / name,
            progress=False,
            **options | {"language_model": str(language)},
        )

    stop_after(monkeypatch, steps, lambda: run("run"))
    assert not (tmp_path / "run" / "run.json").exists()
    resumed, whole = run("run"), run("whole")
    for name in ("fusion_off", "fusion"):
        mine, theirs = ([s for _, s in r.metrics["curves"][name]] for r in (resumed, whole))
        assert mine == theirs
        assert len(mine) == options["epochs"]
    check_same(tmp_path / "run", tmp_path / "whole")
    assert resumed.metrics["rows"] == whole.metrics["rows"]


@pytest.mark.slow
def test_kill_9_in_the_middle(shop, tmp_path, language):
    shop.close()
    changes = {"language_model": str(language), "epochs": 12, "patience": 12}

    def start(out: Path, *wait_at: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.training.painted_labels",
                str(shop.path),
                str(out),
                json.dumps(changes),
                *wait_at,
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    out = tmp_path / "run"
    process = start(out, "8")
    checkpoints = "work/fusion/checkpoints/*-*"
    wait_until(
        lambda: (
            process.poll() is not None
            or any(int(p.name.split("-")[1]) >= 6 for p in out.glob(checkpoints))
        )
    )
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert "done" not in process.communicate()[0]
    assert not (out / "run.json").exists()
    assert "done" in start(out).communicate()[0]
    assert "done" in start(tmp_path / "whole").communicate()[0]
    check_same(out, tmp_path / "whole")


@pytest.mark.slow
def test_another_seed_ends_elsewhere(shop, tmp_path, language):
    for name, seed in (("one", 0), ("two", 1)):
        fit(
            "classify",
            shop,
            out=tmp_path / name,
            progress=False,
            seed=seed,
            **FUSION | {"language_model": str(language), "epochs": 1},
        )
    with pytest.raises(AssertionError):
        check_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize(
    ("rate", "epochs"),
    [(1e38, 2), *(pytest.param(*p, marks=pytest.mark.slow) for p in ((1e30, 1), (1e30, 4)))],
)
def test_a_loss_that_is_no_number(shop, tmp_path, language, rate, epochs):
    with pytest.raises(RavlError, match="no longer a number.*lower --learning-rate"):
        fit(
            "classify",
            shop,
            out=tmp_path / "run",
            progress=False,
            **FUSION
            | {
                "language_model": str(language),
                "learning_rate": rate,
                "epochs": epochs,
                "batch_size": 64,
            },
        )
    assert not (tmp_path / "run" / "run.json").exists()
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert not (tmp_path / "run").exists()  # so that the same folder serves with a lower rate


def test_replaced_settings_are_checked(language):
    assert replace(FitSettings(), tune_language_model="top:1").tune_language_model == "top:1"
    with pytest.raises(DataError, match="must be head, lora, full, or top:N"):
        FitSettings(tune_language_model="top")
