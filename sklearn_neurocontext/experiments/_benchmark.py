"""Run estimators over splits, with one resumable record per fit."""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._utils.files import write_json
from ..metrics import (
    make_retrieval_scorer,
    recall_curve,
    recall_curve_auc,
    similarity,
)
from ._provenance import forget_peak_memory, peak_memory_mb, provenance
from ._result import BenchmarkResult

_EPOCH_FACTS = ("best_epoch_", "n_epochs_")


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


def run_benchmark(
    estimators,
    X,
    y,
    splits,
    *,
    output=None,
    on_progress=None,
    ks=(10, 100),
    reference="ridge",
    groups=None,
    settings=None,
) -> BenchmarkResult:
    """Fit estimators on the training part of each split and score them on the rest.

    Every estimator sees the same studies, y and splits, and the same X unless it is
    given its own. What is learned from the training part, such as a StandardScaler,
    belongs into the estimator as a Pipeline.

    Parameters
    ----------
    estimators : dict of str to estimator
        Unfitted; each is cloned for each split.
    X : array-like or sparse matrix of shape (n_studies, n_features), or list of str
        What the estimators take; or a dictionary of what each takes, by its name.
    y : ndarray of shape (n_studies, n_components)
        Coefficients.
    splits : sequence of (train, test) index arrays
        What `paper_splits` gives, or ``list(KFold(…).split(X))``.
    output : path-like or None, default=None
        Folder of checkpoints, one JSON file per split and estimator. A second run with
        the same data, splits, estimators and `ks` reads them instead of fitting.
    on_progress : callable or None, default=None
        Called as ``on_progress(n_done, n_total, record)`` after each record.
    ks : sequence of int, default=(10, 100)
        The k of each recall; those not below the smallest test part are left out.
    reference : str or None, default="ridge"
        The estimator that others are compared with; without it, no comparison.
    groups : array-like of shape (n_rows,) or None, default=None
        The study of each row, where rows are analyses: no study may be on both sides.
    settings : dict or None, default=None
        What else is worth keeping beside the numbers (corpus, encoder, atlas, seed).

    Returns
    -------
    result : BenchmarkResult
        Records, and tables made of them.

    Raises
    ------
    ValueError
        If there is no estimator or no split, if X and y differ in length, if X is a
        dictionary of other names than the estimators', or if a split points outside of
        them or puts a row or a group on both sides.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import CCABaseline, RidgeBaseline
    >>> from sklearn_neurocontext.experiments import run_benchmark
    >>> from sklearn_neurocontext.model_selection import paper_splits
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 4))
    >>> y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(200, 6))
    >>> result = run_benchmark(
    ...     {"cca": CCABaseline(), "ridge": RidgeBaseline()},
    ...     X,
    ...     y,
    ...     paper_splits(200, n_splits=3, n_test=40, n_development=20),
    ...     ks=(10,),
    ... )
    >>> len(result.records)
    6
    """
    inputs = _inputs_by_name(estimators, X)
    splits = _check_input(inputs, y, splits)
    _check_groups(groups, splits, len(y))
    scorer = make_retrieval_scorer(_possible_ks(ks, splits))
    hashes = _hash_data(inputs, y)
    output = None if output is None else Path(output)
    origin = {**provenance(), "settings": dict(settings or {})}
    n_total = len(splits) * len(estimators)
    records, origins = [], []
    for index, split in enumerate(splits):
        for name, estimator in estimators.items():
            digest = settings_hash(name, estimator, hashes[name], *split, scorer.ks)
            path = output and record_path(output, index, name, digest)
            record = path and read_record(path, digest)
            if record is None:
                scores = _score_split(estimator, inputs[name], y, *split, scorer)
                record = {"split": index, "estimator": name, **scores}
                record |= {"settings_hash": digest, "provenance": origin}
                if path is not None:
                    write_json(path, record)
            source = record.pop("provenance")
            if source not in origins:
                origins.append(source)
            records.append({**record, "run": origins.index(source)})
            if on_progress is not None:
                on_progress(len(records), n_total, records[-1])
    return BenchmarkResult(
        records=records,
        reference=reference if reference in estimators else None,
        overlapping=_tests_overlap(splits),
        provenance=origins,
    )


