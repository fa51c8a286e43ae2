"""Run estimators on splits, and save each fit so that interrupted runs can resume."""

import ast
import hashlib
import json
import os
import platform
import re
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._utils.files import expand_path, write_json
from .._utils.packages import library_versions
from .._utils.validation import array_output, innermost_model, select_rows
from ..metrics import (
    make_retrieval_scorer,
    recall_curve,
    recall_curve_auc,
    similarity,
    true_ranks,
)
from ._result import BRAIN_TO_TEXT, BenchmarkResult, format_ranks, parse_ranks

# If the peak memory exceeds the current memory by at least this value, the reset of the
# peak memory has failed.
_PEAK_MARGIN_MB = 16
_SUFFIXES = ("", BRAIN_TO_TEXT)
_TIMES = ("fit_seconds", "fit_cpu_seconds", "score_seconds")
_TRAINING_ATTRIBUTES = ("best_epoch_", "n_epochs_")
# Module with the wrappers and steps that tables add to estimators. Its code belongs to
# the hash of only those records whose estimators use it.
_CORRECTIONS = "_corrections"


@cache
def _code_hash(places) -> str:
    """Hash the source code of subpackages and of single modules."""
    digest = hashlib.sha256()
    for place in places:
        path = files("sklearn_neurocontext") / place
        modules = [path] if path.is_file() else path.iterdir()
        for module in sorted(modules, key=lambda path: path.name):
            if module.name.endswith(".py"):
                digest.update(_instructions(module.read_text(encoding="utf-8")))
    return digest.hexdigest()


def _instructions(source: str) -> bytes:
    """Return the syntax tree of a module without comments, docstrings and messages."""
    # If only comments, docstrings or messages were edited, the hash does not change, so
    # that fits, which take minutes, are not repeated.
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]
    return ast.dump(tree).encode()


def _is_text(statement) -> bool:
    """Return whether a statement is a docstring or raises an error."""
    if isinstance(statement, ast.Raise):
        return True
    value = getattr(statement, "value", None)
    return isinstance(statement, ast.Expr) and isinstance(value, ast.Constant)


def settings_hash(name: str, estimator, data_hash: str, train, test, ks) -> str:
    """Hash the data, settings and code that determine the scores of a record."""
    # The versions of other packages are not part of the hash.
    params = {
        name: _replace_estimators(value)
        for name, value in estimator.get_params(deep=True).items()
    }
    kind = type(estimator).__qualname__
    code = _code_hash(_places_of_code(estimator))
    content = (name, kind, params, data_hash, train, test, tuple(ks), code)
    return joblib.hash(content)


def _places_of_code(estimator) -> tuple:
    """Return the subpackages and modules on which the scores of a model depend."""
    places = ["metrics", "models", "text"]
    if ".comparators." in type(innermost_model(estimator)).__module__:
        # Some comparators compute densities from peaks with a masker.
        places += ["comparators", "maskers"]
    if _is_corrected(estimator):
        places.append(f"experiments/{_CORRECTIONS}.py")
    return tuple(places)


def _is_corrected(estimator) -> bool:
    """Return whether an estimator, or a step of it, is defined in `_corrections`."""
    parts = [type(estimator)]
    for value in estimator.get_params(deep=True).values():
        parts += [value, type(value)]
    module = f"{__package__}.{_CORRECTIONS}"
    return any(getattr(part, "__module__", None) == module for part in parts)


def _replace_estimators(value):
    """Replace estimators by the names of their classes."""
    # The parameters of these estimators are separate items of `get_params`.
    if isinstance(value, list | tuple):
        return [_replace_estimators(one) for one in value]
    return type(value).__qualname__ if hasattr(value, "get_params") else value


def record_path(output: Path, split: int, name: str, digest: str) -> Path:
    """Return the path of a record, with "-" for special characters of the name."""
    safe_name = re.sub(r"[^\w.-]+", "-", name)
    return output / "records" / f"split-{split:02d}_{safe_name}_{digest[:12]}.json"


