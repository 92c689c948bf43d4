"""Plain technical English: idioms that stop a reader, and what to write in their place."""

from __future__ import annotations

import ast
import re
import tokenize
from functools import cache
from io import StringIO

import pytest

from tests.docs.pages import DOCS, ROOT

SOURCE = ROOT / "src" / "ravl"

# A regular expression, and what to write instead.
BANNED = {
    r"(?<!there )\b(?:is|are|was|were) (?-i:none)\b": "is not valid; has no ...",
    r"\bheeded?\b": "use, follow",
    r"\bshall\b": "must, should",
    r"\bbesides\b(?! the| what)": "in addition, otherwise",
    r"\bgoes before it\b": "overrides it",
    r"\b(?:where|if|when|that|to) nobody\b|\bnobody's\b": "no row, no model, without ...",
    r"\bwhoever\b": "the people who ...",
    r"\bput(?:s|ting)? (?:it |them )?right\b": "correct, fix",
    r"\bput(?:s)? right\b": "correct, fix",
    r"\bmend(?:s|ed|ing)?\b": "correct",
    r"\blook(?:s|ed)? (?:at )?again\b": "rerank; encode again",
    r"\bsecond look\b": "reranking",
    r"\blikeness\b": "similarity",
    r"\bgoes? on from\b": "continue from",
    r"\bgoes? on where\b": "continue where",
    r"\bin vain\b": "without success",
    r"\b(?:un)?told (?:by|apart|from|of)\b": "recognise, separate, describe",
    r"\bowed to\b": "subtract a correction",
    r"\bhonest(?:ly)?\b": "calibrated, valid",
    r"\blikewise\b": "name the thing again",
    r"\bof their own accord\b": "automatically",
    r"\bmost telling\b": "most informative",
    r"\bhave no like\b|\bits like\b|\btheir kin\b|\band kin\b": "similar models",
    r"\bit all the same\b": "anyway",
    r"\bat a time of\b": "while",
    r"\bcomes? to lie\b": "is stored",
    r"\bno source of\b": "has an unknown format",
    r"\banother one now\b": "has been replaced",
    r"\bwhat is given\b": "the arguments",
    r"\bas (?:it|they) (?:is|are) now\b": "the present ...",
    r"\bby its own word\b": "by its header",
    r"\bspeaks? for\b|\bspoke for\b": "supports",
    r"\bhow far to go\b": "the level",
    r"\bis (?:owed|dear)\b": "costs",
}

ANY = re.compile("|".join(BANNED), re.IGNORECASE)

TEMPLATES = sorted(p for p in SOURCE.rglob("*") if p.suffix in {".html", ".js"})
PAGES = [ROOT / "README.md", *(p for p in sorted(DOCS.rglob("*.md")) if p.parent.name != "zh")]


def phrases(text):
    """Banned phrases in a text, with what to write instead; Jinja's own words are no English."""
    plain = " ".join(re.sub(r"{%.*?%}", "", text).split())
    if not ANY.search(plain):  # one pass over the text where there is nothing to report
        return
    for pattern, instead in BANNED.items():
        for found in re.finditer(pattern, plain, re.IGNORECASE):
            around = plain[max(0, found.start() - 30) : found.end() + 30]
            yield f"{found[0]!r} (write: {instead}): ...{around}..."


@cache
def sentences(path):
    """Docstrings, comments and string literals of a file, with their lines."""
    source = path.read_text("utf-8")
    texts = [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    ]
    comments = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    return texts + comments


def found_in(path):
    return [
        f"{path.relative_to(ROOT)}:{line}: {words}"
        for line, text in sentences(path)
        for words in phrases(text)
    ]


def folder(path):
    return path.relative_to(SOURCE).parts[0]


FOLDERS = sorted({folder(p) for p in SOURCE.rglob("*.py")})


@pytest.mark.parametrize("path", PAGES + TEMPLATES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_pages_are_in_plain_english(path):
    assert not list(phrases(path.read_text("utf-8")))


@pytest.mark.parametrize("name", FOLDERS)
def test_code_is_in_plain_english(name):
    place = SOURCE / name
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert not [line for path in files for line in found_in(path)]


def test_a_bad_sentence_is_noticed():
    assert list(phrases("A column `split` is heeded; the value is none."))
    assert not list(phrases("The value is None. There is none. It is used."))
