"""Written paths lead to files within the root, and nowhere else."""

import unicodedata

import pytest

from ravl.data.readers.places import PlaceError, Root, normal
from tests.data.reading import pictures, write


@pytest.fixture
def shop(tmp_path):
    pictures(tmp_path, "shop/a.jpg", "shop/sub/b.jpg", "secret.jpg", "shop-2/c.jpg")
    return tmp_path / "shop"


@pytest.mark.parametrize("written", ["a.jpg", "./a.jpg", "sub/../a.jpg", "../shop/a.jpg"])
def test_finds_a_file_within(shop, written):
    assert Root(shop).find(written) == shop.resolve() / "a.jpg"


def test_finds_an_absolute_path_within(shop):
    root = Root(shop)
    assert root.find(str(shop / "sub/b.jpg")) == shop.resolve() / "sub/b.jpg"
    assert root.relative(str(shop / "sub/b.jpg")) == "sub/b.jpg"


def test_finds_windows_separators(shop):
    assert Root(shop).find("sub\\b.jpg") == shop.resolve() / "sub/b.jpg"


def test_finds_other_unicode_forms(shop):
    write(shop / unicodedata.normalize("NFD", "café.jpg"), "x")
    assert Root(shop).find("café.jpg").is_file()


@pytest.mark.parametrize(
    "written",
    ["../secret.jpg", "sub/../../secret.jpg", "..\\secret.jpg", "../shop-2/c.jpg", "/etc/passwd"],
)
def test_refuses_paths_that_leave(shop, written):
    with pytest.raises(PlaceError, match=r"leads outside .* with --root"):
        Root(shop).find(written)


def test_refuses_links_that_leave(shop):
    (shop / "link.jpg").symlink_to(shop.parent / "secret.jpg")
    (shop / "folder").symlink_to(shop.parent / "shop-2")
    for written in ("link.jpg", "folder/c.jpg"):
        with pytest.raises(PlaceError, match="leads outside"):
            Root(shop).find(written)


def test_follows_links_within(shop):
    (shop / "link.jpg").symlink_to("sub/b.jpg")
    assert Root(shop).find("link.jpg").read_bytes() == (shop / "sub/b.jpg").read_bytes()


def test_root_may_be_a_link(shop):
    link = shop.parent / "link"
    link.symlink_to(shop)
    root = Root(link)
    assert root.find("a.jpg").is_file()
    assert root.find(str(link / "a.jpg")).is_file()
    assert root.relative(str(link / "a.jpg")) == "a.jpg"


@pytest.mark.parametrize("written", ["no.jpg", "no/a.jpg", "a.jpg/x.jpg", "a\0.jpg", "x" * 5000])
def test_missing_file_names_the_option(shop, written):
    with pytest.raises(PlaceError, match=r"is not in .*--root"):
        Root(shop).find(written)


@pytest.mark.parametrize("written", ["sub", "sub/", "sub/..", "."])
def test_folder_is_no_picture(shop, written):
    with pytest.raises(PlaceError, match="is a folder or a device"):
        Root(shop).find(written)


def test_web_address(shop):
    with pytest.raises(PlaceError, match="web address"):
        Root(shop).find("https://example.org/a.jpg")


@pytest.mark.parametrize(
    "written", ["a/b.jpg", "./a/b.jpg", "a//b.jpg", "a\\b.jpg", "a/c/../b.jpg"]
)
def test_one_form_for_all_ways_of_writing(written):
    assert normal(written) == "a/b.jpg"
