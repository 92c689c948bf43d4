"""What people do on the page."""

from __future__ import annotations

from typing import Any

try:
    from playwright.sync_api import expect as expect
except ImportError:  # the tests that need it are skipped
    expect = None  # type: ignore[assignment]


def choose_task(page: Any, name: str) -> None:
    """Choose what is wanted to know."""
    page.locator("#ask-tasks label", has_text=name).click()


def answered(page: Any) -> Any:
    """Ask, and wait for the answer; gives what it says."""
    page.locator("#ask-form").get_by_role("button", name="Answer").click()
    expect(page.locator(".answer .decided")).to_be_visible()
    return page.locator(".said")


def drawn(image: Any) -> None:
    """Wait until an image has come."""
    expect(image).to_have_js_property("className", "")
    assert image.evaluate("e => e.naturalWidth") > 0


def opened(page: Any, id: str) -> Any:
    """Open the dialog of a row that is shown."""
    page.locator(f'.view:not([hidden]) .tile[data-id="{id}"] .open').click()
    dialog = page.locator("#row-dialog")
    expect(dialog.locator("dl")).to_be_visible()
    return dialog
