"""Downloads that are hashed, atomic, resumable and bounded."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import requests
from filelock import FileLock

LOCAL_FOLDER_VARIABLE = "NEUROCONTEXT_DATA"
# What a broken connection loses at most, in bytes.
_PIECE = 1 << 13
_ATTEMPTS = 3
_TIMEOUT_SECONDS = (10, 60)


@dataclass(frozen=True)
class RemoteFile:
    """A public file: where it is, how long, and its SHA-256 where known."""

    name: str
    url: str
    n_bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class FoundFile:
    """A file on this machine, and whether its hash was checked."""

    path: Path
    verified: bool


def find_files(corpus: str, remote_files, data_home=None) -> list[FoundFile]:
    """Find a corpus's files on this machine, or download them.

    Parameters
    ----------
    corpus : str
        Name of the folder, below either root.
    remote_files : sequence of RemoteFile
        The files.
    data_home : path-like or None, default=None
        Where downloads are kept; None is ``~/sklearn_neurocontext_data``.

    Returns
    -------
    files : list of FoundFile
        In the same order. Those below the folder that the environment variable
        ``NEUROCONTEXT_DATA`` names come first and are used unverified.

    Raises
    ------
    OSError
        If a download fails, or a file has the wrong size or hash. A file that was there
        before is never removed: it may be the user's own.
    """
    local = os.environ.get(LOCAL_FOLDER_VARIABLE)
    kept = Path(data_home or "~/sklearn_neurocontext_data").expanduser() / corpus
    found = []
    for remote in remote_files:
        own = local and Path(local).expanduser() / corpus / remote.name
        if own and own.is_file():
            found.append(FoundFile(own, verified=False))
            continue
        path = kept / remote.name
        if not path.is_file():
            download(remote, path)
        else:
            _check_kept(path, remote)
        found.append(FoundFile(path, verified=remote.sha256 is not None))
    return found


def download(remote: RemoteFile, path: Path) -> None:
    """Download a file; it appears under its name only when complete and right.

    A download that broke off is taken up where it stopped. Of several processes one
    downloads into a folder at a time; those that waited find the file there. The lock
    ends with its process.

    Parameters
    ----------
    remote : RemoteFile
        What to download.
    path : Path
        Where to keep it; folders are made.

    Raises
    ------
    OSError
        If the server cannot be reached, or gives more, less or other bytes than
        published.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(".lock")):
        if not path.is_file():
            _download_alone(remote, path)


def _download_alone(remote, path):
    part = path.with_name(path.name + ".part")
    error = None
    for _ in range(_ATTEMPTS):
        try:
            _fetch_rest(remote, part)
        except requests.RequestException as problem:
            error = problem
            if problem.response is not None and problem.response.status_code < 500:
                break  # the server's answer will be the same again
            continue
        if part.stat().st_size == remote.n_bytes:
            _check_part(part, remote)
            part.replace(path)
            return
        error = f"{part.stat().st_size:,} of {remote.n_bytes:,} bytes came"
    raise OSError(
        f"{remote.name} could not be downloaded from {remote.url} ({error}). What came "
        "is kept and the next call goes on from there. Without network, put the file "
        f"into a folder named after its corpus and name the folder above it in the "
        f"environment variable {LOCAL_FOLDER_VARIABLE}."
    )


def _fetch_rest(remote, part):
    """Append what is missing to the part that is there."""
    have = part.stat().st_size if part.is_file() else 0
    if have >= remote.n_bytes:
        have = 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(
        remote.url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS
    ) as response:
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0
        with part.open("ab" if have else "wb") as stream:
            for piece in response.iter_content(_PIECE):
                have += len(piece)
                if have > remote.n_bytes:
                    break
                stream.write(piece)
    if have > remote.n_bytes:
        part.unlink()
        raise OSError(
            f"{remote.url} gives more than the {remote.n_bytes:,} bytes that were "
            "published; nothing was kept. Check the address for a proxy's page."
        )


def _check_kept(path: Path, remote: RemoteFile):
    """Raise where a file that was there before is another one, and leave it there."""
    found = _find_other_hash(path, remote)
    if found:
        raise OSError(
            f"{str(path)!r} has SHA-256 {found}; expected {remote.sha256}, that of the "
            "published file. It was left as it is. To use it unverified, name the "
            f"folder {str(path.parents[1])!r} in the environment variable "
            f"{LOCAL_FOLDER_VARIABLE}; to download the published file, move this one "
            "away."
        )


def _check_part(part: Path, remote: RemoteFile):
    """Raise where a download is another file, and remove it."""
    found = _find_other_hash(part, remote)
    if found:
        part.unlink()
        raise OSError(
            f"What came from {remote.url} has SHA-256 {found}; expected "
            f"{remote.sha256}. It was removed; call again to download it anew."
        )


def _find_other_hash(path: Path, remote: RemoteFile) -> str | None:
    """Give the SHA-256 of a file where it is not the published one."""
    if remote.sha256 is None:
        return None
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    return None if found == remote.sha256 else found
