"""Texts that follow a JSON schema or a Lark grammar, by way of the package `llguidance`.

The package says which tokens may follow. What it does not know is how much room there is; so near
the end of the room only tokens are let through behind which the text can still be closed in time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ravl.errors import QueryError
from ravl.models.generation.base import Decoding
from ravl.models.generation.constraints import Row, Spelling

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from transformers import PreTrainedTokenizerBase

TRIED = 8  # likeliest tokens that are tried near the end of the room
STEPS = 400  # tokens to the end of a text at most
CLOSING = (b"}", b"]", b'"', b"0", b"a")  # what mostly leads to the end of a text
CLOSING_STRING = (b'"', b"a", b"0")


@dataclass(slots=True)
class _Point:
    """Where a text is.

    Args:
        matcher: behind the tokens so far.
        mask: of what may follow; None before it was asked for.
        closing: about the fewest tokens to the end.
        rests: how many there are behind some of those that may follow.
    """

    matcher: LLMatcher
    mask: Tensor | None = None
    closing: list[int] | None = None
    rests: dict[int, int] = field(default_factory=dict)


class Guided:
    """A rule: the text follows a schema or a grammar, and is complete when it ends.

    Args:
        how: the Decoding, with a schema or a grammar.
        spelling: of the tokenizer.
        max_new_tokens: tokens of the text.

    Raises:
        QueryError: `llguidance` is not installed, the tokenizer is a slow one, the schema or
            grammar is not valid, or its shortest text is too long.
    """

    def __init__(self, how: Decoding, spelling: Spelling, max_new_tokens: int) -> None:
        self._spelling = spelling
        self._ends = [e for e in spelling.ends if not spelling.pieces[e]]
        self._breaks = [e for e in spelling.ends if spelling.pieces[e]]
        self._single = {p: i for i, p in reversed(list(enumerate(spelling.pieces))) if len(p) == 1}
        self._root = _matcher(how, spelling.tokenizer, self._ends[0])
        self._known: dict[int, dict[tuple[int, ...], _Point]] = {}  # by how many tokens they have
        shortest = self._shortest(self._root, b"")
        if not shortest or len(shortest) >= max_new_tokens:
            raise QueryError(
                f"The shortest text of this {'schema' if how.schema else 'grammar'} has about "
                f"{len(shortest or ()) or STEPS} tokens, and the text may have {max_new_tokens}. "
                "Simplify it, or allow more (max_new_tokens)."
            )
        self._grows = max(len(shortest), 16)  # what one token may add to the way to the end

    def narrow(self, row: Row, allowed: Tensor, scores: Tensor) -> None:
        """See :class:`ravl.models.generation.constraints.Rule`."""
        point = self._at(row.ids)
        if point.mask is None:
            point.mask = self._allowed(point.matcher)
            point.closing = self._shortest(point.matcher, row.text) if row.room <= STEPS else None
        mask, closing = point.mask, point.closing
        if closing is not None and row.room <= len(closing) + self._grows:
            mask = self._timely(row, point, mask, closing, scores)
        allowed &= mask

    def keeps(self, text: str) -> bool:
        """Whether a text is complete."""
        matcher = self._root.deep_copy()
        ids = _tokens(self._spelling.tokenizer, self._ends[0]).tokenize_str(text)
        return bool(matcher.consume_tokens(ids)) and bool(matcher.is_accepting())

    def _at(self, ids: tuple[int, ...]) -> _Point:
        """The point behind some tokens; those of the step before are remembered.

        Beams and pictures of a batch have many beginnings in common.
        """
        count = len(ids)
        here = self._known.setdefault(count, {})
        if ids not in here:
            before = self._known.get(count - 1, {}).get(ids[:-1])
            matcher = (before.matcher if before else self._root).deep_copy()
            matcher.consume_tokens(list(ids[-1:] if before else ids))
            here[ids] = _Point(matcher)
            for left in [c for c in self._known if c not in (count - 1, count)]:
                del self._known[left]
        return here[ids]

    def _allowed(self, matcher: LLMatcher) -> Tensor:
        count = len(self._spelling.pieces)
        mask = torch.zeros(count, dtype=torch.bool)
        if not matcher.is_stopped():
            bias = torch.frombuffer(bytearray(matcher.compute_logit_bias()), dtype=torch.uint8)
            mask[: len(bias)] = bias[:count] > 0
        mask[self._breaks] = False
        mask[self._ends] = bool(matcher.is_accepting())
        return mask

    def _timely(
        self, row: Row, point: _Point, mask: Tensor, closing: list[int], scores: Tensor
    ) -> Tensor:
        """The likeliest tokens behind which there is time to close, and the one that closes."""
        kept = torch.zeros_like(mask)
        kept[closing[0]] = True
        ends = set(self._ends)
        likely = scores.masked_fill(~mask, -torch.inf).topk(min(TRIED, len(mask))).indices
        for token in likely.tolist():
            if not mask[token] or token in ends:
                kept[token] |= mask[token]
                continue
            if token not in point.rests:
                after = point.matcher.deep_copy()
                after.consume_token(token)
                rest = self._shortest(after, row.text + self._spelling.pieces[token], row.room)
                point.rests[token] = STEPS if rest is None else len(rest)
            kept[token] = point.rests[token] < row.room
        return kept

    def _shortest(self, matcher: LLMatcher, text: bytes, most: int = STEPS) -> list[int] | None:
        """About the fewest tokens to the end, with the one that ends it; None for too many."""
        matcher = matcher.deep_copy()
        found: list[int] = []
        while len(found) < most:
            if matcher.is_accepting():
                return [*found, self._ends[0]]
            if forced := matcher.compute_ff_tokens():
                matcher.consume_tokens(forced)
                found += forced
                text += b"".join(self._spelling.pieces[t] for t in forced)
                continue
            mask = self._allowed(matcher)
            quotes = re.sub(rb"\\.", b"", text, flags=re.DOTALL).count(b'"')
            wanted = [self._single.get(p) for p in (CLOSING_STRING if quotes % 2 else CLOSING)]
            token = next((t for t in wanted if t is not None and mask[t]), None)
            if token is None:
                if not mask.any():
                    return None
                token = int(mask.int().argmax())
            if not matcher.consume_token(token):
                return None
            found.append(token)
            text += self._spelling.pieces[token]
        return None


def _matcher(how: Decoding, tokenizer: PreTrainedTokenizerBase, end: int) -> LLMatcher:
    try:
        from llguidance import LLMatcher
    except ImportError as error:
        raise QueryError(
            "A schema or a grammar needs the package llguidance, which is not installed. "
            "Run: pip install 'ravl[grammar]'"
        ) from error
    kind = "schema" if how.schema else "grammar"
    try:
        grammar = (
            LLMatcher.grammar_from_json_schema(
                json.dumps(json.loads(how.schema)), overrides={"whitespace_flexible": False}
            )
            if how.schema
            else LLMatcher.grammar_from_lark(how.grammar)
        )
        wrong, reasons = LLMatcher.validate_grammar_with_warnings(grammar)
    except ValueError as error:
        wrong, reasons = True, [str(error)]
    if wrong:
        reason = reasons[0].strip().splitlines()[0].rstrip(".")
        raise QueryError(f"The {kind} cannot be followed: {reason}.")
    return LLMatcher(_tokens(tokenizer, end), grammar, log_level=0)


@lru_cache(maxsize=4)
def _tokens(tokenizer: PreTrainedTokenizerBase, end: int) -> LLTokenizer:
    """The tokenizer as the package wants it; one that adds no space in front, or it would too."""
    from llguidance import LLTokenizer

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise QueryError(
            "A schema or a grammar needs a fast tokenizer, and this generator has a slow one. "
            "Use another generator."
        )
    saved = json.loads(backend.to_str())
    saved["truncation"] = saved["padding"] = None
    _no_space(saved["pre_tokenizer"])
    return LLTokenizer(json.dumps(saved), n_vocab=len(tokenizer), eos_token=end, slices=[])


def _no_space(part: object) -> None:
    """Changes byte-level parts of a tokenizer's settings, also within sequences of parts."""
    if isinstance(part, dict):
        if part.get("type") == "ByteLevel":
            part["add_prefix_space"] = False
        for inner in part.get("pretokenizers", ()):
            _no_space(inner)
