from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from ravl.errors import QueryError
from ravl.models.generation.base import Decoding
from ravl.models.generation.causal import CausalGenerator
from ravl.models.generation.chat import ChatGenerator
from ravl.models.generation.constraints import processors
from ravl.models.generation.lexicon import forms, no_nouns
from ravl.models.generation.phrases import occurs
from tests.models.generation.tiny import letters, requests, tiny_fused


def needs_lexicon() -> None:
    """Only a file of the package is read, so it need not be possible to import it."""
    if find_spec("textblob") is None:
        pytest.skip("textblob, whose lexicon grounded texts need, is not installed")


WAYS = {
    "greedy": Decoding(num_beams=1),
    "beams": Decoding(num_beams=3, num_return_sequences=2),
    "drawn": Decoding(do_sample=True, num_return_sequences=2, seed=3),
}
SCHEMA = json.dumps(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["colour", "sure"],
        "properties": {
            "colour": {"enum": ["red", "blue"]},
            "sure": {"type": "boolean"},
            "what": {"type": "string", "minLength": 1},
        },
    }
)


@pytest.fixture(params=["causal", "fused"])
def generator(request: pytest.FixtureRequest, gpt2: Path, language: Path) -> Any:
    if request.param == "causal":
        return CausalGenerator(str(gpt2), constrain=processors)
    return tiny_fused(language, constrain=processors)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Decoding:
    return WAYS[request.param]


def texts(generator: Any, how: Decoding, count: int = 2) -> list[str]:
    found = [c.text for some in generator(requests(count), how) for c in some]
    found.append("".join(generator.stream(requests(1)[0], how)))
    return found


def test_what_is_required_occurs(generator: Any, way: Decoding) -> None:
    required = ("Red shirt", "小狗", "dog")
    for text in texts(generator, replace(way, max_new_tokens=30, require=required)):
        assert all(occurs(p, text) for p in required)


def test_it_may_take_all_the_room(generator: Any, way: Decoding) -> None:
    need = len(generator.writer.tokenizer(" a red dog", add_special_tokens=False)["input_ids"])
    for more in (0, 1, 2):
        for text in texts(
            generator, replace(way, max_new_tokens=need + more, require=("a red dog",))
        ):
            assert occurs("a red dog", text)
    with pytest.raises(QueryError, match=f"needs {need} tokens, and the text may have {need - 1}"):
        generator(requests(1), replace(way, max_new_tokens=need - 1, require=("a red dog",)))


def test_what_is_forbidden_does_not_occur(generator: Any, way: Decoding) -> None:
    free = texts(generator, replace(way, max_new_tokens=12))
    banned = tuple({w for t in free for w in re.findall(r"\w+", t.lower(), re.ASCII)})
    assert banned
    for text in texts(generator, replace(way, max_new_tokens=12, forbid=banned)):
        assert not any(occurs(p, text) for p in banned)


def test_nouns_with_evidence_alone(generator: Any, way: Decoding) -> None:
    needs_lexicon()
    known = no_nouns() | forms({"dog", "shirt"})
    for text in texts(
        generator, replace(way, max_new_tokens=25, nouns=frozenset({"dogs", "Shirt"}))
    ):
        words = re.findall("[a-z]+", text.lower())
        assert all(w in known for w in words)


def test_everything_at_once(generator: Any, way: Decoding) -> None:
    needs_lexicon()
    how = replace(
        way, max_new_tokens=40, nouns=frozenset(), require=("frisbee", "red"), forbid=("a", "I")
    )
    for text in texts(generator, how):
        words = re.findall("[a-z]+", text.lower())
        assert occurs("frisbee", text) and occurs("red", text)
        assert not occurs("a", text) and not occurs("i", text)
        assert all(w in no_nouns() | forms({"frisbee"}) for w in words)


def test_a_schema_is_followed(generator: Any, way: Decoding) -> None:
    pytest.importorskip("llguidance")
    for text in texts(generator, replace(way, max_new_tokens=45, schema=SCHEMA)):
        found = json.loads(text)
        assert found["colour"] in ("red", "blue") and found["sure"] in (True, False)
        assert found.keys() <= {"colour", "sure", "what"} and found.get("what", "x")


def test_a_chat_model_as_well(llava: Path) -> None:
    pytest.importorskip("llguidance")
    chat = ChatGenerator(str(llava), constrain=processors)
    for text in texts(chat, Decoding(num_beams=2, max_new_tokens=35, schema=SCHEMA), 1):
        assert json.loads(text)["colour"] in ("red", "blue")
    for text in texts(
        chat, Decoding(num_beams=2, max_new_tokens=9, require=("red",), forbid=("a",)), 1
    ):
        assert occurs("red", text) and not occurs("a", text)


