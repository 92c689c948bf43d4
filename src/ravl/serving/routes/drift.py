"""``/v1/runs/{name}/drift``: whether what a run is asked still is as at fitting time."""

from __future__ import annotations

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from ravl.json_types import JsonObject
from ravl.serving.asking import caller_of
from ravl.serving.documented import gives, secured
from ravl.serving.outgoing import Json
from ravl.serving.problems import Problem
from ravl.serving.results import example
from ravl.serving.routes.runs import Name, named
from ravl.serving.service import Service

SIGNAL: JsonObject = {
    "signal": "similarity",
    "p": 0.0005,
    "drifted": True,
    "effect": -0.41,
    "size": "medium",
    "said": "further from the memory: 0.742 → 0.655",
    "then": 0.742,
    "now": 0.655,
}


class SignalOut(BaseModel):
    """What one signal tells."""

    model_config = example(**SIGNAL)
    signal: str = Field(description="similarity, confidence, disagreement, or answers.")
    p: float = Field(description="How often chance gives any signal as much; of all together.")
    drifted: bool = Field(description="Whether p is at most the rate.")
    effect: float = Field(description="Cliff's delta; of the mix of answers Cohen's w.")
    size: str = Field(description="negligible, small, medium or large.")
    said: str = Field(description="What changed, in words.")
    then: float | dict[str, float] = Field(description="Mean, or shares, at fitting time.")
    now: float | dict[str, float] = Field(description="Mean, or shares, of the window.")


class DriftOut(BaseModel):
    """Drift of what a run is asked, by the last full window of answers."""

    model_config = example(
        run="kinds",
        drifted=True,
        said="Drift: 200 pictures against 400 of fitting time; changed: similarity of the nearest "
        "in the memory.",
        p=0.0005,
        ended="2026-11-25T08:00:00.000+00:00",
        since="2026-11-25T08:00:00.000+00:00",
        signals=[SIGNAL],
        window=200,
        waiting=17,
        windows=12,
        alarms=1,
        rate=0.01,
        reference=400,
    )
    run: str = Field(description="Its name.")
    drifted: bool | None = Field(description="Of the last window; null before the first is full.")
    said: str | None = Field(description="The outcome in a sentence.")
    p: float | None = Field(description="The least of the signals' p values.")
    ended: str | None = Field(description="When the last window was full, in UTC.")
    since: str | None = Field(
        description="When the first of the windows was full that have alarmed in a row, up to the "
        "last; null where the last did not."
    )
    signals: list[SignalOut] = Field(description="Each with what was found.")
    window: int = Field(description="Answered pictures of a window; each counts in one alone.")
    waiting: int = Field(description="Answered pictures of the window that is not full yet.")
    windows: int = Field(description="How many have been tested.")
    alarms: int = Field(description="How many of them had drifted.")
    rate: float = Field(description="Share of windows that alarm where nothing has changed.")
    reference: int = Field(description="Pictures of fitting time that are compared with.")


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoint."""

    @app.get(
        "/v1/runs/{name}/drift",
        summary="Are pictures still those of fitting time?",
        tags=["runs"],
        operation_id="run_drift",
        openapi_extra=secured("read"),
        responses=gives(app, DriftOut, 404),
    )
    async def drift(request: Request, name: Name) -> Json:
        caller_of(service, request, "read")
        named(service, name)
        found = await service.aside(service.monitor.state, name)
        if found is None:
            raise Problem(
                404,
                f"The run {name!r} has no reference to compare with, since an older ravl made it. "
                "It gets one by ravl drift RUN --reference PICTURES.",
                kind="data",
            )
        return Json(found)