def _inputs_by_name(estimators, X) -> dict:
    if not isinstance(X, Mapping) or not estimators:
        return dict.fromkeys(estimators, X)
    if set(X) != set(estimators):
        raise ValueError(
            f"X is given for {', '.join(X)}, and the estimators are "
            f"{', '.join(estimators)}; expected the same names."
        )
    return dict(X)


def _hash_data(inputs, y) -> dict:
    """Hash X and y of each estimator; an X that several take, once."""
    different = {id(X): X for X in inputs.values()}
    hashes = {key: joblib.hash((X, y)) for key, X in different.items()}
    return {name: hashes[id(X)] for name, X in inputs.items()}


def _check_input(inputs, y, splits) -> list:
    splits = [(np.asarray(train), np.asarray(test)) for train, test in splits]
    if not inputs or not splits:
        raise ValueError(
            f"run_benchmark got {len(inputs)} estimators and {len(splits)} splits; "
            "expected at least one of each."
        )
    n = len(y)
    for X in inputs.values():
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if n_rows != n:
            raise ValueError(
                f"X has {n_rows} rows and y has {n}; expected one of each per study. "
                "Drop the studies without text or peaks from both."
            )
    _check_splits(splits, n)
    return splits


def _check_splits(splits, n: int) -> None:
    for index, (train, test) in enumerate(splits):
        if max(train.max(initial=0), test.max(initial=0)) >= n:
            raise ValueError(
                f"Split {index} points to study {max(train.max(), test.max())}, but "
                f"there are {n}. Make the splits for this corpus: paper_splits({n})."
            )
        if np.intersect1d(train, test).size:
            raise ValueError(
                f"Split {index} has studies in both its training and its test part. "
                "Expected disjoint parts, as paper_splits and KFold give them."
            )


def _check_groups(groups, splits, n: int) -> None:
    if groups is None:
        return
    groups = np.asarray(groups)
    if len(groups) != n:
        raise ValueError(f"groups has {len(groups)} rows, y has {n}; expected as many.")
    for index, (train, test) in enumerate(splits):
        shared = np.intersect1d(groups[train], groups[test])
        if shared.size:
            raise ValueError(
                f"Split {index} has analyses of study {shared[0]!s} on both sides. "
                "Split by study: sklearn.model_selection.GroupKFold with these groups."
            )


def _possible_ks(ks, splits) -> tuple[int, ...]:
    smallest = min(len(test) for _, test in splits)
    return tuple(k for k in ks if k < smallest)


def _tests_overlap(splits) -> bool:
    tested = np.concatenate([test for _, test in splits])
    return len(np.unique(tested)) < len(tested)


def _take(rows_of, rows):
    if hasattr(rows_of, "iloc"):
        return rows_of.iloc[rows]
    if hasattr(rows_of, "shape"):
        return rows_of[rows]
    return [rows_of[row] for row in rows]


def _score_split(estimator, X, y, train, test, scorer) -> dict:
    """Fit a clone on the training part, score it on the test part."""
    model = clone(estimator)
    forget_peak_memory()
    started, processor = time.perf_counter(), time.process_time()
    model.fit(_take(X, train), _take(y, train))
    fitted, processor = time.perf_counter(), time.process_time() - processor
    matrix = similarity(model, _take(X, test), _take(y, test))
    scores = scorer.from_similarity(matrix)
    curve = recall_curve(matrix)
    scores["recall_curve_auc"] = recall_curve_auc(curve)
    scores["recall_curve_auc_brain_to_text"] = recall_curve_auc(recall_curve(matrix.T))
    scored = time.perf_counter()
    return {
        **scores,
        "n_train": len(train),
        "fit_seconds": fitted - started,
        "fit_processor_seconds": processor,
        "score_seconds": scored - fitted,
        "peak_memory_mb": peak_memory_mb(),
        **_epoch_facts(model),
        "recall_curve": [round(float(recall), 6) for recall in curve],
    }


def _epoch_facts(model) -> dict:
    """Read how long a net was trained, where the model at the end has it."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return {
        fact.rstrip("_"): int(getattr(model, fact))
        for fact in _EPOCH_FACTS
        if getattr(model, fact, None) is not None
    }
