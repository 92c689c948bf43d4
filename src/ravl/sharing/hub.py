"""The Hugging Face hub as a place: a repository of models for a run, of datasets for a memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.errors import DataError, RavlError
from ravl.files.scratch import scratch_folder
from ravl.hashes import FileHash
from ravl.sharing.failures import masked, why_of
from ravl.sharing.manifest import MANIFEST, MOST_BYTES, Manifest, holds
from ravl.sharing.remotes import AGAIN, Advance, damaged

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TYPES = {"run": "model", "memory": "dataset"}  # of repositories, by what is pushed there
OWN = {".gitattributes", "README.md"}  # files that the hub makes itself
ASKED = 500  # files that the hub is asked about at a time
_NAME = re.compile(
    r"hf:(?://)?(?:(?P<type>models|datasets)/)?(?P<repo>[\w.\-]+/[\w.\-]+)(?:@(?P<rev>[\w./\-]+))?/?"
)


class HubPlace:
    """A repository on the hub, or on another that ``HF_ENDPOINT`` names.

    Args:
        address: ``hf:owner/name[@revision]``; ``hf:datasets/owner/name`` says of which type.
        kind: of what is pushed there, a private repository of its type being made if there is
            none; None for a repository of either type.
        public: whether everyone may read a repository that is made, or written to.
        bars: show the progress of the hub's own library.

    Raises:
        DataError: the address is not valid.
    """

    shows_progress = True

    def __init__(self, address: str, kind: str | None, public: bool, bars: bool) -> None:
        from huggingface_hub import HfApi

        match = _NAME.fullmatch(address)
        if match is None:
            raise DataError(
                f"{masked(address)} is no repository of the hub. Write hf:OWNER/NAME, or "
                "hf:OWNER/NAME@REVISION."
            )
        self.shown = address
        self._repo, self._revision = match["repo"], match["rev"]
        self._types = [match["type"][:-1]] if match["type"] else list(TYPES.values())
        if kind is not None:
            if match["type"] and TYPES[kind] != self._types[0]:
                raise DataError(f"A {kind} goes to a repository of {TYPES[kind]}s: hf:{self._repo}")
            self._types = [TYPES[kind]]
        self._public, self._bars = public, bars
        self._api: HfApi = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
        self._found: tuple[str, str] | None = None  # type and commit, so that all is of one moment

    def manifest(self) -> Manifest | None:
        """What was pushed here; None where nothing was."""
        for type_ in self._types:
            commit = self._commit(type_)
            data = self._read(type_, commit) if commit else None
            if commit and data is not None:
                self._found = type_, commit
                return Manifest.read(data, self.shown)
        return None

    def is_empty(self) -> bool:
        """Whether nothing lies here but what the hub makes itself."""
        for type_ in self._types:
            commit = self._commit(type_)
            if commit is not None:
                with self._errors("read"):
                    names = self._api.list_repo_files(self._repo, repo_type=type_, revision=commit)
                if set(names) - OWN:
                    return False
        return True

    def send(
        self,
        files: Mapping[str, Path],
        manifest: Manifest,
        before: Manifest | None,
        advance: Advance,
    ) -> None:
        """One commit with all that has changed; the repository is made if there is none.

        Large files that arrived before an interruption are known to the hub and not sent again.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

        known = before.files if before else {}
        gone = sorted(known.keys() - manifest.files.keys())
        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            *(CommitOperationDelete(name) for name in gone),
            *(
                CommitOperationAdd(name, str(files[name]))
                for name, entry in manifest.files.items()
                if known.get(name) != entry
            ),
            CommitOperationAdd(MANIFEST, manifest.to_bytes()),
        ]
        with self._errors("written"), _bars(self._bars):
            self._make()
            self._api.create_commit(
                self._repo,
                operations,
                repo_type=self._types[0],
                revision=self._revision,
                commit_message=f"ravl push: {manifest.kind} {manifest.name}",
            )
        advance(0)

    def fetch(self, entries: Mapping[str, FileHash], folder: Path, advance: Advance) -> None:
        """See :class:`ravl.sharing.remotes.Remote`; goes on with a file that was half fetched."""
        assert self._found is not None, "the manifest is read first"
        type_, commit = self._found
        with self._errors("read"), _bars(self._bars):
            self._check_sizes(entries, type_, commit)
            for name, entry in entries.items():
                self._api.hf_hub_download(
                    self._repo, name, repo_type=type_, revision=commit, local_dir=folder
                )
                if not holds(folder / name, entry):
                    (folder / name).unlink(missing_ok=True)
                    raise DataError(damaged(name, self.shown))
                advance(entry.size)

    def _check_sizes(self, entries: Mapping[str, FileHash], type_: str, commit: str) -> None:
        """Before anything is fetched: the hub has these files, and none is larger than was said."""
        names = list(entries)
        sizes: dict[str, int] = {}
        for start in range(0, len(names), ASKED):
            page = names[start : start + ASKED]
            for found in self._api.get_paths_info(
                self._repo, page, repo_type=type_, revision=commit
            ):
                sizes[found.path] = getattr(found, "size", -1)
        for name, entry in entries.items():
            if name not in sizes:
                raise DataError(f"{name} is missing in {self.shown}. {AGAIN}")
            if sizes[name] != entry.size:
                raise DataError(damaged(name, self.shown))

    def _read(self, type_: str, commit: str) -> bytes | None:
        """The manifest, unless there is none or it is too large."""
        with self._errors("read"), _bars(False), scratch_folder() as work:
            found = self._api.get_paths_info(
                self._repo, [MANIFEST], repo_type=type_, revision=commit
            )
            if not found:
                return None
            if getattr(found[0], "size", MOST_BYTES + 1) > MOST_BYTES:
                raise DataError(damaged(MANIFEST, self.shown))
            return Path(
                self._api.hf_hub_download(
                    self._repo, MANIFEST, repo_type=type_, revision=commit, local_dir=work
                )
            ).read_bytes()

    def _commit(self, type_: str) -> str | None:
        """The repository's newest commit, or that of the revision; None where there is none."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        with self._errors("read"):
            try:
                info = self._api.repo_info(self._repo, repo_type=type_, revision=self._revision)
            except (RepositoryNotFoundError, RevisionNotFoundError):
                return None
        return info.sha

    def _make(self) -> None:
        """The repository and its branch, if missing; what is private never becomes public."""
        type_ = self._types[0]
        self._api.create_repo(self._repo, repo_type=type_, private=not self._public, exist_ok=True)
        if not self._public and not self._api.repo_info(self._repo, repo_type=type_).private:
            raise DataError(
                f"{self.shown} can be read by everyone. Say --public if that is meant, or name "
                "another repository."
            )
        if self._revision:
            self._api.create_branch(
                self._repo, repo_type=type_, branch=self._revision, exist_ok=True
            )

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turns the hub's errors into sentences, without tokens."""
        try:
            yield
        except RavlError:
            raise
        except Exception as error:  # of the network, of the disk, of the library
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status in (401, 403) or type(error).__name__ == "LocalTokenNotFoundError":
                may = " to a token that may write there" if doing == "written" else ""
                raise DataError(
                    f"The hub does not let you in to {self.shown} ({status or 'no token'}). Sign "
                    f"in with: hf auth login; or set HF_TOKEN{may}."
                ) from None
            raise DataError(f"{self.shown} cannot be {doing}: {why_of(error)}.") from None


@contextmanager
def _bars(show: bool) -> Iterator[None]:
    """The progress bars of the hub's library, on or off."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if show or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
