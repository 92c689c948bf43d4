"""Tiny generators with random weights, saved as transformers saves them, and requests for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from ravl.data import Example
from ravl.memory import Memory
from ravl.models.fusion import FusionConfig
from ravl.models.generation.base import EvidenceItem, GenerationRequest
from ravl.models.generation.fused import READ, FusedGenerator
from ravl.models.generation.vocabulary import WordVocabulary
from ravl.models.generation.warm_start import new_generator
from ravl.models.tokenizer import WordPieceTokenizer
from tests.helpers import COLOURS, ColourEncoder, draw

hf: Any = transformers
FEATURES = 6
CONTEXT = 1024
VECTORS = 5

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}"
    "{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}"
    "{% set first = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
    "{% else %}{% set rest = messages %}{% set first = '' %}{% endif %}"
    "{% for m in rest %}{% if m['role'] == 'user' %}"
    "<s>[INST] {{ (first if loop.first else '') + m['content'] | trim }} [/INST]"
    "{% else %} {{ m['content'] | trim }} </s>{% endif %}{% endfor %}"
)
ZEPHYR = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def letters(*special: str, template: str | None = None) -> Any:
    """A tokenizer of bytes; the special tokens are the end, the padding, and any others."""
    tokens = sorted(ByteLevel.alphabet())
    core = Tokenizer(BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[]))
    core.pre_tokenizer = ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    made = hf.PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=special[0],
        pad_token=special[1],
        extra_special_tokens=list(special[2:]),
        model_max_length=CONTEXT,
    )
    made.chat_template = template
    return made


def tiny_gpt2(folder: Path) -> Path:
    """GPT-2 of two layers over bytes."""
    tokenizer = letters("<|endoftext|>", "<pad>")
    config = hf.GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=CONTEXT,
        n_embd=32,
        n_layer=2,
        n_head=2,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.eos_token_id,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    return _save(folder, hf.GPT2LMHeadModel, config, tokenizer)


def tiny_llava(folder: Path) -> Path:
    """LLaVA: a CLIP eye of one layer, a Llama of two, one picture of four tokens."""
    tokenizer = letters("<|im_end|>", "<pad>", "<|im_start|>", "<image>", template=CHATML)
    eye = hf.CLIPVisionConfig(**_EYE, patch_size=8)
    config = hf.LlavaConfig(
        vision_config=eye,
        text_config=hf.LlamaConfig(**_text(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    pixels = hf.CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    processor = hf.LlavaProcessor(
        pixels,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHATML,
    )
    return _save(folder, hf.LlavaForConditionalGeneration, config, processor)


def tiny_idefics3(folder: Path) -> Path:
    """Idefics3, which SmolVLM is one of: several pictures in a conversation."""
    more = ("<|im_start|>", "<image>", "<fake_token_around_image>", "<global-img>")
    template = CHATML.replace("<|im_end|>", "<end_of_utterance>")
    tokenizer = letters("<end_of_utterance>", "<pad>", *more, template=template)
    config = hf.Idefics3Config(
        vision_config={**_EYE, "patch_size": 4},
        text_config={"model_type": "llama", **_text(tokenizer)},
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    pixels = hf.Idefics3ImageProcessorPil(
        size={"longest_edge": SIDE},
        max_image_size={"longest_edge": SIDE},
        do_image_splitting=False,
    )
    processor = hf.Idefics3Processor(pixels, tokenizer, image_seq_len=4, chat_template=template)
    return _save(folder, hf.Idefics3ForConditionalGeneration, config, processor)


def tiny_qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL: pictures of any size as flat patches, and a processor that also knows videos."""
    template = CHATML.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")
    names = {
        "image": "<|image_pad|>",
        "video": "<|video_pad|>",
        "vision_start": "<|vision_start|>",
        "vision_end": "<|vision_end|>",
    }
    tokenizer = letters("<|im_end|>", "<pad>", "<|im_start|>", *names.values(), template=template)
    turns = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    config = hf.Qwen2VLConfig(
        text_config={**_text(tokenizer), "rope_parameters": turns},
        vision_config={
            "depth": 1,
            "embed_dim": 16,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 4,
        },
        **{f"{k}_token_id": tokenizer.convert_tokens_to_ids(v) for k, v in names.items()},
    )
    pixels = hf.Qwen2VLImageProcessorPil(patch_size=4, merge_size=2, min_pixels=64, max_pixels=1024)
    pixels.save_pretrained(folder)
    return _save(folder, hf.Qwen2VLForConditionalGeneration, config, tokenizer)


def tiny_fused(folder: Path, **how: Any) -> FusedGenerator:
    """The embedded generator around the BERT in a folder."""
    texts = [f"a {colour} {thing}" for colour in COLOURS for thing in ("shirt", "dog", "car")]
    vocabulary = WordVocabulary.of(texts * 2, 300)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = FusionConfig(features=FEATURES, vectors=VECTORS, evidence=2)
        model = new_generator(config, str(folder), vocabulary)
        with torch.no_grad():  # as initialised, it hardly looks at what it reads
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, 0.3)
    return FusedGenerator(
        model, vocabulary, WordPieceTokenizer.load(folder, READ), max_new_tokens=8, **how
    )


def requests(count: int = 3, evidence: int = 3, question: str = "") -> list[GenerationRequest]:
    """Requests about coloured pictures, with coloured evidence."""
    names = list(COLOURS)
    return [
        GenerationRequest(
            features=_features(i),
            question=question and f"{question} {i}?",
            evidence_items=[
                exhibit(names[(i + j) % len(names)], j, question) for j in range(evidence)
            ],
            open_picture=lambda i=i: draw(i, names[i % len(names)]),  # type: ignore[misc]
        )
        for i in range(count)
    ]


def exhibit(colour: str, rank: int = 0, question: str = "") -> EvidenceItem:
    return EvidenceItem(
        text=f"a {colour} shirt",
        question=question and "What is it?",
        similarity=1 - rank / 10,
        features=_features(rank),
        vector=_vector(list(COLOURS).index(colour)),
        open_picture=lambda: draw(rank, colour),
    )


def said(texts: Sequence[str]) -> GenerationRequest:
    """A request whose evidence says so, best first."""
    found = [EvidenceItem(text=t, similarity=1 - i / 100) for i, t in enumerate(texts)]
    return GenerationRequest(features=_features(0), evidence_items=found)


SIDE = 16
_EYE = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": SIDE,
}


def _features(seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=FEATURES).astype(np.float32)


def _vector(seed: int) -> Any:
    found = np.random.default_rng(seed).normal(size=VECTORS).astype(np.float32)
    return found / np.linalg.norm(found)


def _text(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }


def _save(folder: Path, kind: Any, config: Any, reader: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = kind(config)
        with torch.no_grad():  # as initialised, it hardly looks at what it reads
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    reader.save_pretrained(folder)
    return folder


def models_beside(folder: Path, examples: Sequence[Example]) -> None:
    """A memory of examples, m.ravl, with a GPT-2 and a LLaVA that have learned nothing."""
    tiny_gpt2(folder / "gpt2")
    tiny_llava(folder / "llava")
    with Memory.create(folder / "m.ravl", ColourEncoder()) as memory:
        memory.add(examples)
