"""What a Decoding constrains, as a logits processor that any tokenizer and any search can use.

Everything is judged by the text that a token would lead to, not by tokens, so it does not matter
how a word is spelt; and nothing is remembered between steps but what follows from the text, so
beams may be reordered as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedTokenizerBase

from ravl.errors import QueryError
from ravl.models.generation.base import Decoding
from ravl.models.generation.phrases import keeps
from ravl.models.generation.token_bytes import pieces

LONGEST = 256  # default number of tokens
LOST = -1e9  # logit of the end of a text that cannot be gone on with


@dataclass(frozen=True)
class Row:
    """A text that is being written.

    Args:
        ids: of its tokens.
        text: in UTF-8, which may end within a letter.
        room: tokens that may follow, without those that are kept for what must occur.
    """

    ids: tuple[int, ...]
    text: bytes
    room: int


class Rule(Protocol):
    """One kind of constraint."""

    def narrow(self, row: Row, allowed: Tensor, scores: Tensor) -> None:
        """Takes tokens that may not follow out of ``allowed`` (V,); may change ``scores`` (V,)."""


class Reserving(Rule, Protocol):
    """A rule that tokens are kept for."""

    def need(self, text: bytes) -> int:
        """Tokens that it still needs at most."""


@dataclass(frozen=True)
class Spelling:
    """How a tokenizer writes.

    Args:
        pieces: of each token, see :mod:`ravl.models.generation.token_bytes`.
        ends: ids of the tokens that end a text.
        encode: a text as ids.
        tokenizer: itself.
    """

    pieces: list[bytes]
    ends: tuple[int, ...]
    encode: Callable[[str], list[int]]
    tokenizer: PreTrainedTokenizerBase

    def added(self, token: int) -> bytes:
        """What a token adds to the text: of one that ends it, what is before the line break."""
        piece = self.pieces[token]
        return piece.split(b"\n", 1)[0] if token in self.ends else piece


class Constraints(LogitsProcessor):
    """Lets only tokens through that all rules allow, in each row for itself.

    Args:
        rules: what a token must not do.
        required: what must occur, for which the rules leave room; None for nothing.
        spelling: of the tokenizer.
        how: the Decoding; its ``max_new_tokens`` is the room.
    """

    def __init__(
        self, rules: Sequence[Rule], required: Reserving | None, spelling: Spelling, how: Decoding
    ) -> None:
        self._rules, self._required = rules, required
        self._spelling, self._how = spelling, how

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (b, V) of the tokens behind ``input_ids`` (b, t), -inf for what may not follow."""
        known = len(self._spelling.pieces)
        out = scores.float().cpu().clone()
        out[:, known:] = -torch.inf
        for ids, line in zip(input_ids.tolist(), out, strict=True):
            if not set(ids) & {*self._spelling.ends}:
                self._constrain(tuple(ids), line[:known])
        return out.to(scores)

    def _constrain(self, ids: tuple[int, ...], line: Tensor) -> None:
        text = b"".join(self._spelling.pieces[i] for i in ids)
        room = (self._how.max_new_tokens or LONGEST) - len(ids)
        allowed = torch.ones(len(line), dtype=torch.bool)
        kept = self._required.need(text) if self._required else 0
        for rule in self._rules:
            rule.narrow(Row(ids, text, room - kept), allowed, line)
        if self._required:
            self._required.narrow(Row(ids, text, room), allowed, line)
        line[~allowed] = -torch.inf
        if not torch.isfinite(line).any():
            line[self._spelling.ends[0]] = LOST  # found out by `keeps`

    def keeps(self, text: str) -> bool:
        """Whether a text that is at its end satisfies everything."""
        checks = (getattr(rule, "keeps", None) for rule in self._rules)
        return keeps(text, self._how) and all(check(text) for check in checks if check)


class Masked:
    """A rule whose mask depends on a state, by which it is remembered.

    Args:
        spelling: of the tokenizer.
    """

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling
        self._known: dict[Hashable, Tensor] = {}

    def state(self, row: Row) -> Hashable:
        """All that tells which tokens are allowed."""
        raise NotImplementedError

    def mask(self, state: Any) -> Tensor:
        """Which tokens are allowed in a state, (V,)."""
        raise NotImplementedError

    def narrow(self, row: Row, allowed: Tensor, scores: Tensor) -> None:  # noqa: ARG002
        """See :class:`Rule`."""
        state = self.state(row)
        if state not in self._known:
            if len(self._known) >= 512:
                self._known.clear()
            self._known[state] = self.mask(state)
        allowed &= self._known[state]


def processors(
    how: Decoding, tokenizer: PreTrainedTokenizerBase, ends: Sequence[int] = ()
) -> LogitsProcessorList:
    """What keeps a text within its constraints; they are called with what is written alone.

    Args:
        how: the Decoding. A schema or a grammar needs the package `llguidance`, and ``nouns`` the
            lexicon of `textblob`; nouns are English, words of other scripts are not looked at.
        tokenizer: of `transformers`; a fast one for a schema or a grammar.
        ends: ids of tokens that end a text, also those that hold a line break; empty for the
            tokenizer's own.

    Raises:
        QueryError: a constraint that cannot be kept, a schema or grammar that is not valid, or a
            package that is not installed.
    """
    from ravl.models.generation.lexical_constraints import Forbidden, Nouns, Required

    if how.plain:
        return LogitsProcessorList()
    if (how.schema or how.grammar) and (how.require or how.nouns is not None):
        raise QueryError(
            "A text that follows a schema or a grammar cannot be held to words or nouns as well. "
            "Write them into the schema or the grammar."
        )
    spelling = Spelling(
        pieces(tokenizer),
        tuple(ends) or (int(tokenizer.eos_token_id),),
        partial(_encoded, tokenizer),
        tokenizer,
    )
    max_new_tokens = how.max_new_tokens or LONGEST
    rules: list[Rule] = []
    if how.schema or how.grammar:
        from ravl.models.generation.guided import Guided

        rules.append(Guided(how, spelling, max_new_tokens))
    if any(p.strip() for p in how.forbid):
        rules.append(Forbidden(how.forbid, spelling))
    if how.nouns is not None:
        words = {w for phrase in how.require for w in phrase.split()}
        rules.append(Nouns(how.nouns | words, spelling))
    required = None
    if any(p.strip() for p in how.require):
        required = Required(how.require, spelling, max_new_tokens)
    return LogitsProcessorList([Constraints(rules, required, spelling, how)])


def _encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
