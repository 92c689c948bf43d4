"""What type checkers know of the front door: mypy checks this file, nothing in it is run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import ravl
from ravl.client.provenance import ServedHits


def _model(model: ravl.Model, picture: Path, pictures: list[Path]) -> None:
    assert_type(model.classify(picture), ravl.Classification)
    assert_type(model.classify(pictures, abstain=0.05), list[ravl.Classification])
    assert_type(model.tag("new.jpg", k=5), ravl.Tagging)
    assert_type(model.tag(["new.jpg"]), list[ravl.Tagging])
    assert_type(model.match(picture, "a hat"), ravl.Matching)
    assert_type(model.match(picture, ["a hat", "a shirt"]), list[ravl.Matching])
    assert_type(model.match(pictures, "a hat"), list[ravl.Matching])
    assert_type(model.caption(picture, num_return_sequences=3), ravl.Caption)
    assert_type(model.caption(pictures, grounded=True), list[ravl.Caption])
    assert_type(model.ask(picture, "what is it?"), ravl.Reply)
    assert_type(model.ask(pictures, ["what is it?"], instruction="briefly"), list[ravl.Reply])
    assert_type(model.predict(picture, k=3), ravl.Answer)
    assert_type(model.predict(pictures, "a hat"), list[ravl.Answer])
    assert_type(
        model.classify(pictures, return_exceptions=True),
        list[ravl.Classification | ravl.PictureError],
    )
    assert_type(
        model.match(pictures, "a hat", return_exceptions=True),
        list[ravl.Matching | ravl.PictureError],
    )
    assert_type(
        model.predict(pictures, return_exceptions=True), list[ravl.Answer | ravl.PictureError]
    )
    model.classify(picture, return_exceptions=True)  # type: ignore[call-overload]
    model.classify(picture, colour="red")  # type: ignore[call-overload]
    model.classify(picture, k="many")  # type: ignore[call-overload]


def _memory(memory: ravl.Memory, picture: Path) -> None:
    assert_type(memory.search(picture), ravl.Hits)
    assert_type(memory.search([picture, "a hat"]), list[ravl.Hits])
    assert_type(
        memory.search([picture], return_exceptions=True), list[ravl.Hits | ravl.PictureError]
    )


def _client(client: ravl.Client, picture: Path, pictures: list[Path]) -> None:
    assert_type(client.classify(picture), ravl.Classification)
    assert_type(client.classify(pictures, run="kinds").pop(), ravl.Classification)
    assert_type(client.tag(pictures), list[ravl.Tagging])
    assert_type(client.match(picture, "a hat"), ravl.Matching)
    assert_type(client.match(picture, ["a hat"]), list[ravl.Matching])
    assert_type(client.caption(picture, max_new_tokens=8), ravl.Caption)
    assert_type(client.ask(picture, "what is it?"), ravl.Reply)
    assert_type(client.classify(picture).origin.version, int)
    assert_type(client.search("a hat", k=3), ServedHits)
    assert_type(client.search(["a hat"]), list[ServedHits])
    assert_type(
        client.predict("rate", picture),
        ravl.Answer | list[ravl.Answer] | list[ravl.Answer | ravl.PictureError],
    )
    assert_type(
        client.classify(pictures, return_exceptions=True),
        list[ravl.Classification | ravl.PictureError],
    )
    assert_type(
        client.ask(picture, ["what is it?"], return_exceptions=True),
        list[ravl.Reply | ravl.PictureError],
    )
    assert_type(
        client.search(["a hat"], return_exceptions=True), list[ServedHits | ravl.PictureError]
    )
    client.classify(picture, return_exceptions=True)  # type: ignore[call-overload]
    client.classify(picture, colour="red")  # type: ignore[call-overload]


async def _async(client: ravl.AsyncClient, picture: Path, pictures: list[Path]) -> None:
    assert_type(await client.classify(picture), ravl.Classification)
    assert_type(await client.caption(pictures), list[ravl.Caption])
    assert_type(await client.search("a hat"), ServedHits)
    assert_type(
        await client.caption(pictures, return_exceptions=True),
        list[ravl.Caption | ravl.PictureError],
    )


def test_every_exported_name_can_be_had() -> None:
    for name in ravl.__all__:
        assert getattr(ravl, name) is not None
    assert sorted(ravl._HOMES) == sorted(ravl.__all__)
