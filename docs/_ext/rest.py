"""The REST reference, from the OpenAPI document that the server itself gives."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from docs._ext.words import escaped

from ravl.serving.results import Provenance

ADDRESS = "localhost:8000"
WIDTH = 76  # characters of a line that is read without scrolling
JSON, FORM = "application/json", "multipart/form-data"
SHARED = ("run", "memory", "timings", "together", "request")  # of every answer of a model


@cache
def document() -> dict[str, Any]:
    """What a server with every task and with keys answers at ``/v1/openapi.json``."""
    from ravl.serving.app import create_app
    from ravl.serving.documented import describe
    from ravl.serving.limits import Limits
    from ravl.tasks import registry

    service: Any = SimpleNamespace(
        tasks=list(dict.fromkeys(task.command for task in registry.tasks() if task.answers)),
        keys=(),
        limits=Limits(),
        memory=None,
        thumbnails=None,
        feedback=None,
    )
    found: dict[str, Any] = create_app(service).openapi()
    found["components"]["schemas"]["Provenance"] = Provenance.model_json_schema()
    describe(found["components"]["schemas"])
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every endpoint."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def reference(tags: Sequence[str]) -> str:
    """Sections of the endpoints that have one of these tags.

    Raises:
        KeyError: no endpoint has that tag.
    """
    known = {tag for _, _, operation in operations() for tag in operation["tags"]}
    if missing := [tag for tag in tags if tag not in known]:
        raise KeyError(f"No endpoint has the tag {missing[0]!r}; there are: {sorted(known)}.")
    return "\n".join(
        _operation(method, path, operation)
        for tag in tags
        for method, path, operation in operations()
        if tag in operation["tags"]
    )


def records(_words: Sequence[str] = ()) -> str:
    """Sections of what answers and bodies are made of."""
    return "\n".join(_record(name) for name in nested())


def nested() -> list[str]:
    """Schemas that others refer to, or that all answers have."""
    found = {"Provenance", "Problem"}
    for schema in schemas().values():
        for field in schema.get("properties", {}).values():
            found |= set(_references(field))
    return sorted(found)


def schemas() -> dict[str, Any]:
    """All of them by name."""
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def described(schema: str, name: str) -> str:
    """What a field holds.

    Raises:
        KeyError: nobody says; describe it in its model, or in ravl/serving/fields.py.
    """
    words: str | None = schemas()[schema]["properties"][name].get("description")
    if not words:
        raise KeyError(f"{schema}.{name} has no description. Give it one in the code.")
    return words


# --- one endpoint -------------------------------------------------------------------------------


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    scope = operation.get("x-scope")
    who = f"Takes a key with the scope **{scope}**." if scope else "Takes no key."
    parts = [
        f"(rest-{operation['operationId']})=\n## `{method} {path}`\n",
        f"{escaped(operation['summary'])}{_stop(operation['summary'])} {who}\n",
    ]
    if words := operation.get("description"):
        parts.append(escaped(words) + "\n")
    if parameters := operation.get("parameters"):
        parts.append("**Parameters**\n")
        parts += [_parameter(parameter) for parameter in parameters]
    content = operation.get("requestBody", {}).get("content", {})
    if JSON in content:
        name = _name(content[JSON]["schema"])
        form = "; as a form, pictures are files" if FORM in content else ""
        parts += [f"**Body**: JSON{form}\n", _fields(name, sent=True)]
    parts += ["**Answers**\n", *_responses(operation["responses"])]
    parts.append(f"```sh\n{curl(method, path, operation)}\n```\n")
    if example := _success(operation).get(JSON, {}).get("example"):
        text = json.dumps(example, indent=2, ensure_ascii=False)
        parts.append(
            f"<details><summary>An answer</summary>\n\n```json\n{text}\n```\n\n</details>\n"
        )
    return "\n".join(parts)


def curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A line that asks this on a server of this machine."""
    words = ["curl"]
    content = operation.get("requestBody", {}).get("content", {})
    query = {}
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        example = (schema.get("examples") or [parameter.get("example")])[0]
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(example))
        elif parameter["required"]:
            query[parameter["name"]] = example
    if method not in ("GET", "POST") or (method == "POST" and not content):
        words += ["-X", method]
    if JSON in content:
        body = json.dumps(content[JSON]["example"], ensure_ascii=False)
        words += ["-H", "Content-Type: application/json", "-d", body]
    address = ADDRESS + path + (f"?{urlencode(query)}" if query else "")
    line = shlex.join([*words, address])
    return (
        line
        if len(line) <= WIDTH
        else line.replace(" -d ", " \\\n     -d ", 1).replace(
            f" {ADDRESS}", f" \\\n     {ADDRESS}", 1
        )
    )


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    words = parameter.get("description") or schema.get("description") or ""
    need = "in the path" if parameter["in"] == "path" else ""
    return _definition(parameter["name"], schema, words, parameter["required"], need)


