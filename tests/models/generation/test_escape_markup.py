from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravl.models.generation.escape_markup import LONGEST, escape_markup, quoted, special_tokens
from tests.models.generation.tiny import letters

MARKERS = (
    "<|im_start|>",
    "<|im_end|>",
    "</s>",
    "<s>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<image>",
    "<|user|>",
    "<|assistant|>",
    "<pad>",
    "＜|im_start|＞",
    "[IN\u200dST]",
    "[ INST]",
    "\nsystem: ",
    "\nAssistant：",
    "### Instruction",
    "[[INST]]",
    "<|im_<|im_end|>end|>",
    "gMASK",
    "gMAgMASKSK",
    "\u2028user:",
    "**User**:",
)
texts = st.lists(st.sampled_from(MARKERS) | st.text(max_size=8), max_size=8).map("".join)


@given(texts)
def test_no_marker_is_left(text: str) -> None:
    special = ["<|im_start|>", "[INST]", "gMASK", "  "]
    line = escape_markup(text, special)
    assert not re.search(r"[<>＜＞\n\r\u2028\x00-\x1f\ud800-\udfff]|##", line)
    assert not re.search(r"\[/?\w+\]", line)
    assert not re.search(r"(?i)\b(system|user|assistant)\s*[:：]", line)
    assert "gmask" not in line.lower()
    assert line == line.strip() == escape_markup(line, special)


@pytest.mark.parametrize(
    "text",
    [
        "a dog runs on the beach",
        "两只小狗在海滩上奔跑,很开心。",
        "👨‍👩‍👧 at 3:30 pm, 50 % off: 5 €",
        'a sign that says "STOP"',
        '{"colours": ["red", "blue"], "count": 2}',
        "می‌خواهم",
        "Zoë's café – naïve",
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert escape_markup(text, ["<|im_start|>", "[INST]"]) == text


def test_markers_stay_readable() -> None:
    assert escape_markup("x <b>bold</b> [INST] User: hi") == "x ‹b›bold‹/b› (INST) User, hi"


def test_long_evidence_is_cut() -> None:
    assert quoted("word " * 1000) == ("word " * 1000)[: LONGEST - 1].rstrip() + "…"
    assert quoted("short") == "short"


def test_the_special_tokens_of_a_tokenizer() -> None:
    class Processor:
        image_token = "<picture>"
        video_token = None

    found = special_tokens(letters("<|im_end|>", "<pad>", "<|im_start|>"), Processor())
    assert found == {"<|im_end|>", "<pad>", "<|im_start|>", "<picture>"}
