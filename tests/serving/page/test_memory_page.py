"""In the browser: searching, browsing and changing the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravl.memory import Memory
from tests.serving.helpers import png
from tests.serving.page.helpers import drawn, expect, opened

pytestmark = pytest.mark.browser


@pytest.fixture
def shop_site(running: Any, shop: Path) -> str:
    """A server of the memory alone: sixteen rows of four colours."""
    return str(running()[0])


def labels(page: Any) -> list[str]:
    found: list[str] = page.locator("#search-hits .words").all_inner_texts()
    return found


def test_search_by_text_more_like_this_and_a_filter(tab: Any, shop_site: str):
    page = tab(f"{shop_site}/#/search")
    page.get_by_label("Words or a description").fill("a red thing")
    page.keyboard.press("Enter")
    expect(page.locator("#search-found")).to_contain_text("16 hits in")
    assert labels(page)[:4] == ["red"] * 4
    assert "#/search?text=a+red+thing" in page.url
    expect(page.locator("#search-hits .score").first).to_contain_text("Score ")
    blue = page.locator('#search-hits .tile[data-id="blue/2.png"]')
    blue.get_by_role("button", name="More like this").click()
    expect(page.locator("#search-picture .previews img")).to_have_attribute("alt", "blue/2.png")
    expect(page.locator("#search-found")).to_contain_text("hits in")
    assert set(labels(page)[:3]) == {"blue"}
    page.go_back()
    expect(page.get_by_label("Words or a description")).to_have_value("a red thing")
    expect(page.locator("#search-hits .words").first).to_have_text("red")
    page.locator("#search-options summary").click()
    page.get_by_label("Filter", exact=True).locator("visible=true").fill("price < 6")
    page.locator("[name=label]").select_option("green")
    page.keyboard.press("Enter")
    page.locator("#search-form button.primary").click()
    expect(page.locator("#search-found")).to_contain_text("2 hits in")
    assert labels(page) == ["green", "green"]
    page.reload()
    expect(page.locator("#search-found")).to_contain_text("2 hits in")
    assert page.locator("[name=label]").input_value() == "green"


def test_more_hits_come_below(tab: Any, shop_site: str):
    page = tab(f"{shop_site}/#/search?text=green&k=5")
    expect(page.locator("#search-hits li")).to_have_count(5)
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("#search-hits li")).to_have_count(10)
    ids = page.locator("#search-hits li").evaluate_all("all => all.map(e => e.dataset.id)")
    assert len(set(ids)) == 10
    assert page.evaluate("document.activeElement.closest('li').dataset.id") == ids[5]
    page.get_by_role("button", name="Load more").click()
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("#search-more")).to_be_hidden()
    expect(page.locator("#search-hits li")).to_have_count(16)


def test_search_by_a_picture_and_a_text_that_weigh(tab: Any, shop_site: str, picture: Path):
    page = tab(f"{shop_site}/#/search")
    page.set_input_files("#search-picture input >> nth=0", picture)
    expect(page.locator("#search-weight")).to_be_hidden()
    page.locator("#search-form [name=text]").fill("a blue thing")
    expect(page.locator("#search-weight")).to_be_visible()
    for weight, first in (("1", "blue"), ("0", "red")):
        page.locator("#search-form [name=weight]").fill(weight)
        page.locator("#search-form button.primary").click()
        expect(page.locator("#search-hits .words").first).to_have_text(first)
    page.locator("#search-options summary").click()
    page.locator("[name=target]").select_option("texts")
    page.locator("#search-form button.primary").click()
    expect(page.locator("#search-hits .words").first).to_contain_text("thing")


def test_what_the_filter_got_wrong_is_said_beside_it(tab: Any, shop_site: str):
    page = tab(f"{shop_site}/#/search?text=red&where=colour+%3D+1")
    expect(page.locator("#search-error")).to_contain_text("colour")
    assert page.locator("#search-error").get_attribute("lang") == "en"
    expect(page.locator("#search-hits li")).to_have_count(0)
    page.goto(f"{shop_site}/#/rows?where=price+%3C")
    expect(page.locator("#rows-error")).not_to_be_empty()
    page.goto(f"{shop_site}/#/search?text=zebra&where=price+%3E+99")
    expect(page.locator("#search-found")).to_contain_text("Nothing was found")


def test_words_from_the_ask_view_are_searched(tab: Any, shop_site: str):
    page = tab(shop_site)
    page.locator("#ask-tasks label", has_text="Search").click()
    page.locator("#ask-form [name=words]").fill("yellow")
    page.locator("#ask-form button.primary").click()
    expect(page.locator("#search-hits .words").first).to_have_text("yellow")


def test_rows_are_browsed_page_by_page(tab: Any, running: Any, shop: Path):
    with Memory.open(shop) as memory:
        from ravl.data import Example

        memory.add([Example(f"note-{i:02}", texts=(f"note {i}",)) for i in range(60)])
    page = tab(f"{running()[0]}/#/rows")
    expect(page.locator("#rows-found")).to_have_text("76 rows")
    expect(page.locator("#rows-list li")).to_have_count(48)
    expect(page.locator("#rows-back")).to_be_disabled()
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#rows-page")).to_have_text("Page 2 of 2")
    expect(page.locator("#rows-list li")).to_have_count(28)
    expect(page.locator("#rows-next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("#rows-list li")).to_have_count(48)
    page.locator("#rows-form [name=where]").fill('label = "blue"')
    page.keyboard.press("Enter")
    expect(page.locator("#rows-found")).to_have_text("4 rows match")
    page.go_back()
    expect(page.locator("#rows-found")).to_have_text("76 rows")


def test_several_pictures_are_added_and_a_broken_one_is_told(
    tab: Any, shop_site: str, shop: Path, tmp_path: Path
):
    files = []
    for name, data in (
        ("a.png", png("red", 51)),
        ("b.png", png("blue", 52)),
        ("bad.png", png("red")[:60]),
    ):
        file = tmp_path / name
        file.write_bytes(data)
        files.append(file)
    page = tab(f"{shop_site}/#/rows")
    page.get_by_text("Add pictures").click()
    page.set_input_files("#rows-add input[multiple]", files)
    expect(page.locator("#rows-add .previews li")).to_have_count(3)
    add = page.locator("#rows-add")
    add.get_by_label("Label").fill("mine")
    add.get_by_label("Tags, one a line").fill("new\nold")
    add.get_by_role("button", name="Add a question").click()
    add.get_by_label("Question", exact=True).fill("whose?")
    add.get_by_label("Answers, one a line").fill("mine")
    add.get_by_role("button", name="Add a column").click()
    add.get_by_label("Name", exact=True).fill("price")
    add.get_by_label("Value").fill("7.5")
    add.get_by_label("Use the files' names").check()
    add.get_by_role("button", name="Add to the memory").click()
    expect(add.locator(".results li")).to_have_count(3)
    expect(add.locator(".results .error")).to_contain_text("bad.png")
    expect(page.locator("#rows-found")).to_have_text("18 rows")
    expect(add.locator(".previews li")).to_have_count(1)  # what was refused is still there
    with Memory.open(shop) as memory:
        row = memory.get("a.png")
        assert (row.label, row.tags, row.columns) == ("mine", ("new", "old"), {"price": 7.5})
        assert row.qa[0].answers == ("mine",)
        assert "bad.png" not in memory


def test_a_row_is_edited(tab: Any, shop_site: str, shop: Path):
    page = tab(f"{shop_site}/#/rows")
    dialog = opened(page, "red/0.png")
    expect(dialog).to_contain_text("what colour is it? red")
    dialog.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Label").fill("<b>ruby</b>")
    dialog.get_by_label("Texts, one a line").fill("a red thing\nanother text")
    dialog.get_by_label("Answers, one a line").fill("red\nruby")
    dialog.get_by_label("Value").fill("12")
    with page.expect_request("**/v1/row?id=red%2F0.png") as sent:
        dialog.get_by_role("button", name="Save").click()
    assert "tags" not in sent.value.post_data_json  # what was not touched is not sent
    expect(dialog).to_contain_text("<b>ruby</b>")
    expect(page.locator("#status")).to_contain_text("Saved")
    with Memory.open(shop) as memory:
        row = memory.get("red/0.png")
        assert (row.label, row.columns) == ("<b>ruby</b>", {"price": 12})
        assert row.texts == ("a red thing", "another text")
        assert row.qa[0].answers == ("red", "ruby")
    dialog.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Label").fill("")
    dialog.get_by_role("button", name="Remove").last.click()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("button", name="Edit")).to_be_visible()
    with Memory.open(shop) as memory:
        assert (memory.get("red/0.png").label, memory.get("red/0.png").columns) == (None, {})
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator('.tile[data-id="red/0.png"]')).to_contain_text("a red thing")


def test_a_row_is_deleted_only_when_somebody_is_sure(tab: Any, shop_site: str, shop: Path):
    page = tab(f"{shop_site}/#/rows")
    dialog = opened(page, "green/1.png")
    dialog.get_by_role("button", name="Delete").click()
    page.locator("#confirm-dialog").get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Delete").click()
    page.locator("#confirm-dialog").get_by_role("button", name="Delete").click()
    expect(dialog).to_be_hidden()
    expect(page.locator('.tile[data-id="green/1.png"]')).to_have_count(0)
    with Memory.open(shop) as memory:
        assert "green/1.png" not in memory and len(memory) == 15


def test_what_no_row_could_hold_is_not_remembered(tab: Any, running: Any):
    from ravl.store.sqlite.feedback import Entry

    url, service = running()
    for task, asked in (("search", "a red thing"), ("ask", None)):
        entry = Entry(
            who="ann", task=task, run="", answer="red/0.png", verdict="accepted", asked=asked
        )
        service.feedback.add(entry, png("red", 70))
    page = tab(f"{url}/#/inbox")
    entries = page.locator(".entry")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("a red thing")
    expect(entries.get_by_role("button", name="Dismiss")).to_have_count(2)
    expect(entries.get_by_role("button", name="Remember")).to_have_count(0)


def test_the_inbox_is_settled(tab: Any, running: Any, shop: Path):
    from ravl.store.sqlite.feedback import Entry

    url, service = running()
    for verdict, correction, row, data in (
        ("corrected", "ruby", "red/0.png", None),
        ("corrected", "wine", None, png("red", 70)),
        ("rejected", None, "blue/2.png", None),
    ):
        entry = Entry(
            who="ann",
            task="classify",
            run="kinds",
            answer="red",
            verdict=verdict,  # type: ignore[arg-type]
            correction=correction,
            row=row,
        )
        service.feedback.add(entry, data)
    page = tab(f"{url}/#/inbox")
    entries = page.locator(".entry")
    expect(entries).to_have_count(3)
    for i in range(3):
        drawn(page.locator(".entry img").nth(i))
    entries.nth(0).get_by_role("button", name="Correct its row").click()
    expect(entries).to_have_count(2)
    entries.nth(0).get_by_role("button", name="Remember as a new row").click()
    expect(entries).to_have_count(1)
    expect(entries.get_by_role("button", name="Correct its row")).to_have_count(0)
    entries.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#inbox-list")).to_contain_text("There is nothing here")
    with Memory.open(shop) as memory:
        assert memory.get("red/0.png").label == "ruby"
        assert memory.count('label = "wine"') == 1
    page.get_by_role("link", name="Dismissed").click()
    entries.get_by_role("button", name="Reopen").click()
    page.get_by_role("link", name="Open", exact=True).click()
    expect(entries).to_contain_text("red wrong")
