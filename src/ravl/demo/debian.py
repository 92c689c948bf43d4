"""Get files of a Debian package without root: download, verify, unpack a part."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ravl.errors import RavlError
from ravl.progress import progress_bar

ASK_TIMEOUT = 30.0  # seconds for a question that needs no network
LISTS_TIMEOUT = 120.0  # seconds for fetching apt's index
DOWNLOAD_TIMEOUT = 300.0  # seconds for a package
MB = 10**6
_CAREFUL = (
    "-o",
    "Acquire::http::Timeout=20",
    "-o",
    "Acquire::https::Timeout=20",
    "-o",
    "Acquire::Retries=1",
    "-o",
    "Acquire::AllowInsecureRepositories=false",
    "-o",
    "APT::Get::AllowUnauthenticated=false",
    # Its helper user _apt cannot enter our folder; without this option root gets a warning.
    "-o",
    "APT::Sandbox::User=root",
    "-o",
    "APT::Update::Error-Mode=any",  # otherwise a missing network is only a warning
)

Runner = Callable[[Sequence[str], Path, float], str]
"""Runs a command in a folder within a number of seconds, and returns what it printed."""


class PackageError(RavlError):
    """A package is not available: no apt, no network, or a wrong checksum."""


class UnknownPackageError(PackageError):
    """apt works, but its package lists do not contain the package."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package as apt's signed index describes it.

    Args:
        name: of the package.
        version: the version that apt would install.
        sha256: of its file, 64 hexadecimal digits.
        size: of its file in bytes.
    """

    name: str
    version: str
    sha256: str
    size: int


def run(command: Sequence[str], folder: Path, timeout: float) -> str:
    """Run a command in a folder; see :data:`Runner`.

    Raises:
        UnknownPackageError: the command failed.
        PackageError: the program is not installed, or took too long.
    """
    program = command[0]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            timeout=timeout,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError:
        raise PackageError(f"{program}, a tool of Debian's, is not installed here.") from None
    except subprocess.TimeoutExpired:
        raise PackageError(f"{program} did not finish within {timeout:.0f} seconds.") from None
    if done.returncode:
        lines = done.stderr.splitlines()
        last = lines[-1] if lines else f"nothing, but failed with status {done.returncode}"
        reason = next((line for line in lines if line.startswith("E: ")), last)
        raise UnknownPackageError(f"{program} says: {reason.removeprefix('E: ').rstrip('.')}.")
    return done.stdout


def download(name: str, pinned: Mapping[str, str], work: Path, runner: Runner = run) -> Path:
    """A package's file, verified, in a working folder.

    apt checks it against its signed index. It is checked once more here, against the checksum in
    that index and, for a known version, against the checksum in this code.

    Args:
        name: of the package.
        pinned: SHA256 of known versions.
        work: a folder for the file, and for package lists if the machine's are of no use.
        runner: runs apt.

    Raises:
        PackageError: the package is not available; no unverified file is left behind.
    """
    try:
        return _download(name, pinned, (), work, runner)
    except UnknownPackageError:
        # Debian images have no package lists, and old lists contain files that no longer exist.
        return _download_with_own_lists(name, pinned, work, runner)


def _download_with_own_lists(
    name: str, pinned: Mapping[str, str], work: Path, runner: Runner
) -> Path:
    private = _private_lists(work)
    reason = None
    try:
        runner(("apt-get", *_CAREFUL, *private, "update"), work, LISTS_TIMEOUT)
    except UnknownPackageError as error:
        reason = error  # maybe another source failed, but Debian's own list is there
    try:
        return _download(name, pinned, private, work, runner)
    except UnknownPackageError as error:
        raise reason or error from None


def _download(
    name: str, pinned: Mapping[str, str], options: Sequence[str], work: Path, runner: Runner
) -> Path:
    asked = ("apt-cache", *options, "show", "--no-all-versions", name)
    package = parse_record(runner(asked, work, ASK_TIMEOUT), name)
    command = ("apt-get", *_CAREFUL, *options, "download", f"{name}={package.version}")
    with _watched(work, package.size):
        runner(command, work, DOWNLOAD_TIMEOUT)
    escaped = package.version.replace(":", "%3a")  # as apt writes it
    found = sorted(work.glob(f"{name}_{escaped}_*.deb"))
    if len(found) != 1:
        raise PackageError(f"apt-get left {len(found)} files of the package {name}, not one.")
    verify(found[0], package, pinned)
    return found[0]


def parse_record(text: str, name: str) -> Package:
    """The package that ``apt-cache show`` describes.

    Raises:
        UnknownPackageError: there is no such package, or no checksum.
    """
    lines = (line.split(": ", 1) for line in text.splitlines() if not line.startswith(" "))
    fields = {pair[0]: pair[1].strip() for pair in lines if len(pair) == 2}
    try:
        return Package(name, fields["Version"], fields["SHA256"].lower(), int(fields["Size"]))
    except (KeyError, ValueError):
        reason = f"apt knows no package {name} with a SHA256 checksum here."
        raise UnknownPackageError(reason) from None


def verify(file: Path, package: Package, pinned: Mapping[str, str]) -> None:
    """Check a package's file; a file with a wrong checksum is deleted.

    Raises:
        PackageError: the SHA256 differs from the index, or from the pinned one of this version.
    """
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    expectations = {"apt's index": package.sha256, "ravl": pinned.get(package.version)}
    for source, expected in expectations.items():
        if expected is not None and found != expected:
            file.unlink()
            raise PackageError(
                f"{file.name} has the SHA256 {found[:16]}..., but {source} expects "
                f"{expected[:16]}...; the file was deleted."
            )


def unpack(
    package: Path, prefix: str, wanted: Callable[[PurePosixPath], bool], target: Path
) -> int:
    """Write the wanted files of a package; returns their number.

    The archive is read as a stream, so other files are never written to disk.

    Args:
        package: the .deb file, verified.
        prefix: only files below this folder of the package, which becomes ``target``.
        wanted: decides by the path below the prefix.
        target: a folder to write to.

    Raises:
        PackageError: the package cannot be read.
    """
    command = ("dpkg-deb", "--fsys-tarfile", str(package))
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None  # it is a pipe
            count = _extract(process.stdout, prefix, wanted, target)
            # the padding of the last block: dpkg-deb must be able to write it
            process.stdout.read()
    except FileNotFoundError:
        raise PackageError("dpkg-deb, a tool of Debian's, is not installed here.") from None
    except tarfile.TarError as error:
        raise PackageError(f"{package.name} cannot be unpacked: {error}.") from error
    if process.returncode:  # a truncated stream can look like a complete archive
        raise PackageError(f"{package.name} cannot be unpacked: dpkg-deb failed.")
    return count


def _extract(
    stream: IO[bytes], prefix: str, wanted: Callable[[PurePosixPath], bool], target: Path
) -> int:
    count = 0
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            inside = _below(prefix, member.name)
            if inside is None or not member.isreg() or not wanted(inside):
                continue
            content = archive.extractfile(member)
            assert content is not None  # it is a regular file
            path = target / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as out:
                shutil.copyfileobj(content, out)
            count += 1
    return count


def _below(prefix: str, name: str) -> PurePosixPath | None:
    path = PurePosixPath(name)
    if ".." in path.parts or not path.is_relative_to(prefix):
        return None
    return path.relative_to(prefix)


def _private_lists(work: Path) -> tuple[str, ...]:
    """Options for package lists in the working folder; by default apt needs root."""
    lists, cache = work / "lists", work / "cache"
    for folder in (lists / "partial", cache / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    return ("-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}")


@contextlib.contextmanager
def _watched(work: Path, size: int) -> Iterator[None]:
    """Show the progress of a download on a terminal."""
    done = threading.Event()
    with progress_bar("Downloading", "MB") as advance:

        def watch() -> None:
            seen = 0
            while not done.wait(0.25):
                with contextlib.suppress(OSError):  # renamed at this very moment
                    now = sum(file.stat().st_size for file in work.glob("*.deb")) // MB
                    advance(now - seen, size // MB)
                    seen = now

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
