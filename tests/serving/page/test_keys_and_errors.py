"""In the browser: keys, and everything that goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravl.serving.keys import Keys
from tests.serving.page.helpers import answered, choose_task, drawn, expect

pytestmark = pytest.mark.browser


def test_a_key_is_asked_for_refused_and_taken(
    tab: Any, running: Any, keyed: tuple[Keys, dict[str, str]]
):
    keys, named = keyed
    page = tab(f"{running(keys=keys)[0]}/#/rows")
    dialog = page.locator("#key-dialog")
    expect(dialog).to_be_visible()
    field = dialog.get_by_label("Key", exact=True)
    expect(field).to_be_focused()
    field.fill("ravl_wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-error")).to_contain_text("The key is not known here")
    field.fill("schlüssel")
    page.keyboard.press("Enter")
    expect(page.locator("#key-error")).to_contain_text("letters, digits")
    field.fill(named["write"])
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#rows-found")).to_have_text("16 rows")
    drawn(page.locator("#rows-list img").first)
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [1, 0]
    page.reload()
    expect(page.locator("#rows-found")).to_have_text("16 rows")  # kept for this tab
    page.get_by_role("button", name="Sign out").click()
    expect(dialog).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_is_remembered_only_on_request(
    tab: Any, running: Any, keyed: tuple[Keys, dict[str, str]]
):
    keys, named = keyed
    page = tab(running(keys=keys)[0])
    page.get_by_label("Remember").check()
    page.locator("#key-dialog").get_by_label("Key", exact=True).fill(named["read"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#ask-form")).to_be_visible()
    assert page.evaluate("[sessionStorage.length, localStorage.getItem('ravl.key')]") == [
        0,
        named["read"],
    ]
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#key-dialog")).to_be_visible()
    assert page.evaluate("localStorage.getItem('ravl.key')") is None


def test_who_may_only_read_sees_no_way_to_write(
    tab: Any, running: Any, keyed: tuple[Keys, dict[str, str]], picture: Path
):
    keys, named = keyed
    page = tab(running(keys=keys)[0])
    page.locator("#key-dialog").get_by_label("Key", exact=True).fill(named["read"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Memory")).to_be_visible()
    expect(page.get_by_role("link", name="Inbox")).to_be_hidden()
    choose_task(page, "Describe")
    page.set_input_files("#ask-picture input >> nth=0", picture)
    answered(page)
    expect(page.locator(".answer")).to_contain_text("Your key can only read")
    page.get_by_role("link", name="Memory").click()
    expect(page.locator("#rows-add")).to_be_hidden()
    page.locator("#rows-list .open").first.click()
    expect(page.locator("#row-dialog dl")).to_be_visible()
    expect(page.locator("#row-dialog").get_by_role("button", name="Edit")).to_have_count(0)


def test_without_a_key_there_is_a_way_back(
    tab: Any, running: Any, keyed: tuple[Keys, dict[str, str]]
):
    keys, named = keyed
    page = tab(running(keys=keys)[0])
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#start-error")).to_contain_text("This server needs a key")
    page.get_by_role("button", name="Try again").click()
    page.locator("#key-dialog").get_by_label("Key", exact=True).fill(named["admin"])
    page.keyboard.press("Enter")
    expect(page.locator("#ask-form")).to_be_visible()


def test_a_bad_picture_and_a_wrong_option_are_sentences(
    tab: Any, running: Any, picture: Path, tmp_path: Path
):
    page = tab(running()[0])
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(b"%PDF-1.7 and so on")
    choose_task(page, "Describe")
    page.set_input_files("#ask-picture input >> nth=0", bad)
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#ask-error")).to_contain_text("a PDF document")
    expect(page.locator("#answer")).to_be_empty()
    page.set_input_files("#ask-picture input >> nth=0", picture)
    page.locator("#ask-options summary").click()
    page.fill("[name=k]", "5000")
    page.get_by_role("button", name="Describe").or_(
        page.locator("#ask-form button.primary")
    ).click()
    expect(page.locator("#ask-error")).not_to_be_empty()


def test_a_server_that_is_gone(tab: Any, running: Any, picture: Path):
    page = tab(running()[0])
    page.set_input_files("#ask-picture input >> nth=0", picture)
    page.route("**/v1/**", lambda route: route.abort("connectionrefused"))
    choose_task(page, "Describe")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#ask-error")).to_contain_text("The server does not answer")
    page.reload()
    expect(page.locator("#start-error")).to_contain_text("The server does not answer")
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#ask-form")).to_be_visible()


def test_being_offline_is_said(tab: Any, running: Any):
    page = tab(running()[0])
    page.context.set_offline(True)
    expect(page.locator("#banner")).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.locator("#banner")).to_be_hidden()


def test_a_busy_server_is_asked_again_or_its_sentence_is_shown(tab: Any, running: Any):
    page = tab(f"{running()[0]}/#/search")
    asked: list[int] = []
    wait = {"seconds": "1"}

    def busy(route: Any) -> None:
        asked.append(1)
        if len(asked) == 1 or wait["seconds"] != "1":
            route.fulfill(
                status=429,
                headers={"Retry-After": wait["seconds"]},
                content_type="application/problem+json",
                body='{"status": 429, "title": "x", "detail": "Too much waits."}',
            )
        else:
            route.continue_()

    page.route("**/v1/search", busy)
    page.locator("#search-form [name=text]").fill("red")
    page.locator("#search-form button.primary").click()
    expect(page.locator("#status")).to_contain_text("asking again in 1 s")
    expect(page.locator("#search-hits li")).to_have_count(16)
    assert len(asked) == 2
    wait["seconds"] = "60"
    page.locator("#search-form button.primary").click()
    expect(page.locator("#search-error")).to_have_text("Too much waits. Try again in 60 s.")
    assert len(asked) == 3


def test_a_stream_that_breaks_off_says_why(tab: Any, site: str, picture: Path):
    page = tab(site)
    body = (
        'event: token\ndata: {"text": "half a"}\n\n'
        'event: problem\ndata: {"status": 503, "detail": "The text was not finished in time."}\n\n'
    )
    events = {"status": 200, "content_type": "text/event-stream", "body": body}
    page.route("**/v1/caption/stream", lambda route: route.fulfill(**events))
    choose_task(page, "Describe")
    page.set_input_files("#ask-picture input >> nth=0", picture)
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#ask-error")).to_have_text("The text was not finished in time.")
    expect(page.locator(".said")).to_have_text("half a")  # what came is not lost
