"""Answers that are a sentence of a text: for questions that no row has answered."""

from __future__ import annotations

from dataclasses import replace

from ravl.memory import Memory
from ravl.runs.answers import Evidence
from ravl.runs.row_texts import base_of
from ravl.tasks.ask.knowledge import Cited, Knowledge
from ravl.tasks.ask.results import Reply

# Cosine of two questions that ask the same kind of thing: leaving DAQUAR's pictures out, 99 % of
# the questions have one that is nearer than 0.66.
NEAR = 0.6
HALF = 0.5  # confidence in a quoted sentence, at most: nothing was held out to measure it by
# Score of a sentence that answers the question and is not only about the same thing. Chosen on one
# set of texts about drawn things; on another, 94 % of the right sentences reach it, and 7 % of
# those that are quoted to questions which no text answers.
ANSWERS = 0.18


def quoted(
    memory: Memory,
    knowledge: Knowledge,
    cited: Cited | None,
    question: str,
    i: int,
    evidence: tuple[Evidence, ...] = (),
) -> Reply | None:
    """The sentence of the best passage; None where no passage has to do with the question.

    A sentence that has little to do with the question itself is given, but marked: it abstains.

    Args:
        memory: that is asked.
        knowledge: of it.
        cited: passages of several questions.
        question: number ``i`` of them.
        evidence: that does not count here.
    """
    if cited is None or cited.positions[i, 0] < 0:
        return None
    # The passage is about the thing already; the question alone tells its sentences apart.
    sentence, score = knowledge.passages.sentence(question, int(cited.positions[i, 0]))
    confidence = HALF * min(max(score, 0.0), 1.0)
    first, *others = passages_of(knowledge, cited, i)
    return Reply(
        question=question,
        answer=sentence,
        confidence=confidence,
        quoted=True,
        read=base_of(memory.encoder).supports_language(question),
        abstained=score < ANSWERS,
        gate=1.0,
        scores={sentence: confidence},
        memory={},
        model={},
        evidence=(replace(first, share=1.0), *others, *(replace(e, share=0.0) for e in evidence)),
    )


def passages_of(knowledge: Knowledge | None, cited: Cited | None, i: int) -> tuple[Evidence, ...]:
    """The passages that have to do with question ``i``, the best first."""
    if knowledge is None or cited is None:
        return ()
    found = knowledge.passages
    return tuple(Evidence(found.rows[p], s, 0.0, (found.texts[p],)) for p, s in cited.of(i))


def silent(question: str) -> Reply:
    """Where neither answered questions nor passages have anything to do with a question."""
    return Reply(
        question=question,
        answer="",
        confidence=0.0,
        abstained=True,
        gate=0.0,
        scores={},
        memory={},
        model={},
    )
