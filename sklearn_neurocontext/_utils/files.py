"""Locate the cache and data folders; write files and folders atomically."""

import errno
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
# Error numbers of the operating system if a disk is full, if the user has used all the
# space that is allowed, or if a file would become too large.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def expand_path(path) -> Path:
    """Return a path in which ``~`` and ``~user`` are replaced by the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(
            f"{str(path)!r} begins with a home folder, which was not found on this "
            "machine. Pass a path without '~'."
        ) from error


def cache_folder() -> Path:
    """Return the cache folder."""
    # The environment variable NEUROCONTEXT_CACHE replaces the default folder. The
    # package platformdirs determines the default folder. If the home folder is not
    # found, the path of the default folder begins with "~".
    named = os.environ.get("NEUROCONTEXT_CACHE")
    folder = named or platformdirs.user_cache_path(_APP_NAME, appauthor=False)
    try:
        return expand_path(folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"The cache folder {str(folder)!r} is in a home folder, which was not "
            "found on this machine. Set the environment variable NEUROCONTEXT_CACHE "
            "to the full path of a folder."
        ) from error


def data_folder(data_home=None) -> Path:
    """Return `data_home`; if it is None, return the data folder of this package."""
    if data_home is None:
        data_home = platformdirs.user_data_path(_APP_NAME, appauthor=False)
    return expand_path(data_home)


def replace_surrogates(text: str) -> str:
    """Return a text in which U+FFFD replaces each unpaired surrogate."""
    # Unpaired surrogates are code points that do not represent characters. UTF-8,
    # tokenizers and pandas do not accept them.
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@contextmanager
def atomic_write(path):
    """Write a temporary file, and rename it to `path` when it is complete.

    This context manager yields the path of the temporary file. The permissions of the
    file follow the umask. If `path` is a symbolic link, the link is kept, and the file
    to which it points is replaced. If the disk is full, or if the temporary file cannot
    be written or renamed, the error message contains `path` instead of the name of the
    temporary file.
    """
    path = Path(path).resolve()
    extension = "".join(path.suffixes[-2:])
    if len(extension) > _MAX_EXTENSION:
        extension = path.suffix
    # The temporary name does not contain the name of `path`, because a longer name
    # could exceed the maximum length that the file system allows. The module tempfile
    # is not used, because only the owner could read the files that it creates.
    temporary = path.with_name(f".{secrets.token_hex(4)}{extension}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        is_full = error.errno in DISK_FULL and error.filename is None
        if not is_full and error.filename != str(temporary):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_output(path):
    """Create the folder of a file if needed, and write the file with `atomic_write`."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileExistsError(
            f"{str(path.parent)!r} must be a folder; it is a file, or a link whose "
            "target does not exist. Pass another path."
        ) from error
    with atomic_write(path) as temporary:
        yield temporary


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8; create its folder if needed."""
    with atomic_output(path) as temporary:
        temporary.write_bytes(replace_surrogates(text).encode())


def write_table(path: Path, table, **options) -> None:
    """Write a DataFrame, without its index, to a CSV file by `write_text`."""
    write_text(path, table.to_csv(index=False, lineterminator="\n", **options))


def write_json(path: Path, content) -> None:
    """Write a JSON file atomically; create its folder if needed."""
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
def staged_files(folder: Path):
    """Write files to a temporary folder; move them to `folder` when all are complete.

    This context manager yields the path of the temporary folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{secrets.token_hex(8)}"
    temporary.mkdir()
    try:
        yield temporary
        for path in temporary.iterdir():
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def atomic_folder(directory, *, check=check_new_folder):
    """Write a temporary folder, and rename it to `directory` when it is complete.

    This context manager yields the path of the temporary folder. `check` is a function
    that raises an error if `directory` exists and must not be replaced.
    """
    directory = expand_path(directory).absolute()
    check(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    new, old = (
        directory.with_name(f".{directory.name}-{secrets.token_hex(8)}")
        for _ in range(2)
    )
    # tempfile.mkdtemp is not used, because only the owner could read the folder that it
    # creates.
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
