"""Locate the cache and data folders; write files and folders atomically."""

import json
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

import platformdirs

_APP_NAME = "sklearn_neurocontext"
# Maximum length of a double extension such as .nii.gz. If the last two suffixes of a
# file name are longer, only the last suffix is used as the extension.
_MAX_EXTENSION = 16


def cache_folder() -> Path:
    """Return the cache folder."""
    # The environment variable NEUROCONTEXT_CACHE replaces the default folder.
    if named := os.environ.get("NEUROCONTEXT_CACHE"):
        return Path(named).expanduser()
    return platformdirs.user_cache_path(_APP_NAME, appauthor=False)


def data_folder(data_home=None) -> Path:
    """Return `data_home`; if it is None, return the data folder of this package."""
    if data_home is not None:
        return Path(data_home).expanduser()
    return platformdirs.user_data_path(_APP_NAME, appauthor=False)


@contextmanager
def atomic_write(path):
    """Write a temporary file, and rename it to `path` when it is complete.

    This context manager yields the path of the temporary file. The permissions of the
    file follow the umask. If `path` is a symbolic link, the link is kept, and the file
    to which it points is replaced.
    """
    path = Path(path).resolve()
    extension = "".join(path.suffixes[-2:])
    if len(extension) > _MAX_EXTENSION:
        extension = path.suffix
    # The temporary name is short, because `path` may have the longest possible name.
    # The module tempfile is not used, because only the owner could read its files.
    temporary = path.with_name(f".{secrets.token_hex(4)}{extension}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8; create its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content) -> None:
    """Write JSON atomically; create its folder if needed."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def check_new_folder(directory: Path) -> None:
    """Check that a folder does not exist or is empty."""
    is_free = not directory.exists() or (
        directory.is_dir() and not any(directory.iterdir())
    )
    if directory.is_symlink() or not is_free:
        raise FileExistsError(
            f"{str(directory)!r} exists and is not an empty folder; nothing was saved. "
            "Pass the path of a new folder, or remove the existing file or folder."
        )


@contextmanager
def atomic_folder(directory, *, check=check_new_folder):
    """Write a temporary folder, and rename it to `directory` when it is complete.

    This context manager yields the path of the temporary folder. `check` is a function
    that raises an error if `directory` exists and must not be replaced.
    """
    directory = Path(directory).expanduser().absolute()
    check(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    new, old = (
        directory.with_name(f".{directory.name}-{secrets.token_hex(8)}")
        for _ in range(2)
    )
    # tempfile.mkdtemp is not used, because only the owner could read its folder.
    new.mkdir()
    try:
        yield new
        check(directory)  # Another process may have created the folder.
        try:
            if directory.exists():
                directory.rename(old)
            new.rename(directory)
        except BaseException:
            if old.exists() and not directory.exists():
                old.rename(directory)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
