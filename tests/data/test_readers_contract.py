"""What every reader promises, run over the builtin ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ravl.testing.reader_contract import ReaderContract
from tests.data.reading import picture_bytes, pictures, write


class TestFolder(ReaderContract):
    name = "folder"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        write(tmp_path / "in" / "a.txt", "a text beside it")
        return pictures(tmp_path / "in", "a.jpg", "b.jpg")


class TestExport(ReaderContract):
    name = "export"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        folder = pictures(tmp_path / "in", "pictures/a.jpg")
        write(folder / "rows.jsonl", '{"id": "x", "picture": "pictures/a.jpg", "label": "l"}\n')
        return folder


class TestTable(ReaderContract):
    name = "table"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        pictures(tmp_path, "a.jpg")
        return write(tmp_path / "a.csv", "image,text,price\na.jpg,a dog,3\nmissing.jpg,x,\n")


class TestJson(ReaderContract):
    name = "json"

    @pytest.fixture(params=["coco", "vqa", "list"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        pictures(tmp_path, "a.jpg")
        kinds: dict[str, object] = {
            "coco": {
                "images": [{"id": 1, "file_name": "a.jpg"}],
                "annotations": [{"image_id": 1, "caption": "a dog"}],
            },
            "vqa": {
                "questions": [{"question_id": 1, "image_id": 7, "question": "What is it?"}],
            },
            "list": [{"image": "a.jpg", "text": "a dog"}],
        }
        pictures(tmp_path, "000000000007.jpg")
        return write(tmp_path / "a.json", json.dumps(kinds[request.param]))


class TestHuggingFace(ReaderContract):
    name = "hf"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        datasets = pytest.importorskip("datasets")
        rows = {"image": [{"bytes": picture_bytes(1), "path": None}], "text": ["a dog"]}
        features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
        datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
        return tmp_path / "saved"
