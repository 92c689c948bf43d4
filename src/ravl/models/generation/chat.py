"""Vision-language chat models of the hub: SmolVLM, Qwen-VL, LLaVA and similar models.

They read the evidence as a conversation: each neighbour's picture with its text if the model
accepts several pictures, otherwise only the texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, PreTrainedModel

from ravl.encoders.towers.freezing import Strategy, parse_strategy
from ravl.errors import EncoderError, PictureError, QueryError
from ravl.models.generation.adapted import Adapted
from ravl.models.generation.base import Candidate, Decoding, GenerationRequest, OpenPicture
from ravl.models.generation.decoding import Constrain, Writer, context_limit
from ravl.models.generation.escape_markup import special_tokens
from ravl.models.generation.hub import found_folder, load_network, load_processor
from ravl.models.generation.prefix import IGNORED, padded_ids
from ravl.models.generation.prompts import Message, conversation, fitted, folded
from ravl.models.generation.saving import read_settings, write_settings

KIND = "chat"
LONGEST = 128  # tokens of a text, where a Decoding does not say
# Trained on several pictures in one conversation; the others see the request's alone.
SEVERAL = (
    "aya_vision",
    "cohere2_vision",
    "gemma3",
    "gemma3n",
    "gemma4",
    "glm46v",
    "glm4v",
    "idefics2",
    "idefics3",
    "internvl",
    "kimi_k25",
    "lfm2_vl",
    "llama4",
    "llava_onevision",
    "mistral3",
    "perception_lm",
    "pixtral",
    "qwen2_5_vl",
    "qwen2_vl",
    "qwen3_5",
    "qwen3_vl",
    "smolvlm",
)


class ChatModel(Adapted):
    """A vision-language model whose forward gives a loss; only what the strategy names learns."""

    def forward(self, labels: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
        """The loss of a batch as :meth:`ChatGenerator.collate` makes it.

        Args:
            labels: ids of the targets at their places, -100 elsewhere, (b, t).
            inputs: of the model, with ``input_ids`` (b, t).
        """
        logits = self.language(**inputs, use_cache=False).logits  # (b, t, V)
        return {"loss": self.token_loss(logits[:, :-1], labels[:, 1:])}


class ChatGenerator:
    """A vision-language model with a chat template, of the hub or a folder; needs no training.

    The :attr:`network` can be trained with what :meth:`collate` gives.

    Args:
        source: a folder, or a name on the Hugging Face hub.
        strategy: what learns: ``head`` for nothing, ``lora``, ``top:N``, ``full``.
        smoothing: of the targets.
        evidence: neighbours at most.
        batch: requests at a time.
        several: whether neighbours are shown as pictures; None for where the kind of model is
            known to have been trained on several, see :data:`SEVERAL`.
        constrain: makes logits processors of a Decoding's constraints; None for none.

    Raises:
        EncoderError: not found, not complete, or without a chat template.
        DataError: no such strategy.
    """

    def __init__(
        self,
        source: str,
        *,
        strategy: str | Strategy = "head",
        smoothing: float = 0.0,
        evidence: int = 4,
        batch: int = 4,
        several: bool | None = None,
        constrain: Constrain | None = None,
    ) -> None:
        folder = found_folder(source)
        self._source = str(folder) if Path(source).expanduser().is_dir() else source
        self._evidence = evidence
        self.batch = batch
        self.processor = load_processor(folder)
        if not getattr(self.processor, "chat_template", None):
            raise EncoderError(
                f"{self.spec} has no chat template, so it cannot be given evidence. Use a model "
                "that was tuned for conversations; their names often end in Instruct, Chat or it."
            )
        tokenizer = self.processor.tokenizer
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        language = load_network(folder, AutoModelForImageTextToText)
        self._special = special_tokens(tokenizer, self.processor)
        kind = language.config.model_type
        self._several = kind in SEVERAL if several is None else several
        chosen = parse_strategy(strategy) if isinstance(strategy, str) else strategy
        self.network = ChatModel(language, chosen, smoothing)
        self._room = context_limit(language.config, tokenizer)
        self.writer = Writer(
            self.spec,
            language,
            tokenizer,
            min(LONGEST, max(self._room // 2, 1)),
            self._ends(language),
            constrain=constrain,
        )

    @property
    def spec(self) -> str:
        """``hf:`` with the name."""
        return f"hf:{self._source}"

    @property
    def evidence(self) -> int:
        """Neighbours that it reads at most."""
        return self._evidence

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        """Texts for each request, likeliest first; sampled ones are the same in any batch.

        Raises:
            QueryError: constraints that it was loaded without, or more tokens than it has room for.
            PictureError: a request's picture cannot be opened; a neighbour's is left out.
        """
        how = how or Decoding()
        self.writer.check(how)
        fitting = [self._fitted(r, self._max_new_tokens(how)) for r in requests]
        found: list[list[Candidate]] = [[] for _ in requests]
        for places in self._batches(fitting, 1 if how.do_sample else self.batch):
            written = self.writer.write(self._inputs([fitting[i] for i in places]), how)
            for i, candidates in zip(places, written, strict=True):
                found[i] = candidates
        return found

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        """The text of one request, in pieces.

        Raises:
            QueryError: as when called.
        """
        how = how or Decoding()
        self.writer.check(how)
        return self.writer.stream(
            self._inputs([self._fitted(request, self._max_new_tokens(how))]), how
        )

    def collate(
        self, requests: Sequence[GenerationRequest], targets: Sequence[str]
    ) -> dict[str, Tensor]:
        """A training batch for :attr:`network`: n requests with the texts that answer them."""
        tokenizer, end = self.processor.tokenizer, self.writer.ends[0]
        answers = [
            [*tokenizer(t.strip(), add_special_tokens=False)["input_ids"], end] for t in targets
        ]
        max_new_tokens = max(map(len, answers))
        inputs = self._inputs([self._fitted(r, max_new_tokens) for r in requests])
        shape = inputs["input_ids"].shape  # (b, t)
        labels = padded_ids(answers).to(self.network.device)  # (b, u)
        ids = labels.masked_fill(labels == IGNORED, int(tokenizer.pad_token_id or 0))
        behind = {"input_ids": ids, "attention_mask": (labels != IGNORED).long()}
        whole = {
            name: torch.cat([value, behind.get(name, torch.zeros_like(ids))], 1)
            if value.shape == shape
            else value
            for name, value in inputs.items()
        }
        silent = torch.full_like(inputs["input_ids"], IGNORED)
        return {**whole, "labels": torch.cat([silent, labels], 1)}

    def save(self, folder: str | Path) -> None:
        """Write what was learned, and the name of the model below it, into a folder."""
        write_settings(
            Path(folder),
            KIND,
            self._source,
            self.network,
            {
                "smoothing": self.network.smoothing,
                "evidence": self._evidence,
                "several": self._several,
            },
        )
        self.network.save_learned(Path(folder))

    @classmethod
    def load(cls, folder: str | Path, **how: object) -> ChatGenerator:
        """What :meth:`save` wrote; other arguments, such as ``constrain``, are passed on.

        Raises:
            EncoderError: files are missing, or the model below is another one than in training.
        """
        settings = read_settings(Path(folder), KIND)
        made = cls(settings.source, strategy=settings.strategy, **{**settings.rest, **how})
        settings.check(made.network)
        made.network.load_learned(Path(folder))
        return made

    def rendered(self, request: GenerationRequest) -> tuple[str, list[OpenPicture]]:
        """The prompt of a request as the template writes it, and the pictures in it."""
        messages, openers = conversation(request, self._special, self._several)
        return self._template(messages if self._knows_system else folded(messages)), openers

    def _template(self, messages: Sequence[Message]) -> str:
        text: str = self.processor.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return text

    @cached_property
    def _knows_system(self) -> bool:
        """Whether the template writes what a system message says; some refuse or leave it out."""
        messages, _ = conversation(GenerationRequest(features=np.zeros(0, np.float32)))
        try:
            return str(messages[0]["content"][0]["text"]) in self._template(messages)
        except Exception:  # templates raise what they like
            return False

    def _max_new_tokens(self, how: Decoding) -> int:
        return how.max_new_tokens or max(self.writer.max_new_tokens, how.min_new_tokens)

    def _fitted(self, request: GenerationRequest, max_new_tokens: int) -> GenerationRequest:
        """With pictures that open, and cut so that an answer of so many tokens has room."""
        room = self._room - max_new_tokens
        if room < 1:
            raise QueryError(
                f"{self.spec} has room for {self._room} tokens, prompt and text together; "
                f"{max_new_tokens} are too many for the text."
            )
        evidence_items = [
            replace(
                e, open_picture=_opened(e.open_picture, strict=False) if self._several else None
            )
            for e in list(request.evidence_items)[: self.evidence]
        ]
        request = replace(
            request,
            evidence_items=evidence_items,
            open_picture=_opened(request.open_picture, strict=True),
        )
        return fitted(request, lambda r: int(self._inputs([r])["input_ids"].shape[1]), room)

    def _batches(self, requests: Sequence[GenerationRequest], size: int) -> Iterator[list[int]]:
        """Positions of requests with equally many pictures: not all processors mix them."""
        counts: dict[int, list[int]] = {}
        for i, request in enumerate(requests):
            counts.setdefault(len(self.rendered(request)[1]), []).append(i)
        for places in counts.values():
            yield from (places[i : i + size] for i in range(0, len(places), size))

    def _inputs(self, requests: Sequence[GenerationRequest]) -> dict[str, Tensor]:
        """What the model takes, padded on the left."""
        texts, openers = zip(*map(self.rendered, requests), strict=True)
        start = self.processor.tokenizer.bos_token
        begun = bool(start) and texts[0].startswith(start)  # else it would begin twice
        made = self.processor(
            text=list(texts),
            images=[[open_picture() for open_picture in some] for some in openers]
            if any(openers)
            else None,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            add_special_tokens=not begun,
        )
        dtype = self.network.language.dtype  # of what is no id or mask
        return {
            name: value.to(self.network.device, dtype if value.is_floating_point() else None)
            for name, value in made.items()
        }

    def _ends(self, language: PreTrainedModel) -> list[int]:
        """Ids of tokens that end a text, the tokenizer's own first."""
        known = language.generation_config.eos_token_id
        ids = [
            self.processor.tokenizer.eos_token_id,
            *(known if isinstance(known, list) else [known]),
        ]
        ends = list(dict.fromkeys(int(i) for i in ids if i is not None))
        if not ends:
            raise EncoderError(f"{self.spec} has no token that ends a text (eos_token).")
        return ends


def _opened(open_picture: OpenPicture | None, strict: bool) -> OpenPicture | None:
    """The same picture, opened once; None if it cannot be and need not."""
    if open_picture is None:
        return None
    try:
        picture: Image.Image = open_picture()
    except PictureError:
        if strict:
            raise
        return None
    return lambda: picture
