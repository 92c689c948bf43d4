"""What every encoder promises, run over all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ravl.encoders import Encoder
from ravl.encoders.towers.text import TextTower
from ravl.encoders.towers.vision import VisionTower
from ravl.encoders.trained import TrainedEncoder
from ravl.testing.encoder_contract import EncoderContract
from tests.helpers import random_head, trained_on


@pytest.fixture(
    scope="module",
    params=[
        "builtin",
        "multilingual",
        "clip",
        "siglip",
        "siglip2",
        "chinese_clip",
        "altclip",
        "trained",
        "tuned",
    ],
)
def made(request: pytest.FixtureRequest, tiny_encoder: Callable[[str], Encoder]) -> Encoder:
    if request.param in ("builtin", "multilingual"):
        found: Encoder = request.getfixturevalue(request.param)
        return found
    if request.param == "trained":
        return trained_on(tiny_encoder("clip"), hidden=8)
    if request.param == "tuned":
        return tuned_on(tiny_encoder("clip"))
    return tiny_encoder(request.param)


def tuned_on(base: Encoder) -> TrainedEncoder:
    """An encoder with random heads on the features of the base and of a tower beside it."""
    towers = VisionTower(base, "top:1"), TextTower(base, "top:1")
    parts = {name: data for tower in towers for name, data in tower.state().items()}
    picture, text = (random_head(2 * n) for n in (base.feature_dimension, base.dimension))
    return TrainedEncoder(base, picture, text, 0.5, 0.7, beside=parts)


class TestEncoders(EncoderContract):
    @pytest.fixture
    def encoder(self, made: Encoder) -> Encoder:
        return made
