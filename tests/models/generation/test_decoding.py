from __future__ import annotations

from collections.abc import Sequence
from math import isclose
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertLMHeadModel,
    BertModel,
    EncoderDecoderModel,
    GPT2Config,
    LogitsProcessor,
    LogitsProcessorList,
)
from transformers.modeling_outputs import BaseModelOutput

from ravl.errors import QueryError
from ravl.models.generation.base import Decoding
from ravl.models.generation.causal import CausalGenerator
from ravl.models.generation.chat import ChatGenerator
from ravl.models.generation.decoding import Writer, context_limit, line_ends
from tests.models.generation.tiny import FEATURES, letters, requests


class OnlyCapitals(LogitsProcessor):
    """Forbids all but A to Z, of which none may follow itself; notes what it was shown."""

    def __init__(self, tokenizer: Any) -> None:
        self.allowed = [i for i in range(len(tokenizer)) if tokenizer.decode([i]).isupper()]
        self.shown: list[int] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self.shown.append(input_ids.shape[1])
        masked = torch.full_like(scores, -torch.inf)
        masked[:, self.allowed] = scores[:, self.allowed]
        if input_ids.shape[1]:
            masked.scatter_(1, input_ids[:, -1:], -torch.inf)
        return masked


class Eager(LogitsProcessor):
    """Would like to come to an end."""

    def __init__(self, ends: Sequence[int]) -> None:
        self.ends = list(ends)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores = scores.clone()
        scores[:, self.ends] += input_ids.shape[1]
        return scores


class Constraints:
    """Makes processors, and keeps them to be looked at."""

    def __init__(self) -> None:
        self.made: list[OnlyCapitals] = []

    def __call__(self, how: Decoding, tokenizer: Any, ends: Any) -> LogitsProcessorList:
        self.made.append(OnlyCapitals(tokenizer))
        return LogitsProcessorList([self.made[-1]])


@pytest.fixture(params=["causal", "chat"])
def constrained(request: pytest.FixtureRequest, gpt2: Path, llava: Path) -> tuple[Any, Constraints]:
    constrain = Constraints()
    if request.param == "causal":
        return CausalGenerator(str(gpt2), constrain=constrain), constrain
    return ChatGenerator(str(llava), constrain=constrain), constrain


@pytest.mark.parametrize(
    "how",
    [
        Decoding(num_beams=1, max_new_tokens=6, min_new_tokens=6),
        Decoding(num_beams=3, num_return_sequences=3, max_new_tokens=6, min_new_tokens=6),
        Decoding(
            do_sample=True,
            num_return_sequences=2,
            temperature=0.5,
            max_new_tokens=6,
            min_new_tokens=6,
        ),
        Decoding(num_beams=4, num_return_sequences=2, max_new_tokens=12),
        Decoding(num_beams=3, max_new_tokens=5, forbid=("x",)),
    ],
    ids=["greedy", "beams", "drawn", "ends", "constrained"],
)
def test_log_probabilities_are_the_models_own(constrained: Any, how: Decoding) -> None:
    check_log_probabilities(constrained[0], how)


@pytest.mark.parametrize(
    "how",
    [
        Decoding(num_beams=4, num_return_sequences=3, max_new_tokens=12, forbid=("x",)),
        Decoding(num_beams=1, max_new_tokens=12, forbid=("x",)),
        Decoding(do_sample=True, num_return_sequences=3, max_new_tokens=12, forbid=("x",)),
    ],
    ids=["beams", "greedy", "drawn"],
)
@pytest.mark.parametrize("family", ["gpt2", "llava"])
def test_texts_that_end_at_different_lengths(
    request: pytest.FixtureRequest, family: str, how: Decoding
) -> None:
    eager = LogitsProcessorList()
    kind: Any = CausalGenerator if family == "gpt2" else ChatGenerator
    generator = kind(str(request.getfixturevalue(family)), constrain=lambda *_: eager)
    eager.append(Eager(generator.writer.ends))
    lengths = check_log_probabilities(generator, how)
    assert min(lengths) < 12 and len(lengths) > 1


