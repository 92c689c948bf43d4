"""The watch for drift on a server: windows, metrics, the endpoint, and a restart."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import ravl
from ravl.errors import QueryError
from ravl.serving import monitor
from tests.labelled import shades
from tests.refitting.test_tasks import CASES
from tests.refitting.test_tasks import fitted as fitted_case
from tests.serving.helpers import png
from tests.tasks.ask.asked import KIND, TASTE
from tests.waiting import wait_until


@pytest.fixture
def run(fitted: Path, tmp_path: Path, by_name: None) -> Path:
    """A run with a reference of forty pictures."""
    shades(tmp_path / "then", 40, first=1000)
    ravl.detect_drift(fitted / "linear", tmp_path / "then", reference=tmp_path / "then")
    return fitted / "linear"


def watched(client, *places, **options):
    """A client of a server whose windows are of twenty."""
    return client(*places, **{"drift_window": 20, "drift_rate": 0.02, **options})


def asked(client, pictures, path="/v1/classify/batch"):
    files = [("pictures", (f"{i}.png", each)) for i, each in enumerate(pictures)]
    response = client.post(path, files=files)
    assert response.status_code == 200, response.text


def state(client, until, run="linear"):
    """The endpoint's answer, once the window has been tested."""
    found = []

    def asked():
        found.append(client.get(f"/v1/runs/{run}/drift").json())
        return until(found[-1])

    wait_until(asked)
    return found[-1]


def test_a_window_of_other_pictures_alarms(client, run):
    app = watched(client, run)
    assert client_state(app)["drifted"] is None
    asked(app, [png("red", i) for i in range(24)])
    found = state(app, lambda s: s["windows"])
    assert (found["windows"], found["alarms"], found["waiting"]) == (1, 1, 4)
    assert found["drifted"] and found["ended"] == found["since"]
    assert (found["window"], found["rate"]) == (20, 0.02)
    by_name = {each["signal"]: each for each in found["signals"]}
    assert by_name["answers"]["drifted"] and by_name["answers"]["now"]["red"] == 1.0
    text = app.get("/v1/metrics").text
    assert 'ravl_drift_windows_total{run="linear"} 1.0' in text
    assert 'ravl_drift_alarms_total{run="linear"} 1.0' in text
    assert 'ravl_drift_p_value{run="linear",signal="answers"} 0.0' in text
    assert 'ravl_nearest_similarity_count{run="linear"} 24.0' in text


def test_pictures_like_those_of_fitting_time_do_not(client, run, tmp_path):
    app = watched(client, run)
    examples = shades(tmp_path / "now", 20, first=2000)
    asked(app, [Path(str(e.picture)).read_bytes() for e in examples])
    found = state(app, lambda s: s["windows"])
    assert (found["windows"], found["alarms"], found["drifted"]) == (1, 0, False)
    assert found["ended"] and found["since"] is None


def test_it_tells_since_when_pictures_drift(client, run, tmp_path):
    app = watched(client, run)
    like = [Path(str(e.picture)).read_bytes() for e in shades(tmp_path / "now", 20, first=2000)]
    others = [[png("red", i + start) for i in range(20)] for start in (0, 100, 200)]
    told = []
    for number, pictures in enumerate((*others[:2], like, others[2]), 1):
        asked(app, pictures)
        told.append(state(app, lambda s, number=number: s["windows"] == number))
    first, second, fine, again = told
    assert first["since"] == second["since"] == first["ended"] < second["ended"]
    assert fine["since"] is None and again["since"] == again["ended"] > second["ended"]
    app.__exit__(None, None, None)
    assert client_state(watched(client, run))["since"] == again["since"]


