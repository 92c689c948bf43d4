"""COCO files: images and annotations, joined by the picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ravl.errors import DataError
from tests.data.reading import ids, pictures, read_all, read_good, write


def coco(folder: Path, images: list[object], annotations: list[object], **more: object) -> Path:
    content = {"images": images, "annotations": annotations, **more}
    return write(folder / "captions_val2017.json", json.dumps(content))


def test_captions_categories_and_columns(tmp_path: Path) -> None:
    pictures(tmp_path, "val2017/a.jpg", "val2017/b.jpg")
    path = coco(
        tmp_path,
        [
            {"id": 1, "file_name": "a.jpg", "width": 2, "height": 2, "license": 3},
            {"id": "x", "file_name": "b.jpg"},
        ],
        [
            {"image_id": 1, "caption": "one"},
            {"image_id": 1, "caption": "two"},
            {"image_id": "x", "category_id": 7},
        ],
        categories=[{"id": 7, "name": "dog"}],
    )
    first, second = read_good(path)
    assert (first.id, first.texts, first.tags) == ("a.jpg", ("one", "two"), ())
    assert first.columns == {"image_id": 1, "license": 3}  # the picture tells its size
    assert (second.id, second.texts, second.tags) == ("b.jpg", (), ("dog",))


def test_a_picture_that_is_listed_twice_is_one_row(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg")
    path = coco(
        tmp_path,
        [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "./a.jpg"}],
        [
            {"image_id": 1, "caption": "one"},
            {"image_id": 2, "caption": "two"},
            {"image_id": 2, "category_id": 7},
        ],
    )
    (example,), (rejected,) = read_all(path)
    assert (example.id, example.texts, example.tags) == ("a.jpg", ("one", "two"), ("7",))
    assert example.columns == {"image_id": 1}
    assert "has image_id 1 in image 1 and 2 in image 2; the first is kept" in rejected.reason


def test_a_number_of_two_pictures(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg", "b.jpg")
    images: list[object] = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    path = coco(tmp_path, images, [{"image_id": 1, "caption": "one"}])
    (example,), (rejected,) = read_all(path)
    assert (example.id, example.texts) == ("a.jpg", ("one",))
    assert "the number 1 stands for two pictures, 'a.jpg' and 'b.jpg'" in rejected.reason


def test_what_is_set_aside(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg")
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "no.jpg"}, {"id": 3}, 4]
    annotations = [{"image_id": 9, "caption": "x"}, {"caption": "x"}, {"image_id": 1}, None]
    examples, rejected = read_all(coco(tmp_path, images, annotations))
    assert ids(examples) == ["a.jpg"]
    assert [r.place.removeprefix("captions_val2017.json, ") for r in rejected] == [
        "image 3",
        "image 4",
        "annotation 1",
        "annotation 2",
        "annotation 3",
        "annotation 4",
        "image 2",
    ]
    assert rejected[2].reason == 'the image 9 is not in the list "images"'


def test_no_pictures_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="None of the first 20 pictures"):
        read_all(coco(tmp_path, [{"id": 1, "file_name": "a.jpg"}], []))