def check_log_probabilities(generator: Any, how: Decoding) -> set[int]:
    """Against a plain forward pass over prompt and text; gives the lengths of the texts."""
    writer = generator.writer
    batch = [
        generator._fitted(r, 12) if isinstance(generator, ChatGenerator) else r for r in requests(2)
    ]
    inputs = (
        generator._inputs(batch)
        if isinstance(generator, ChatGenerator)
        else generator._inputs(batch, how)
    )
    start = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
    kept: list[Any] = []
    generate = writer.model.generate

    def keeping(**settings: Any) -> Any:
        kept.append(generate(**settings))
        return kept[-1]

    writer.model.generate = keeping
    try:
        found = writer.write(inputs, how)
    finally:
        del writer.model.generate
    rows = kept[0].sequences[:, start:]
    each, matched = how.num_return_sequences, 0
    for i, row in enumerate(rows.tolist()):
        length = next((j + 1 for j, t in enumerate(row) if t in writer.ends), len(row))
        one = {k: v[i // each : i // each + 1] for k, v in inputs.items() if len(v) == len(batch)}
        expected = _by_hand(writer.model, one, row[:length])
        text = writer._candidate(row, torch.zeros(len(row))).text
        (same,) = [c for c in found[i // each] if c.text == text]
        assert same.log_probability > expected - 1e-3  # the likeliest of those that read alike
        matched += isclose(same.log_probability, expected, abs_tol=1e-3) and same.tokens == length
    assert matched == sum(map(len, found))
    return {c.tokens for some in found for c in some}


@torch.inference_mode()
def _by_hand(model: Any, inputs: dict[str, Any], written: list[int]) -> float:
    ids = torch.tensor([written])
    if "inputs_embeds" in inputs:
        words = model.get_input_embeddings()(ids)
        whole: dict[str, Any] = {"inputs_embeds": torch.cat([inputs["inputs_embeds"], words], 1)}
    else:
        whole = {**inputs, "input_ids": torch.cat([inputs["input_ids"], ids], 1)}
    mask = torch.cat([inputs["attention_mask"], torch.ones_like(ids)], 1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(**{**whole, "attention_mask": mask, "position_ids": positions}).logits
    logs = logits[0, -len(written) - 1 : -1].log_softmax(-1)
    return float(logs[torch.arange(len(written)), ids[0]].sum())


def test_constraints_see_what_is_written_and_nothing_else(constrained: Any) -> None:
    generator, constraints = constrained
    for how in (
        Decoding(num_beams=3, max_new_tokens=5, forbid=("x",)),
        Decoding(do_sample=True, max_new_tokens=5, forbid=("x",)),
    ):
        for found in generator(requests(2), how):
            assert found[0].text.isupper() and len(found[0].text) == 5
        assert [made.shown for made in constraints.made] == [[0, 1, 2, 3, 4]] * len(
            constraints.made
        )
        constraints.made.clear()
    piece = "".join(generator.stream(requests(1)[0], Decoding(max_new_tokens=5, forbid=("x",))))
    assert piece.isupper()
    constraints.made.clear()
    generator(requests(1), Decoding(max_new_tokens=3))
    assert not constraints.made  # nothing to constrain


@pytest.mark.parametrize(
    "asked",
    [
        {"require": ("x",)},
        {"forbid": ("x",)},
        {"nouns": frozenset()},
        {"schema": "{}"},
        {"grammar": "start: X"},
    ],
)
def test_constraints_that_were_not_loaded(gpt2: Path, llava: Path, asked: dict[str, Any]) -> None:
    for generator in (CausalGenerator(str(gpt2)), ChatGenerator(str(llava))):
        with pytest.raises(QueryError, match=f"cannot do {next(iter(asked))}"):
            generator(requests(1), Decoding(**asked))
        with pytest.raises(QueryError, match="cannot do"):
            generator.stream(requests(1)[0], Decoding(**asked))


def test_no_n_gram_twice_in_the_text_but_those_of_the_prompt(llava: Path) -> None:
    generator = ChatGenerator(str(llava))
    free = generator(requests(2), Decoding(num_beams=1, max_new_tokens=30))
    kept = generator(requests(2), Decoding(num_beams=1, max_new_tokens=30, no_repeat_ngram_size=1))
    for before, (found,) in zip(free, kept, strict=True):
        ids = generator.processor.tokenizer(found.text)["input_ids"]
        assert len({*ids}) >= len(ids) - found.text.count("�") * 3
        assert found.text[:4] == before[0].text[:4]  # the prompt's letters are not forbidden


def test_temperature_and_nucleus(gpt2: Path) -> None:
    generator = CausalGenerator(str(gpt2), features=FEATURES)
    greedy = generator(requests(2), Decoding(num_beams=1, max_new_tokens=6))
    for sure in ({"temperature": 1e-4}, {"top_p": 1e-6}):
        drawn = generator(requests(2), Decoding(do_sample=True, max_new_tokens=6, **sure))  # type: ignore[arg-type]
        assert [c[0].text for c in drawn] == [c[0].text for c in greedy]
    state = torch.random.get_rng_state()
    generator(requests(1), Decoding(do_sample=True, max_new_tokens=4))
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_shortest_is_kept(gpt2: Path) -> None:
    generator = CausalGenerator(str(gpt2))
    for how in (
        Decoding(min_new_tokens=9, max_new_tokens=9),
        Decoding(do_sample=True, min_new_tokens=50),
    ):
        assert all(c.tokens >= how.min_new_tokens for c in generator(requests(1), how)[0])


def test_an_error_while_streaming_arrives(gpt2: Path) -> None:
    def broken(how: Decoding, tokenizer: Any, ends: Any) -> LogitsProcessorList:
        raise QueryError("no such noun")

    generator = CausalGenerator(str(gpt2), constrain=broken)
    with pytest.raises(QueryError, match="no such noun"):
        list(generator.stream(requests(1)[0], Decoding(forbid=("x",))))


def test_line_ends_and_context() -> None:
    tokenizer = letters("<end>", "<pad>")
    assert tokenizer.decode(line_ends(tokenizer)) == "\n"
    assert context_limit(GPT2Config(n_positions=77), tokenizer) == 77
    assert context_limit(GPT2Config(n_positions=5000), tokenizer) == 1024


def test_the_token_that_ends_a_text_counts(gpt2: Path) -> None:
    writer = CausalGenerator(str(gpt2)).writer
    ids = [*writer.tokenizer(" a dog")["input_ids"], writer.tokenizer.eos_token_id, 5, 5]
    found = writer._candidate(ids, -torch.ones(9))
    assert (found.text, found.tokens, found.log_probability) == ("a dog", 7, -7.0)
    line = writer.tokenizer(" a dog\nQuestion: no")["input_ids"]
    found = writer._candidate(line, -torch.ones(len(line)))
    assert (found.text, found.tokens) == ("a dog", 7)


@torch.inference_mode()
def test_an_encoder_decoder_writes_behind_its_first_token() -> None:
    tokenizer = letters("<end>", "<pad>")
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = BertLMHeadModel(BertConfig(**sizes, is_decoder=True, add_cross_attention=True))
        torch.nn.init.normal_(decoder.bert.embeddings.word_embeddings.weight)
        model: Any = EncoderDecoderModel(encoder=BertModel(BertConfig(**sizes)), decoder=decoder)
        states = torch.randn(2, 3, 16)
    model.generation_config.decoder_start_token_id = 7
    how = Decoding(num_beams=2, forbid=("x",))
    capitals = OnlyCapitals(tokenizer)
    writer = Writer(
        "tiny",
        model.eval(),
        tokenizer,
        5,
        [tokenizer.eos_token_id],
        constrain=lambda *_: LogitsProcessorList([capitals]),
    )
    found = writer.write(
        {
            "encoder_outputs": BaseModelOutput(last_hidden_state=states),
            "decoder_input_ids": torch.full((2, 1), 7),
            "attention_mask": torch.ones(2, 3),
        },
        how,
    )
    assert capitals.shown == [0, 1, 2, 3, 4]
    for i, (candidate,) in enumerate(found):
        ids = tokenizer(candidate.text)["input_ids"]
        assert candidate.tokens == len(ids) == 5
        one = BaseModelOutput(last_hidden_state=states[i : i + 1])
        logits = model(encoder_outputs=one, decoder_input_ids=torch.tensor([[7, *ids]])).logits
        expected = sum(float(logits[0].log_softmax(-1)[j, t]) for j, t in enumerate(ids))
        assert candidate.log_probability == pytest.approx(expected, abs=1e-3)
