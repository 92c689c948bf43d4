"""The fused generator's network: the fusion encoder, and a decoder that reads its states.

The decoder is the same pretrained language model made causal, with cross-attention over the fused
sequence of picture, evidence and words (Rothe et al. 2020, "Leveraging Pre-trained Checkpoints for
Sequence Generation Tasks"). Its output layer holds the words of the corpus only, see
:class:`ravl.models.generation.vocabulary.WordVocabulary`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, PreTrainedConfig, PreTrainedModel

from ravl.json_types import JsonObject
from ravl.models.fusion import FusionConfig, FusionEncoder
from ravl.models.generation.decoder import Decoder, add_copy_prior
from ravl.models.generation.vocabulary import PAD

SAME_LENGTH = 64  # texts that are decoded together, of about the same length


class GeneratorConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """What a :class:`GeneratorModel` is made of.

    Args:
        fusion: configuration of the encoder, as a dictionary.
        decoder: of the decoder, a BERT's.
        smoothing: share of each target that is spread over all words.
    """

    model_type = "ravl-generator"

    def __init__(
        self,
        fusion: JsonObject | None = None,
        decoder: JsonObject | None = None,
        smoothing: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self.fusion = fusion or {}
        self.decoder = decoder or {}
        self.smoothing = smoothing
        super().__init__(**kwargs)


class GeneratorModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """See the module's docstring."""

    config_class = GeneratorConfig
    base_model_prefix = "generator"
    main_input_name = "features"
    # The output layer is the word embeddings; only one of them is saved.
    _tied_weights_keys = {  # noqa: RUF012
        "decoder.cls.predictions.decoder.weight": "decoder.bert.embeddings.word_embeddings.weight",
        "decoder.cls.predictions.decoder.bias": "decoder.cls.predictions.bias",
    }

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.encoder = FusionEncoder(FusionConfig(**config.fusion))
        settings = dict(config.decoder)
        settings.pop("model_type", None)
        self.decoder: Any = Decoder(BertConfig(**settings))
        self.post_init()  # type: ignore[no-untyped-call]

    def get_output_embeddings(self) -> nn.Module:
        """The layer over the words."""
        layer: nn.Module = self.decoder.get_output_embeddings()
        return layer

    def get_input_embeddings(self) -> nn.Module:
        """The embeddings of the words that are written."""
        layer: nn.Module = self.decoder.get_input_embeddings()
        return layer

    def forward(
        self,
        features: Tensor,
        ids: Tensor,
        owners: Tensor,
        tokens: Tensor | None = None,
        neighbours: dict[str, Tensor] | None = None,
        prior: Tensor | None = None,
        worth: Tensor | None = None,
        regions: Tensor | None = None,
        **_: object,
    ) -> dict[str, Tensor]:
        """The loss of t texts about b pictures: each picture is read once for all of its texts.

        Args:
            features, tokens, neighbours, regions: of the pictures, see :meth:`FusionEncoder.read`.
            ids: of the texts, (t, l), ``BEGIN`` first, ``PAD`` after ``END``.
            owners: the picture of each text, (t,).
            prior: of the pictures, see :class:`Decoder`.
            worth: of each text, (t,), by which its likelihood counts, also negative: how much
                better it is than others. None for texts that are all right, which are smoothed.
        """
        states, there = self.encoder.read(
            features, tokens, neighbours, regions
        )  # (b, s, H), (b, s)
        lengths = (ids != PAD).sum(1)
        order = torch.argsort(lengths)
        total = states.new_zeros((), dtype=torch.float32)
        # Together only with texts of about the same length: half of a batch would be padding.
        for part in torch.split(order, SAME_LENGTH):
            some = ids[part, : int(lengths[part].max())]  # (p, l')
            own = owners[part]
            logits, targets = self._predict(
                some, states[own], there[own], None if prior is None else prior[own]
            )
            if worth is None:
                total = total + F.cross_entropy(
                    logits, targets, label_smoothing=self.config.smoothing, reduction="sum"
                )
            else:
                each = F.cross_entropy(logits, targets, reduction="none")
                total = total + (each * worth[part].repeat_interleave(lengths[part] - 1)).sum()
        return {"loss": total / (lengths - 1).sum()}

    def _predict(
        self, ids: Tensor, states: Tensor, there: Tensor, prior: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Logits (m, W) and targets (m,) of all words that are there, each from those before it."""
        hidden = self.decoder.bert(
            input_ids=ids[:, :-1],
            attention_mask=(ids[:, :-1] != PAD).long(),
            encoder_hidden_states=states,
            encoder_attention_mask=there.long(),
            use_cache=False,
        ).last_hidden_state  # (p, l - 1, H)
        targets = ids[:, 1:]
        real = targets != PAD  # (p, l - 1)
        if prior is not None:
            prior = prior.repeat_interleave(real.sum(1), dim=0)  # (m, W)
        with add_copy_prior(prior):
            logits: Tensor = self.decoder.cls(hidden[real])
        return logits.float(), targets[real]

    def log_probabilities(
        self, ids: Tensor, states: Tensor, there: Tensor, prior: Tensor | None = None
    ) -> Tensor:
        """Log probability of each text (t,), all its words together.

        Args:
            ids: of the texts, (t, l), as for :meth:`forward`.
            states, there, prior: of what each is about, (t, s, H), (t, s) and (t, W).
        """
        logits, targets = self._predict(ids, states, there, prior)
        each = -F.cross_entropy(logits, targets, reduction="none")
        found = torch.zeros(ids[:, 1:].shape, dtype=torch.float32, device=ids.device)
        found[ids[:, 1:] != PAD] = each
        return found.sum(1)
