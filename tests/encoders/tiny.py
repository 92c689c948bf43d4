"""Tiny models of each family with random weights, saved as transformers saves them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import ByteLevel

hf: Any = transformers
SIDE, PATCH, WIDTH, DIMENSION = 32, 8, 16, 24

_TOWER = {
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_EYE = {**_TOWER, "image_size": SIDE, "patch_size": PATCH}
_IDS = {"vocab_size": 200, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
_SIGLIP_TEXT = {**_TOWER, **_IDS, "max_position_embeddings": 16}


def tiny_clip(folder: Path) -> None:
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(x + "</w>" for x in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = hf.CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[])
    text = {
        **_TOWER,
        "vocab_size": len(tokens),
        "max_position_embeddings": 20,
        "bos_token_id": len(tokens) - 2,
        "eos_token_id": len(tokens) - 1,
        "pad_token_id": len(tokens) - 1,
    }
    config = hf.CLIPConfig(text_config=text, vision_config=_EYE, projection_dim=DIMENSION)
    _save(folder, hf.CLIPModel(config), tokenizer)
    _save_processor(folder, hf.CLIPImageProcessorPil)


def tiny_siglip(folder: Path) -> None:
    config = hf.SiglipConfig(text_config=_SIGLIP_TEXT, vision_config=_EYE)
    _save(folder, hf.SiglipModel(config), _letters(["input_ids"]))
    hf.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def tiny_siglip2(folder: Path) -> None:
    """NaFlex: the only kind that has a class of its own; the others are SiglipModel."""
    eye = {**_TOWER, "patch_size": PATCH, "num_patches": 16}
    config = hf.Siglip2Config(text_config=_SIGLIP_TEXT, vision_config=eye)
    letters = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *(chr(c) for c in range(33, 127))]
    tokenizer = hf.Siglip2Tokenizer(
        vocab={t: i for i, t in enumerate(letters)}, merges=[], model_input_names=["input_ids"]
    )
    _save(folder, hf.Siglip2Model(config), tokenizer)
    hf.Siglip2ImageProcessorPil(patch_size=PATCH, max_num_patches=12).save_pretrained(folder)


def tiny_chinese_clip(folder: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz红格子衬衫"]
    tokens += [f"##{letter}" for letter in tokens[5:]]
    tokenizer = hf.BertTokenizer(vocab={t: i for i, t in enumerate(tokens)})
    text = {**_TOWER, "vocab_size": len(tokens), "max_position_embeddings": 30}
    config = hf.ChineseCLIPConfig(text_config=text, vision_config=_EYE, projection_dim=DIMENSION)
    _save(folder, hf.ChineseCLIPModel(config), tokenizer)
    _save_processor(folder, hf.ChineseCLIPImageProcessorPil)


def tiny_altclip(folder: Path) -> None:
    """Its text tower counts positions from behind the padding's, as RoBERTa does."""
    text = {**_TOWER, **_IDS, "max_position_embeddings": 20, "project_dim": DIMENSION}
    config = hf.AltCLIPConfig(text_config=text, vision_config=_EYE, projection_dim=DIMENSION)
    _save(folder, hf.AltCLIPModel(config), _letters(["input_ids", "attention_mask"]))
    _save_processor(folder, hf.CLIPImageProcessorPil)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "clip": tiny_clip,
    "siglip": tiny_siglip,
    "siglip2": tiny_siglip2,
    "chinese_clip": tiny_chinese_clip,
    "altclip": tiny_altclip,
}


def make(family: str, folder: Path) -> Path:
    """Save a tiny model of that family, with the same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        FAMILIES[family](folder)
    return folder


def edit(folder: Path, file: str, **changes: object) -> None:
    """Change fields of a JSON file of a model."""
    data = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**data, **changes}))


def _letters(inputs: list[str]) -> Any:
    """One token a character, lower and upper case apart, ending in </s>."""
    characters = [chr(c) for c in range(32, 127)]
    vocabulary = {t: i for i, t in enumerate(["<unk>", "<pad>", "</s>", *characters])}
    core = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    core.normalizer = normalizers.NFKC()
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    core.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", vocabulary["</s>"])]
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="</s>",
        model_input_names=inputs,
    )


def _save(folder: Path, model: Any, tokenizer: Any) -> None:
    with torch.no_grad():  # as initialised, the towers hardly look at their input
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _save_processor(folder: Path, kind: Any) -> None:
    crop = {"height": SIDE, "width": SIDE}
    kind(size={"shortest_edge": SIDE}, crop_size=crop).save_pretrained(folder)
