"""In the browser: asking about a picture, and saying that an answer is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ravl import plugins
from ravl.memory import Memory
from tests.serving.page.helpers import answered, choose_task, drawn, expect, opened
from tests.serving.shade import PLACE
from tests.serving.test_streaming import Typist

pytestmark = pytest.mark.browser


def test_an_upload_is_classified_with_its_evidence(tab: Any, site: str, picture: Path):
    page = tab(site)
    expect(page.locator("#memory-name")).to_have_text("shop.ravl")
    tasks = page.locator("#ask-tasks span")
    assert tasks.all_inner_texts() == [
        "Classify",
        "Question",
        "Describe",
        "Tag",
        "Match a text",
        "Search",
    ]
    page.set_input_files("#ask-picture input >> nth=0", picture)
    expect(page.locator("#ask-picture .previews img")).to_have_attribute("alt", "new.png")
    expect(page.locator("#ask-hint")).to_have_text("Answered by linear (linear).")
    said = answered(page)
    expect(said).to_have_text("red")
    expect(page.locator(".sure")).to_contain_text("% sure")
    share = page.locator(".sure .bar").evaluate("e => e.style.getPropertyValue('--share')")
    assert 0 < float(share) <= 1
    expect(page.locator(".decided")).to_contain_text("The gate gave")
    first = page.locator(".evidence li").first
    expect(first).to_contain_text("red")
    expect(first).to_contain_text("alike")
    expect(first).to_contain_text("of the decision")
    drawn(page.locator(".evidence img").first)
    assert page.locator(".evidence img").first.get_attribute("src").startswith("blob:")
    page.get_by_text("Took").click()
    expect(page.locator(".answer details")).to_contain_text("Run linear, memory shop.ravl as of")
    first.locator("button").click()
    expect(page.locator("#row-dialog")).to_contain_text("a red thing")


def test_another_run_answers_where_it_is_chosen(tab: Any, site: str, picture: Path):
    page = tab(site)
    page.set_input_files("#ask-picture input >> nth=0", picture)
    page.select_option("#ask-run", "vote")
    expect(page.locator("#ask-hint")).to_have_text("Answered by vote (vote).")
    page.locator("#ask-options summary").click()
    page.fill("[name=k]", "3")
    answered(page)
    expect(page.locator(".decided")).to_contain_text("Answered by the memory alone")
    assert page.locator(".evidence li").count() == 3


def test_a_question_is_answered_word_by_word_and_can_be_stopped(
    tab: Any, site: str, picture: Path, typist: Typist
):
    typist.go.clear()
    page = tab(site)
    page.set_input_files("#ask-picture input >> nth=0", picture)
    choose_task(page, "Question")
    page.fill("[name=words]", "what colour is it?")
    page.press("[name=words]", "Enter")
    expect(page.locator("#ask-stop")).to_be_visible()
    expect(page.locator(".evidence li").first).to_contain_text("red")  # before the first word
    typist.go.set()
    expect(page.locator(".said")).to_have_text("a red thing")
    expect(page.locator("#ask-stop")).to_be_hidden()
    expect(page.locator(".answer")).to_contain_text("what colour is it?")
    typist.pieces, typist.seconds = 5000, 0.05
    page.press("[name=words]", "Enter")
    expect(page.locator(".said.writing")).to_contain_text("more")
    page.click("#ask-stop")
    expect(page.locator(".answer")).to_contain_text("Stopped")
    written = page.locator(".said").inner_text()
    assert written.startswith("a red thing") and "more" in written
    expect(page.locator("button.primary:visible")).to_be_enabled()


def test_a_caption_streams_and_its_options_arrive(
    tab: Any, site: str, picture: Path, typist: Typist
):
    page = tab(site)
    page.set_input_files("#ask-picture input >> nth=0", picture)
    choose_task(page, "Describe")
    page.locator("#ask-options summary").click()
    page.fill("[name=instruction]", "short")
    page.fill("[name=num_return_sequences]", "1")
    with page.expect_request("**/v1/caption/stream") as sent:
        answered(page)
    body = sent.value.post_data_json
    assert (body["instruction"], body["num_return_sequences"], body["run"]) == (
        "short",
        1,
        "typist",
    )
    expect(page.locator(".said")).to_have_text("a red thing")
    expect(page.locator(".decided")).to_contain_text("Written by the model")
    page.fill(
        "[name=num_return_sequences]", "2"
    )  # these are compared, so they come at once, and judged
    with page.expect_request("**/v1/caption"):
        answered(page)
    expect(page.locator(".sure")).to_be_visible()
    page.fill("[name=num_return_sequences]", "")
    page.get_by_label("Word by word").uncheck()
    with page.expect_request("**/v1/caption"):
        answered(page)
    page.select_option("#ask-run", "memory")
    expect(page.locator("#ask-hint")).to_contain_text("by the memory alone")
    expect(page.locator("[name=instruction]")).to_be_hidden()  # nobody would read it
    page.fill("[name=num_return_sequences]", "")
    answered(page)
    expect(page.locator(".said")).to_have_text("a red thing")
    expect(page.locator(".answer")).to_contain_text("Taken from the memory")


def test_tags_and_a_match(tab: Any, site: str, picture: Path):
    page = tab(site)
    page.set_input_files("#ask-picture input >> nth=0", picture)
    choose_task(page, "Tag")
    answered(page)
    assert "warm" in page.locator(".said .chip").all_inner_texts()
    choose_task(page, "Match a text")
    page.fill("[name=words]", "a red thing")
    expect(answered(page)).to_have_text("Fits")


def test_what_is_missing_is_said_beside_it(tab: Any, site: str, picture: Path):
    page = tab(site)
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#ask-picture .error")).to_contain_text("There is no picture yet")
    page.set_input_files("#ask-picture input >> nth=0", picture)
    expect(page.locator("#ask-picture .error")).to_be_hidden()
    choose_task(page, "Question")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#ask-error")).to_have_text("Write a question.")


def test_a_correction_goes_to_the_inbox(tab: Any, site: str, picture: Path):
    page = tab(site)
    page.set_input_files("#ask-picture input >> nth=0", picture)
    answered(page)
    page.get_by_role("button", name="Right").click()
    expect(page.locator(".correction")).to_contain_text("Thank you")
    answered(page)
    page.get_by_role("button", name="Wrong").click()
    page.get_by_label("The right label").fill("ruby")
    page.get_by_label("Note").fill("a shade")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction")).to_contain_text("Thank you")
    page.get_by_role("link", name="Inbox").click()
    entries = page.locator(".entry")
    expect(entries).to_have_count(2)
    expect(entries.nth(0)).to_contain_text("red right")
    expect(entries.nth(1)).to_contain_text("red corrected to ruby")
    expect(entries.nth(1)).to_contain_text("a shade")


def test_a_correction_becomes_a_row_and_counts_at_once(
    tab: Any, site: str, picture: Path, fitted: Path
):
    page = tab(site)
    page.set_input_files("#ask-picture input >> nth=0", picture)
    answered(page)
    page.get_by_role("button", name="Wrong").click()
    page.get_by_label("The right label").fill("ruby")
    page.get_by_label("Also remember it").check()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction")).to_contain_text("Remembered as added/")
    with Memory.open(fitted / "shop.ravl") as memory:
        assert [row.label for row in memory.rows('label = "ruby"')] == ["ruby"]
    page.get_by_role("button", name="Show the row").click()
    expect(page.locator("#row-dialog")).to_contain_text("ruby")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Inbox").click()
    expect(page.locator("#inbox-list")).to_contain_text("There is nothing here")
    page.get_by_role("link", name="Used").click()
    expect(page.locator(".entry")).to_contain_text("red corrected to ruby")
    # The same picture again: its row is there already, and the correction is not lost.
    page.get_by_role("link", name="Ask").click()
    answered(page)
    page.get_by_role("button", name="Wrong").click()
    page.get_by_label("The right label").fill("wine")
    page.get_by_label("Also remember it").check()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction")).to_contain_text("in the inbox, but not in the memory")
    expect(page.locator(".correction .error")).to_contain_text("There is a row 'added/")


def test_a_row_that_was_asked_about_is_corrected_itself(tab: Any, site: str, fitted: Path):
    page = tab(f"{site}/#/rows")
    opened(page, "red_000.png")
    page.get_by_role("button", name="Ask about it").click()
    expect(page.locator("#ask-picture .previews img")).to_have_attribute("alt", "red_000.png")
    choose_task(page, "Tag")
    answered(page)
    page.get_by_role("button", name="Wrong").click()
    page.get_by_label("The right tags").fill("warm\nloud")
    page.get_by_label("Also remember it").check()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction")).to_contain_text("Remembered as red_000.png")
    with Memory.open(fitted / "shop.ravl") as memory:
        assert memory.get("red_000.png").tags == ("warm", "loud")


def test_pictures_are_pasted_and_dropped(tab: Any, site: str):
    page = tab(site)
    give = """(kind) => {
      const canvas = new OffscreenCanvas(40, 30);
      canvas.getContext("2d").fillRect(0, 0, 40, 30);
      return canvas.convertToBlob().then((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], kind + ".png", { type: "image/png" }));
        const event = kind === "paste"
          ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
          : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
      });
    }"""
    preview = page.locator("#ask-picture .previews img")
    for kind in ("paste", "drop"):
        page.evaluate(give, kind)
        expect(preview).to_have_attribute("alt", f"{kind}.png")
    page.get_by_role("button", name="Remove drop.png").click()
    expect(preview).to_have_count(0)
    camera = page.locator("#ask-picture input[capture=environment]")
    assert camera.get_attribute("accept") == "image/*"


def test_a_task_that_the_page_has_no_words_for(
    tab: Any, running: Any, picture: Path, monkeypatch: pytest.MonkeyPatch
):
    table: Any = plugins.BUILTIN[plugins.TASKS]
    monkeypatch.setitem(table, "shade", PLACE)
    page = tab(running()[0])
    page.set_input_files("#ask-picture input >> nth=0", picture)
    choose_task(page, "Say how bright a picture is")
    expect(answered(page)).to_have_text(re.compile(r"^[\d.]+$"))
    page.get_by_role("button", name="Wrong").click()
    page.get_by_label("What would be right").fill("12")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction")).to_contain_text("Thank you")
    page.get_by_role("link", name="Inbox").click()
    expect(page.locator(".entry")).to_contain_text("corrected to 12")
