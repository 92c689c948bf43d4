"""Rules about words: forbidden ones, required ones, and nouns that have evidence."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ravl.errors import QueryError
from ravl.models.generation.constraints import Masked, Row, Spelling
from ravl.models.generation.lexicon import forms, no_nouns
from ravl.models.generation.phrases import occurs, pattern

BOOST = 2.0  # logits that a required word is likelier to begin
SLACK = 4  # tokens in which a word that cannot be broken off comes to its end
FAR = 32  # tokens of room beyond which no word is too long
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)


class Forbidden(Masked):
    """Words and phrases that must not occur.

    A word is only complete when something else follows, or the text ends: "cat" may be forbidden
    and "category" not.
    """

    def __init__(self, phrases: Sequence[str], spelling: Spelling) -> None:
        super().__init__(spelling)
        self._pattern = pattern(phrases)
        self._phrases = [" ".join(p.lower().split()) for p in phrases if p.strip()]
        self._reach = 2 * max(map(len, self._phrases)) + 8  # characters

    def state(self, row: Row) -> Hashable:
        """The end of the text if a phrase may have begun there, and if the text must end now."""
        tail = row.text.decode("utf-8", "replace")
        begun = re.sub(r"\s+", " ", tail[-self._reach :].lower())
        started = begun.endswith("\ufffd") or any(
            begun.endswith(p[:n]) for p in self._phrases for n in range(1, len(p) + 1)
        )
        if started:
            return row.text[-4 * self._reach :], row.room <= 1
        return b"x" if re.search(r"\w\Z", tail, re.ASCII) else b" ", row.room <= 1

    def mask(self, state: tuple[bytes, bool]) -> Tensor:
        """Tokens that complete none."""
        tail, final = state
        found = [
            not self._pattern.search(
                (tail + self.spelling.added(token)).decode("utf-8", "replace")
                + ("" if final or token in self.spelling.ends else "x")
            )
            for token in range(len(self.spelling.pieces))
        ]
        return torch.tensor(found)


class Nouns(Masked):
    """The only nouns that may occur, in the singular or plural.

    Every word must be one of them, or known to be no noun; so no word is begun that cannot become
    one, nor one that has no room. Signs, numbers and words of other scripts are free.
    """

    def __init__(self, nouns: Iterable[str], spelling: Spelling) -> None:
        super().__init__(spelling)
        own = {w for noun in nouns for w in _WORD.findall(noun.lower())}
        self._own = forms(own)
        self._rest = _to_go(self._own)
        self._other = _others()
        self._parts = [
            _parts(spelling.added(t).decode("utf-8", "replace").lower())
            for t in range(len(spelling.pieces))
        ]

    def state(self, row: Row) -> Hashable:
        """The word that is being written, and the room behind the next token."""
        tail = row.text[-64:].decode("utf-8", "replace").lower()
        found = re.search(r"[a-z]*\Z", tail)
        return found[0] if found else "", min(row.room - 1, FAR)

    def mask(self, state: tuple[str, int]) -> Tensor:
        """Tokens behind which every word is allowed, or may still become so."""
        word, room = state
        ends = set(self.spelling.ends)
        return torch.tensor(
            [
                self._fits(word, parts, 0 if token in ends else room)
                for token, parts in enumerate(self._parts)
            ]
        )

    def keeps(self, text: str) -> bool:
        """Whether all words are allowed."""
        return all(self._allowed(word) for word in _WORD.findall(text.lower()))

    def _fits(self, word: str, parts: tuple[str, tuple[str, ...], str | None], room: int) -> bool:
        head, inner, tail = parts
        if tail is None:
            return self._reachable(word + head, room)
        whole = self._allowed(word + head) and all(map(self._allowed, inner))
        return whole and self._reachable(tail, room)

    def _allowed(self, word: str) -> bool:
        return not word or word in self._own or self._other.get(word) == 0

    def _reachable(self, word: str, room: int) -> bool:
        if not word:
            return True
        return min(self._rest.get(word, FAR + 1), self._other.get(word, FAR + 1)) <= room


class Required:
    """Words and phrases that must occur, for which room is kept.

    They may come wherever the model wants them, and are made likelier; the text cannot end before,
    and when just enough room is left, they follow one by one.
    """

    def __init__(self, phrases: Sequence[str], spelling: Spelling, max_new_tokens: int) -> None:
        self._spelling = spelling
        self._spelt = {p: spelling.encode(" " + " ".join(p.split())) for p in phrases if p.strip()}
        for phrase, ids in self._spelt.items():
            if not occurs(phrase, self._read(b"".join(spelling.pieces[i] for i in ids))):
                raise QueryError(
                    f"This generator has no letters for {phrase!r}. Leave it out of what must "
                    "occur, or use another generator."
                )
        needed = sum(map(len, self._spelt.values()))
        if needed > max_new_tokens:
            raise QueryError(
                f"What must occur needs {needed} tokens, and the text may have "
                f"{max_new_tokens}. Require less, or allow more (max_new_tokens)."
            )
        glued = [re.match(r"\w|\Z", self._read(p), re.ASCII) is not None for p in spelling.pieces]
        self._ends = list(spelling.ends)
        self._glued = torch.tensor(glued)  # what leaves the word before open
        self._glued[self._ends] = False

    def need(self, text: bytes) -> int:
        """Tokens of what is missing."""
        return sum(len(self._spelt[p]) for p in self._missing(self._read(text)))

    def narrow(self, row: Row, allowed: Tensor, scores: Tensor) -> None:
        """See :class:`Rule`; asked last, with all the room that there is."""
        text = self._read(row.text)
        missing = self._missing(text)
        need = sum(len(self._spelt[p]) for p in missing)
        # A word that only the end of the text completes would be lost if letters followed.
        lost = [p for p in self._missing(text + "x") if p not in missing]
        if lost and row.room - 1 < need + sum(len(self._spelt[p]) for p in lost) + SLACK:
            allowed &= ~self._glued
        if not missing:
            return
        allowed[self._ends] = False
        begun = {p: _begun(row.ids, self._spelt[p]) for p in missing}
        for phrase, done in begun.items():
            scores[self._spelt[phrase][done]] += BOOST
        if row.room - 1 < need + SLACK:
            first = max(missing, key=lambda p: begun[p])
            whole = bool((allowed & ~self._glued).any())  # the word before is at its end
            if begun[first] or whole or row.room <= need:
                token = self._spelt[first][begun[first]]
                allowed[:] = False
                allowed[token] = True

    def _missing(self, text: str) -> list[str]:
        return [p for p in self._spelt if not occurs(p, text)]

    @staticmethod
    def _read(text: bytes) -> str:
        return text.decode("utf-8", "replace")


def _begun(ids: Sequence[int], spelt: Sequence[int]) -> int:
    """How many tokens of a phrase stand at the end already."""
    for n in range(min(len(spelt) - 1, len(ids)), 0, -1):
        if tuple(ids[-n:]) == tuple(spelt[:n]):
            return n
    return 0


def _parts(piece: str) -> tuple[str, tuple[str, ...], str | None]:
    """Letters that a piece begins with, whole words in it, letters at its end; None for no edge."""
    first, *more = re.split(r"[^a-z]+", piece)
    return (first, tuple(more[:-1]), more[-1]) if more else (first, (), None)


@lru_cache(maxsize=1)
def _others() -> dict[str, int]:
    """Of all beginnings of words that are no nouns: the letters to go."""
    return _to_go(w for w in no_nouns() if _WORD.fullmatch(w))


def _to_go(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        for n in range(1, len(word) + 1):
            found[word[:n]] = min(found.get(word[:n], len(word)), len(word) - n)
    return found
