"""API keys: who may read, write, or administer. Only their hashes are kept.

A file (or the variable RAVL_KEYS) holds a line for each key: its name, its scope and its hash,

    web read sha256:9f86d081...

A key has 256 random bits, so that one round of SHA-256 protects it as well as any slow hash would.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ravl.errors import DataError

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)  # each may do what those before it may
VARIABLE = "RAVL_KEYS"
BEGIN = "ravl_"
_LINE = re.compile(r"(\S{1,64})\s+(read|write|admin)\s+sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        name: of the key; "anyone" where keys are off.
        scope: what it may do.
    """

    name: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        """Whether the scope suffices for that one."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


ANYONE = Caller("anyone", "admin")  # on loopback, where keys are off


class Keys:
    """The keys of a server; a file is read again when it changes, so that keys can be withdrawn.

    Args:
        file: with a line for each key; None for the environment alone.
        environment: where ``RAVL_KEYS`` may be.

    Raises:
        DataError: the file is missing or a line is not valid.
    """

    def __init__(self, file: Path | None, environment: Mapping[str, str] = os.environ) -> None:
        self._file = file
        self._given = read_lines(environment.get(VARIABLE, ""), VARIABLE)
        self._read: tuple[tuple[int, int], dict[str, Caller]] | None = None
        self._known()

    def __len__(self) -> int:
        return len(self._known())

    def caller(self, key: str) -> Caller | None:
        """Who has this key; None for nobody."""
        digest = digest_of(key)
        found = None
        for known, caller in self._known().items():  # all of them: time tells nothing
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    def _known(self) -> dict[str, Caller]:
        if self._file is None:
            return self._given
        try:
            status = self._file.stat()
            stamp = status.st_mtime_ns, status.st_size
            if self._read is None or self._read[0] != stamp:
                text = self._file.read_text("utf-8")
                self._read = stamp, read_lines(text, str(self._file))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"The keys in {self._file} cannot be read: {error}. Make one with: "
                f"ravl serve --new-key read --keys {self._file}"
            ) from error
        return {**self._given, **self._read[1]}


def read_lines(text: str, place: str) -> dict[str, Caller]:
    """Callers by the hash of their key.

    Raises:
        DataError: a line is not valid, or two keys have the same name.
    """
    found: dict[str, Caller] = {}
    for number, line in enumerate(text.replace(";", "\n").splitlines(), 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        match = _LINE.fullmatch(words)
        if match is None:  # the line is not repeated: it may hold a key by mistake
            raise DataError(
                f"Line {number} of {place} is no key. Write NAME SCOPE sha256:HASH as "
                "ravl serve --new-key does."
            )
        name, scope, digest = match.groups()
        if any(caller.name == name for caller in found.values()):
            raise DataError(f"Two keys of {place} are called {name!r}. Rename one.")
        found[digest] = Caller(name, scope)  # type: ignore[arg-type]  # as the pattern says
    return found


def new_key(scope: Scope, name: str = "") -> tuple[str, str]:
    """A new key, to be shown once, and its line for the file."""
    key = BEGIN + secrets.token_urlsafe(32)
    digest = digest_of(key)
    return key, f"{name or f'{scope}-{digest[:6]}'} {scope} sha256:{digest}"


def keep_line(file: Path, line: str) -> None:
    """Add a key's line to the file, which only its owner may read.

    Raises:
        DataError: the file cannot be written, or the name is taken.
    """
    import fcntl

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(number, "r+", encoding="utf-8") as out:
            fcntl.flock(out, fcntl.LOCK_EX)  # of two new keys at once, both are kept
            before = out.read()
            line = ("\n" if before and not before.endswith("\n") else "") + line + "\n"
            read_lines(before + line, str(file))
            os.fchmod(number, 0o600)
            _append(number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The keys in {file} cannot be written: {error}.") from error


def _append(file: int, line: str) -> None:
    """Write a line whole or not at all: half a line would make the other keys invalid, too."""
    end, data = os.fstat(file).st_size, line.encode()
    if os.write(file, data) < len(data):
        os.ftruncate(file, end)
        raise OSError("the disk is full")


def digest_of(key: str) -> str:
    """The hash by which a key is known."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
