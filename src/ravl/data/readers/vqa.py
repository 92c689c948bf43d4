"""VQA files: questions in one JSON file, answers of people in another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ravl.data.example import QA, Example, Rejected
from ravl.data.readers.disk_map import DiskMap
from ravl.data.readers.json_stream import items
from ravl.data.readers.layouts import SAMPLES, any_of, find_root, split_name
from ravl.data.readers.places import PlaceError
from ravl.data.readers.source import GroupedSource, ReadOptions
from ravl.data.readers.values import answers, by_frequency, strings
from ravl.data.staging import Row
from ravl.errors import DataError
from ravl.json_types import JsonObject, JsonValue

PATTERNS = ("COCO_{split}_{image_id:012d}.jpg", "{image_id:012d}.jpg", "{image_id}.jpg")


class VqaSource(GroupedSource):
    """Questions about pictures with their answers, in the format of VQA v2.

    All questions about a picture are one example, whose id is the picture's path in the root.

    Args:
        path: the questions' file.
        options: annotations (default: the file beside it with the same name, but "annotations"
            instead of "questions"; without such a file, questions have no answers), root (as for
            COCO), picture_pattern (default: COCO's file names, ``{image_id:012d}.jpg`` or
            ``{image_id}.jpg``, the first that exists). The "image" or "file_name" of a question has
            priority over the pattern.

    Raises:
        DataError: if a file is not JSON, the pattern is not valid, or no picture is found.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(str(path), path.name)
        self._path = path
        self._annotations = options.annotations or _beside(path)
        if self._annotations is not None and not self._annotations.is_file():
            raise DataError(f"There is no file of annotations at {self._annotations}.")
        patterns = [options.picture_pattern] if options.picture_pattern else [*PATTERNS]
        self._split = split_name(path) or ""
        found = islice(items(path, "questions.item"), SAMPLES)
        sample = [question for question in found if isinstance(question, dict)]
        if not sample:
            raise DataError(f'{path} has no questions: its list "questions" is empty.')
        ways = [
            any_of([name for q in sample if (name := self._file(q, pattern))])
            for pattern in patterns
        ]
        self._root, chosen = find_root(path, options.root, ways)
        self._pattern = patterns[chosen]

    def rows(self) -> Iterator[Row | Rejected]:
        """Every question with its answers as a row; its id is the picture's path."""
        with DiskMap() as given:
            if self._annotations is not None:
                yield from self._gather(self._annotations, given)
            for number, question in enumerate(items(self._path, "questions.item"), 1):
                yield self._question(question, f"question {number}", given)
            for key in given:
                place = f"{self._annotations.name if self._annotations else ''}, question_id {key}"
                yield Rejected(place, f"{self.where} does not contain the question {key}")

    def finish(self, row: Row) -> Example | Rejected:
        """The picture with all its questions."""
        try:
            return self.example(row, self._root.find(str(row.picture)))
        except PlaceError as error:
            return Rejected(f"{self.where}, {row.place}", str(error))

    def _gather(self, path: Path, given: DiskMap) -> Iterator[Rejected]:
        for number, annotation in enumerate(items(path, "annotations.item"), 1):
            if not isinstance(annotation, dict) or annotation.get("question_id") is None:
                yield Rejected(f"{path.name}, annotation {number}", 'it has no "question_id"')
                continue
            given[str(annotation["question_id"])] = json.dumps(_answers(annotation))

    def _question(self, item: JsonValue, place: str, given: DiskMap) -> Row | Rejected:
        asked = strings(item.get("question")) if isinstance(item, dict) else []
        name = self._file(item, self._pattern) if asked else ""
        if not name:
            return Rejected(
                f"{self.where}, {place}",
                'a question needs a "question" and an "image_id" (or "image"); one is missing',
            )
        own = _answers(item)
        stored = given.pop(str(item.get("question_id")))
        qa = QA(asked[0], tuple(json.loads(stored)) if stored else own)
        same = self._root.relative(name)
        return Row(same, name, same, qa=(qa,), place=place)

    def _file(self, question: JsonObject, pattern: str) -> str:
        """The name of a question's picture, or "" where the pattern does not fit its number."""
        name = question.get("image") or question.get("file_name")
        number = question.get("image_id")
        if isinstance(name, str):
            return name
        if number is None:
            return ""
        if isinstance(number, str) and number.isdecimal() and "{image_id}" not in pattern:
            number = int(number)
        try:
            return pattern.format(image_id=number, split=self._split)
        except (ValueError, TypeError):
            return ""
        except (KeyError, IndexError, AttributeError) as error:
            raise DataError(
                f"{pattern!r} is not a valid pattern for pictures: {error} is not known. Allowed "
                "are "
                "{image_id} and {split}, such as COCO_{split}_{image_id:012d}.jpg."
            ) from error


def _answers(annotation: JsonObject) -> tuple[str, ...]:
    listed = by_frequency(strings(annotation.get("answers")))
    best = annotation.get("multiple_choice_answer") or annotation.get("answer")
    return answers(listed, best)


def _beside(questions: Path) -> Path | None:
    """The annotations of a file of questions, by VQA's naming."""
    name = questions.name.replace("questions", "annotations").replace("Questions", "Annotations")
    for kind in ("", "OpenEnded_", "MultipleChoice_"):
        candidate = questions.with_name(name.replace(kind, "") if kind else name)
        if candidate.name != questions.name and candidate.is_file():
            return candidate
    return None
