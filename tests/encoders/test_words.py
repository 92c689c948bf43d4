from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from ravl.encoders.trained import TrainedEncoder
from ravl.encoders.words import FILES, WordVectors, terms_of
from ravl.errors import EncoderError
from tests.helpers import ColourEncoder, random_head

TEXTS = [f"a {size} {colour} ball" for size in ("big", "small") for colour in ("red", "green")]
TEXTS += [f"{colour} water, {size} boat" for colour in ("blue", "grey") for size in ("big", "old")]


def vectors() -> WordVectors:
    found = WordVectors.fit(TEXTS, 5)
    assert found is not None
    return found


def test_words_and_their_pairs_are_terms():
    assert list(terms_of("Two DOGS run")) == ["two", "dogs", "run", "two dogs", "dogs run"]
    assert list(terms_of("红球 ball")) == ["红", "球", "ball", "红 球", "球 ball"]
    assert list(terms_of(" .,! ")) == []


def test_it_is_scikit_learn_s_tf_idf():
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = WordVectors.fit(TEXTS, 100)
    assert words is not None
    theirs = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\b\w+\b"
    ).fit_transform(TEXTS)
    # All directions but the last are kept, so that scores are nearly those of the counts.
    close = words(TEXTS) @ words(TEXTS).T
    np.testing.assert_allclose(close, (theirs @ theirs.T).toarray(), atol=0.2)
    assert sorted(words.terms) == sorted(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, token_pattern=r"\b\w+\b")
        .fit(TEXTS)
        .vocabulary_
    )


def test_texts_with_the_same_words_are_near():
    words = vectors()
    found = words(["a red ball", "the red ball", "blue water"])
    assert found[0] @ found[1] > 0.9 > 0.5 > found[0] @ found[2]
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_a_text_without_a_known_word_is_zeros():
    assert not vectors()(["", "xyz"]).any()
    assert vectors()([]).shape == (0, 5)


@pytest.mark.parametrize("texts", [["one", "two"], ["same", "other"], ["", ""]])
def test_where_no_term_is_shared_there_are_none(texts):
    assert WordVectors.fit(texts, 5) is None


def test_it_is_kept_and_found_again():
    words = vectors()
    again = WordVectors.from_state(words.state())
    np.testing.assert_array_equal(again(TEXTS), words(TEXTS))
    assert again.state() == words.state()


def test_what_is_damaged_is_a_sentence():
    state = vectors().state()
    terms, arrays = json.loads(state[FILES[0]])["terms"], load(state[FILES[1]])

    def fails(changed: dict[str, bytes], sentence: str) -> None:
        with pytest.raises(EncoderError, match=sentence):
            WordVectors.from_state({**state, **changed})

    fails({FILES[0]: b"[]"}, "words.json of the trained encoder is damaged")
    fails({FILES[0]: json.dumps({"terms": terms[:-1]}).encode()}, "do not fit together")
    fails({FILES[1]: b""}, "words.safetensors of the trained encoder is damaged")
    fails({FILES[1]: save({"weights": arrays["weights"]})}, "components")
    endless = {**arrays, "weights": np.full(len(terms), np.inf, np.float32)}
    fails({FILES[1]: save(endless)}, "not finite")
    with pytest.raises(EncoderError, match=r"lacks its file words.safetensors"):
        WordVectors.from_state({FILES[0]: state[FILES[0]]})


def test_a_trained_encoder_reads_words_beside_its_base():
    base, words = ColourEncoder(), vectors()
    heads = random_head(48), random_head(48 + 5, seed=1)
    encoder = TrainedEncoder(base, *heads, 1.0, beside=words.state())
    expected = heads[1](np.hstack([base.embed_texts(TEXTS), words(TEXTS)]))
    np.testing.assert_allclose(encoder.embed_texts(TEXTS), expected, atol=1e-6)
    again = TrainedEncoder.from_state(encoder.state(), base)
    assert again.spec == encoder.spec
    np.testing.assert_allclose(again.embed_texts(TEXTS), expected, atol=1e-6)
    assert encoder.projects  # no picture is looked at again


def test_a_head_that_has_no_place_for_the_words_is_refused():
    with pytest.raises(EncoderError, match=r"48, its word vectors 5\."):
        TrainedEncoder(
            ColourEncoder(), random_head(48), random_head(48), 1.0, beside=vectors().state()
        )
