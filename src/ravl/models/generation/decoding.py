"""Running ``generate()``: a Decoding as the library's settings, its output as candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import Empty
from threading import Event, Thread
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    NoRepeatNGramLogitsProcessor,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from ravl.errors import QueryError
from ravl.models.batch import Batch
from ravl.models.generation.base import CONSTRAINTS, Candidate, Decoding, best_first
from ravl.models.generation.stream_cleanup import tidy
from ravl.models.silence_transformers import silence_transformers

# What a Decoding requires and forbids, with the tokenizer and the tokens that end a text, as
# processors; one that has a method ``keeps`` is asked in the end if a text is right.
Constrain = Callable[[Decoding, PreTrainedTokenizerBase, Sequence[int]], LogitsProcessorList]


@dataclass(frozen=True)
class Writer:
    """Writes what a model of `transformers` makes of prepared inputs.

    Args:
        spec: the generator's name, for errors.
        model: that has ``generate()``.
        tokenizer: of its output.
        max_new_tokens: tokens, where a Decoding does not say.
        ends: ids of tokens that end a text.
        line: a text ends at its first line break; the ids of such tokens are among ``ends``.
        constrain: makes processors of what a Decoding requires and forbids; None for a model that
            cannot be constrained.
    """

    spec: str
    model: Any
    tokenizer: PreTrainedTokenizerBase
    max_new_tokens: int
    ends: Sequence[int]
    line: bool = False
    constrain: Constrain | None = None

    def check(self, how: Decoding) -> None:
        """Raises QueryError if the Decoding asks for what cannot be done."""
        if how.plain or self.constrain is not None:
            return
        asked = [n for n in CONSTRAINTS if getattr(how, n) != getattr(Decoding(), n)]
        raise QueryError(
            f"{self.spec} was loaded without constraints, so it cannot do {', '.join(asked)}. "
            "Leave that out, or load it with constraints."
        )

    def write(self, inputs: Batch, how: Decoding) -> list[list[Candidate]]:
        """Candidates of each prompt, likeliest first.

        What is likeliest is judged by the model's own log probability, of which no temperature or
        constraint is part, divided by the length to the power of the length penalty.

        Args:
            inputs: of the model, padded on the left; ``input_ids`` or ``inputs_embeds`` of b
                prompts, or ``decoder_input_ids`` with what else an encoder-decoder takes.
            how: the Decoding.
        """
        start = _start(inputs)
        constraints = self._constraints(how)
        with torch.inference_mode(), silence_transformers(), _seeded(how):
            out = self.model.generate(
                **inputs,
                generation_config=self.settings(how),
                logits_processor=self._processors(how, start, constraints),
            )
        ids = out.sequences[:, start:]  # (b * n, t)
        logs = _log_probabilities(out, ids)  # (b * n, t)
        each = how.num_return_sequences
        found = [self._candidate(i, p) for i, p in zip(ids.tolist(), logs, strict=True)]
        return [
            best_first(self._kept(found[i : i + each], constraints), how.length_penalty)
            for i in range(0, len(found), each)
        ]

    def stream(self, inputs: Batch, how: Decoding) -> Iterator[str]:
        """The text of one prompt in pieces; greedy, or sampled."""
        how = replace(how, num_beams=1, num_return_sequences=1)
        streamer = TextIteratorStreamer(
            self.tokenizer, skip_prompt=True, timeout=0.1, skip_special_tokens=True
        )
        stop, errors = Event(), list[BaseException]()

        def run() -> None:
            try:
                with torch.inference_mode(), silence_transformers(), _seeded(how):
                    self.model.generate(
                        **inputs,
                        generation_config=self.settings(how),
                        logits_processor=self._processors(
                            how, _start(inputs), self._constraints(how)
                        ),
                        streamer=streamer,
                        stopping_criteria=StoppingCriteriaList([_Stopped(stop)]),
                    )
            except BaseException as error:  # raised again where the pieces are read
                errors.append(error)

        thread = Thread(target=run, daemon=True)
        thread.start()
        try:
            yield from tidy(_pieces(streamer, thread), self.line)
        finally:
            stop.set()
            thread.join()
        if errors:
            raise errors[0]

    def settings(self, how: Decoding) -> GenerationConfig:
        """The library's settings; all that change the text are set, or the model's own would."""
        drawn: dict[str, Any] = {
            "num_beams": 1,
            "do_sample": True,
            "min_p": 0.0,
            "temperature": how.temperature,
            "top_p": how.top_p,
        }
        searched = {"num_beams": max(how.num_beams, how.num_return_sequences), "do_sample": False}
        max_new_tokens = self._max_new_tokens(how)
        guided = bool(how.schema or how.grammar)  # which say when a text may end
        min_new_tokens = 0 if guided else min(max(how.min_new_tokens, 1), max_new_tokens)
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            min_new_tokens=min_new_tokens,
            top_k=0,
            num_return_sequences=how.num_return_sequences,
            length_penalty=how.length_penalty,
            no_repeat_ngram_size=0,
            repetition_penalty=1.0,
            early_stopping=False,
            eos_token_id=list(self.ends),
            pad_token_id=self._pad,
            use_cache=True,
            return_dict_in_generate=True,
            output_logits=True,
            **(drawn if how.do_sample else searched),
        )  # type: ignore[no-untyped-call]

    @property
    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(self.ends[0] if pad is None else pad)

    def _max_new_tokens(self, how: Decoding) -> int:
        return how.max_new_tokens or max(self.max_new_tokens, how.min_new_tokens)

    def _constraints(self, how: Decoding) -> LogitsProcessorList:
        if self.constrain is None or how.plain:
            return LogitsProcessorList()
        return self.constrain(
            replace(how, max_new_tokens=self._max_new_tokens(how)), self.tokenizer, self.ends
        )

    def _processors(
        self, how: Decoding, start: int, constraints: LogitsProcessorList
    ) -> LogitsProcessorList:
        inner = LogitsProcessorList()
        if how.no_repeat_ngram_size:
            inner.append(NoRepeatNGramLogitsProcessor(how.no_repeat_ngram_size))
        inner.extend(constraints)
        return LogitsProcessorList([_Beyond(start, inner)] if inner else [])

    def _kept(
        self, candidates: list[Candidate], constraints: LogitsProcessorList
    ) -> list[Candidate]:
        """Those that satisfy all constraints in the end; what cannot is not among them."""
        checks = [p.keeps for p in constraints if hasattr(p, "keeps")]
        found = [c for c in candidates if all(check(c.text) for check in checks)]
        if not found:
            raise QueryError(
                f"{self.spec} wrote no text that satisfies all constraints. Ask for less, or "
                "allow more tokens (max_new_tokens)."
            )
        return found

    def _candidate(self, ids: list[int], logs: Tensor) -> Candidate:
        """The text up to its end; the token that ends it counts."""
        ends = set(self.ends)
        count = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
        text = str(self.tokenizer.decode(ids[:count], skip_special_tokens=True))
        probability = min(float(logs[:count].sum()), 0.0)
        return Candidate("".join(tidy([text], self.line)), probability, count)


def context_limit(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that a model has room for, prompt and answer together."""
    text = config.get_text_config()
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
    found = [getattr(text, n, None) for n in names] + [tokenizer.model_max_length]
    return min([int(n) for n in found if isinstance(n, int | float) and n > 0], default=2048)


