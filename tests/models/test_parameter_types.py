"""Parameters and arrays may have any type that scikit-learn accepts."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KernelCCA,
    MLPBaseline,
    RidgeBaseline,
    TermCounts,
    TextBrainEnsemble,
)
from sklearn_neurocontext.experiments import run_benchmark
from sklearn_neurocontext.metrics import make_retrieval_scorer, mix_match_scorer
from sklearn_neurocontext.models import NeighborMaps, NystroemKernel
from sklearn_neurocontext.persistence import load_model, save_model
from tests.models.synthetic_pairs import make_pairs, name_of

NET = {"max_epochs": 2, "random_state": 0}
ESTIMATORS = [
    RidgeBaseline(),
    CCABaseline(),
    KernelCCA(random_state=0),
    MLPBaseline(hidden_dim=16, **NET),
    ContrastiveTextBrain(latent_dim=4, **NET),
    ContrastiveTextBrain(latent_dim=4, decoder="ridge", **NET),
    NystroemKernel(random_state=0),
    NeighborMaps(),
]
PAIR = [("cca", CCABaseline()), ("ridge", RidgeBaseline())]


def _read_only(values):
    array = np.array(values)
    array.flags.writeable = False
    return array


SEQUENCES = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "read-only": _read_only,
    "series": lambda values: pd.Series(values, index=[*"abcdefgh"][: len(values)]),
    "nullable": lambda values: pd.Series(values).convert_dtypes(),
    "scalars": lambda values: [np.array(value)[()] for value in values],
}
ARRAYS = {
    "read-only": _read_only,
    "read-only float32": lambda array: _read_only(array.astype(np.float32)),
    "memory-mapped": None,
    "list": np.ndarray.tolist,
    "frame": lambda array: pd.DataFrame(array).rename(columns=str),
    "reversed": lambda array: array[::-1][::-1],
    "columns": np.asfortranarray,
}


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _assert_close(found, expected):
    # The rounding of matrix products depends on the position of arrays in memory.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def _output(model, X, y):
    """Return what a fitted estimator computes, except for the signs of features."""
    if not hasattr(model, "predict"):
        return [model.transform(X) @ model.transform(X).T]
    found = [model.predict(X), model.similarity(X, y), model.score(X, y)]
    if hasattr(model, "transform_brain"):
        found.append(model.transform(X) @ model.transform_brain(y).T)
    return found


@pytest.mark.parametrize("values", [(3.0,), (1.0, 30.0), (1, 30)], ids=str)
@pytest.mark.parametrize("kind", SEQUENCES)
def test_alphas_of_any_type(kind, values, train):
    given = SEQUENCES[kind](values)
    model = RidgeBaseline(given).fit(*train)
    expected = RidgeBaseline([float(value) for value in values]).fit(*train)
    assert model.alpha_ == expected.alpha_
    _assert_close(model.coef_, expected.coef_)
    assert model.alphas is given
    np.testing.assert_array_equal(np.asarray(given, dtype=float), values)


@pytest.mark.parametrize(
    "alphas", [3, 3.0, np.float32(3), np.array(3.0), range(3, 4)], ids=repr
)
def test_single_alpha(alphas, train):
    model = clone(RidgeBaseline(alphas)).fit(*train)
    assert model.alpha_ == 3
    expected = RidgeBaseline([3.0]).fit(*train)
    _assert_close(model.coef_, expected.coef_)


@pytest.mark.parametrize(
    "alphas",
    [[], [0.0], [-1.0], [1.0, -1.0], [np.nan], [np.inf], [[1.0]], ["1"], [None], {1.0}],
    ids=str,
)
def test_invalid_alphas_raise(alphas, train):
    with pytest.raises(ValueError, match="alphas must be a positive number or a seq"):
        RidgeBaseline(alphas).fit(*train)


def test_alphas_are_searched_as_numbers_and_as_sequences(train):
    values = np.logspace(0, 3, 4)
    found = [
        GridSearchCV(
            RidgeBaseline(), {"alphas": grid}, scoring=mix_match_scorer, cv=3
        ).fit(*train)
        for grid in (values, [[value] for value in values], values.tolist())
    ]
    scores = [search.cv_results_["mean_test_score"] for search in found]
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])


@pytest.mark.parametrize("kind", SEQUENCES)
def test_weights_of_any_type(kind, train):
    expected = TextBrainEnsemble(PAIR, weights=[1, 3]).fit(*train)
    given = SEQUENCES[kind]([1, 3])
    model = clone(TextBrainEnsemble(tuple(PAIR), weights=given)).fit(*train)
    _assert_close(model.similarity(*train), expected.similarity(*train))
    _assert_close(model.predict(train[0]), expected.predict(train[0]))
    one = TextBrainEnsemble(PAIR[:1], weights=SEQUENCES[kind]([2])).fit(*train)
    plain = CCABaseline().fit(*train)
    _assert_close(one.predict(train[0]), plain.predict(train[0]))


@pytest.mark.parametrize("kind", SEQUENCES)
def test_ngram_range_of_any_type(kind):
    texts = ["pain heat body", "pain heat fear", "fear face"]
    expected = TermCounts(2, ngram_range=(1, 2)).fit(texts)
    model = clone(TermCounts(2, ngram_range=SEQUENCES[kind]([1, 2]))).fit(texts)
    assert list(model.get_feature_names_out()) == ["fear", "heat", "pain", "pain heat"]
    assert list(expected.get_feature_names_out()) == list(model.get_feature_names_out())


@pytest.mark.parametrize("kind", [*SEQUENCES, "range"])
def test_ks_of_any_type(kind, train):
    given = range(1, 6, 4) if kind == "range" else SEQUENCES[kind]([1, 5])
    scorer = make_retrieval_scorer(given)
    assert scorer.ks == (1, 5)
    assert all(type(k) is int for k in scorer.ks)
    splits = [(range(100), range(100, 240))]
    records, expected = (
        run_benchmark({"cca": CCABaseline()}, *train, splits, ks=ks).records
        for ks in (given, [1, 5])
    )
    for name in ("recall_at_1", "recall_at_5", "settings_hash"):
        assert records[0][name] == expected[0][name]


def _numpy_scalars():
    """Yield each estimator, a parameter, and its value as a NumPy scalar."""
    types = {int: (np.int64, np.int32), float: (np.float64,), str: (np.str_,)}
    for estimator in ESTIMATORS:
        for name, value in estimator.get_params().items():
            for convert in types.get(type(value), ()):
                yield estimator, name, convert(value)


@pytest.mark.parametrize(
    ("estimator", "name", "value"),
    list(_numpy_scalars()),
    ids=lambda value: value if isinstance(value, str) else repr(value),
)
def test_numpy_scalars(estimator, name, value, train):
    X, y = (rows[:40] for rows in train)
    expected = _output(clone(estimator).fit(X, y), X, y)
    model = clone(estimator).set_params(**{name: value})
    for one, other in zip(_output(model.fit(X, y), X, y), expected, strict=True):
        _assert_close(one, other)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_grids_of_numpy_values(estimator, train):
    name = type(estimator).__name__.lower()
    params = clone(estimator).get_params()
    grid = {
        f"{name}__{key}": np.array([value])
        for key, value in params.items()
        if isinstance(value, int | float | str)
    }
    steps = [estimator] if hasattr(estimator, "similarity") else [estimator, PAIR[0][1]]
    model, options = make_pipeline(*steps), {"scoring": mix_match_scorer, "cv": 2}
    search = GridSearchCV(model, grid, error_score="raise", **options).fit(*train)
    expected = cross_val_score(model, *train, **options).mean()
    assert search.best_score_ == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_any_type(kind, estimator, tmp_path):
    train = make_pairs(60)
    given = []
    for index, array in enumerate(train):
        if kind == "memory-mapped":
            np.save(tmp_path / f"{index}.npy", array)
            given.append(np.load(tmp_path / f"{index}.npy", mmap_mode="r"))
        else:
            given.append(ARRAYS[kind](array))
    if "float32" in kind:
        train = [array.astype(np.float32) for array in train]
    expected = _output(clone(estimator).fit(*train), *train)
    found = _output(clone(estimator).fit(*given), *given)
    for one, other in zip(found, expected, strict=True):
        _assert_close(one, other)


@pytest.mark.parametrize("kind", ["range", *SEQUENCES])
def test_parameters_of_any_type_are_saved(kind, train, tmp_path):
    given = range(1, 3) if kind == "range" else SEQUENCES[kind]([1.0, 2.0])
    ridge = RidgeBaseline(given)
    model = TextBrainEnsemble((("ridge", ridge), PAIR[0]), weights=given).fit(*train)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    _assert_close(loaded.predict(train[0]), model.predict(train[0]))
    again = clone(loaded).fit(*train)
    _assert_close(again.predict(train[0]), model.predict(train[0]))
