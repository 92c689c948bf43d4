"""A new generator around pretrained weights: the encoder reads with them, the decoder writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from ravl.models.fusion import FusionConfig, encoder_with_language
from ravl.models.generation.network import GeneratorConfig, GeneratorModel
from ravl.models.generation.vocabulary import BEGIN, END, PAD, WordVocabulary
from ravl.models.silence_transformers import silence_transformers

LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.*)")
LOCAL: Any = {"local_files_only": True, "trust_remote_code": False}
BERT = (  # what of a language model's configuration the decoder takes over
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "layer_norm_eps",
    "max_position_embeddings",
    "type_vocab_size",
    "initializer_range",
)


def new_generator(
    config: FusionConfig,
    source: str | Path,
    vocabulary: WordVocabulary,
    *,
    layers: int = 3,
    dropout: float = 0.1,
    smoothing: float = 0.1,
) -> GeneratorModel:
    """An untrained generator.

    Args:
        config: of the encoder.
        source: the folder of a BERT-like language model; safetensors only. Weights
            that a BERT does not have the like of are left out, and then learned anew.
        vocabulary: that is written with.
        layers: of the decoder, taken evenly from the language model's; half of six are twice as
            fast and as good on small corpora.
        dropout: in the decoder.
        smoothing: of its targets (Szegedy et al. 2016).
    """
    with silence_transformers():
        encoder = encoder_with_language(config, source)
        language: Any = AutoModel.from_pretrained(source, use_safetensors=True, **LOCAL)
        tokenizer = AutoTokenizer.from_pretrained(source, **LOCAL)
    theirs = language.config.to_dict()
    layers = max(1, min(layers, int(getattr(language.config, "num_hidden_layers", layers))))
    decoder = {name: theirs[name] for name in BERT if theirs.get(name) is not None} | {
        "vocab_size": len(vocabulary),
        "num_hidden_layers": layers,
        "is_decoder": True,
        "add_cross_attention": True,
        "tie_word_embeddings": True,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "pad_token_id": PAD,
        "bos_token_id": BEGIN,
        "eos_token_id": END,
    }
    model = GeneratorModel(GeneratorConfig(encoder.config.to_dict(), decoder, smoothing))
    model.encoder.load_state_dict(encoder.state_dict())
    bert = model.decoder.bert
    _load(bert, _of_layers(language.state_dict(), layers))
    with torch.no_grad():
        words = language.get_input_embeddings().weight
        bert.embeddings.word_embeddings.weight.copy_(_embeddings(vocabulary, tokenizer, words))
        transform = model.decoder.cls.predictions.transform.dense
        nn.init.eye_(transform.weight)  # BERT's own was for other words
        nn.init.zeros_(transform.bias)
        nn.init.zeros_(model.decoder.cls.gate.weight)  # untrained, it does not listen
        nn.init.zeros_(model.decoder.cls.gate.bias)
        for layer in bert.encoder.layer:  # looking at the states begins as looking at the words
            _load(layer.crossattention, layer.attention.state_dict())
    model.tie_weights()
    return model


def _of_layers(weights: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """A language model's weights with some of its layers, evenly chosen, first and last among them.

    Word embeddings are left out: the decoder has words of its own.
    """
    numbers = [int(found[1]) for name in weights if (found := LAYER.match(name))]
    last = max(numbers, default=0)
    chosen = [round(i * last / max(layers - 1, 1)) for i in range(layers)]
    kept: dict[str, Tensor] = {}
    for name, weight in weights.items():
        found = LAYER.match(name)
        if found:
            for place, number in enumerate(chosen):
                if number == int(found[1]):
                    kept[f"encoder.layer.{place}.{found[2]}"] = weight
        elif "word_embeddings" not in name:
            kept[name] = weight
    return kept


def _load(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy what fits by name and shape."""
    own = module.state_dict()
    fits = {n: w for n, w in weights.items() if n in own and own[n].shape == w.shape}
    module.load_state_dict(fits, strict=False)


def _embeddings(
    vocabulary: WordVocabulary, tokenizer: PreTrainedTokenizerBase, words: Tensor
) -> Tensor:
    """First embeddings (W, H) of the vocabulary: the mean of the word pieces that spell a token."""
    found = torch.empty(len(vocabulary), words.shape[1])
    nn.init.normal_(found, std=float(words.std()))
    for i, piece in enumerate(vocabulary.pieces()):
        ids = tokenizer(piece, add_special_tokens=False)["input_ids"] if piece else []
        if ids:
            found[i] = words[ids].mean(0)
    return found
