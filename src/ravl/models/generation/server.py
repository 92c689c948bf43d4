"""A model on a server with OpenAI's chat API: vLLM, llama.cpp, Ollama, OpenAI ..."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import nan

from PIL import Image

from ravl.errors import EncoderError, PictureError, QueryError
from ravl.json_types import JsonObject
from ravl.models.generation.base import Candidate, Decoding, GenerationRequest, OpenPicture
from ravl.models.generation.http import RefusedError, Wire
from ravl.models.generation.phrases import keeps
from ravl.models.generation.prompts import Message, conversation
from ravl.models.generation.stream_cleanup import tidy

LONGEST = 256  # tokens of a text, where a Decoding does not say
SIDE = 1024  # pixels of a picture's longer side at most, as it is sent
QUALITY = 90  # of its JPEG
AHEAD = 4  # requests that are made ready for each that is in flight
CHARACTERS = 12_000  # of a question; what is left of a longer one is its end


class ServerGenerator:
    """A vision-language model that is asked over HTTP.

    It cannot search with beams: where nothing is sampled, the temperature is 0 and there is one
    candidate. A length penalty is not sent. Required and forbidden words are asked for in the
    instruction, and what breaks them is dropped.

    Args:
        address: of the API, as http://localhost:8000/v1; with ``#NAME`` for a model of the server,
            else its first one.
        evidence: neighbours at most.
        max_new_tokens: tokens of a text, where a Decoding does not say.
        several: show the neighbours' pictures as well; else their texts alone.
        parallel: requests in flight at a time.
        stop: strings that end a text.
        timeout: seconds without a byte from the server.
        retries: of a request that the server was too busy for, with growing pauses.
        pause: seconds before the first of them.

    Raises:
        EncoderError: no http or https address.
    """

    def __init__(
        self,
        address: str,
        *,
        evidence: int = 4,
        max_new_tokens: int = LONGEST,
        several: bool = True,
        parallel: int = 4,
        stop: Sequence[str] = (),
        timeout: float = 60.0,
        retries: int = 4,
        pause: float = 0.5,
    ) -> None:
        place, _, self._model = address.partition("#")
        self._wire = Wire(place, timeout, retries, pause)
        self._spec = f"openai:{self._wire.address}" + (f"#{self._model}" if self._model else "")
        self._evidence = evidence
        self.max_new_tokens = max_new_tokens
        self.several = several
        self.parallel = parallel
        self.stop = tuple(stop)
        self._tells = True  # log probabilities, until the server refuses to

    @property
    def spec(self) -> str:
        """``openai:`` with the address, and the model if it was named."""
        return self._spec

    @property
    def evidence(self) -> int:
        """Neighbours that it reads at most."""
        return self._evidence

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        """Texts for each request, likeliest first where the server tells, else in its order.

        Raises:
            QueryError: what the API cannot do, or no text that keeps what is required.
            EncoderError: no server, no model, no key, or no answer that can be read.
            PictureError: a request's picture cannot be opened; a neighbour's is left out.
        """
        how = how or Decoding()
        _check(how)
        found: list[list[Candidate]] = []
        some = AHEAD * self.parallel
        with ThreadPoolExecutor(self.parallel) as pool:
            for start in range(0, len(requests), some):
                # Pictures are opened in this thread: their owner need not be thread-safe.
                bodies = [self._body(r, how) for r in requests[start : start + some]]
                found += pool.map(lambda body: self._answered(body, how), bodies)
        return found

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        """The text of one request, in pieces; in one where words are required or forbidden.

        Raises:
            QueryError, EncoderError, PictureError: as when called.
        """
        how = replace(how or Decoding(), num_return_sequences=1)
        _check(how)
        if how.require or how.forbid:
            return iter([self._answered(self._body(request, how), how)[0].text])
        body = {**self._body(request, how), "stream": True}
        return tidy(map(_delta, self._wire.events("chat/completions", body)), line=False)

    def _answered(self, body: JsonObject, how: Decoding) -> list[Candidate]:
        try:
            answer = self._asked(body)
        except RefusedError as error:
            if error.code != 400 or not self._tells or "logprob" not in str(error):
                raise
            self._tells = False
            answer = self._asked(body)
        try:
            found = [_candidate(c, answer) for c in answer["choices"]]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise EncoderError(
                f"The answer of {self.spec} has no texts where they belong "
                "(choices / message / content). Check that it speaks OpenAI's chat API."
            ) from error
        written = [c for c in found if c.text]
        if not written:
            raise EncoderError(
                f"{self.spec} answers without a text. Allow more tokens (max_new_tokens), or use "
                "another model."
            )
        kept = list({c.text: c for c in written if keeps(c.text, how)}.values())[
            : how.num_return_sequences
        ]
        if not kept:
            raise QueryError(
                f"None of the {len(written)} texts of {self.spec} keeps what is required and "
                "forbidden. Ask for more candidates, or for less."
            )
        return sorted(kept, key=lambda c: -c.log_probability if c.log_probability <= 0 else 0.0)

    def _asked(self, body: JsonObject) -> JsonObject:
        more = {"logprobs": True} if self._tells else {}
        return self._wire.ask("chat/completions", {**body, **more})

    def _body(self, request: GenerationRequest, how: Decoding) -> JsonObject:
        body: JsonObject = {
            "model": self._named(),
            "messages": self._messages(request, how),
            "max_tokens": how.max_new_tokens or self.max_new_tokens,
            "temperature": how.temperature if how.do_sample else 0.0,
            "seed": how.seed,
        }
        if how.do_sample:
            body |= {"top_p": how.top_p, "n": how.num_return_sequences}
        if self.stop:
            body["stop"] = list(self.stop)
        if how.schema:
            shape = {"name": "answer", "schema": json.loads(how.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        return body

    def _messages(self, request: GenerationRequest, how: Decoding) -> list[Message]:
        wishes = [request.instruction]
        if how.require:
            wishes.append(f"These words must occur: {', '.join(how.require)}.")
        if how.forbid:
            wishes.append(f"These words must not occur: {', '.join(how.forbid)}.")
        request = replace(
            request,
            instruction=" ".join(filter(None, wishes)),
            question=request.question[-CHARACTERS:],
            evidence_items=[
                replace(e, open_picture=_seen(e.open_picture))
                for e in list(request.evidence_items)[: self.evidence]
            ],
        )
        messages, openers = conversation(request, several=self.several)
        pictures = iter(openers)
        for message in messages:
            message["content"] = [
                _sent(next(pictures)) if part["type"] == "image" else part
                for part in message["content"]
            ]
        messages[0]["content"] = messages[0]["content"][0][
            "text"
        ]  # some servers take no parts here
        return messages

    def _named(self) -> str:
        """The model's name; the server is asked for it once."""
        if not self._model:
            try:
                self._model = str(self._wire.ask("models")["data"][0]["id"])
            except (KeyError, IndexError, TypeError) as error:
                raise EncoderError(
                    f"{self.spec} does not say which models it has. Name one: "
                    f"openai:{self._wire.address}#NAME"
                ) from error
        return self._model