def _responses(responses: Mapping[str, Any]) -> Iterator[str]:
    told = []
    for status, response in responses.items():
        if not status.startswith(("2", "3")):
            told.append(f"`{status}`")
            continue
        content = response.get("content", {})
        kinds = ", ".join(f"`{kind}`" for kind in content if kind != JSON)
        yield f"`{status}` {escaped(response['description'])}" + (f" ({kinds})" if kinds else "")
        if JSON in content:
            yield ""
            yield _fields(_name(content[JSON]["schema"]))
    yield f"\nProblems: {', '.join(told)}; see [errors](/reference/rest/index.md#errors).\n"


def _success(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    content: Mapping[str, Any] = next(
        response.get("content", {})
        for status, response in operation["responses"].items()
        if status.startswith("2")
    )
    return content


# --- schemas ------------------------------------------------------------------------------------


def _record(name: str) -> str:
    schema = schemas()[name]
    words = escaped(schema.get("description", "").split("\n\n")[0])
    sent = name.endswith("In")
    return f"(rest-record-{name.lower()})=\n## {name}\n\n{words}\n\n{_fields(name, sent=sent)}"


def _fields(name: str, *, sent: bool = False) -> str:
    """The fields of what a client sends (needed ones first), or gets."""
    schema = schemas()[name]
    fields = schema.get("properties", {})
    needed = schema.get("required", ()) if sent else ()
    fields = dict(sorted(fields.items(), key=lambda item: item[0] not in needed))
    shared = set(SHARED) <= set(fields) and name != "Provenance"
    lines = [
        _definition(field, value, described(name, field), field in needed)
        for field, value in fields.items()
        if not (shared and field in SHARED)
    ]
    if shared:
        lines.append("and [where the answer comes from](#rest-record-provenance).\n")
    return "\n".join(lines)


def _definition(
    name: str, schema: Mapping[str, Any], words: str, needed: bool, note: str = ""
) -> str:
    kind = _type(schema)
    if "default" in schema:  # null is what is not sent
        kind = kind.removesuffix(" or null")
    notes = [kind]
    if note:
        notes.append(note)
    if needed:
        notes.append("required")
    elif schema.get("default") not in (None, "", [], {}):
        notes.append(f"default `{json.dumps(schema['default'])}`")
    return f"`{name}`: {', '.join(notes)}\n: {escaped(words)}\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = _name(schema)
        return f"[{name}](#rest-record-{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(option) for option in schema["anyOf"]))
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        item = _type(schema.get("items", {}))
        return f"list of {item}s" if item.isalpha() and item != "anything" else f"list of {item}"
    limits = [schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")]
    if kind in ("integer", "number") and None not in limits:
        return f"{kind} from {limits[0]:g} to {limits[1]:,}"
    if kind is None:
        return "anything"
    return "base64" if schema.get("format") == "byte" else str(kind)


def _name(schema: Mapping[str, Any]) -> str:
    name: str = schema["$ref"].rsplit("/", 1)[-1]
    return name.removesuffix("Form")


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield _name(schema)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _stop(text: str) -> str:
    return "" if text.endswith(("?", ".", "!")) else "."
