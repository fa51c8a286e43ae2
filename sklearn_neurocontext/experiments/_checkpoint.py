"""Records on disk: one JSON file per split and estimator, written at once or not."""

import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import joblib

from .._utils.files import whole_file


@cache
def _code_hash() -> str:
    """Hash the code of what is fitted and scored: a development version says little."""
    digest = hashlib.sha256()
    for part in ("metrics", "models", "text"):
        folder = files("sklearn_neurocontext") / part
        for module in sorted(folder.iterdir(), key=lambda path: path.name):
            if module.name.endswith(".py"):
                digest.update(module.read_bytes())
    return digest.hexdigest()


def settings_hash(name: str, estimator, data_hash: str, train, test, ks) -> str:
    """Hash all that a record depends on.

    Parameters
    ----------
    name : str
        What the estimator is called.
    estimator : estimator
        Unfitted; its classes and parameters count.
    data_hash : str
        Hash of X and y.
    train, test : ndarray of int
        The split.
    ks : tuple of int
        The k of each recall.

    Returns
    -------
    hash : str
        32 hexadecimal digits. The package's models, metrics and transformers
        of text count as they are written, other packages do not.
    """
    params = {
        name: _without_estimators(value)
        for name, value in estimator.get_params(deep=True).items()
    }
    kind = type(estimator).__qualname__
    facts = (name, kind, params, data_hash, train, test, tuple(ks), _code_hash())
    return joblib.hash(facts)


def _without_estimators(value):
    """Tell estimators by their class: get_params lists their parameters by name."""
    if isinstance(value, list | tuple):
        return [_without_estimators(one) for one in value]
    return type(value).__qualname__ if hasattr(value, "get_params") else value


def record_path(output: Path, split: int, name: str, digest: str) -> Path:
    """Name the file of a record; estimators' names may hold any character."""
    safe = re.sub(r"[^\w.-]+", "-", name)
    return output / "records" / f"split-{split:02d}_{safe}_{digest[:12]}.json"


def read_record(path: Path, digest: str) -> dict | None:
    """Read a finished record, or None where there is none for these settings."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return record if record.get("settings_hash") == digest else None


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is never seen half-written.

    Parameters
    ----------
    path : Path
        The file; its folder is made, an older file is replaced.
    text : str
        What to write, as UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content) -> None:
    """Write JSON so that it is never seen half-written."""
    write_text(path, json.dumps(content, indent=1) + "\n")
