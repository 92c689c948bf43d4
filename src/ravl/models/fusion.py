"""The fusion model: a pretrained language model that reads a picture together with its neighbours.

One sequence of hidden-size tokens goes through the language model's own attention:

    [CLS]  picture x P  [SEP]  null  (picture, label, text) x k  words of the query's text ...

The neighbours are *evidence*: similar pictures with their labels and texts. The null token is
always present, so attention can ignore all evidence. The output of the language model is added to a
base answer that needs no retrieval, through an output layer that is initialised to zero: an
untrained fusion model answers as its base does (as adapters do: Flamingo, Alayrac et al. 2022;
REACT, Liu et al. 2023).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from ravl.errors import EncoderError
from ravl.json_types import JsonObject
from ravl.models.linear import torch_loss

AnyFusion = TypeVar("AnyFusion", bound="FusionEncoder")

KINDS = 6  # types of tokens: query picture, query text, null; a neighbour's picture, label, text


class FusionConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """The configuration of a :class:`FusionModel`.

    Args:
        language: configuration of the language model, as a dictionary.
        features: F, of pictures.
        vectors: D, of texts and labels.
        labels: C, answers; 1 for a score of a picture with a text.
        exclusive: softmax over the answers; otherwise a sigmoid for each.
        base: B, inputs of the base answer; for labels the F standardised features.
        picture_tokens: P, number of tokens of the query's picture.
        evidence: k, maximal number of neighbours.
        regions: R, parts of the query's picture that are read separately; 0 for no regions.
        region_features: G, number of features of each region.
        dropout: before the output layer.
        smoothing: of the targets, see :class:`ravl.models.linear.Loss`.
    """

    model_type = "ravl-fusion"

    def __init__(
        self,
        language: JsonObject | None = None,
        features: int = 1280,
        vectors: int = 384,
        labels: int = 2,
        exclusive: bool = True,
        base: int = 1280,
        picture_tokens: int = 4,
        evidence: int = 8,
        dropout: float = 0.1,
        smoothing: float = 0.0,
        regions: int = 0,
        region_features: int = 1280,
        **kwargs: Any,
    ) -> None:
        self.language = language or {}
        self.features = features
        self.vectors = vectors
        self.answers = labels
        self.exclusive = exclusive
        self.base = base
        self.picture_tokens = picture_tokens
        self.evidence = evidence
        self.regions = regions
        self.region_features = region_features
        self.dropout = dropout
        self.smoothing = smoothing
        super().__init__(**kwargs)


class FusionEncoder(PreTrainedModel):  # type: ignore[no-untyped-call]
    """The encoder: a picture, its neighbours and words become one sequence of states."""

    config_class = FusionConfig
    base_model_prefix = "fusion"
    main_input_name = "features"

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        settings = dict(config.language)
        kind = settings.pop("model_type", "bert")
        made = AutoConfig.for_model(kind, **settings)
        self.language: Any = AutoModel.from_config(made, attn_implementation="sdpa")  # type: ignore[no-untyped-call]
        if getattr(self.language, "pooler", None) is not None:
            # the state of [CLS] is used directly; BERT's pooler was trained for other tasks
            self.language.pooler = None
        size = int(self.language.config.hidden_size)
        self.picture = nn.Linear(config.features, config.picture_tokens * size)
        self.near_picture = nn.Linear(config.features, size)
        self.near_label = nn.Linear(config.vectors, size)
        self.near_text = nn.Linear(config.vectors, size)
        self.near_likeness = nn.Linear(1, size)
        self.rank = nn.Embedding(config.evidence, size)
        self.kind = nn.Embedding(KINDS, size)
        if config.regions:
            self.region = nn.Linear(config.region_features, size)
            self.place = nn.Embedding(config.regions, size)
        self.null = nn.Parameter(torch.zeros(size))
        self.norm = nn.LayerNorm(size)
        if type(self) is FusionEncoder:
            self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Small random numbers, as in BERT."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

    def read(
        self,
        features: Tensor,
        tokens: Tensor | None,
        neighbours: dict[str, Tensor] | None,
        regions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The states of all tokens.

        Args:
            features: of the queries' pictures, standardised, (b, F).
            tokens: ids of the query texts, (b, t), 0 for padding; None without texts.
            neighbours: what they show, or None without retrieval: ``features`` (b, k, F),
                ``labels`` (b, k, D), ``texts`` (b, k, D), ``similarity`` (b, k), and whether there
                is a ``picture``, ``label``, ``text`` in each place, (b, k) booleans.
            regions: of the queries' pictures, standardised, (b, R, G); None for a model without.

        Returns:
            States (b, s, H), the first of which is [CLS]'s, and the mask of tokens, (b, s).
        """
        words = self.language.get_input_embeddings()
        b, device = features.shape[0], features.device  # no len(): a size that ONNX keeps open
        ends = words(torch.tensor([self._cls, self._sep], device=device)).expand(b, 2, -1)
        picture = self.picture(features).view(b, self.config.picture_tokens, -1)  # (b, P, H)
        scale = self.scale()
        parts = [ends[:, :1], self._sized(picture, 0, scale), ends[:, 1:]]
        if regions is not None:
            parts.append(self._sized(self.region(regions) + self.place.weight, 0, scale))
        before = sum(part.shape[1] for part in parts)
        seen = [torch.ones(b, before, dtype=torch.bool, device=device)]
        parts.append(self._sized(self.null.expand(b, 1, -1), 2, scale))
        seen.append(torch.ones(b, 1, dtype=torch.bool, device=device))
        if neighbours is not None:
            more, where = self._evidence(neighbours, scale, whole=tokens is not None)
            parts.append(more)
            seen.append(where)
        if tokens is not None:  # last, so that padding does not move the other tokens
            parts.append(words(tokens) + scale * self.kind.weight[1])
            seen.append(tokens > 0)
        there = torch.cat(seen, 1)
        hidden: Tensor = self.language(
            inputs_embeds=torch.cat(parts, 1), attention_mask=there.long()
        ).last_hidden_state
        return hidden, there

    def scale(self) -> Tensor:
        """The spread of the word embeddings, to scale all tokens equally."""
        spread: Tensor = self.language.get_input_embeddings().weight.detach().std()
        return spread

    def _evidence(
        self, neighbours: dict[str, Tensor], scale: Tensor, whole: bool
    ) -> tuple[Tensor, Tensor]:
        """Tokens of the neighbours (b, 3k, H), or fewer if no neighbour has the last types.

        Only the last types are left out, and nothing if other tokens follow (``whole``), so the
        position of a token does not depend on the batch.
        """
        k = neighbours["features"].shape[1]
        place = self.rank.weight[:k] + self.near_likeness(
            neighbours["likeness"][..., None]
        )  # (b, k, H)
        kinds = [
            (3, "picture", "features", self.near_picture),
            (4, "label", "labels", self.near_label),
            (5, "text", "texts", self.near_text),
        ]
        while kinds and not whole and not bool(neighbours[kinds[-1][1]].any()):
            kinds.pop()
        if not kinds:
            return place[:, :0], neighbours["picture"][:, :0]
        parts = [
            self._sized(layer(neighbours[values]) + place, kind, scale)
            for kind, _, values, layer in kinds
        ]
        seen = [neighbours[name] for _, name, _, _ in kinds]
        return torch.cat(parts, 1), torch.cat(seen, 1)

    def _sized(self, x: Tensor, kind: int, scale: Tensor) -> Tensor:
        """Normalised and scaled to the size of word embeddings, plus the type embedding."""
        sized: Tensor = scale * (self.norm(x) + self.kind.weight[kind])
        return sized

    @property
    def _cls(self) -> int:
        return self._special("cls_token_id", "bos_token_id", 101)

    @property
    def _sep(self) -> int:
        return self._special("sep_token_id", "eos_token_id", 102)

    def _special(self, name: str, other: str, usual: int) -> int:
        """The id of a special token: not in BERT's configurations, with other names in RoBERTa's.

        BERT's ids are 101 and 102, reduced for smaller vocabularies.
        """
        config = self.language.config
        found = [getattr(config, n, None) for n in (name, other)]
        number = next((int(n) for n in found if n is not None), usual)
        return number % int(config.vocab_size)


