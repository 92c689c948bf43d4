"""COCO files: a list of images, a list of annotations that are captions, categories or both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ravl.data.example import Example, Rejected, Scalar
from ravl.data.readers.disk_map import DiskMap
from ravl.data.readers.json_stream import items
from ravl.data.readers.layouts import SAMPLES, any_of, find_root
from ravl.data.readers.places import PlaceError, normal
from ravl.data.readers.source import GroupedSource, ReadOptions
from ravl.data.readers.values import scalar, strings
from ravl.data.staging import Row
from ravl.errors import DataError
from ravl.json_types import JsonObject, JsonValue


class CocoSource(GroupedSource):
    """A COCO file: captions become texts, categories of annotations become tags.

    The id of an example is the picture's path within the root. All other data of an image (its
    number as "image_id", its licence ...) become columns, but not its width and height, which the
    picture tells.

    Args:
        path: the JSON file.
        options: root (default: the folder in which the first pictures are found: the file's folder,
            its parent, or their sub-folders "images" and the split's name).

    Raises:
        DataError: if the file is not JSON, or its pictures are not found.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(str(path), path.name)
        self._path = path
        images = islice(items(path, "images.item"), SAMPLES)
        sample = [_file_name(image) for image in images if isinstance(image, dict)]
        names = [name for name in sample if name]
        if not names:
            raise DataError(f'{path} lists no image with a "file_name" under "images".')
        self._root, _ = find_root(path, options.root, [any_of(names)])
        self._categories: dict[str, str] = {}

    def rows(self) -> Iterator[Row | Rejected]:
        """Images and annotations as rows; their id is the path of the image.

        So a picture that is listed twice, under two numbers, is one row with all its captions.
        """
        with DiskMap() as paths:
            for number, image in enumerate(items(self._path, "images.item"), 1):
                yield self._image(image, f"image {number}", paths)
            for number, annotation in enumerate(items(self._path, "annotations.item"), 1):
                yield self._annotation(annotation, f"annotation {number}", paths)
        for category in items(self._path, "categories.item"):
            if isinstance(category, dict) and category.get("name") is not None:
                self._categories[str(category.get("id"))] = str(category["name"])

    def finish(self, row: Row) -> Example | Rejected:
        """The image with its captions."""
        try:
            picture = self._root.find(str(row.picture))
        except PlaceError as error:
            return Rejected(f"{self.where}, {row.place}", str(error))
        row.tags = tuple(dict.fromkeys(self._categories.get(tag, tag) for tag in row.tags))
        return self.example(row, picture)

    def _image(self, image: JsonValue, place: str, paths: DiskMap) -> Row | Rejected:
        name = _file_name(image) if isinstance(image, dict) else ""
        if not name or image.get("id") is None:
            return Rejected(
                f"{self.where}, {place}", 'an image needs an "id" and a "file_name"; one is missing'
            )
        path = self._root.relative(name)
        number = str(image["id"])
        other = paths.get(number)
        if other is not None and other != path:
            return Rejected(
                f"{self.where}, {place}",
                f"the number {number} stands for two pictures, {other!r} and {path!r}; the first "
                "is kept, and the other one needs a different number",
            )
        paths[number] = path
        columns: dict[str, Scalar] = {
            "image_id" if key == "id" else key: value
            for key in image
            if key not in ("file_name", "width", "height")
            and (value := scalar(image[key])) is not None
        }
        return Row(path, name, path, columns=columns, place=place)

    def _annotation(self, annotation: object, place: str, paths: DiskMap) -> Row | Rejected:
        if not isinstance(annotation, dict) or annotation.get("image_id") is None:
            return Rejected(f"{self.where}, {place}", 'the annotation has no "image_id"')
        texts = tuple(strings(annotation.get("caption")))
        category = annotation.get("category_id")
        tags = () if category is None else (str(category),)
        if not texts and not tags:
            return Rejected(
                f"{self.where}, {place}",
                'the annotation has neither a "caption" nor a "category_id"',
            )
        path = paths.get(str(annotation["image_id"]))
        if path is None:
            reason = f'the image {annotation["image_id"]} is not in the list "images"'
            return Rejected(f"{self.where}, {place}", reason)
        return Row(path, texts=texts, tags=tags, place=place)


def _file_name(image: JsonObject) -> str:
    name = image.get("file_name")
    return normal(name.strip()) if isinstance(name, str) else ""
