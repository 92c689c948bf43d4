"""A picture in front of a text: its features as a few tokens of a decoder-only language model.

As ClipCap does it (Mokady et al. 2021, https://arxiv.org/abs/2111.09734): a small projection is
trained, and the language model stays as it is or gets low-rank adapters.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ravl.encoders.towers.freezing import Strategy
from ravl.models.batch import Batch
from ravl.models.generation.adapted import Adapted

IGNORED = -100  # in ids: padding; in targets: no target


class PrefixModel(Adapted):
    """Picture tokens, prompt, target: one sequence through a decoder-only language model.

    Args:
        language: of `transformers`, with a head; changed in place.
        strategy: how much of it learns; the projection always does.
        features: F, of pictures; 0 for a model that reads no picture.
        tokens: P, that a picture becomes.
        begin: id of the token that all sequences begin with; None for none.
        smoothing: of the targets.
    """

    def __init__(
        self,
        language: Any,
        strategy: Strategy,
        features: int,
        tokens: int = 4,
        begin: int | None = None,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(language, strategy, smoothing)
        self.tokens = tokens if features else 0
        self.begin = begin
        if self.tokens:
            words = language.get_input_embeddings().weight
            size = words.shape[1]
            # the same each time; the caller's random state does not change
            with torch.random.fork_rng():
                torch.manual_seed(0)
                self.picture = nn.Linear(features, self.tokens * size)
            self.norm = nn.LayerNorm(size)
            nn.init.constant_(self.norm.weight, float(words.detach().float().std()))
        self._positions = "position_ids" in inspect.signature(language.forward).parameters
        self.to(self.device)

    def forward(
        self, prompts: Tensor, targets: Tensor, features: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            prompts: ids, (b, t), -100 for padding.
            targets: ids of what is to be written, with the token that ends it, (b, u), -100 for
                padding at the end.
            features: of the pictures, standardised, (b, F).
        """
        before, seen = self.embedded(prompts, features)  # (b, s, H), (b, s)
        there = targets != IGNORED
        mask = torch.cat([seen, there.long()], 1)
        inputs: Batch = {
            "inputs_embeds": torch.cat([before, self._words(targets)], 1),
            "attention_mask": mask,
        }
        if self._positions:
            inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        logits = self.language(**inputs, use_cache=False).logits  # (b, s + u, V)
        return {"loss": self.token_loss(logits[:, before.shape[1] - 1 : -1], targets)}

    def embedded(self, prompts: Tensor, features: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Embeddings (b, s, H) of the beginning, the pictures and the prompts, and where they are.

        Padded on the left, so that what is written follows directly.
        """
        rows = [self._words(ids[ids != IGNORED]) for ids in prompts]
        if self.tokens:
            assert features is not None
            drawn = self.picture(features).view(len(features), self.tokens, -1)  # (b, P, H)
            rows = [
                torch.cat([p.to(r.dtype), r]) for p, r in zip(self.norm(drawn), rows, strict=True)
            ]
        if self.begin is not None:
            first = self._words(torch.tensor([self.begin], device=prompts.device))
            rows = [torch.cat([first, r]) for r in rows]
        return _left_padded(rows)

    def _words(self, ids: Tensor) -> Tensor:
        found: Tensor = self.language.get_input_embeddings()(ids.clamp(min=0))
        return found


def padded_ids(rows: Sequence[Sequence[int]]) -> Tensor:
    """Lists of ids as one tensor (n, t), -100 at the end of the shorter ones."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[IGNORED] * (width - len(row))] for row in rows])


def _left_padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    padded = torch.stack([F.pad(r, (0, 0, width - len(r), 0)) for r in rows])
    seen = torch.stack(
        [
            F.pad(torch.ones(len(r), dtype=torch.long, device=r.device), (width - len(r), 0))
            for r in rows
        ]
    )
    return padded, seen
