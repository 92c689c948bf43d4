"""What ask answers."""

from __future__ import annotations

from dataclasses import dataclass

from ravl.json_types import JsonObject
from ravl.runs.answers import Answer, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Answer):
    """The answer to a question about a picture.

    Args:
        question: as it was asked.
        answer: the likeliest, also where the model abstained; of several things with commas.
        read: False where the encoder does not read the question's language; then the picture alone
            was looked at.
        quoted: True where no similar question has been answered, so that the answer is a sentence
            of a text in the memory.
        written: True if a generator wrote it, False if it is an answer that the memory has.
        others: other answers as they were asked for, the best first; of open answers alone.
        open: True of open answers, which are out of no list.

    The ``evidence`` is answered questions, each of which ``says`` its question and then its
    answers, the largest shares first; and after them passages of texts, which say themselves.
    """

    question: str
    answer: str
    read: bool = True
    quoted: bool = False
    written: bool = False
    others: tuple[str, ...] = ()
    open: bool = False

    @property
    def said(self) -> str:
        """The answer."""
        return self.answer

    @property
    def asked(self) -> str:
        """The question."""
        return self.question

    @property
    def names(self) -> tuple[str, ...] | None:
        """The answer, where it is out of a list."""
        return None if self.open else (self.answer,)

    @property
    def passages(self) -> tuple[Evidence, ...]:
        """Of the evidence the texts without a picture."""
        return tuple(item for item in self.evidence if item.row.hash is None)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "question": self.question,
            "answer": self.answer,
            "read": self.read,
            "quoted": self.quoted,
            "written": self.written,
            "others": list(self.others),
            **Answer.to_json(self),
        }

    def __str__(self) -> str:
        unread = "" if self.read else "  (the encoder does not read this language)"
        first = f"{Answer.__str__(self)}{unread}"
        return "\n".join([first, *(f"    or: {other}" for other in self.others)])