def _check(how: Decoding) -> None:
    """Raises QueryError for what no server of this API can be asked."""
    asked = [
        n
        for n in ("nouns", "grammar", "no_repeat_ngram_size", "min_new_tokens")
        if getattr(how, n) != getattr(Decoding(), n)
    ]
    if asked:
        raise QueryError(
            f"A model behind a server cannot do {', '.join(asked)}. Leave that out, or use a model "
            "that runs here."
        )
    try:
        sound = not how.schema or isinstance(json.loads(how.schema), dict)
    except ValueError:
        sound = False
    if not sound:
        raise QueryError("The schema is no JSON object. Give a JSON schema as JSON text.")


def _candidate(choice: JsonObject, answer: JsonObject) -> Candidate:
    content = choice["message"]["content"] or ""
    text = "".join(tidy([str(content)], line=False))
    tokens = (choice.get("logprobs") or {}).get("content")
    if tokens:
        return Candidate(text, min(sum(float(t["logprob"]) for t in tokens), 0.0), len(tokens))
    used = (answer.get("usage") or {}).get("completion_tokens") or 0
    count = int(used) // max(len(answer["choices"]), 1)  # of all choices together
    return Candidate(text, nan, count or len(text.split()))


def _delta(event: JsonObject) -> str:
    """The piece of text in an event; a whole answer is one piece."""
    try:
        choice = (event.get("choices") or [{}])[0]
        return str((choice.get("delta") or choice.get("message") or {}).get("content") or "")
    except (AttributeError, TypeError, KeyError) as error:
        raise EncoderError("The server streams something that is no piece of a text.") from error


def _seen(open_picture: OpenPicture | None) -> OpenPicture | None:
    """A neighbour's picture, opened; None if it cannot be."""
    if open_picture is None:
        return None
    try:
        picture = open_picture()
    except PictureError:
        return None
    return lambda: picture


def _sent(open_picture: OpenPicture) -> JsonObject:
    """A picture as a part of a message, a JPEG inside a data URI."""
    picture = open_picture().convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    code = base64.b64encode(file.getvalue()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{code}"}}
