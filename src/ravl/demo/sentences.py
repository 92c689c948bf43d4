"""The demo's second half: pictures that are described, and questions about them, answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ravl.data import Example
from ravl.errors import DataError
from ravl.pages import Described

EVIDENCE = 6  # rows that are shown of what a description rests on
SHOWN = 4  # pictures that are kept from the memory, to be described
QUESTIONS = ("what kind of thing is it?",)


def apart(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """A sample set for the memory, and a few pictures evenly out of it that it shall not see."""
    every = list(examples)
    step = max(2, len(every) // SHOWN)
    new = every[step // 2 :: step][:SHOWN]
    names = {example.id for example in new}
    return [example for example in every if example.id not in names], new


def describe(file: Path, new: list[Example], say: Callable[[str], None]) -> list[Described]:
    """Describe some pictures, and ask about them, by a memory alone; nothing is trained.

    Args:
        file: of the memory.
        new: pictures that it has not seen.
        say: told what came of it, line by line.
    """
    from ravl.tasks.model import load

    say("\nDescribing pictures that the memory has not seen, by what it says of others ...")
    with load(file) as model:
        pictures = [example.picture for example in new if example.picture is not None]
        try:
            captions = model.caption(pictures)
        except DataError as error:
            say(f"Not described: {error}")
            return []
        found = []
        for example, picture, caption in zip(new, pictures, captions, strict=True):
            say(f"  {example.id:<40} {caption.text}   (it is: {example.texts[0]})")
            asked = QUESTIONS if example.qa else ()
            replies = [(question, model.ask(picture, question)) for question in asked]
            for question, reply in replies:
                say(f"  {'':<40} {question} {reply}")
            found.append(
                Described(
                    picture,
                    caption.text,
                    example.texts[0],
                    [(question, reply.answer) for question, reply in replies],
                    caption.evidence[:EVIDENCE],
                )
            )
    return found
