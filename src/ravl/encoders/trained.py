"""The trained encoder: a base encoder's features through small trained heads.

The features are those of the frozen base. Where towers were tuned with the heads, these run beside
the base, and their features are appended to its: what the base knows is never lost. A memory keeps
the base's features alone, which no label has touched, so that tasks may be fitted and judged on
them.

A vector has two parts: the trained head's, and the base encoder's own vector. Heads trained on a
thousand pictures know these well and little else; the base's part keeps what it knows of it,
and of texts that are unlike those of the training. Pictures and texts are weighted apart, since a
picture's similarity to pictures and to texts are different questions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ravl.encoders.base import TRAINED, Array, Encoder, Fingerprint
from ravl.encoders.heads import Head
from ravl.encoders.trained_files import (
    FORMAT,
    SETTINGS,
    TOWERS,
    TUNED,
    WEIGHTS,
    read_arrays,
    read_folder,
    read_settings,
)
from ravl.errors import EncoderError, EncoderMismatchError

if TYPE_CHECKING:
    from ravl.encoders.towers.text import TextTower
    from ravl.encoders.towers.vision import VisionTower

__all__ = ["SETTINGS", "WEIGHTS", "Head", "TrainedEncoder"]


class TrainedEncoder(Encoder):
    """Trained heads on a base encoder; needs NumPy only, besides what base and towers need.

    Args:
        base: whose features go through the heads; not itself a trained one.
        picture: the head of picture features, from the base's (F,), and those of a tuned tower
            behind them, to (d,).
        text: the head of the base's text vectors, and those of a tuned tower, to the same (d,).
        share: of the trained part in the squared norm of a picture's vector, above 0 and at most
            1; 1.0 leaves the base's own part out.
        text_share: the same of a text's vector; 1.0 puts zeros into the base's part.
        known: the fingerprint that the base had when the heads were trained; None means now.
        tuned: files of the towers that were tuned with the heads, as
            :meth:`ravl.encoders.towers.kept.Tower.parts` gives them; loaded when first needed.

    Raises:
        EncoderError: the base is itself a trained one, or the heads do not fit it or each other.
        EncoderMismatchError: the base computes something else than it did in training.
    """

    def __init__(
        self,
        base: Encoder,
        picture: Head,
        text: Head,
        share: float,
        text_share: float = 1.0,
        known: Fingerprint | None = None,
        tuned: Mapping[str, bytes] | None = None,
    ) -> None:
        if isinstance(base, TrainedEncoder):
            raise EncoderError(_twice(base.base.spec))
        self.base: Encoder = base
        self.picture_head, self.text_head = picture, text
        self.share, self.text_share = float(share), float(text_share)
        self.tuned = dict(tuned or {})
        self.projects = TUNED[0] not in self.tuned
        self._check()
        self._known = known or base.fingerprint
        self._check_base()
        self.dimension = picture.dimension + (base.dimension if self.share < 1 else 0)
        self.feature_dimension = base.feature_dimension
        self.picture_size = base.picture_size
        self.batch_size = base.batch_size
        self.spec = TRAINED + self._digest()

    def prepare(self, picture: Image.Image) -> Array:
        """As the base does: one RGB picture -> its network's input (3, H, W)."""
        return self.base.prepare(picture)

    def features(self, prepared: Sequence[Array]) -> Array:
        """As the base does: prepared pictures (n) -> pooled features (n, F)."""
        return self.base.features(prepared)

    def grid(self, prepared: Sequence[Array]) -> Array:
        """As the base does: prepared pictures (n) -> (n, patches, channels)."""
        return self.base.grid(prepared)

    def look(self, prepared: Sequence[Array]) -> tuple[Array, Array]:
        """Prepared pictures (n) -> the base's features (n, F), to be kept, and vectors (n, d)."""
        features = self.base.features(prepared)
        if self.vision is None:
            return features, self.project(features)
        return features, self.project(np.hstack([features, self.vision.features(prepared)]))

    def project(self, features: Array) -> Array:
        """Features -> vectors (n, dimension): the trained part, and the base's own.

        Args:
            features: of the base, (n, F); with a tuned tower, its features behind them.
        """
        if features.shape[1] != self.picture_head.inputs:
            raise EncoderError(
                f"The picture head takes {self.picture_head.inputs:,} features, not "
                f"{features.shape[1]:,}: the pictures must be looked at by the tuned tower as well."
            )
        trained = self.picture_head(features)  # (n, d)
        if self.share == 1:
            return trained
        own = self.base.project(features[:, : self.feature_dimension])
        halves = sqrt(self.share) * trained, sqrt(1 - self.share) * own
        return np.concatenate(halves, axis=1, dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors (n, dimension): the trained part, and the base's own."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        if texts:
            own, d = self.base.embed_texts(texts), self.text_head.dimension
            read = own if self.text is None else np.hstack([own, self.text.features(texts)])
            vectors[:, :d] = sqrt(self.text_share) * self.text_head(read)
            if self.text_share < 1:
                vectors[:, d:] = sqrt(1 - self.text_share) * own
        return vectors

    def reads(self, text: str) -> bool:
        """As the base does: False for a text in a language that it surely does not know."""
        return self.base.reads(text)

    def made(self, vectors: Fingerprint) -> bool:
        """By the name, which tells all: no tower need be loaded for it."""
        return vectors.spec == self.spec

    def weighted(self, share: float, text_share: float) -> TrainedEncoder:
        """The same with other weights of the trained part; towers are not loaded again."""
        other = TrainedEncoder(
            self.base, self.picture_head, self.text_head, share, text_share, self._known, self.tuned
        )
        other.__dict__ |= {n: self.__dict__[n] for n in ("vision", "text") if n in self.__dict__}
        return other

    # torch is imported only once a tower is needed, and of two only the one that is.

    @cached_property
    def vision(self) -> VisionTower | None:
        """The tuned vision tower, None for the base's alone."""
        if TUNED[0] not in self.tuned:
            return None
        from ravl.encoders.towers.vision import VisionTower

        return VisionTower.from_parts(self.tuned, self.base)

    @cached_property
    def text(self) -> TextTower | None:
        """The tuned text tower, None for the base's alone."""
        if TUNED[2] not in self.tuned:
            return None
        from ravl.encoders.towers.text import TextTower

        return TextTower.from_parts(self.tuned, self.base)

    # --- keeping it ------------------------------------------------------------------------

    def parts(self) -> dict[str, bytes]:
        """Its files: settings as JSON, all arrays, float32, as safetensors, and the towers'."""
        from safetensors.numpy import save

        settings = {
            "format": TOWERS if self.tuned else FORMAT,
            "spec": self.spec,
            **self._settings(),
            "fingerprint": json.loads(self._known.to_json()),
        }
        text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
        return {SETTINGS: text.encode(), WEIGHTS: save(self._arrays()), **self.tuned}

    @classmethod
    def from_spec(
        cls, spec: str, parts: Mapping[str, bytes] | None = None, base: Encoder | None = None
    ) -> TrainedEncoder:
        """The encoder of ``"run:FOLDER"``, or of ``"trained:..."`` with its parts.

        Raises:
            EncoderError, EncoderMismatchError: as :meth:`from_parts` does, or there is no folder
                and there are no parts.
        """
        scheme, _, name = spec.partition(":")
        if scheme == "run" and name:
            return cls.load(name, base)
        if scheme != "run" and parts:
            return cls.from_parts(parts, base)
        raise EncoderError(
            f"The encoder {spec!r} cannot be loaded by its name alone. Name the folder of the run "
            "that trained it: 'run:FOLDER'."
        )

    @classmethod
    def from_parts(cls, parts: Mapping[str, bytes], base: Encoder | None = None) -> TrainedEncoder:
        """The inverse of :meth:`parts`.

        Args:
            parts: the files by name.
            base: use this one instead of loading the one that the settings name.

        Raises:
            EncoderError: a file is missing, damaged or of a newer ravl, or the base cannot be
                loaded.
            EncoderMismatchError: the base computes something else than it did in training.
        """
        for name in (SETTINGS, WEIGHTS):
            if name not in parts:
                raise EncoderError(f"The trained encoder lacks its file {name}.")
        settings = read_settings(parts[SETTINGS])
        try:
            name = str(settings["base"])
            share, text_share = float(settings["share"]), float(settings["text_share"])
            powers = [float(settings[f"{side}_power"]) for side in ("picture", "text")]
            known = Fingerprint.from_json(json.dumps(settings["fingerprint"]))
        except (KeyError, TypeError, ValueError) as error:
            raise EncoderError(
                f"{SETTINGS} of the trained encoder is damaged: {error!r}."
            ) from error
        arrays = read_arrays(parts[WEIGHTS])
        picture, text = (
            Head.from_arrays(
                {k.removeprefix(side): v for k, v in arrays.items() if k.startswith(side)}, power
            )
            for side, power in zip(("picture.", "text."), powers, strict=True)
        )
        base = base if base is not None else _load_base(name)
        tuned = {name: parts[name] for name in TUNED if name in parts}
        encoder = cls(base, picture, text, share, text_share, known, tuned)
        if settings.get("spec") != encoder.spec:
            raise EncoderError(
                f"{SETTINGS} and {WEIGHTS} of the trained encoder do not belong together: "
                "one of them has changed. Copy both again from where they were trained."
            )
        return encoder

    def save(self, folder: str | Path) -> None:
        """Write its files to a folder, which is made if new; they replace older ones."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.parts().items():
            work = folder / f".{name}.writing"
            work.write_bytes(data)
            work.replace(folder / name)

    @classmethod
    def load(cls, folder: str | Path, base: Encoder | None = None) -> TrainedEncoder:
        """The encoder in a folder, or in the sub-folder ``encoder`` of it; see :meth:`from_parts`.

        Raises:
            EncoderError, EncoderMismatchError: as :meth:`from_parts` does, or there is none.
        """
        place, parts = read_folder(Path(folder))
        try:
            return cls.from_parts(parts, base)
        except EncoderError as error:
            raise type(error)(f"{error} (In {place}.)") from error

    # --- checks and names ------------------------------------------------------------------

    def _check(self) -> None:
        base, picture, text = self.base, self.picture_head, self.text_head
        for name in ("share", "text_share"):
            if not 0 < getattr(self, name) <= 1:
                raise EncoderError(
                    f"{name} must be above 0 and at most 1, not {getattr(self, name):g}."
                )
        if self.share == 1 and self.text_share < 1:
            raise EncoderError(
                f"With a share of 1 pictures have no part of the base's, so texts cannot have one: "
                f"text_share must be 1 as well, not {self.text_share:g}."
            )
        more = picture.inputs - base.feature_dimension, text.inputs - base.dimension
        towers = TUNED[0] in self.tuned, TUNED[2] in self.tuned
        if any(n < 0 or (n > 0) != tower for n, tower in zip(more, towers, strict=True)):
            beside = " and tuned towers more" if self.tuned else ""
            raise EncoderError(
                f"The trained heads take {picture.inputs:,} picture features and text vectors of "
                f"{text.inputs:,} dimensions; {base.spec!r} gives {base.feature_dimension:,} and "
                f"{base.dimension:,}{beside}."
            )
        if picture.dimension != text.dimension:
            raise EncoderError(
                f"The trained heads do not meet: the picture head gives {picture.dimension:,} "
                f"dimensions, the text head {text.dimension:,}."
            )

    def _check_base(self) -> None:
        here = self.base.fingerprint
        if not (self._known.matches(here) and self._known.same_tower(here)):
            raise EncoderMismatchError(
                f"The trained heads belong to the base encoder {self._known.spec!r} "
                f"({self._known.digest}); {here.spec!r} as it is here computes something else "
                f"({here.digest}: other weights, or other preprocessing). Use the base that they "
                "were trained on, or train again."
            )

    def _settings(self) -> dict[str, Any]:
        return {
            "base": self._known.spec,
            "share": self.share,
            "text_share": self.text_share,
            "picture_power": self.picture_head.power,
            "text_power": self.text_head.power,
        }

    def _arrays(self) -> dict[str, Array]:
        sides = {"picture": self.picture_head, "text": self.text_head}
        return {f"{s}.{name}": v for s, head in sides.items() for name, v in head.arrays().items()}

    def _digest(self) -> str:
        # Not over the files' bytes, which another version of safetensors may order otherwise, nor
        # over the fingerprint, whose last bits differ between machines.
        digest = hashlib.sha256(json.dumps(self._settings(), sort_keys=True).encode())
        for name, value in sorted(self._arrays().items()):
            digest.update(f"{name} {value.shape}".encode())
            digest.update(value.astype("<f4").tobytes())
        for name, data in sorted(self.tuned.items()):  # as they were saved: never made again
            digest.update(name.encode() + data)
        return digest.hexdigest()[:12]


def _load_base(spec: str) -> Encoder:
    from ravl.encoders import load_encoder

    if spec.startswith((TRAINED, "run:")):
        raise EncoderError(_twice(spec))
    try:
        return load_encoder(spec)
    except EncoderError as error:
        raise EncoderError(
            f"The base {spec!r} of the trained encoder cannot be loaded. {error}"
        ) from error


def _twice(base: str) -> str:
    return (
        f"The base of a trained encoder cannot be a trained encoder itself. Train from {base!r}, "
        "on all the data."
    )
