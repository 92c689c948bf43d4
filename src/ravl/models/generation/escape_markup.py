"""Text of others made harmless for a prompt: no markers, no roles, no lines of its own.

A language model tells data from instructions by markers alone: special tokens such as
``<|im_start|>``, textual ones such as ``[INST]``, and roles at the start of a line. Text that was
found, or that a user types, must contain none of them, whatever the model. So angle brackets
become ‹ ›, bracketed names get round brackets, a role loses its colon, and the text is one line.
What else a tokenizer holds for special is taken out. (Prompt injection through retrieved text:
Greshake et al. 2023, https://arxiv.org/abs/2302.12173.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


LONGEST = 2000  # characters of one evidence text; more is cut

# Also the forms that some tokenizers turn into the plain ones before they look for markers.
_BRACKETS = str.maketrans("<＜﹤>＞﹥［﹇］﹈“”„", '‹‹‹›››[[]]"""')
_MARKER = re.compile(r"\[\s*(/?\s*[^\W\d][\w ]*)\]")  # [INST], [/INST], [CLS], [TOOL_CALLS] ...
_ROLES = (
    "system|user|assistant|human|bot|ai|model|tool|developer|function|"
    "question|answer|instruction|instructions|response|input|output|evidence"
)
_ROLE = re.compile(rf"\b({_ROLES})(\W{{0,3}})[:：]", re.IGNORECASE)
_JOINERS = "\u200c\u200d"  # spelling of Persian, Hindi, and of emoji of several signs
_UNSEEN = ("Cc", "Cf", "Cs")  # control, format (bidirectional, tags ...), surrogates
_HIDDEN = re.compile(rf"(?<=[\x00-\x7f])[{_JOINERS}]+(?=[\x00-\x7f])")


def escape_markup(text: str, special: Iterable[str] = ()) -> str:
    """The same text as one line of plain data.

    Args:
        text: anything, also with control characters and lone surrogates.
        special: the tokenizer's special tokens, see :func:`special_tokens`; none of them is left.
    """
    line = " ".join(text.split())
    line = "".join(c for c in line if c in _JOINERS or unicodedata.category(c) not in _UNSEEN)
    line = _HIDDEN.sub("", line).translate(_BRACKETS)
    tokens = sorted({t for t in special if t.strip()}, key=len, reverse=True)
    taken = re.compile("|".join(map(re.escape, tokens)) if tokens else r"(?!)", re.IGNORECASE)
    before = ""
    while line != before:  # taking one marker out may leave another; each turn there are fewer
        before = line
        line = _ROLE.sub(r"\1\2,", _MARKER.sub(r"(\1)", line))
        line = taken.sub("", re.sub(r"#{2,}", "#", line))  # ### Instruction
        line = " ".join(line.split())
    return line


def quoted(text: str, special: Iterable[str] = ()) -> str:
    """Evidence: neutral, cut at :data:`LONGEST` characters."""
    line = escape_markup(text[: 4 * LONGEST], special)
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def special_tokens(tokenizer: PreTrainedTokenizerBase, processor: object = None) -> frozenset[str]:
    """What a tokenizer, or what puts pictures into its text, reads as more than text."""
    found = {str(t) for t in tokenizer.all_special_tokens}
    found |= {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
    for name in ("image_token", "video_token", "audio_token", "boi_token", "eoi_token"):
        if isinstance(token := getattr(processor, name, None), str):
            found.add(token)
    return frozenset(found)
