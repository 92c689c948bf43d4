"""In the browser: languages, colours, small screens, the keyboard, barriers, and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravl.serving.keys import Keys
from tests.serving.helpers import png
from tests.serving.page.helpers import answered, choose_task, expect, opened

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
VIEWS = ("ask", "search?text=red", "rows", "inbox", "runs", "runs/linear")


MARKED = """[document.activeElement, document.activeElement.nextElementSibling ?? document.body]
    .some(e => getComputedStyle(e).outlineStyle === "solid")"""  # a radio's mark is its text's


def settled(page: Any, view: str) -> None:
    """Go to a view, and wait until it is drawn."""
    page.goto(page.url.split("#")[0] + f"#/{view}")
    name = view.partition("?")[0].partition("/")[0]
    expect(page.locator(f"#view-{name}")).to_be_visible()
    ready = {
        "search": "#search-hits img",
        "rows": "#rows-list img",
        "inbox": "#inbox-list li",
        "runs": "#runs-body > *",
    }.get(name)
    if ready:
        expect(page.locator(ready).first).to_be_visible()
    if view == "runs/linear":
        expect(page.locator("iframe")).to_be_visible()


def test_a_run_has_a_page_with_its_report(tab: Any, site: str):
    page = tab(f"{site}/#/runs")
    expect(page.locator(".cards li")).to_have_count(8)
    page.get_by_role("link", name="linear").click()
    expect(page.locator("h1:visible")).to_have_text("linear")
    table = page.locator("#runs-body table")
    expect(table).to_contain_text("Trained, with retrieval")
    expect(table).to_contain_text("accuracy")
    report = page.frame_locator("iframe")
    expect(report.locator("h1")).to_be_visible()
    styled = report.locator("body").evaluate("e => getComputedStyle(e).maxWidth")
    assert styled != "none"  # its own styles hold
    assert page.evaluate("document.querySelector('iframe').sandbox.value") == "allow-same-origin"
    page.goto(f"{site}/#/runs/none")
    expect(page.locator("#runs-error")).to_contain_text("There is no run 'none'")
    page.go_back()
    expect(page.locator("h1:visible")).to_have_text("linear")
    page.get_by_role("link", name="All runs").click()
    vote = page.locator(".cards li", has=page.get_by_role("link", name="vote", exact=True))
    vote.get_by_role("link", name="Try it").click()
    expect(page.locator("#ask-hint")).to_have_text("Answered by vote (vote).")


def test_a_report_is_fetched_with_the_key(
    tab: Any, running: Any, fitted: Path, by_name: None, keyed: tuple[Keys, dict[str, str]]
):
    keys, named = keyed
    page = tab(f"{running(fitted / 'linear', keys=keys)[0]}/#/runs/linear")
    page.locator("#key-dialog").get_by_label("Key", exact=True).fill(named["read"])
    page.keyboard.press("Enter")
    expect(page.frame_locator("iframe").locator("h1")).to_be_visible()


def test_chinese_by_the_browser_and_by_the_switch(tab: Any, site: str, picture: Path):
    page = tab(site, locale="zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("h1:visible")).to_have_text("就一张图片提问")
    assert "就一张图片提问" in page.title()
    page.set_input_files("#ask-picture input >> nth=0", picture)
    page.locator("#ask-form button.primary").click()
    expect(page.locator(".sure")).to_contain_text("置信度")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".sure")).to_contain_text("sure")  # what is there changes as well
    expect(page.locator(".evidence h2")).to_have_text("Evidence")
    page.reload()
    expect(page.locator("h1:visible")).to_have_text("Ask about a picture")


def test_colours_follow_the_system_and_the_switch(tab: Any, site: str):
    page = tab(site, color_scheme="dark")
    shade = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    assert page.evaluate(shade) < 60
    page.get_by_label("Colours").select_option("light")
    assert page.evaluate(shade) > 200
    page.reload()
    assert page.evaluate(shade) > 200
    page.emulate_media(color_scheme="light")
    page.get_by_label("Colours").select_option("dark")
    assert page.evaluate(shade) < 60
    page.get_by_label("Colours").select_option("auto")
    assert page.evaluate(shade) > 200


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_nothing_is_wider_than_a_phone(tab: Any, site: str, picture: Path, locale: str):
    page = tab(site, locale=locale, **PHONE)
    wide = "document.documentElement.scrollWidth - 360"  # innerWidth would grow with it
    for view in VIEWS:
        settled(page, view)
        assert page.evaluate(wide) <= 0, view
    settled(page, "ask")
    expect(page.locator("#ask-picture .camera")).to_be_visible()
    page.set_input_files("#ask-picture input >> nth=0", picture)
    page.locator("#ask-form button.primary").click()
    expect(page.locator(".answer .sure")).to_be_visible()
    page.locator(".correction [aria-expanded]").click()
    assert page.evaluate(wide) <= 0
    settled(page, "rows")
    page.locator("#rows-add summary").click()
    page.locator("#rows-add .link").first.click()
    assert page.evaluate(wide) <= 0
    page.locator("#rows-list .open").first.click()
    dialog = page.locator("#row-dialog")
    expect(dialog.locator("dl")).to_be_visible()
    assert dialog.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    dialog.locator(".actions button").nth(2).click()
    expect(dialog.locator("form")).to_be_visible()
    assert dialog.evaluate("e => e.scrollWidth - e.clientWidth") <= 0


def test_the_keyboard_suffices(tab: Any, site: str):
    page = tab(f"{site}/#/ask?id=red_000.png")

    def to(selector: str, key: str = "Tab", most: int = 40) -> None:
        for _ in range(most):
            page.keyboard.press(key)
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                assert page.evaluate(MARKED), selector
                return
        raise AssertionError(f"the keyboard does not get to {selector}")

    expect(page.locator("#ask-picture img")).to_be_visible()
    to("#skip")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert "#/ask" in page.url
    to("[name=task]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#ask-words-label")).to_have_text("Your question")
    page.keyboard.press("ArrowLeft")
    to("#ask-form button.primary")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .sure")).to_be_visible()
    to(".correction button[aria-expanded]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "INPUT"
    to(".evidence .open")
    page.keyboard.press("Enter")
    expect(page.locator("#row-dialog dl")).to_be_visible()
    for _ in range(12):  # the focus stays in the dialog, or leaves the page for the browser's own
        page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(page.locator("#row-dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('.evidence .open')")
    to("header nav a[data-view=rows]", "Shift+Tab", 80)
    page.keyboard.press("Enter")
    expect(page.locator("#rows-list img").first).to_be_visible()
    assert page.evaluate("document.activeElement.tagName") == "H1"


def test_who_wants_no_motion_gets_none(tab: Any, site: str):
    page = tab(site, reduced_motion="reduce")
    moves = """[...document.querySelectorAll('*')]
        .filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0).length"""
    assert page.evaluate(moves) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moves) > 0


BARRIERS = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"], iframes: false });
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_there_are_no_barriers(tab: Any, site: str, picture: Path, colours: str):
    axe = pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    script = Path(axe.__file__).with_name("axe.min.js")
    page = tab(site, color_scheme=colours, bypass_csp=True, reduced_motion="reduce")
    page.add_script_tag(path=script)

    def check(what: str) -> None:
        assert page.evaluate(BARRIERS) == [], what

    for view in VIEWS:
        settled(page, view)
        check(view)
    settled(page, "ask")
    check("an empty form")
    page.set_input_files("#ask-picture input >> nth=0", picture)
    page.locator("#ask-options summary").click()
    answered(page)
    page.get_by_role("button", name="Wrong").click()
    check("an answer")
    page.get_by_role("button", name="Send").click()
    choose_task(page, "Tag")
    answered(page)
    choose_task(page, "Question")
    page.locator("#ask-form button.primary").click()
    expect(page.locator("#ask-error")).not_to_be_empty()
    check("an error")
    settled(page, "inbox")
    expect(page.locator(".entry")).to_have_count(1)
    check("an entry of the inbox")
    settled(page, "search?text=red")
    page.locator("#search-options summary").click()
    check("options of the search")
    settled(page, "rows")
    page.locator("#rows-add summary").click()
    check("adding")
    dialog = opened(page, "red_000.png")
    check("a row")
    dialog.get_by_role("button", name="Edit").click()
    check("a row that is edited")
    dialog.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="Delete").click()
    check("a question before something is lost")


def test_no_barriers_without_a_key(tab: Any, running: Any, keyed: Any):
    axe = pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    page = tab(running(keys=keyed[0])[0], bypass_csp=True)
    expect(page.locator("#key-dialog")).to_be_visible()
    page.add_script_tag(path=Path(axe.__file__).with_name("axe.min.js"))
    assert page.evaluate(BARRIERS) == []


def test_markup_in_the_memory_is_only_text(tab: Any, running: Any, shop: Path):
    from ravl.data import Example
    from ravl.memory import Memory

    evil = '<img src=x onerror="document.title=1"><script>alert(1)</script>'
    with Memory.open(shop) as memory:
        memory.add(
            [Example(f"{evil}&?#/..", png("red", 5), (evil,), evil, (evil,), (), {"x": evil})]
        )
    page = tab(f"{running()[0]}/#/search?text=alert&mode=keyword")
    tile = page.locator("#search-hits .tile").first
    expect(tile.locator(".words")).to_have_text(evil)
    tile.locator(".open").click()
    expect(page.locator("#row-dialog dl")).to_contain_text(evil)
    assert page.locator("#row-dialog script, #row-dialog img[src=x]").count() == 0
    page.get_by_role("button", name="Edit").click()
    expect(page.locator("#row-dialog").get_by_label("Label")).to_have_value(evil)
