"""Answers in people's words, and as names of a list: who mean the same give the same name.

Case, articles, punctuation and underscores do not count; a number word is its digits; and an answer
that lists things ("book, scissor, papers") is a *set*, whose order does not matter. It is what the
metrics take for the same answer.
"""

from __future__ import annotations

from ravl.data import QA
from ravl.evaluation.generation.answers import members


def normal(answer: str) -> str:
    """The answer's name in the list; "" where nothing is left of it."""
    # Signs alone, such as an emoji, are no words to the metrics, but may well be an answer.
    return ", ".join(sorted(members(answer))) or " ".join(answer.split()).strip(" .,;!?")


def people(qa: QA) -> list[str]:
    """What people answered to a question, in their own words, the best first; doubles count.

    Several answers are several people's. But where the first is a set and all others are its
    members, they only spell it out, as DAQUAR's tables do, and one person has spoken. An
    underscore stands for a space.
    """
    found = [" ".join(a.replace("_", " ").split()) for a in qa.answers if normal(a)]
    if len(qa.answers) > 1:
        whole = members(qa.answers[0])
        if len(whole) > 1 and all(members(answer) <= whole for answer in qa.answers[1:]):
            return found[:1]
    return found


def answers_of(qa: QA) -> list[str]:
    """The same by name."""
    return [normal(answer) for answer in people(qa)]


def shares(qa: QA) -> dict[str, float]:
    """The share of people who gave each answer, the best first; sums to 1, or empty."""
    names = answers_of(qa)
    return {name: names.count(name) / len(names) for name in dict.fromkeys(names)}
