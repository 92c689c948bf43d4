from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ravl
from ravl.memory import Memory
from ravl.refitting import refit, rollback
from ravl.refitting.versions import replace_champion
from ravl.serving.service import Service
from tests.helpers import ColourEncoder
from tests.serving.helpers import png
from tests.waiting import PATIENCE, wait_until

NEW = ("black", "white")


@pytest.fixture
def run(two_versions: Path, by_name: None) -> Path:
    """A run that knows four colours, of a memory that has two more."""
    return (two_versions / "runs" / "run").rename(two_versions / "runs" / "kinds")


@pytest.fixture
def service(run: Path) -> Iterator[Service]:
    """A service whose runs nobody watches but the test, which looks itself."""
    made = Service([run])
    made.follower.start = lambda: None  # type: ignore[method-assign]
    made.warm_up()
    yield made
    made.close()


def renew(run: Path) -> None:
    """A version that knows two colours more takes its place."""
    replace_champion(run, run / "work-refit-new")


def labels(service: Service) -> list[str]:
    found: list[str] = service.model("classify").model.predictor.label_predictor.labels
    return found


def test_what_is_refitted_and_rolled_back_answers(
    run: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service.follower.look() == []
    watched = service.monitor._windows["kinds"].reference
    with Memory.open(run.parents[1] / "shop.ravl", ColourEncoder()) as memory:
        assert refit(run, memory, promote="always", progress=False).state == "promoted"
    assert service.follower.look() == ["kinds"]
    assert set(NEW) < set(labels(service))
    assert service.monitor._windows["kinds"].reference is not watched
    assert service.follower.look() == []
    rollback(run)
    assert service.follower.look() == ["kinds"]
    said = capsys.readouterr().err
    assert said == "kinds answers with version 2 now.\nkinds answers with version 1 now.\n"
    assert not set(NEW) & set(labels(service))


def test_half_an_exchange_is_waited_for(run: Path, service: Service) -> None:
    renew(run)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "at": "history/2"}))
    assert service.follower.look() == []
    (run / "run.json").write_text(json.dumps(record))
    assert service.follower.look() == ["kinds"]


def test_a_server_that_starts_within_an_exchange_calls_the_run_by_its_name(run: Path) -> None:
    renew(run)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "at": "history/2"}))
    made = Service([run])
    try:
        assert made.model("classify").name == "kinds"
    finally:
        made.close()


def test_what_cannot_be_loaded_does_not_answer(
    run: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    before = service.model("classify").model
    renew(run)
    (run / "predictor.safetensors").unlink()
    assert service.follower.look() == []
    said = capsys.readouterr().err
    assert "kinds: the version that has taken its place cannot be loaded" in said
    assert service.model("classify").model is before
    assert service.follower.look() == []
    assert capsys.readouterr().err == "", "told once"


def test_no_request_is_lost(running, run: Path) -> None:
    def often(service: Service) -> None:
        service.follower._pause = 0.05

    url, service = running(run, prepare=often)
    answers, end = [], threading.Event()

    def ask() -> None:
        with ravl.Client(url) as client:
            while not end.is_set():
                answers.append(client.classify(png("red")).label)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        wait_until(lambda: bool(answers))
        renew(run)
        wait_until(lambda: set(NEW) < set(labels(service)))
        before = len(answers)
        wait_until(lambda: len(answers) > before)
    finally:
        end.set()
        thread.join(PATIENCE)
    assert set(answers) == {"red"}, "and no error has ended the thread"
