"""JSON, arrays and damage of strangers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from ravl.errors import DataError, EncoderError
from ravl.untrusted import DEEPEST, MOST_PARTS, damage_of, parse_json, read_arrays, read_json


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ('{"a": 1, "b": {"a": 2, "a": 3}}', "the key 'a' is there more than once"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested too deeply"),
        ('["\\ud800"]', "surrogates not allowed"),
        (b"\xff", "decode byte"),
        ("9" * 5000, "digits"),
        ("[" + "[]," * MOST_PARTS + "0]", "more than 1,000,000 lists"),
        ('"' + "x" * 2000 + '"', "more than 2,000 bytes"),
    ],
)
def test_json_that_is_refused(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json(text, 2000 if why.endswith("bytes") else 2**24)


@pytest.mark.parametrize(
    "value", [1, "é红", None, [1, [2, {"a": []}]], {"a": "[[[" * 50}, "😀", "\\u"]
)
def test_other_json_is_read(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_a_file_holds_an_object(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("\ufeff{}", "utf-8")
    assert read_json(file) == {}
    file.write_text("[1]")
    with pytest.raises(ValueError, match="it holds a list, not an object"):
        read_json(file)
    with file.open("wb") as opened:
        opened.truncate(2**40)  # of holes: not all of it is read
    with pytest.raises(ValueError, match="more than"):
        read_json(file)


def test_damage_is_a_sentence() -> None:
    with (
        pytest.raises(EncoderError, match=r"^It is damaged \('a' is missing\)\. Do this\.$"),
        damage_of("It", "Do this.", EncoderError),
    ):
        {"b": 1}["a"]
    with pytest.raises(DataError, match="as it was"), damage_of("It", "Do this."):
        raise DataError("as it was")
    with pytest.raises(KeyboardInterrupt), damage_of("It", "Do this."):
        raise KeyboardInterrupt


def test_arrays() -> None:
    sound = save({"a": np.array([1, np.inf], np.float32)})
    assert read_arrays(sound, "It", "Do this.")["a"].tolist() == [1, np.inf]
    size = struct.unpack("<Q", sound[:8])[0]
    header = sound[8 : 8 + size].replace(b"[2]", b"[9]")
    for odd, why in (
        (b"", "header"),
        (sound[:-1], "incomplete|invalid|metadata"),
        (struct.pack("<Q", 2**62) + sound[8:], "header"),
        (sound[:8] + header + sound[8 + size :], "invalid|offset"),
        (save({"a": np.array([np.nan], np.float32)}), "'a' holds values that are not numbers"),
        (save({"a": np.array([1.0])}), "'a' holds float64, not float32"),
    ):
        with pytest.raises(DataError, match=rf"It is damaged .*({why})"):
            read_arrays(odd, "It", "Do this.")
