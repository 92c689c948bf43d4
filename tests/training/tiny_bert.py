"""A language model of a few thousand parameters, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from tests.helpers import COLOURS

hf: Any = transformers
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (*COLOURS, "and", "below", "number", *map(str, range(100)))


def tiny_bert(folder: Path) -> Path:
    """A BERT of two layers that knows the words of the painted pictures, with random weights."""
    tokens = [*SPECIAL, *WORDS]
    config = hf.BertConfig(
        vocab_size=len(tokens),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = hf.BertModel(config)
        with torch.no_grad():  # as initialised, it hardly looks at what it reads
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, 0.3)
        model.save_pretrained(folder)
    hf.BertTokenizer(vocab={t: i for i, t in enumerate(tokens)}).save_pretrained(folder)
    return folder
