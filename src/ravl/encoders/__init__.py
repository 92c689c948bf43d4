"""Encoders: ``builtin`` (from PyPI packages, no download) and ``hf:`` (CLIP, SigLIP and kin)."""

from __future__ import annotations

from ravl.encoders.base import Encoder, Fingerprint
from ravl.errors import EncoderError

__all__ = ["Encoder", "Fingerprint", "load_encoder"]


def load_encoder(spec: str = "builtin") -> Encoder:
    """The encoder of that name.

    Args:
        spec: ``"builtin"``, or ``"hf:NAME"`` with a name on the Hugging Face hub or a local folder.

    Raises:
        EncoderError: the name is of neither form, or the model cannot be loaded.
    """
    # Networks are imported only when one is wanted: `ravl --help` must not wait for them.
    if spec == "builtin":
        from ravl.encoders.builtin import BuiltinEncoder

        return BuiltinEncoder()
    if spec.startswith("hf:") and len(spec) > 3:
        from ravl.encoders.hf import HFEncoder

        return HFEncoder(spec.removeprefix("hf:"))
    raise EncoderError(
        f"There is no encoder {spec!r}. Use 'builtin', or 'hf:' with a model's name or folder, "
        "for example 'hf:openai/clip-vit-base-patch32'."
    )
