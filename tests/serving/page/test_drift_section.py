"""In the browser: what a server has seen of a run's drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

import ravl
from tests.labelled import shades
from tests.serving.helpers import png
from tests.serving.page.helpers import expect
from tests.serving.page.test_looks import BARRIERS, PHONE
from tests.waiting import PATIENCE

pytestmark = pytest.mark.browser


@pytest.fixture
def watched(fitted: Path, tmp_path: Path, by_name: None, running: Any) -> str:
    """The address of a server that watches the run linear, in windows of twenty."""
    shades(tmp_path / "then", 40, first=1000)
    ravl.detect_drift(fitted / "linear", tmp_path / "then", reference=tmp_path / "then")
    (fitted / "vote" / "reference.json").unlink()
    places = [fitted / name for name in ("linear", "vote", "tags")]
    return str(running(*places, drift_window=20, drift_rate=0.02)[0])


def asked(url: str, pictures: list[bytes]) -> None:
    """Let the run answer, and wait until the answers have been counted."""
    before = httpx.get(f"{url}/v1/runs/linear/drift", timeout=PATIENCE).json()
    files = [("pictures", (f"{i}.png", data)) for i, data in enumerate(pictures)]
    assert httpx.post(f"{url}/v1/classify/batch", files=files, timeout=60).status_code == 200
    wanted = before["windows"] * 20 + before["waiting"] + len(pictures)
    while True:
        now = httpx.get(f"{url}/v1/runs/linear/drift", timeout=PATIENCE).json()
        if now["windows"] * 20 + now["waiting"] == wanted:
            return


def reds(count: int) -> list[bytes]:
    return [png("red", i) for i in range(count)]


def section(tab: Any, url: str, **options: Any) -> tuple[Any, Any]:
    """A run's page, and what it says about drift."""
    page = tab(f"{url}/#/runs/{options.pop('run', 'linear')}", **options)
    expect(page.locator("#drift")).to_be_visible()
    return page, page.locator("#drift")


def test_before_a_window_is_full_it_says_so(tab: Any, watched: str):
    asked(watched, reds(7))
    _, drift = section(tab, watched)
    expect(drift).to_contain_text("7 of 20 pictures have come that are compared with 40")
    assert drift.locator("ul, li, .badge").count() == 0


def test_a_run_without_reference_says_so_and_other_tasks_say_nothing(
    tab: Any, watched: str, site: str
):
    _, drift = section(tab, watched, run="vote")
    expect(drift).to_contain_text("no reference")
    assert drift.locator("ul").count() == 0
    page = tab(f"{site}/#/runs")
    expect(page.locator(".cards li").first).to_be_visible()
    assert page.locator("#drift").count() == 0


def test_drift_is_told_signal_by_signal(tab: Any, watched: str):
    asked(watched, reds(24))
    page, drift = section(tab, watched)
    expect(drift.locator("h2")).to_have_text("Have the pictures changed?")
    expect(drift.locator("> p").first).to_contain_text("Drift Since ")
    expect(drift.locator("li")).to_have_count(4)
    mix = drift.locator("li", has=page.get_by_role("heading", name="Mix of answers"))
    expect(mix.locator(".figures").first).to_have_text("red 25% → 100%")
    expect(mix.locator(".badge")).to_have_text("large change")
    expect(mix).to_contain_text("p below 0.001")
    similarity = drift.locator(
        "li", has=page.get_by_role("heading", name="Similarity to the memory")
    )
    told = httpx.get(f"{watched}/v1/runs/linear/drift", timeout=PATIENCE).json()["signals"][0]
    words = "More" if told["effect"] > 0 else "Less"
    expect(similarity).to_contain_text(f"{words} similar to the memory")
    expect(similarity).to_contain_text(f"{100 * told['then']:.1f}".removesuffix(".0") + "% →")
    assert told["drifted"]
    expect(drift.locator("> p").last).to_contain_text("1 of 1 window of 20 pictures differed")
    report = page.locator("#drift ~ h2")
    expect(report).to_have_text("Report")
    page.get_by_role("button", name="中文").click()
    expect(drift.locator("h2")).to_have_text("图片有变化吗？")
    expect(drift.locator("li").last.locator(".badge")).to_have_text("变化很大")


def test_pictures_as_before_are_no_drift(tab: Any, watched: str, tmp_path: Path):
    now = shades(tmp_path / "now", 20, first=2000)
    asked(watched, [Path(str(each.picture)).read_bytes() for each in now])
    _, drift = section(tab, watched)
    expect(drift.locator("> p").first).to_contain_text("No drift The last 20 pictures were like")
    expect(drift.locator("li .badge").first).to_have_text("no change beyond chance")


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_it_fits_a_phone(tab: Any, watched: str, locale: str):
    asked(watched, reds(20))
    page, _ = section(tab, watched, locale=locale, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth - 360") <= 0


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_there_are_no_barriers(tab: Any, watched: str, colours: str):
    axe = pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    asked(watched, reds(20))
    page, _ = section(tab, watched, color_scheme=colours, bypass_csp=True, reduced_motion="reduce")
    page.add_script_tag(path=Path(axe.__file__).with_name("axe.min.js"))
    assert page.evaluate(BARRIERS) == []
    page.goto(page.url.replace("linear", "vote"))
    expect(page.locator("#drift")).to_contain_text("No result")
    assert page.evaluate(BARRIERS) == []
