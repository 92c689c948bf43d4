"""Reading requests: JSON or multipart/form-data, and the pictures in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ravl.errors import QueryError, RavlError
from ravl.json_types import JsonObject, JsonValue
from ravl.serving.bodies import Body, PictureIn
from ravl.serving.problems import Problem, sentence_of
from ravl.untrusted import parse_json

B = TypeVar("B", bound=Body)
FIELD = 1 << 20  # bytes of a form's field that is no file
TAIL = 1024  # bytes; hold the last boundary of a form
FILES = ("picture", "pictures")


@dataclass(frozen=True)
class Sent(Generic[B]):
    """What a client sent.

    Args:
        body: its fields.
        files: uploaded pictures.
    """

    body: B
    files: Sequence[bytes] = ()

    def picture(self) -> bytes | PictureIn | None:
        """The one picture; None where there is none.

        Raises:
            QueryError: there are two.
        """
        found = [*self.files, *([p] if (p := getattr(self.body, "picture", None)) else [])]
        if len(found) > 1:
            raise QueryError(f"There are {len(found)} pictures; one is asked about here.")
        return found[0] if found else None

    def one(self) -> bytes | PictureIn:
        """The one picture that there must be."""
        found = self.picture()
        if found is None:
            raise QueryError(
                "There is no picture. Send one as multipart/form-data in the field picture, or in "
                'JSON as {"picture": {"base64": "..."}} or {"picture": {"id": "..."}}.',
            )
        return found

    def many(self, most: int) -> list[bytes | PictureIn]:
        """At least one picture, and not too many."""
        found = [*self.files, *getattr(self.body, "pictures", [])]
        if not found:
            raise QueryError("There are no pictures. Send them in the field pictures.")
        check_number(len(found), "pictures", most)
        return found


async def read(request: Request, shape: type[B], batch: int) -> Sent[B]:
    """The body of a request.

    Args:
        request: of the client.
        shape: that its fields must have.
        batch: files that it may have.

    Raises:
        Problem: 415 for another content type, 400 for a broken form.
        RavlError: the fields are others; of the class that the shape says.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return Sent(shape.model_validate_json(await request.body()))
        if kind == "multipart/form-data" and _takes_files(shape):
            fields, files = await _form(request, shape, batch)
            return Sent(shape.model_validate(fields), files)
    except ValidationError as error:
        raise shape.refused(sentence_of(error)) from None
    takes = "application/json" + (" or multipart/form-data" if _takes_files(shape) else "")
    raise Problem(415, f"The body is {kind[:80] or 'of no type'}; send {takes}.")


async def _form(request: Request, shape: type[B], batch: int) -> tuple[JsonObject, list[bytes]]:
    """Fields and files of a form."""
    fields: JsonObject = {}
    files: list[bytes] = []
    if not _is_whole(request.headers["content-type"], await request.body()):
        raise Problem(400, "The form ends before its last boundary. Send all of it again.")
    try:
        async with request.form(max_files=batch, max_fields=1_000, max_part_size=FIELD) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    if name not in FILES:
                        raise QueryError(f"The file in {name[:80]!r} is not expected there.")
                    files.append(await value.read())
                elif _is_list(shape, name):
                    fields.setdefault(name, []).append(value)
                else:
                    fields[name] = _value(shape, name, value)
    except HTTPException as error:  # of the form's parser
        raise Problem(400, f"The form cannot be read: {error.detail}") from None
    return fields, files


def _is_whole(kind: str, body: bytes) -> bool:
    """True if a form has the boundary that ends it; the parser does not ask for it.

    Args:
        kind: the header Content-Type.
        body: of the request.
    """
    _, found = parse_options_header(kind)
    return b"--" + found.get(b"boundary", b"") + b"--" in body[-TAIL:]


def check_number(count: int, what: str, most: int) -> None:
    """Refuse too many of something."""
    if count > most:
        raise QueryError(f"There are {count:,} {what}; at most {most:,} go in one request.")


def check_texts(
    texts: Sequence[str | None], most: int, refused: type[RavlError] = QueryError
) -> None:
    """Refuse texts that are too long."""
    for text in texts:
        if text is not None and len(text) > most:
            raise refused(
                f"A text has {len(text):,} characters; at most {most:,} are read. Shorten it."
            )


def _takes_files(shape: type[Body]) -> bool:
    return any(name in shape.model_fields for name in FILES)


def _is_list(shape: type[Body], name: str) -> bool:
    """True for lists of texts, of which a form has one in each field of the name."""
    kinds = _kinds(shape, name)
    return any(get_origin(kind) is list for kind in kinds) and not any(map(_is_object, kinds))


def _value(shape: type[Body], name: str, value: str) -> JsonValue:
    """A form's field; objects, and lists of objects, are written as JSON."""
    if name not in FILES and not any(map(_is_object, _kinds(shape, name))):
        return value
    try:
        return parse_json(value)
    except ValueError:
        raise QueryError(f"The field {name} must be written as JSON.") from None


def _kinds(shape: type[Body], name: str) -> list[object]:
    """The types that a field may have, without their annotations; none for pictures."""
    field = shape.model_fields.get(name)
    if field is None or name in FILES:
        return []
    kinds = (field.annotation, *get_args(field.annotation))
    return [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds]


def _is_object(kind: object) -> bool:
    """True for an object, and for a list of objects."""
    inner = get_args(kind)[0] if get_origin(kind) is list else kind
    return get_origin(inner) is dict or (isinstance(inner, type) and issubclass(inner, BaseModel))