class FusionModel(FusionEncoder):
    """See the module's docstring; made by :func:`with_language`, or loaded like other models."""

    weights: Tensor

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        size = int(self.language.config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.base = nn.Linear(config.base, config.answers)
        self.out = nn.Linear(size, config.answers)
        self.register_buffer("weights", torch.ones(config.answers))
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Like the encoder, but the output layer is zero."""
        super()._init_weights(module)
        if module is getattr(self, "out", None):
            nn.init.zeros_(self.out.weight)

    def forward(
        self,
        features: Tensor,
        base: Tensor | None = None,
        tokens: Tensor | None = None,
        neighbours: dict[str, Tensor] | None = None,
        targets: Tensor | None = None,
        known: Tensor | None = None,
        **_: object,
    ) -> SequenceClassifierOutput:
        """The answers to queries.

        Args:
            features, tokens, neighbours: see :meth:`FusionEncoder.read`.
            base: inputs of the base answer, (b, B); None for the features.
            targets: (b, C), for the loss.
            known: logits (b, C) in place of the base's. In training they come from a base that has
                not seen the example; the base itself would be right about nearly all its training
                examples, and the model would learn nothing.
        """
        if known is None:
            known = self.base(features if base is None else base)  # (b, C)
        pooled = self.read(features, tokens, neighbours)[0][:, 0]  # (b, H)
        logits = known + self.out(self.dropout(pooled))
        loss = None
        if targets is not None:
            loss = torch_loss(logits, self._smooth(targets), self.config.exclusive, self.weights)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    def _smooth(self, targets: Tensor) -> Tensor:
        share = self.config.smoothing
        level = 1 / targets.shape[1] if self.config.exclusive else 0.5
        smooth: Tensor = targets * (1 - share) + share * level
        return smooth


def with_language(config: FusionConfig, source: str | Path) -> FusionModel:
    """A new fusion model around pretrained weights.

    Args:
        config: the configuration; the language model's part is filled in.
        source: the folder of a language model; safetensors only.
    """
    return _around(FusionModel, config, source)


def encoder_with_language(config: FusionConfig, source: str | Path) -> FusionEncoder:
    """The same without a head, for a decoder."""
    return _around(FusionEncoder, config, source)


def _around(kind: type[AnyFusion], config: FusionConfig, source: str | Path) -> AnyFusion:
    try:
        language = AutoModel.from_pretrained(
            source, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"The language model in {source} cannot be loaded: {error}. Give a BERT-like model of "
            "the hub, or its folder, with its weights as safetensors."
        ) from error
    config.language = language.config.to_diff_dict() | {"model_type": language.config.model_type}
    model = kind(config)
    model.language.load_state_dict(language.state_dict(), strict=False)
    return model
