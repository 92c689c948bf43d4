from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ravl.errors import DataError, EncoderError, QueryError
from ravl.models.generation.base import Decoding, EvidenceItem
from ravl.models.generation.causal import CausalGenerator
from ravl.training.loop_settings import LoopSettings
from ravl.training.trainer import train
from tests.models.generation.tiny import CONTEXT, FEATURES, requests

GREEDY = Decoding(num_beams=1, max_new_tokens=12)


class Batches(torch.utils.data.Dataset[Any]):
    """Makes a whole batch from a list of positions, as our training wants it."""

    def __init__(self, generator: Any, texts: list[str]) -> None:
        self.generator, self.texts = generator, texts
        self.asked = requests(len(texts), evidence=1)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitems__(self, places: list[int]) -> Any:
        return self.generator.collate(
            [self.asked[i] for i in places], [self.texts[i] for i in places]
        )

    def __getitem__(self, place: int) -> Any:
        return self.__getitems__([place])


class Order:
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count))

    def set_epoch(self, epoch: int) -> None:
        pass


def learn(generator: Any, folder: Path, texts: list[str], epochs: int = 40) -> Batches:
    data = Batches(generator, texts)

    def validate() -> float:
        with torch.inference_mode():
            return -float(generator.network(**data[0])["loss"])

    train(
        generator.network,
        data,
        Order(len(texts)),
        validate,
        folder,
        LoopSettings(epochs=epochs, batch_size=4, learning_rate=0.02, patience=epochs),
        show=False,
    )
    return data


@pytest.mark.parametrize(
    "strategy", ["lora", *(pytest.param(s, marks=pytest.mark.slow) for s in ("head", "full"))]
)
def test_it_learns_saves_and_loads(gpt2: Path, tmp_path: Path, strategy: str) -> None:
    generator = CausalGenerator(str(gpt2), features=FEATURES, strategy=strategy)
    before = {k: v.clone() for k, v in generator.network.language.state_dict().items()}
    texts = ["red", "blue"]
    with torch.inference_mode():
        first = float(generator.network(**Batches(generator, texts).__getitems__([0, 1]))["loss"])
    data = learn(generator, tmp_path / "run", texts)
    with torch.inference_mode():
        last = float(generator.network(**data.__getitems__([0, 1]))["loss"])
    assert last < 0.75 * first
    if strategy != "full":
        after = generator.network.language.state_dict()
        assert all(torch.equal(v, after[k]) for k, v in before.items() if "lora" not in k)
    generator.save(tmp_path / "saved")
    size = (tmp_path / "saved" / "learned.safetensors").stat().st_size
    assert (size < 10_000) == (strategy != "full")
    loaded = CausalGenerator.load(tmp_path / "saved")
    assert str(loaded.network.strategy) == strategy
    assert loaded(data.asked, GREEDY) == generator(data.asked, GREEDY)
    if strategy == "full":
        assert [c[0].text for c in loaded(data.asked, GREEDY)] == texts


@torch.inference_mode()
def test_the_loss_is_of_the_target_alone(gpt2: Path) -> None:
    """By hand, for each request alone: padding changes nothing."""
    generator = CausalGenerator(str(gpt2), features=FEATURES)
    asked, texts = requests(3, question="What"), ["a red dog", "no", "blue and green"]
    asked[1] = replace(asked[1], evidence_items=())
    losses, counts = [], []
    for one, text in zip(asked, texts, strict=True):
        inputs = generator._inputs([one], Decoding())
        ids = torch.tensor([[*generator._ids(" " + text), generator.writer.ends[-1]]])
        model = generator.network.language
        whole = torch.cat([inputs["inputs_embeds"], model.get_input_embeddings()(ids)], 1)
        logs = model(inputs_embeds=whole).logits[0, -ids.shape[1] - 1 : -1].log_softmax(-1)
        losses.append(-float(logs.gather(1, ids.T).sum()))
        counts.append(ids.shape[1])
    loss = float(generator.network(**generator.collate(asked, texts))["loss"])
    assert loss == pytest.approx(sum(losses) / sum(counts), rel=1e-4)
    generator.network.smoothing = 0.1
    assert float(generator.network(**generator.collate(asked, texts))["loss"]) != pytest.approx(
        loss
    )


def test_what_learns(gpt2: Path) -> None:
    def names(strategy: str, features: int = FEATURES) -> list[str]:
        network = CausalGenerator(str(gpt2), features=features, strategy=strategy).network
        assert set(network.state_dict()) == {
            n for n, p in network.named_parameters() if p.requires_grad
        }
        return list(network.state_dict())

    assert all(n.startswith(("picture.", "norm.")) for n in names("head"))
    assert names("head", 0) == []
    lora = [n for n in names("lora") if "lora" in n]
    assert lora and all(".h.1.attn.c_attn." in n for n in lora)  # the upper half
    assert any(".h.1.mlp" in n for n in names("top:1")) and not any(
        ".h.0." in n for n in names("top:1")
    )
    with pytest.raises(DataError, match="the model has 2"):
        names("top:9")


def test_the_picture_is_read(gpt2: Path) -> None:
    one, other = requests(2)
    seeing, blind = CausalGenerator(str(gpt2), features=FEATURES), CausalGenerator(str(gpt2))
    changed = replace(one, features=other.features)
    assert seeing([one], GREEDY) != seeing([changed], GREEDY)
    assert blind([one], GREEDY) == blind([changed], GREEDY)


def test_the_prompt_leaves_room(gpt2: Path) -> None:
    generator = CausalGenerator(str(gpt2), features=FEATURES)
    asked = replace(requests(1)[0], question="Why is the sky so blue? " * 300 + "Say it!")
    prompt = generator.prompt(asked, max_new_tokens=100)
    assert prompt.endswith("Say it! Answer:")
    assert CONTEXT - 110 < len(generator._ids(prompt)) + 100 + 4 + 1 <= CONTEXT
    assert generator([asked], Decoding(max_new_tokens=900))[0][0].text
    with pytest.raises(QueryError, match="room for 1019 tokens"):
        generator([asked], Decoding(max_new_tokens=2000))


def test_only_so_much_evidence(gpt2: Path) -> None:
    generator = CausalGenerator(str(gpt2), evidence=2)
    asked = replace(
        requests(1)[0], evidence_items=[EvidenceItem(t) for t in ("one", "two", "three")]
    )
    assert "two" in generator.prompt(asked) and "three" not in generator.prompt(asked)


def test_another_base_is_refused(gpt2: Path, tmp_path: Path) -> None:
    import json
    import shutil

    from safetensors.torch import load_file, save_file

    base = Path(shutil.copytree(gpt2, tmp_path / "base"))
    CausalGenerator(str(base), features=FEATURES).save(tmp_path / "saved")
    CausalGenerator.load(tmp_path / "saved")
    state = load_file(base / "model.safetensors")
    save_file({k: v + 1 for k, v in state.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match="has other weights now"):
        CausalGenerator.load(tmp_path / "saved")
    shutil.rmtree(base)
    with pytest.raises(EncoderError, match="does not exist"):
        CausalGenerator.load(tmp_path / "saved")
    settings = json.loads((tmp_path / "saved" / "generator.json").read_text())
    assert settings["kind"] == "causal" and settings["source"] == str(base)
