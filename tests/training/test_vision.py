from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ravl.encoders import Encoder, load_encoder
from ravl.encoders.towers.vision import VisionTower
from ravl.errors import DataError, PictureError
from ravl.models.linear import Loss
from ravl.training.vision import tune as vision
from ravl.training.vision.batches import ViewData, ViewOrder
from ravl.training.vision.model import score
from ravl.training.vision.settings import VisionSettings
from ravl.training.vision.tune import VisionResult, tune_vision
from ravl.training.vision.views import BLOCK, ViewSampler, crop_box, keep_views
from tests.encoders import tiny
from tests.waiting import wait_until

COUNT = 96
TRAIN, VALIDATION = range(64), range(64, COUNT)
QUICK: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.2,
    "dropout": 0.1,
    "views": 2,
    "strategy": "top:1",
    "patience": 4,
}
HALVES = ((220, 40, 40), (40, 60, 220))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Encoder:
    return load_encoder(f"hf:{tiny.make('clip', tmp_path_factory.mktemp('clip') / 'model')}")


def paint(position: int) -> Image.Image:
    """Two halves of two colours, with noise; see :func:`kinds`."""
    random = np.random.default_rng(position)
    pixels = np.zeros((32, 32, 3))
    pixels[:16], pixels[16:] = HALVES[position % 2], HALVES[position // 2 % 2]
    noisy = pixels + random.normal(0, 25, pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8), "RGB")