def read_record(path: Path, expected: dict, scores) -> dict | None:
    """Return a record, or None if its file is missing or damaged.

    If the file is damaged, a warning is issued. `expected` contains the fields whose
    values are known before the fit. `scores` contains the names of the scores.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if _is_complete(record, expected, scores):
            return record
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        pass
    warnings.warn(
        f"The record {str(path)!r} is damaged. It is computed again and replaced.",
        UserWarning,
        # With this level, the warning points to the user's call of run_benchmark. The
        # calls in between are those of the decorator, of run_benchmark and of this
        # function.
        stacklevel=4,
    )
    return None


def _is_complete(record, expected, scores) -> bool:
    """Return whether a record has all fields that tables and figures use."""
    if not isinstance(record, dict) or not expected.items() <= record.items():
        return False
    curve, run = record.get("recall_curve"), record.get("provenance")
    if not isinstance(curve, list) or len(curve) != expected["n_candidates"]:
        return False
    if not all(_are_ranks(record.get(f"ranks{one}"), curve) for one in _SUFFIXES):
        return False
    shares = [*(record.get(name) for name in scores), *curve]
    numbers = [*shares, *(record.get(name) for name in _TIMES)]
    optional = ("peak_memory_mb", "best_epoch", "n_epochs")
    numbers += [record[name] for name in optional if record.get(name) is not None]
    return (
        isinstance(run, dict)
        and all(isinstance(run.get(name), dict) for name in ("versions", "machine"))
        and all(type(one) in (int, float) and 0 <= one < np.inf for one in numbers)
        and max(shares) <= 1
    )


def _are_ranks(text, curve) -> bool:
    """Return whether a text lists a valid rank for each candidate of a recall curve."""
    if not isinstance(text, str):
        return False
    best, worst = parse_ranks(text).T
    in_order = (best >= 1) & (best <= worst) & (worst <= len(curve))
    return len(best) == len(curve) and bool(in_order.all())


@array_output()
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
    """Fit estimators on the training set of each split and score the test set.

    All estimators get the same studies, y and splits. They also get the same X unless
    `X` is a dictionary. Put steps that learn from the training set, such as
    StandardScaler, in a Pipeline with the estimator.

    There are two differences from `sklearn.model_selection.cross_validate`. First, if
    `output` is given, each fit is saved as a record, so that an interrupted run can
    resume. Second, records include costs, provenance, the recall curve and two ranks of
    each test study: the rank of its map for its text, and the rank of its text for its
    map. Intervals are computed from these ranks.

    Parameters
    ----------
    estimators : dict of str to estimator
        Unfitted estimators by name. They are cloned for each split.
    X : array-like or sparse matrix of shape (n_studies, n_features), or list of str
        Input of all estimators, or a dictionary that maps the name of each estimator to
        its input.
    y : ndarray of shape (n_studies, n_components), or list of ndarray (n_peaks_i, 3)
        Coefficients. For estimators that are fitted to peaks, such as
        `comparators.NeurosynthMaps`, the peaks of each study.
    splits : sequence of (train, test) index arrays
        Splits, for example ``paper_splits(n_studies)`` or ``list(KFold(…).split(X))``.
    output : path-like or None, default=None
        Folder of the records, one JSON file per split and estimator. A second run with
        the same data, splits, estimators and `ks` reads the records and fits nothing.
    on_progress : callable or None, default=None
        Function called as ``on_progress(n_done, n_total, record)`` after each record.
    ks : sequence of int, default=(10, 100)
        Values of k for recall@k. Only values smaller than the number of studies in the
        smallest test set are used.
    reference : str or None, default="ridge"
        Name of the estimator to which the others are compared. If it is None or not in
        `estimators`, no differences are computed.
    groups : array-like of shape (n_rows,) or None, default=None
        Study of each row. Pass it if several rows can belong to the same study, for
        example if each row is an analysis (contrast), or if there are duplicates; see
        `duplicate_groups`. In a split, no study may be in both the training set and the
        test set. To compute intervals, all rows of a study are drawn together.
    settings : dict or None, default=None
        Further settings to store in the provenance, such as corpus, language model,
        atlas and random state.

    Returns
    -------
    result : BenchmarkResult
        Records, with methods that compute tables.

    Raises
    ------
    ValueError
        If there is no estimator or no split; if X and y differ in length; if the names
        in X and in `estimators` differ; if a split contains rows that do not exist; or
        if a row or a group is in both the training set and the test set of a split.

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
    ...     paper_splits(200, n_splits=3, n_candidates=40, n_development=20),
    ...     ks=(10,),
    ... )
    >>> len(result.records)
    6
    """
    inputs = _get_inputs(estimators, X)
    splits = _check_input(inputs, y, splits)
    _check_groups(groups, splits, len(y))
    ks = make_retrieval_scorer(ks).ks
    scorer = make_retrieval_scorer(_select_ks(ks, splits))
    score_names = _score_names(scorer.ks)
    hashes = _hash_data(inputs, y)
    output = None if output is None else expand_path(output)
    this_run = {**provenance(), "settings": dict(settings or {})}
    n_total = len(splits) * len(estimators)
    records, runs = [], []
    for index, split in enumerate(splits):
        for name, estimator in estimators.items():
            digest = settings_hash(name, estimator, hashes[name], *split, scorer.ks)
            path = output and record_path(output, index, name, digest)
            known = {"split": index, "estimator": name, "settings_hash": digest}
            known |= {"n_train": len(split[0]), "n_candidates": len(split[1])}
            record = path and read_record(path, known, score_names)
            if record is None:
                scores = _score_split(estimator, inputs[name], y, *split, scorer)
                record = {"split": index, "estimator": name, **scores}
                record |= {"settings_hash": digest, "provenance": this_run}
                if path is not None:
                    write_json(path, record)
            run = record.pop("provenance")
            if run not in runs:
                runs.append(run)
            records.append({**record, "run": runs.index(run)})
            if on_progress is not None:
                on_progress(len(records), n_total, records[-1])
    return BenchmarkResult(
        records=records,
        reference=reference if reference in estimators else None,
        overlapping=_test_sets_overlap(splits),
        provenance=runs,
        studies=_number_studies(splits, groups),
    )


def _number_studies(splits, groups) -> list:
    """Return a list with the study number of each test row of each split."""
    tests = [test for _, test in splits]
    if groups is None:
        return tests
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    return [numbers[test] for test in tests]


def _get_inputs(estimators, X) -> dict:
    if not isinstance(X, Mapping) or not estimators:
        return dict.fromkeys(estimators, X)
    if set(X) != set(estimators):
        raise ValueError(
            f"X must have one entry per estimator, {', '.join(estimators)}; got "
            f"{', '.join(X)}."
        )
    return dict(X)


def _hash_data(inputs, y) -> dict:
    """Return a hash of X and y for each estimator; a shared X is hashed only once."""
    unique = {id(X): X for X in inputs.values()}
    hashes = {key: joblib.hash((X, y)) for key, X in unique.items()}
    return {name: hashes[id(X)] for name, X in inputs.items()}


def _check_input(inputs, y, splits) -> list:
    splits = [(np.asarray(train), np.asarray(test)) for train, test in splits]
    if not inputs or not splits:
        raise ValueError(
            "run_benchmark needs at least one estimator and one split; got "
            f"{len(inputs)} estimators and {len(splits)} splits."
        )
    n = len(y)
    for X in inputs.values():
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if n_rows != n:
            raise ValueError(
                f"X and y must have one row per study; got {n_rows} and {n} rows. "
                "Drop studies without text or peaks from both X and y."
            )
    _check_splits(splits, n)
    return splits


def _check_splits(splits, n: int) -> None:
    for index, (train, test) in enumerate(splits):
        if max(train.max(initial=0), test.max(initial=0)) >= n:
            raise ValueError(
                f"Split {index} contains row {max(train.max(), test.max())}, but there "
                f"are {n} studies. Create the splits with paper_splits({n})."
            )
        if np.intersect1d(train, test).size:
            raise ValueError(
                f"Split {index} has studies in both its training and its test set. "
                "Use disjoint sets, for example from paper_splits or KFold."
            )


def _check_groups(groups, splits, n: int) -> None:
    if groups is None:
        return
    groups = np.asarray(groups)
    if len(groups) != n:
        raise ValueError(f"groups must have {n} rows like y; got {len(groups)}.")
    for index, (train, test) in enumerate(splits):
        shared = np.intersect1d(groups[train], groups[test])
        if shared.size:
            raise ValueError(
                f"Split {index} has analyses of study {shared[0]!s} in both its "
                "training and its test set. Split by study, for example by GroupKFold."
            )


def _select_ks(ks, splits) -> tuple[int, ...]:
    smallest = min(len(test) for _, test in splits)
    return tuple(k for k in ks if k < smallest)


def _score_names(ks) -> list[str]:
    """Return the names of the scores for both directions of retrieval."""
    names = [*(f"recall_at_{k}" for k in ks), "mix_match", "recall_curve_auc"]
    return [*names, *(name + BRAIN_TO_TEXT for name in names)]


def _test_sets_overlap(splits) -> bool:
    tested = np.concatenate([test for _, test in splits])
    return len(np.unique(tested)) < len(tested)


def _score_split(estimator, X, y, train, test, scorer) -> dict:
    """Fit a clone on the training set and score it on the test set."""
    model = clone(estimator)
    was_reset = reset_peak_memory()
    started, cpu = time.perf_counter(), time.process_time()
    model.fit(select_rows(X, train), select_rows(y, train))
    fitted, cpu = time.perf_counter(), time.process_time() - cpu
    matrix = similarity(model, select_rows(X, test), select_rows(y, test))
    scores = score_similarity(matrix, scorer.ks)
    scored = time.perf_counter()
    return {
        **scores,
        "n_train": len(train),
        "fit_seconds": fitted - started,
        "fit_cpu_seconds": cpu,
        "score_seconds": scored - fitted,
        "peak_memory_mb": _read_memory_mb("VmHWM") if was_reset else None,
        **_get_epochs(model),
    }


def score_similarity(similarity, ks=(10, 100)) -> dict:
    """Score a similarity matrix as `run_benchmark` does.

    The result contains the entries of a record that depend on the similarity. Use it to
    add a record of a method that is not an estimator to a `BenchmarkResult`.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each text (row) with each map (column). True pairs are on the
        diagonal.
    ks : sequence of int, default=(10, 100)
        Values of k for recall@k, less than ``n``.

    Returns
    -------
    scores : dict
        The keys ``recall_at_<k>``, ``mix_match`` and ``recall_curve_auc`` contain the
        scores of the retrieval of maps by texts. The same keys with the suffix
        ``_brain_to_text`` contain the scores of the retrieval of texts by maps.
        ``n_candidates`` is ``n``, and ``recall_curve`` contains recall@k for the
        retrieval of maps, for each k. ``ranks`` and ``ranks_brain_to_text`` contain the
        rank of each study, as described in `BenchmarkResult`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.experiments import score_similarity
    >>> scores = score_similarity([[0.9, 0.1, 0.2], [0.3, 0.4, 0.5], [0, 0, 0]], ks=[1])
    >>> scores["mix_match"], scores["ranks"]
    (0.6666666666666666, '1 2 1-3')
    """
    scores = make_retrieval_scorer(ks).from_similarity(similarity)
    similarity = np.asarray(similarity)
    for suffix, oriented in zip(_SUFFIXES, (similarity, similarity.T), strict=True):
        scores[f"recall_curve_auc{suffix}"] = recall_curve_auc(recall_curve(oriented))
        scores[f"ranks{suffix}"] = format_ranks(true_ranks(oriented))
    curve = recall_curve(similarity)
    return scores | {"recall_curve": [round(float(recall), 6) for recall in curve]}


def _get_epochs(model) -> dict:
    """Return the number of epochs and the best epoch of a neural network."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return {
        name.rstrip("_"): int(getattr(model, name))
        for name in _TRAINING_ATTRIBUTES
        if getattr(model, name, None) is not None
    }


def provenance() -> dict:
    """Return the package versions, the machine and the current time.

    Returns
    -------
    provenance : dict
        Dictionary without paths and host names. Its keys are ``versions`` (version of
        each package), ``machine`` (platform, number of processors and value of
        ``OMP_NUM_THREADS``) and ``started`` (current time in UTC, ISO 8601).

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import provenance
    >>> sorted(provenance())
    ['machine', 'started', 'versions']
    """
    return {
        "versions": library_versions(),
        "machine": {
            "platform": f"{platform.system()} {platform.machine()}",
            "cpu_count": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
        },
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def reset_peak_memory() -> bool:
    """Reset the peak memory of the process; return whether the reset has worked."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    peak, current = _read_memory_mb("VmHWM"), _read_memory_mb("VmRSS")
    # Linux reports the peak since the last reset. Without a reset, the peak of an
    # earlier fit would be reported for every later fit.
    return None not in (peak, current) and peak < current + _PEAK_MARGIN_MB


def _read_memory_mb(field) -> float | None:
    """Read a field of Linux's process status in MB; return None on other systems."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(found[1]) / 2**10 if found else None
