"""Find the files of a corpus, with errors that say what was looked for."""

from pathlib import Path


def locate(directory, name: str) -> Path:
    """Find the folder that holds a file: the given one, or ``data`` in it.

    Parameters
    ----------
    directory : path-like
        Given by the user.
    name : str
        Name of the file.

    Returns
    -------
    folder : Path
        The given folder where neither holds the file.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{str(directory)!r} is no folder. Pass the folder that holds {name}."
        )
    inner = folder / "data"
    return inner if (inner / name).is_file() else folder


def find_one(folder: Path, name: str) -> Path:
    """Give the path of a file that must be there.

    Parameters
    ----------
    folder : Path
        Where it should be.
    name : str
        Its name.

    Returns
    -------
    path : Path
        It exists.

    Raises
    ------
    FileNotFoundError
        If it is missing; the message lists what is there.
    """
    path = folder / name
    if path.is_file():
        return path
    present = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(present[:8]) + (" …" if len(present) > 8 else "")
    raise FileNotFoundError(
        f"{name} is missing in {str(folder)!r}, which holds {shown or 'nothing'}. Pass "
        "the folder with the files of the public release, under their own names."
    )
