"""Which servers and models of the hub ravl may contact: only those that the user has named.

A run, a memory or a file of settings can come from somebody else, and can name a server
(``openai:http://...``) or a model of the hub (``hf:owner/name``). The server would get the user's
pictures and key. So a name that was read from a file counts only if the user has named it before:
as an option, as an argument, or with ``ravl allow``. Names that the user gives are remembered in
``addresses`` in ravl's configuration folder. What is on this machine already needs no permission:
folders, and models in the hub's cache.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import platformdirs

from ravl.errors import AddressError, DataError, RavlError
from ravl.files.whole_file import whole_file

FOLDER = "RAVL_CONFIG"  # environment variable: the configuration folder
ALLOWED = "RAVL_ALLOW"  # environment variable: more names, separated by spaces
OF_SETTINGS: Mapping[str, str] = {  # settings that hold a name -> what stands before it
    "generator": "",
    "teacher": "",
    "language_model": "hf:",
}
LOCAL = ("builtin", "multilingual", "run", "trained")  # schemes that never contact anything

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # of one letter it is a drive of Windows
_session: set[str] = set()  # named by this process, also where the file cannot be written


def file() -> Path:
    """The file of remembered names, one a line."""
    folder = os.environ.get(FOLDER) or platformdirs.user_config_dir("ravl")
    return Path(folder) / "addresses"


def allowed() -> tuple[str, ...]:
    """All names that may be contacted, sorted."""
    return tuple(sorted({*_remembered(), *os.environ.get(ALLOWED, "").split(), *_session}))


def allow(name: str) -> None:
    """The user has named this server or model: remember it.

    Args:
        name: such as ``"openai:http://localhost:8000/v1"`` or ``"hf:owner/name"``. Names of what
            is on this machine are not remembered.
    """
    plain = _plain(name)
    if not is_remote(name) or plain in allowed():
        return
    _session.add(plain)
    try:
        file().parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file()) as half:
            half.write_bytes(_joined(dict.fromkeys([*_lines(), plain])))
    except OSError:  # a home that cannot be written: the name holds for this process
        return


def forbid(name: str) -> bool:
    """Remove a name from the remembered ones; False if it was not among them.

    Raises:
        DataError: the file of names cannot be written.
    """
    plain = _plain(name)
    _session.discard(plain)
    if plain not in _remembered():
        return False
    try:
        with whole_file(file()) as half:
            known = _lines()  # again: now no other process changes the file
            half.write_bytes(_joined(line for line in known if line != plain))
    except OSError as error:
        raise DataError(f"{file()} cannot be written: {error.strerror}.") from error
    return plain in known


def check(name: str, where: str) -> None:
    """Refuse a name that was read from a file, unless the user has named it.

    Args:
        name: of an encoder or a generator, as :func:`ravl.load_encoder` takes it.
        where: it was read, as the beginning of a sentence: ``"The run in runs/a"``.

    Raises:
        AddressError: it would contact a server or the hub, and the user has not named it.
    """
    if not is_remote(name) or _plain(name) in allowed() or _in_hub_cache(name):
        return
    what = (
        "It would get your pictures and the key in OPENAI_API_KEY"
        if name.startswith("openai:")
        else "It would be downloaded or contacted"
    )
    raise AddressError(
        f"{where} names {name!r}, which you have not named yourself. {what}. If you trust it, "
        f"allow it once with: ravl allow {_plain(name)}"
    )


def allow_settings(settings: Mapping[str, object]) -> None:
    """The user gave these settings: remember the servers and models in them."""
    for name in _names(settings):
        allow(name)


def check_settings(settings: Mapping[str, object], where: str) -> None:
    """Refuse settings that were read from a file; see :func:`check`."""
    for name in _names(settings):
        check(name, where)


def is_remote(name: str) -> bool:
    """Whether a name can lead away from this machine.

    That of a plug-in can, whatever it says, unless it is a folder.
    """
    scheme, _, rest = name.partition(":")
    if not rest or scheme in LOCAL:
        return False
    return scheme == "openai" or not _is_folder(rest)


def refuse_address(place: str | Path, error: type[RavlError] = DataError, known: str = "") -> None:
    """Refuse what looks like an address where a file or a folder of this machine is meant.

    Without this, ``nowhere:x`` would be a new folder of that name.

    Args:
        place: as the user wrote it.
        error: to be raised.
        known: the addresses that are allowed here, as a sentence.

    Raises:
        RavlError: it begins like an address, and nothing of that name is there.
    """
    text = str(place)
    scheme = _SCHEME.match(text)
    if scheme is None or os.path.lexists(Path(text).parts[0]):
        return
    raise error(
        f"{text!r} begins with {scheme[0]!r}, which is no kind of place that is known here. "
        f"{known or 'It must be a file or a folder of this machine.'} For a file or a folder with "
        "such a name write its whole path."
    )


def _names(settings: Mapping[str, object]) -> list[str]:
    found = ((before, settings.get(name)) for name, before in OF_SETTINGS.items())
    return [
        f"{before}{value}"
        for before, value in found
        if isinstance(value, str) and value not in ("", "builtin")
    ]


def _plain(name: str) -> str:
    """A name without the model behind a server's address, which is the same server."""
    return name.partition("#")[0].strip().rstrip("/")


def _remembered() -> list[str]:
    try:
        return _lines()
    except OSError:
        return []


def _lines() -> list[str]:
    """The lines of the file, also of a damaged one: nothing of it is lost when it is written."""
    try:
        text = file().read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    return [line for line in text.split("\n") if line.strip()]


def _joined(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", errors="surrogateescape")


def _is_folder(name: str) -> bool:
    """Whether this is a place on this machine, also where nothing is there (any more)."""
    if Path(name).is_absolute() or name.startswith(("./", "../", "~")):
        return True
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL, an unknown user
        return False


def _in_hub_cache(name: str) -> bool:
    """Whether the model is in the hub's cache, from which it is read without asking the hub."""
    scheme, _, rest = name.partition(":")
    if scheme != "hf":
        return False
    try:
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(rest, "config.json"), str)
    except Exception:  # not a name of the hub
        return False
