"""Where ``neurocontext fit`` keeps its model, and when it may be replaced."""

import secrets
import shutil

from ..inference._storage import INSIDE
from ..persistence._files import ARRAYS, DESCRIPTION, HASHES

_PARTS = {"index", "masker", "model"}
_FILES = {ARRAYS, DESCRIPTION, HASHES}


def check_replaceable(folder) -> None:
    """Refuse a folder that a model must not take the place of.

    Parameters
    ----------
    folder : Path
        May be missing or empty, or hold a saved model and nothing else.

    Raises
    ------
    ValueError
        If anything else is there, or a link.
    """
    if not folder.is_symlink():
        if not folder.exists() or _holds_only(folder, set()):
            return
        if _holds_only(folder, _PARTS):
            parts = [folder / part for part in _PARTS]
            if all(_holds_only(part, _FILES) for part in parts):
                return
    raise ValueError(
        f"{folder} is there and no model, or holds other things too, and the model "
        "goes there. Pass another folder as --output."
    )


def _holds_only(folder, names) -> bool:
    """Tell a folder, no link, that holds these names and no others."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return {path.name for path in folder.iterdir()} == names


def replace_model(model, folder) -> None:
    """Save a model; an older one stays in place until the new one is complete.

    Parameters
    ----------
    model : NeuroContextModel
        To be saved.
    folder : Path
        As for `check_replaceable`.

    Raises
    ------
    TypeError, ValueError
        If it cannot be saved, or the folder must not be replaced.
    """
    new, old = (folder.with_name(f".{INSIDE}-{secrets.token_hex(8)}") for _ in range(2))
    try:
        model.save(new)
        check_replaceable(folder)  # again: fitting took long
        try:
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        except BaseException:
            if old.exists() and not folder.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
