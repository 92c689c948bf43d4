"""Drawn things, and texts that say of them what no picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ravl.data import QA, Example
from ravl.demo.scenes import Scene, plan, render
from ravl.encoders import Encoder
from ravl.memory import Memory
from ravl.tasks.ask.model import AskPipeline

LIVES, UNKNOWN = "where does it live or grow?", "what is on the left of the bed?"
FACTS = {
    "fish": ("It lives in rivers, lakes and the sea.", "A fish is covered with scales."),
    "tree": ("It lives and grows in forests and parks.", "A tree has a trunk and leaves."),
    "umbrella": ("It lives in a stand behind the door.", "An umbrella has a curved handle."),
    "apple": ("It grows and lives in orchards.", "An apple is a round fruit."),
}


def scenes(kind: str) -> list[Scene]:
    """Those of one thing alone."""
    return [s for s in plan() if s.kind.name == kind and s.count == 1 and s.other is None]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, builtin: Encoder) -> Iterator[Memory]:
    """Three pictures of each thing, whose names are known, and a text about each."""
    folder: Path = tmp_path_factory.mktemp("drawn")
    with Memory.create(folder / "drawn.ravl", builtin) as memory:
        for kind, (fact, lead) in FACTS.items():
            for i, scene in enumerate(scenes(kind)[:3]):
                path = folder / f"{kind}_{i}.png"
                render(scene).save(path)
                qa = (QA("what is in the picture?", (kind,)),)
                memory.add([Example(path.name, path, qa=qa)])
            memory.add([Example(f"about {kind}", texts=(f"{lead} {fact}",))])
        yield memory


@pytest.fixture(scope="module")
def model(drawn: Memory) -> AskPipeline:
    """That memory at work."""
    return AskPipeline(drawn)


def unseen(kind: str) -> Image.Image:
    """Another picture of a thing, in another colour or place."""
    return render(scenes(kind)[3])


def test_what_the_picture_is_tells_which_text_is_meant(model):
    replies = {kind: model.predict(unseen(kind), LIVES)[0] for kind in FACTS}
    right = [r.passages[0].id == f"about {kind}" for kind, r in replies.items()]
    assert sum(right) >= 3  # the question is the same for all, so alone it is right once
    answered = [r.answer == FACTS[kind][0] for kind, r in replies.items()]
    assert sum(answered) >= 3
    for reply in replies.values():
        assert reply.quoted
        assert reply.evidence[0].row.hash is None
        assert 0 < reply.confidence <= 0.5


def test_a_question_that_no_text_answers_is_marked(model):
    sure = 0
    for kind in FACTS:
        known, unknown = model.predict(unseen(kind), [LIVES, UNKNOWN])
        assert unknown.quoted
        assert unknown.abstained
        assert "abstains" in str(unknown)
        sure += not known.abstained
    assert sure >= 3  # some that are right are lost: the umbrella's words are unlike the question's


def test_a_question_that_was_answered_is_not_quoted(model):
    reply = model.predict(unseen("fish"), "what is in the picture?")[0]
    assert not reply.quoted
    assert reply.answer == "fish"
