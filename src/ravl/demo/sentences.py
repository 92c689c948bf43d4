"""The demo's second half: descriptions of pictures, and answers to questions about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ravl.data import Example
from ravl.errors import DataError
from ravl.pages.search_page import Described

EVIDENCE = 6  # shown rows of evidence per description
SHOWN = 4  # pictures that are not added to the memory, to describe them
QUESTIONS = ("what kind of thing is it?",)


def apart(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """A sample set for the memory, and a few evenly chosen pictures that are held out."""
    every = list(examples)
    step = max(2, len(every) // SHOWN)
    new = every[step // 2 :: step][:SHOWN]
    names = {example.id for example in new}
    return [example for example in every if example.id not in names], new


def describe(file: Path, new: list[Example], say: Callable[[str], None]) -> list[Described]:
    """Describe some pictures, and ask about them, by a memory alone; nothing is trained.

    Args:
        file: the file of the memory.
        new: pictures that are not in the memory.
        say: called with each line of the result.
    """
    from ravl.tasks.model import load

    say("\nDescribing pictures that are not in the memory, from its texts of similar pictures ...")
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