def kinds() -> np.ndarray:
    """Whether both halves have the same colour: no linear map of the colours tells that."""
    same = np.array([p % 2 == p // 2 % 2 for p in range(COUNT)])
    return np.stack([same, ~same], axis=1).astype(np.float32)


def tune(encoder: Encoder, folder: Path, load: Any = paint, **changes: Any) -> VisionResult:
    options: dict[str, Any] = {"exclusive": True, "targets": kinds()}
    options |= {k: changes.pop(k) for k in tuple(changes) if k in ("exclusive", "targets")}
    settings = VisionSettings(**{**QUICK, **changes})
    return tune_vision(
        encoder,
        load,
        options["targets"],
        TRAIN,
        VALIDATION,
        exclusive=options["exclusive"],
        folder=folder,
        settings=settings,
        show=False,
    )


def features(result: VisionResult) -> np.ndarray:
    return result.tower.features([result.tower.prepare(paint(p)) for p in range(8)])


def check_same(one: VisionResult, other: VisionResult) -> None:
    np.testing.assert_allclose(features(one), features(other), atol=1e-5)
    np.testing.assert_allclose(one.head.weight, other.head.weight, atol=1e-5)
    assert [s for _, s in one.curve] == pytest.approx([s for _, s in other.curve])
    assert one.before == other.before


# --- what it learns ------------------------------------------------------------------------


def tiles(position: int) -> Image.Image:
    """One grey tile or three, anywhere on noise: hard for features that nobody trained."""
    random = np.random.default_rng(position)
    pixels = 128 + random.normal(0, 20, (1, 1, 3)) + random.normal(0, 10, (32, 32, 3))
    for place in random.choice(16, 1 + 2 * (position % 2), replace=False):
        y, x = 8 * (place // 4), 8 * (place % 4)
        pixels[y : y + 8, x : x + 8] = random.choice([20, 235])
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "RGB")


@pytest.mark.parametrize("strategy", ["top:2", "full"])
def test_it_learns_what_frozen_features_do_not_show(encoder, tmp_path, strategy):
    settings = VisionSettings(
        **{**QUICK, "strategy": strategy, "epochs": 10, "learning_rate": 1.0, "patience": 10},
        augment=False,
    )
    targets = np.eye(2, dtype=np.float32)[np.arange(300) % 2]
    result = tune_vision(
        encoder,
        tiles,
        targets,
        range(200),
        range(200, 300),
        exclusive=True,
        folder=tmp_path,
        settings=settings,
        show=False,
    )
    assert result.score > result.before + 0.05
    assert result.score == max(value for _, value in result.curve)


def test_a_head_alone_leaves_the_tower_as_it_is(encoder, tmp_path):
    result = tune(encoder, tmp_path, strategy="head")
    frozen = encoder.features([encoder.prepare(paint(p)) for p in range(8)])
    np.testing.assert_array_equal(features(result), frozen)
    assert result.parameters == 0
    assert len(result.curve) >= 1


def test_the_head_belongs_to_the_tuned_tower(encoder, tmp_path):
    result = tune(encoder, tmp_path)
    prepared = [result.tower.prepare(paint(p)) for p in VALIDATION]
    logits = result.head(result.tower.features(prepared))
    assert score(logits, kinds()[list(VALIDATION)], True) == pytest.approx(result.score, abs=0.04)


def test_tags(encoder, tmp_path):
    tags = np.array([[p % 2, p // 2 % 2, 1] for p in range(COUNT)], np.float32)
    result = tune(encoder, tmp_path, exclusive=False, targets=tags, epochs=2)
    assert 0 < result.score <= 1


def test_scores():
    targets = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    logits = np.array([[2, 1], [0, 3], [1, 0]], np.float32)
    assert score(logits, targets, True) == pytest.approx(2 / 3)
    assert score(logits, targets, False) == pytest.approx((1 + 5 / 6) / 2)
    assert score(logits, 0 * targets, False) == 0  # no tag at all


# --- pictures that cannot be decoded -------------------------------------------------------


def test_pictures_that_cannot_be_decoded_are_left_out(encoder, tmp_path):
    def load(position: int) -> Image.Image:
        if position in (0, 5, 70):
            raise PictureError("damaged")
        return paint(position)

    assert tune(encoder, tmp_path, load, epochs=1).rejected == [0, 5, 70]


def test_no_picture_can_be_decoded(encoder, tmp_path):
    def load(position: int) -> Image.Image:
        raise PictureError("damaged")

    with pytest.raises(DataError, match="None of the 64 pictures for train can be decoded"):
        tune(encoder, tmp_path, load)


# --- interrupted ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(encoder, tmp_path_factory) -> VisionResult:
    return tune(encoder, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def stopping(monkeypatch) -> Callable[[int], None]:
    """Call with the number of the validation that is not to come to its end."""

    def stop_at(number: int) -> None:
        left = [number]

        def stopped(*arguments: Any) -> float:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return score(*arguments)

        monkeypatch.setattr(vision, "score", stopped)

    return stop_at


def test_stopped_in_training_it_goes_on_to_the_same(
    encoder, whole, stopping, tmp_path, monkeypatch
):
    stopping(2 + 3)  # two linear heads are scored, then each epoch
    with pytest.raises(KeyboardInterrupt):
        tune(encoder, tmp_path)
    monkeypatch.undo()
    check_same(tune(encoder, tmp_path, _never), whole)


def test_stopped_while_looking_it_goes_on_where_it_was(encoder, whole, tmp_path):
    seen: list[int] = []

    def stopped(position: int) -> Image.Image:
        if position == BLOCK + 3:
            raise KeyboardInterrupt
        return paint(position)

    def counted(position: int) -> Image.Image:
        seen.append(position)
        return paint(position)

    with pytest.raises(KeyboardInterrupt):
        tune(encoder, tmp_path, stopped)
    check_same(tune(encoder, tmp_path, counted), whole)
    assert min(seen) == BLOCK


def test_once_done_it_is_read(encoder, tmp_path):
    first = tune(encoder, tmp_path, epochs=1)
    shutil.rmtree(tmp_path / "checkpoints")
    again = tune(encoder, tmp_path, _never, epochs=1)
    check_same(again, first)
    assert (again.seconds, again.curve, again.rejected) == (first.seconds, first.curve, [])


def test_kept_views_of_other_settings_are_not_used(encoder, tmp_path):
    tower = VisionTower(encoder, "top:1")
    one = keep_views(tower, paint, range(3), ViewSampler(2), tmp_path / "x.npy", False)
    assert one.maps.shape[:2] == (3, 2)
    other = keep_views(tower, paint, range(3), ViewSampler(3), tmp_path / "x.npy", False)
    assert other.maps.shape[:2] == (3, 3)


def _never(position: int) -> Image.Image:
    raise AssertionError(f"picture {position} was looked at again")


# --- views ---------------------------------------------------------------------------------


def test_views_are_the_picture_its_mirror_and_crops():
    picture = paint(1)
    views = list(ViewSampler(4, smallest=0.3).of(picture, 7))
    assert views[0] is picture
    np.testing.assert_array_equal(np.asarray(views[1])[:, ::-1], np.asarray(picture))
    assert all(v.width * v.height < 32 * 32 for v in views[2:])
    again = list(ViewSampler(4, smallest=0.3).of(picture, 7))
    assert [v.tobytes() for v in views] == [v.tobytes() for v in again]


def test_without_mirrors_only_crops():
    column = Image.fromarray(np.tile(np.arange(40, dtype=np.uint8)[None, :, None], (40, 1, 3)))
    for view in ViewSampler(8, horizontal_flip=False).of(column, 0):
        row = np.asarray(view)[0, :, 0].astype(int)
        assert (np.diff(row) == 1).all()


def test_crops_stay_inside_and_large_enough():
    random = np.random.default_rng(0)
    for size in [(300, 200), (1, 1), (1, 500), (37, 1000)]:
        for _ in range(50):
            left, top, right, bottom = crop_box(size, 0.5, random)
            assert 0 <= left < right <= size[0]
            assert 0 <= top < bottom <= size[1]


def test_pixels_are_cropped_anew_by_their_number():
    maps = np.random.default_rng(0).integers(0, 256, (2, 1, 3, 16, 16), np.uint8)
    data = ViewData(maps, np.eye(2, dtype=np.float32), ViewSampler(smallest=0.3))
    batch = data.__getitems__([0, 1 * data.draws + 5, 1 * data.draws + 5, 1 * data.draws + 6])
    plain, one, same, other = batch["maps"].numpy()
    np.testing.assert_array_equal(plain, maps[0, 0])
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert batch["targets"].argmax(1).tolist() == [0, 1, 1, 1]


def test_an_order_has_each_picture_once_in_one_of_its_views():
    order = ViewOrder([2, 5, 9], draws=4, augment=True, seed=1)
    first = list(order)
    assert sorted(i // 4 for i in first) == [2, 5, 9]
    assert first == list(order)
    order.set_epoch(1)
    assert list(order) != first
    assert sorted(ViewOrder([2, 5], 4, augment=False, seed=0)) == [8, 20]


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "all"},
        {"views": 0},
        {"smallest_crop": 0},
        {"smallest_crop": 1.1},
        {"label_smoothing": 1},
        {"dropout": -0.1},
        {"epochs": 0},
    ],
)
def test_settings_that_cannot_be(changes):
    with pytest.raises(DataError, match="must be"):
        VisionSettings(**changes)


def test_settings_as_json():
    assert VisionSettings(**VisionSettings(views=2).to_json()) == VisionSettings(views=2)
    assert Loss(True).smoothing == 0


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same(encoder, whole, tmp_path):
    folder = encoder.spec.removeprefix("hf:")
    script = (
        "import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from ravl.encoders import load_encoder\n"
        "from tests.training.test_vision import tune\n"
        "from tests.training.stopping import wait_at\n"
        "wait_at(1)\n"
        f"tune(load_encoder('hf:{folder}'), Path({str(tmp_path)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    saved = "checkpoints/*/trainer_state.json"
    wait_until(lambda: process.poll() is not None or list(tmp_path.glob(saved)))
    assert process.poll() is None
    process.kill()
    process.wait()
    assert not (tmp_path / "done.json").exists()
    check_same(tune(encoder, tmp_path, _never), whole)