def test_any_object_comes_to_its_end(generator: Any, way: Decoding) -> None:
    pytest.importorskip("llguidance")
    for schema in ('{"type": "object"}', '{"type": "array", "items": {"type": "string"}}', "{}"):
        for text in texts(generator, replace(way, max_new_tokens=20, schema=schema), 1):
            json.loads(text)


def test_a_grammar_is_followed(generator: Any, way: Decoding) -> None:
    pytest.importorskip("llguidance")
    grammar = 'start: "a " COLOUR " " THING\nCOLOUR: "red" | "blue"\nTHING: /[a-z]{3,9}/'
    for text in texts(generator, replace(way, max_new_tokens=20, grammar=grammar)):
        assert re.fullmatch("a (red|blue) [a-z]{3,9}", text)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Decoding(schema="{"), "schema cannot be followed"),
        (Decoding(schema='{"type": "objct"}'), "schema cannot be followed"),
        (Decoding(grammar="start: (("), "grammar cannot be followed"),
        (Decoding(schema=SCHEMA, max_new_tokens=9), "shortest text of this schema has about"),
        (Decoding(schema="{}", require=("dog",)), "cannot be held to words"),
    ],
)
def test_what_cannot_be_followed(how: Decoding, words: str) -> None:
    pytest.importorskip("llguidance")
    with pytest.raises(QueryError, match=words):
        processors(how, letters("<end>", "<pad>"))


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "llguidance", None)
    with pytest.raises(QueryError, match=r"pip install 'ravl\[grammar\]'"):
        processors(Decoding(schema="{}"), letters("<end>", "<pad>"))
    monkeypatch.setattr("ravl.models.generation.lexicon.find_spec", lambda _: None)
    no_nouns.cache_clear()
    from ravl.models.generation import lexical_constraints

    lexical_constraints._others.cache_clear()
    with pytest.raises(QueryError, match=r"pip install 'ravl\[grounded\]'"):
        processors(Decoding(nouns=frozenset()), letters("<end>", "<pad>"))


def after(text: str, how: Decoding) -> set[str]:
    """The letters that may follow, and "" for the end."""
    tokenizer = letters("<end>", "<pad>")
    ids: Any = torch.tensor([tokenizer(text)["input_ids"]])
    (scores,) = processors(how, tokenizer)(ids, torch.zeros(1, len(tokenizer)))
    kept = [i for i in range(len(tokenizer)) if torch.isfinite(scores[i])]
    return {"" if i == tokenizer.eos_token_id else tokenizer.decode([i]) for i in kept}


def test_a_forbidden_word_is_none_within_another() -> None:
    how = Decoding(forbid=("cat", "Red  shirt"), max_new_tokens=60)
    assert {"e", "s"} <= after("a CAT", how) and not {"", " ", "."} & after("a CAT", how)
    assert {"", " ", "."} <= after("a cats", how) & after("a bobcat", how) & after("redshirt", how)
    assert "" not in after("red \n shirt", how) and "" in after("red shirts", how)
    assert "t" not in after("ca", replace(how, max_new_tokens=3))  # where it would be the end
    assert "t" in after("ca", replace(how, max_new_tokens=4))


def test_a_required_word_is_not_spoilt() -> None:
    how = Decoding(require=("red",), max_new_tokens=8)
    assert "" not in after("a re", how) and "" in after("a red", how)
    assert "s" not in after("a red", how) and " " in after("a red", how)
    assert "s" in after("a red", replace(how, max_new_tokens=60))
    assert after("abcd", how) == {" "} and after("abcd r", how) == {"e"}


def test_a_noun_is_not_begun_without_evidence_or_room() -> None:
    needs_lexicon()
    how = Decoding(nouns=frozenset({"zebra"}), max_new_tokens=60)
    assert "z" in after("a ", how) and "a" in after("a zebr", how)
    assert not {"", " "} & after("a zebr", how) and {"", " ", "s"} <= after("a zebra", how)
    assert "" not in after("a dog", how) and "" in after("runs", how)
    assert "b" not in after("a ze", replace(how, max_new_tokens=6))
    assert "b" in after("a ze", replace(how, max_new_tokens=7))


def test_forms_of_nouns() -> None:
    assert {"ladies", "men", "child", "bus"} <= forms(["lady", "man", "children", "buses"])
    needs_lexicon()
    assert {"runs", "red", "standing", "the", "i"} <= no_nouns()
    assert not {"dog", "dogs", "shirt", "frisbee", "london", "people"} & no_nouns()
