"""The page's texts: both languages, and none that is missing or not used."""

from __future__ import annotations

import re
from functools import cache

from ravl.tasks import registry
from tests.serving.page.test_served import source

UNTRANSLATED = {"nav.runs"}  # "run" stays as it is in Chinese, see docs/zh/index.md
TEXT = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''


@cache
def words() -> dict[str, tuple[str, str]]:
    entry = re.compile(rf'^  "?([\w.]+)"?: \[({TEXT}), ({TEXT})\],$', re.M)
    text = source("js")["words.js"]
    found = {key: (en[1:-1], zh[1:-1]) for key, en, zh in entry.findall(text)}
    lines = [line for line in text.splitlines() if line.startswith("  ") and "[" in line]
    assert len(found) == len(lines) > 150  # none is hidden from this test by its form
    return found


def code() -> str:
    found = source("js", "html")
    return "\n".join(text for name, text in found.items() if name != "words.js")


def used() -> set[str]:
    """Keys that are certainly used as such."""
    patterns = (
        r'data-t(?:-\w+)?="([\w.]+)"',
        r'\bt(?:Label|Placeholder)?: \[?"([\w.]+)"',
        r'\bsay\([^,]+(?:\([^)]*\))?, "([\w.]+)"',
        r'\bstatus\("([\w.]+)"',
        r'\bkey: "([\w.]+)"',
        r'\b(?:field|group|repeated|button|confirmed|options)\("([\w.]+)"',
        r'\["(row\.[\w.]+)",',
        r'\["(runs\.[\w.]+)",',
        r'"(figures\.[\w.]+)"',
    )
    return {key for pattern in patterns for key in re.findall(pattern, code())}


def test_every_text_has_both_languages():
    for key, (english, chinese) in words().items():
        assert english and chinese, key
        assert not re.search(r"[\u4e00-\u9fff]", english), key
        assert re.search(r"[\u4e00-\u9fff]", chinese) or key in UNTRANSLATED, key
        assert gaps(english) == gaps(chinese), key


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)", text))


def test_every_key_that_is_used_exists():
    assert len(used()) > 120
    assert used() - set(words()) == set()


def test_keys_that_are_put_together_exist():
    prefixes = set(re.findall(r"`([\w.]+\.)\$\{", code()))
    assert {"task.", "correct.", "inbox.", "inbox.now.", "ask.no."} <= prefixes
    for prefix in prefixes:
        assert any(key.startswith(prefix) for key in words()), prefix
    for task in registry.tasks():
        assert f"task.{task.command}" in words()
        assert f"correct.{task.command}" in words() or not task.answers
        assert f"ask.no.{task.beside}" in words() or not task.beside
    for state in ("open", "used", "dismissed"):
        assert f"inbox.now.{state}" in words()
    for verdict in ("accepted", "corrected", "rejected"):
        assert f"inbox.{verdict}" in words()


def test_no_text_is_left_over():
    prefixes = tuple(re.findall(r"`([\w.]+\.)\$\{", code()))
    text = code()
    for key in words():
        assert f'"{key}"' in text or key.startswith(prefixes), key
