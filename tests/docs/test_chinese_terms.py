"""The Chinese pages use one word for one thing; the choice is in docs/zh/index.md."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT

TABLE = "**用词。**"
PAGES = [
    *sorted((DOCS / "zh").glob("*.md")),
    ROOT / "README.zh-CN.md",
    ROOT / "src" / "ravl" / "serving" / "page" / "words.js",
]

# What must not be written, and what is written in its place.
INSTEAD = {
    r"记忆(?!库)": "记忆库",
    r"一份记忆库|这份记忆库": "一个记忆库、这个记忆库",
    r"图片说明|说明文字|英文说明|中文说明|[写缺条]说明": "描述（caption）或文档",
    r"打标签": "加关键词",
    r"把握": "置信度",
    r"份量|分量": "份额、权重",
    r"相近图片|相近的图片": "邻居",
    r"几乎相同的图片": "近似重复的图片",
    r"[训练验证测试]部分": "训练集、验证集、测试集",
    r"再看一遍": "重排",
    r"训练结果": "run",
}


def without_table(text):
    """The page without the table that lists the words themselves."""
    start = text.find(TABLE)
    if start < 0:
        return text
    return text[:start] + text[text.index("\n\n<!--", start + len(TABLE)) :]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_one_word_for_one_thing(path):
    text = without_table(path.read_text("utf-8"))
    for pattern, instead in INSTEAD.items():
        found = re.search(rf".{{0,12}}(?:{pattern}).{{0,12}}", text)
        assert not found, f"{path.name}: {found[0]!r}; write {instead}"


def test_the_choice_is_written_down():
    text = (DOCS / "zh" / "index.md").read_text("utf-8")
    assert TABLE in text
    table = text[text.index(TABLE) :]
    for chosen in ("记忆库", "描述", "关键词", "置信度", "份额", "邻居", "重排", "回收站"):
        assert f"| {chosen}" in table or chosen in table