def test_a_window_may_have_another_size_after_a_restart(client, run):
    first = watched(client, run, drift_window=60)
    asked(first, [png("red", i) for i in range(50)])
    assert state(first, lambda s: s["waiting"] == 50)["windows"] == 0
    first.__exit__(None, None, None)
    again = watched(client, run)
    asked(again, [png("red", 50)])
    found = state(again, lambda s: s["windows"])
    assert (found["windows"], found["waiting"], found["drifted"]) == (2, 11, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"drift_window": 19}, "A window is of 19 pictures; it must be of 20 to 10,000, like 200"),
        ({"drift_window": 10_001}, "A window is of 10,001 pictures"),
        ({"drift_rate": 0.001}, "The rate is 0.001; it must be a share from 0.005 to 0.5"),
    ],
)
def test_options_out_of_range_are_a_sentence(client, run, options, says):
    with pytest.raises(QueryError, match=re.escape(says)):
        client(run, **options)


def test_what_is_answered_otherwise_does_not_count(client, run):
    app = watched(client, run)
    answer = app.post("/v1/classify", json={"picture": {"id": "red_000.png"}})
    assert answer.status_code == 200  # the memory's own picture would find itself
    for field in ({"k": "3"}, {"retrieval": "false"}):
        sent = app.post("/v1/classify", data=field, files={"picture": ("a.png", png("red"))})
        assert sent.status_code == 200, sent.text
    asked(app, [png("red")])
    assert state(app, lambda s: s["waiting"])["waiting"] == 1


def test_a_restart_goes_on_unless_the_reference_is_another(client, run):
    first = watched(client, run)
    asked(first, [png("red", i) for i in range(24)])
    state(first, lambda s: s["waiting"] == 4)
    first.__exit__(None, None, None)
    file = run.parent / "shop.ravl.drift"
    kept = json.loads(file.read_text())["linear"]
    assert kept["tested"] == 1 and len(kept["waiting"]["similarity"]) == 4
    again = client_state(watched(client, run))
    assert (again["windows"], again["waiting"], again["drifted"]) == (1, 4, True)
    shades(run.parent / "later", 30, first=5000)
    ravl.detect_drift(run, run.parent / "later", reference=run.parent / "later")
    assert client_state(watched(client, run))["windows"] == 0
    file.write_text("[]")
    assert client_state(watched(client, run))["windows"] == 0


def test_a_run_without_reference_says_so(client, run):
    (run / "reference.json").unlink()
    app = watched(client, run, run.parent / "tags")
    response = app.get("/v1/runs/linear/drift")
    assert response.status_code == 404 and "--reference" in response.json()["detail"]
    assert app.get("/v1/runs/nothing/drift").status_code == 404
    asked(app, [png("red", i) for i in range(3)])
    assert not monitor._read(run.parent / "shop.ravl.drift").get("linear")


@pytest.mark.parametrize(("name", "path"), [("caption-vote", "caption"), ("ask-vote", "ask")])
def test_other_tasks_are_watched_too(client, by_name, tmp_path, name, path):
    case = CASES[name]
    with fitted_case(case, tmp_path, model="vote") as (_, run):
        then = case.paints(tmp_path / "then", 30, first=1000)
        ravl.detect_drift(run, then, reference=then)
    app = client(run)

    def ask(number, **fields):
        asked = {"question": KIND} if path == "ask" else {}
        picture = {"picture": ("a", png("red", number))}
        sent = app.post(f"/v1/{path}", data=asked | fields, files=picture)
        assert sent.status_code == 200, sent.text

    def waiting(count):
        found = state(app, lambda s: s["waiting"] == count, "run")
        return found["waiting"] == count

    ask(0)
    assert waiting(1)
    ask(1, k="3")  # neighbours of another number
    ask(0)  # no other picture
    ask(2, abstain="0.1")  # the answer stays the same
    assert waiting(2)
    if path == "ask":
        files = [("pictures", ("a.png", png("blue")))]
        sent = app.post("/v1/ask/batch", data={"questions": [KIND, TASTE]}, files=files)
        assert sent.status_code == 200, sent.text
        assert waiting(3), "one picture"


def client_state(app):
    return app.get("/v1/runs/linear/drift").json()