def line_ends(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of all tokens whose text holds a line break."""
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    return [i for i, text in enumerate(texts) if "\n" in text]


class _Beyond(LogitsProcessor):
    """Lets other processors see what is written, not the prompt before it."""

    def __init__(self, start: int, inner: LogitsProcessorList) -> None:
        self._start = start
        self._inner: Any = inner  # its types are narrower than what transformers passes

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        found: Tensor = self._inner(input_ids[:, self._start :], scores)
        return found


class _Stopped(StoppingCriteria):
    """Stops the generation when the reader has stopped."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:  # noqa: ARG002
        return torch.full((len(input_ids),), self._stop.is_set(), device=input_ids.device)


def _pieces(streamer: TextIteratorStreamer, thread: Thread) -> Iterator[str]:
    """What the streamer gives, until it ends or the thread that fills it is dead."""
    while True:
        alive = thread.is_alive()
        try:
            yield next(streamer)
        except StopIteration:
            return
        except Empty:
            if not alive:
                return


@contextmanager
def _seeded(how: Decoding) -> Iterator[None]:
    """The sampling's own chance; the caller's goes on as if nothing had been drawn."""
    with torch.random.fork_rng(enabled=how.do_sample):
        if how.do_sample:
            torch.manual_seed(how.seed)
        yield


def _start(inputs: Batch) -> int:
    """Where the output begins: behind the ids of a prompt or of a decoder; embeddings have none."""
    names = ("decoder_input_ids", "input_ids")
    return next((int(inputs[name].shape[1]) for name in names if name in inputs), 0)


def _log_probabilities(out: Any, ids: Tensor) -> Tensor:
    """Of each token under the model itself, (rows, t); of padding, whatever comes out."""
    rows, length = ids.shape
    beams = getattr(out, "beam_indices", None)
    if beams is None:
        beams = torch.arange(rows, device=ids.device)[:, None].expand(rows, length)
    steps = [
        out.logits[t].float().log_softmax(-1)[beams[:, t].clamp(min=0), ids[:, t]]
        for t in range(min(length, len(out.logits), beams.shape[1]))
    ]
    return torch.stack(steps, 1).cpu()
