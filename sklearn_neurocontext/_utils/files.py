"""Files that appear under their name complete, or not at all."""

import json
import secrets
from contextlib import contextmanager
from pathlib import Path

# Characters of an ending such as .nii.gz; two longer ones are a dotted name.
_MAX_ENDING = 16


@contextmanager
def atomic_write(path):
    """Give the name of a file to write, which then takes the place of another.

    Its permissions are those that the umask gives, as of any new file; those of
    `tempfile` would be for the owner alone. Of a link, what it points to is replaced.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist, an older file is replaced.

    Yields
    ------
    part : Path
        Beside it and with its ending; removed after an error.

    Raises
    ------
    OSError
        If the file cannot take its place: it is a folder, say, or its folder is
        missing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_neurocontext._utils.files import atomic_write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder) / "it.txt") as part:
    ...         _ = part.write_text("all of it")
    ...     [path.name for path in Path(folder).iterdir()]
    ['it.txt']
    """
    path = Path(path).resolve()
    ending = "".join(path.suffixes[-2:])
    if len(ending) > _MAX_ENDING:
        ending = path.suffix
    # Not longer than the name, which may be as long as names can be.
    part = path.with_name(f".{secrets.token_hex(4)}{ending}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8; create its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content) -> None:
    """Write JSON atomically; create its folder if needed."""
    write_text(path, json.dumps(content, indent=1) + "\n")
