"""The trained encoder: small trained heads on the features of a base encoder.

The features are those of the frozen base. Towers that were tuned with the heads run beside the
base, and so do word vectors; what they give is appended, so the features of the base are never
lost. A memory stores
only the features of the base, which were not trained on labels, so tasks can be fitted and
evaluated on them.

A vector has two parts: the output of the trained head, and the vector of the base encoder. Heads
trained on a thousand pictures are good for similar pictures only; the base's part is needed for
other pictures and texts. Pictures and texts have separate weights, because similarity between
pictures and similarity to texts are different problems.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ravl.encoders.base import SIDES, TRAINED, Array, Encoder, Fingerprint, Side
from ravl.encoders.heads import Head
from ravl.encoders.trained_files import (
    AGAIN,
    BESIDE,
    FORMAT,
    SETTINGS,
    TOWERS,
    TUNED,
    WEIGHTS,
    WORDS,
    read_arrays,
    read_folder,
    read_settings,
)
from ravl.encoders.words import FILES as WORD_FILES
from ravl.encoders.words import WordVectors
from ravl.errors import EncoderError, EncoderMismatchError
from ravl.files.whole_file import write_bytes
from ravl.json_types import JsonObject
from ravl.untrusted import damage_of

if TYPE_CHECKING:
    from ravl.encoders.towers.text import TextTower
    from ravl.encoders.towers.vision import VisionTower

__all__ = ["SETTINGS", "WEIGHTS", "Head", "TrainedEncoder"]


class TrainedEncoder(Encoder):
    """Trained heads on a base encoder; the heads need only NumPy.

    Args:
        base: the encoder below the heads; not itself a trained encoder.
        picture: the head for picture features, from the base's (F,), followed by its wide features
            and by those of a tuned tower where there are such, to (d,).
        text: the head for the base's text vectors, followed by their wide features, by word vectors
            and by the vectors of a tuned tower where there are such, to the same (d,).
        share: share of the trained part in the squared norm of a picture's vector, above 0 and at
            most 1; 1.0 omits the base's part.
        text_share: the same for a text's vector; 1.0 sets the base's part to zero.
        known: the fingerprint of the base when the heads were trained; None means the present one.
        beside: files of what runs beside the base: of the towers that were tuned with the heads,
            from :meth:`ravl.encoders.towers.tuned_tower.Tower.state`, loaded when first needed,
            and of word vectors, from :meth:`ravl.encoders.words.WordVectors.state`.
        wide: the heads take the base's wide features, too.

    Raises:
        EncoderError: the base is itself a trained encoder, or the heads do not fit it or each
            other.
        EncoderMismatchError: the output of the base has changed since the training.
    """

    def __init__(
        self,
        base: Encoder,
        picture: Head,
        text: Head,
        share: float,
        text_share: float = 1.0,
        known: Fingerprint | None = None,
        beside: Mapping[str, bytes] | None = None,
        wide: bool = False,
    ) -> None:
        if isinstance(base, TrainedEncoder):
            raise EncoderError(_twice(base.base.spec))
        self.base: Encoder = base
        self.picture_head, self.text_head = picture, text
        self.share, self.text_share = float(share), float(text_share)
        self.beside = dict(beside or {})
        self.wide = wide
        self.projects = not wide and TUNED[0] not in self.beside
        self.words = WordVectors.from_state(self.beside) if WORD_FILES[0] in self.beside else None
        self._check()
        self._known = known or base.fingerprint
        self._check_base()
        self.dimension = picture.dimension + (base.dimension if self.share < 1 else 0)
        self.feature_dimension = base.feature_dimension
        self.picture_size = base.picture_size
        self.batch_size = base.batch_size
        self.spec = TRAINED + self._digest()

    def prepare(self, picture: Image.Image) -> Array:
        """One RGB picture -> the base network's input (3, H, W)."""
        return self.base.prepare(picture)

    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n) -> pooled features of the base (n, F)."""
        return self.base.features(prepared)

    def patch_features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n) -> patches of the base (n, patches, channels)."""
        return self.base.patch_features(prepared)

    def encode_prepared(self, prepared: Sequence[Array]) -> tuple[Array, Array]:
        """Prepared pictures (n) -> features of the base (n, F) and vectors (n, d)."""
        seen = self.base.wide_features(prepared) if self.wide else self.base.features(prepared)
        features = seen[:, : self.feature_dimension]
        if self.vision is not None:
            seen = np.hstack([seen, self.vision.features(prepared)])
        return features, self.project(seen)

    def project(self, features: Array) -> Array:
        """Features -> vectors (n, dimension): the trained part, and the base's part.

        Args:
            features: of the base, (n, F), followed by all that the head for pictures takes.
        """
        if features.shape[1] != self.picture_head.inputs:
            raise EncoderError(
                f"The picture head takes {self.picture_head.inputs:,} features, not "
                f"{features.shape[1]:,}: the pictures must be encoded again, with their wide "
                "features or by the tuned tower."
            )
        trained = self.picture_head(features)  # (n, d)
        if self.share == 1:
            return trained
        own = self.base.project(features[:, : self.feature_dimension])
        halves = sqrt(self.share) * trained, sqrt(1 - self.share) * own
        return np.concatenate(halves, axis=1, dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors (n, dimension): the trained part, and the base's part."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        if texts:
            first = self.base.wide_texts(texts) if self.wide else self.base.embed_texts(texts)
            own, d = first[:, : self.base.dimension], self.text_head.dimension
            read = [first]
            if self.words is not None:
                read.append(self.words(texts))
            if self.text is not None:
                read.append(self.text.features(texts))
            vectors[:, :d] = sqrt(self.text_share) * self.text_head(np.hstack(read))
            if self.text_share < 1:
                vectors[:, d:] = sqrt(1 - self.text_share) * own
        return vectors

    def supports_language(self, text: str) -> bool:
        """False for a text in a language that the base does not know."""
        return self.base.supports_language(text)

    def is_compatible(
        self,
        vectors: Fingerprint,
        sides: Sequence[Side] = SIDES,  # noqa: ARG002 (all have the name)
    ) -> bool:
        """Compare by name, which is unique: no tower must be loaded."""
        return vectors.spec == self.spec

    def weighted(self, share: float, text_share: float) -> TrainedEncoder:
        """The same encoder with other shares; towers are not loaded again."""
        other = TrainedEncoder(
            self.base,
            self.picture_head,
            self.text_head,
            share,
            text_share,
            self._known,
            self.beside,
            self.wide,
        )
        other.__dict__ |= {n: self.__dict__[n] for n in ("vision", "text") if n in self.__dict__}
        return other

    # torch is imported only when a tower is needed, and only the needed tower is loaded.

    @cached_property
    def vision(self) -> VisionTower | None:
        """The tuned vision tower; None if only the base is used."""
        if TUNED[0] not in self.beside:
            return None
        from ravl.encoders.towers.vision import VisionTower

        return VisionTower.from_state(self.beside, self.base)

    @cached_property
    def text(self) -> TextTower | None:
        """The tuned text tower; None if only the base is used."""
        if TUNED[2] not in self.beside:
            return None
        from ravl.encoders.towers.text import TextTower

        return TextTower.from_state(self.beside, self.base)

    # --- keeping it ------------------------------------------------------------------------

    def state(self) -> dict[str, bytes]:
        """The files: settings as JSON, arrays (float32) as safetensors, and those of the towers."""
        from safetensors.numpy import save

        settings = {
            "format": WORDS if self.words or self.wide else TOWERS if self.beside else FORMAT,
            "spec": self.spec,
            **self._settings(),
            "fingerprint": json.loads(self._known.to_json()),
        }
        text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
        return {SETTINGS: text.encode(), WEIGHTS: save(self._arrays()), **self.beside}

    @classmethod
    def from_spec(
        cls, spec: str, state: Mapping[str, bytes] | None = None, base: Encoder | None = None
    ) -> TrainedEncoder:
        """The encoder of ``"run:FOLDER"``, or of ``"trained:..."`` with its state.

        Raises:
            EncoderError, EncoderMismatchError: as :meth:`from_state` does, or there is no folder
                and there is no state.
        """
        scheme, _, name = spec.partition(":")
        if scheme == "run" and name:
            return cls.load(name, base)
        if scheme != "run" and state:
            return cls.from_state(state, base)
        raise EncoderError(
            f"The encoder {spec!r} cannot be loaded by its name alone. Name the folder of the run "
            "that trained it: 'run:FOLDER'."
        )

    @classmethod
    def from_state(cls, state: Mapping[str, bytes], base: Encoder | None = None) -> TrainedEncoder:
        """The inverse of :meth:`state`.

        Args:
            state: the files by name.
            base: the base encoder to use; None loads the base named in the settings.

        Raises:
            EncoderError: a file is missing, damaged or from a newer ravl, or the base cannot be
                loaded.
            EncoderMismatchError: the output of the base has changed since the training.
        """
        for name in (SETTINGS, WEIGHTS):
            if name not in state:
                raise EncoderError(f"The trained encoder lacks its file {name}.")
        settings = read_settings(state[SETTINGS])
        with damage_of(f"{SETTINGS} of the trained encoder", AGAIN, EncoderError):
            name = str(settings["base"])
            share, text_share = float(settings["share"]), float(settings["text_share"])
            powers = [float(settings[f"{side}_power"]) for side in ("picture", "text")]
            known = Fingerprint.from_record(settings["fingerprint"])
            wide = bool(settings.get("wide", False))
        arrays = read_arrays(state[WEIGHTS])
        picture, text = (
            Head.from_arrays(
                {k.removeprefix(side): v for k, v in arrays.items() if k.startswith(side)}, power
            )
            for side, power in zip(("picture.", "text."), powers, strict=True)
        )
        base = base if base is not None else _load_base(name)
        beside = {name: state[name] for name in BESIDE if name in state}
        encoder = cls(base, picture, text, share, text_share, known, beside, wide)
        if settings.get("spec") != encoder.spec:
            raise EncoderError(
                f"{SETTINGS} and {WEIGHTS} of the trained encoder do not belong together: one of "
                "them has changed. Copy both again from the training run."
            )
        return encoder

    def save(self, folder: str | Path) -> None:
        """Write the files to a folder; the folder is created if necessary, files are replaced."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.state().items():
            write_bytes(folder / name, data)

    @classmethod
    def load(cls, folder: str | Path, base: Encoder | None = None) -> TrainedEncoder:
        """The encoder in a folder, or in its sub-folder ``encoder``; see :meth:`from_state`.

        Raises:
            EncoderError, EncoderMismatchError: as in :meth:`from_state`, or there is no encoder.
        """
        place, state = read_folder(Path(folder))
        try:
            return cls.from_state(state, base)
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
                "With a share of 1 pictures have no part of the base, so texts cannot have one "
                "either: "
                f"text_share must be 1, too, not {self.text_share:g}."
            )
        words = self.words.dimension if self.words is not None else 0
        own = base.feature_dimension, base.dimension
        if self.wide:
            own = own[0] + base.wide_dimension, own[1] + base.wide_text_dimension
        more = picture.inputs - own[0], text.inputs - own[1] - words
        towers = TUNED[0] in self.beside, TUNED[2] in self.beside
        if any(n < 0 or (n > 0) != tower for n, tower in zip(more, towers, strict=True)):
            beside = f", its word vectors {words:,}" if words else ""
            beside += ", and tuned towers more" if any(towers) else ""
            raise EncoderError(
                f"The trained heads take {picture.inputs:,} picture features and text vectors of "
                f"{text.inputs:,} dimensions; {base.spec!r} has {own[0]:,} and {own[1]:,}{beside}."
            )
        if picture.dimension != text.dimension:
            raise EncoderError(
                "The trained heads do not fit together: the picture head has "
                f"{picture.dimension:,} "
                f"dimensions, the text head {text.dimension:,}."
            )

    def _check_base(self) -> None:
        here = self.base.fingerprint
        if not (self._known.matches(here) and self._known.same_vision(here)):
            raise EncoderMismatchError(
                f"The trained heads belong to the base encoder {self._known.spec!r} "
                f"({self._known.digest}); the present {here.spec!r} has another output "
                f"({here.digest}: other weights, or other preprocessing). Use the base of the "
                "training, or train again."
            )

    def _settings(self) -> JsonObject:
        return {
            "base": self._known.spec,
            "share": self.share,
            "text_share": self.text_share,
            "picture_power": self.picture_head.power,
            "text_power": self.text_head.power,
            **({"wide": True} if self.wide else {}),
        }

    def _arrays(self) -> dict[str, Array]:
        sides = {"picture": self.picture_head, "text": self.text_head}
        return {f"{s}.{name}": v for s, head in sides.items() for name, v in head.arrays().items()}

    def _digest(self) -> str:
        # Not a hash of the files' bytes, which depend on the version of safetensors, nor of the
        # fingerprint, whose last bits depend on the machine.
        digest = hashlib.sha256(json.dumps(self._settings(), sort_keys=True).encode())
        for name, value in sorted(self._arrays().items()):
            digest.update(f"{name} {value.shape}".encode())
            digest.update(value.astype("<f4").tobytes())
        for name, data in sorted(self.beside.items()):  # the saved files, never made again
            digest.update(name.encode() + data)
        return digest.hexdigest()[:12]


def _load_base(spec: str) -> Encoder:
    from ravl.encoders import load_encoder

    if spec.startswith((TRAINED, "run:")):
        raise EncoderError(_twice(spec))
    try:
        return load_encoder(spec, found_in="The trained encoder")
    except EncoderError as error:
        raise type(error)(
            f"The base {spec!r} of the trained encoder cannot be loaded. {error}"
        ) from error


def _twice(base: str) -> str:
    return (
        f"The base of a trained encoder cannot be a trained encoder itself. Train from {base!r}, "
        "on all the data."
    )
