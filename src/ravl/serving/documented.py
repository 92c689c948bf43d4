"""The OpenAPI document: bodies as JSON and as forms, problems, keys, examples everywhere."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ravl.json_types import JsonObject
from ravl.serving.bodies import Body
from ravl.serving.fields import FIELDS
from ravl.serving.incoming import FILES
from ravl.serving.keys import Scope
from ravl.serving.problems import MEDIA_TYPE, ProblemBody
from ravl.serving.results import shown

REF = "#/components/schemas/{model}"
_WHEN = {
    400: "The request is broken.",
    401: "There is no key, or an unknown one.",
    403: "The key's scope does not suffice, or a page of another site asks.",
    404: "There is no such thing.",
    408: "The request did not arrive in time.",
    409: "It is there already.",
    413: "The request is larger than allowed.",
    415: "The body is of another type.",
    422: "What was asked for has no answer; the sentence says why.",
    429: "Too much waits, or came; Retry-After says when to ask again.",
    503: "No answer came in time, or another process writes; see Retry-After.",
}
ALWAYS = (401, 403, 408, 413, 422, 429, 503)


def takes(app: FastAPI, body: type[Body], scope: Scope | None) -> JsonObject:
    """How an operation with a body is documented: for ``openapi_extra``."""
    _remember(app, body)
    content: JsonObject = {
        "application/json": {
            "schema": {"$ref": REF.format(model=body.__name__)},
            "example": shown(body),
        }
    }
    if files := [name for name in FILES if name in body.model_fields]:
        content["multipart/form-data"] = {"schema": {"$ref": REF.format(model=_form_name(body))}}
        example = {k: v for k, v in shown(body).items() if k not in FILES}
        content["multipart/form-data"]["example"] = {**example, files[0]: "(a file)"}
    return {"requestBody": {"required": True, "content": content}, **secured(scope)}


def secured(scope: Scope | None) -> JsonObject:
    """Which key an operation takes."""
    return {"security": [{"key": []}], "x-scope": scope} if scope else {"security": []}


def gives(
    app: FastAPI, model: type[BaseModel], *also: int, status: int = 200
) -> dict[int | str, JsonObject]:
    """What an operation returns: for ``responses``."""
    _remember(app, model)
    content = {"schema": {"$ref": REF.format(model=model.__name__)}, "example": shown(model)}
    return {
        status: {
            "description": (model.__doc__ or "").splitlines()[0],
            "content": {"application/json": content},
        },
        **problems(*also),
    }


def problems(*also: int) -> dict[int | str, JsonObject]:
    """The problems that an operation may answer with."""
    schema, example = {"$ref": REF.format(model="Problem")}, shown(ProblemBody)
    return {
        status: {
            "description": _WHEN[status],
            "content": {MEDIA_TYPE: {"schema": schema, "example": {**example, "status": status}}},
        }
        for status in sorted({*ALWAYS, *also})
    }


def document(app: FastAPI, keyed: bool) -> JsonObject:
    """The whole document."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    models: set[type[BaseModel]] = app.state.documented
    kinds = [(m, "validation") for m in sorted(models, key=lambda m: m.__name__)]
    _, definitions = models_json_schema([*kinds, (ProblemBody, "validation")], ref_template=REF)  # type: ignore[list-item]
    schemas = definitions["$defs"]
    schemas["Problem"] = schemas.pop("ProblemBody")
    for model in models:
        if issubclass(model, Body) and any(name in model.model_fields for name in FILES):
            schemas[_form_name(model)] = _form_of(schemas[model.__name__])
    describe(schemas)
    components = found.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **schemas}
    _mend_examples(found, models)
    if keyed:
        components["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "A key of --new-key."}
        }
    else:
        for operations in found["paths"].values():
            for operation in operations.values():
                operation.pop("security", None)
    app.openapi_schema = found
    return found


def describe(schemas: JsonObject) -> None:
    """Say what each field holds."""
    for name, schema in schemas.items():
        for field, about in schema.get("properties", {}).items():
            words = FIELDS.get(f"{name}.{field}") or FIELDS.get(field)
            if words and not about.get("description"):
                about["description"] = words


def _mend_examples(document: JsonObject, models: set[type[BaseModel]]) -> None:
    """Put back what FastAPI drops from examples: what is null."""
    known = {REF.format(model=model.__name__): shown(model) for model in models}
    for operations in document["paths"].values():
        for operation in operations.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                content = part.get("content", {}).get("application/json", {})
                if (reference := content.get("schema", {}).get("$ref")) in known:
                    content["example"] = known[reference]


def _form_name(body: type[Body]) -> str:
    return f"{body.__name__}Form"


def _form_of(schema: JsonObject) -> JsonObject:
    """The same as a form, whose pictures are files."""
    fields = dict(schema["properties"])
    binary = {"type": "string", "format": "binary"}
    needed = list(schema.get("required", []))
    for name in FILES:
        if name in fields:
            many = {"type": "array", "items": binary, "minItems": 1}
            fields[name] = binary if name == "picture" else many
    return {"type": "object", "properties": fields, "required": needed, "title": schema["title"]}


def _remember(app: FastAPI, model: type[BaseModel]) -> None:
    known: set[type[BaseModel]] = getattr(app.state, "documented", set())
    app.state.documented = known | {model}
