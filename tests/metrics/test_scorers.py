"""Tests of scorers, alone and in pipelines, searches and cross-validation."""

import pickle
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_neurocontext import KDEDiFuMoMasker, RidgeBaseline, metrics
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.metrics import (
    ScalarRetrievalScorer,
    dice_score,
    make_dice_scorer,
    make_retrieval_scorer,
    mix_match_score,
    mix_match_scorer,
    recall_at_10_brain_to_text_scorer,
    recall_at_10_scorer,
    recall_at_k,
    retrieval_scores,
    similarity,
)

SCALAR_SCORERS = [
    name
    for name in metrics.__all__
    if isinstance(getattr(metrics, name), ScalarRetrievalScorer)
]


class Regressor(BaseEstimator):
    """Model whose similarity is the product of predicted and observed coefficients."""

    def __init__(self, shrink=1.0):
        self.shrink = shrink

    def fit(self, X, y):
        self.linear_ = LinearRegression().fit(X, y)
        return self

    def predict(self, X):
        return self.shrink * self.linear_.predict(X)

    def similarity(self, X, y):
        return self.predict(X) @ np.asarray(y).T


class Masker(BaseEstimator):
    """Masker with twice as many voxels as components."""

    def fit(self):
        self.n_elements_ = 6
        return self

    def coefficients_to_voxels(self, coefs):
        coefs = np.asarray(coefs)
        return np.hstack([coefs, coefs[:, ::-1] - 0.5])


@pytest.fixture(scope="module")
def overlapping():
    """Masker whose maps overlap, features of texts and coefficients of 60 studies."""
    masker = KDEDiFuMoMasker("geometric-soft", 128, target_affine=8)
    corpus = make_studies(n_studies=60, random_state=0)
    return masker, corpus.latent, masker.fit_transform(corpus.peaks)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(160, 5))
    y = X @ rng.normal(size=(5, 6)) + rng.normal(size=(160, 6))
    return X, y


def wrap(kind):
    pipe = make_pipeline(StandardScaler(), "passthrough", Regressor())
    grid = {"regressor__shrink": [0.5, 1.0]}
    search = {"cv": 3, "scoring": mix_match_scorer}
    return {
        "bare": make_pipeline(Regressor()),
        "pipeline": pipe,
        "nested": make_pipeline(FunctionTransformer(), pipe),
        "search": GridSearchCV(pipe, grid, **search),
        "random search": RandomizedSearchCV(pipe, grid, n_iter=1, **search),
        "search in pipeline": make_pipeline(
            StandardScaler(), GridSearchCV(Regressor(), {"shrink": [1.0]}, **search)
        ),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["bare", "pipeline", "nested", "search", "random search", "search in pipeline"],
)
def test_similarity_finds_the_nested_model(data, kind):
    X, y = data
    found = similarity(wrap(kind).fit(X, y), X[:7], y[:9])
    assert found.shape == (7, 9)
    expected = Regressor().fit(X, y).similarity(X[:7], y[:9])
    ratio = found / expected  # scaling X has no effect, and shrink is a factor
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-6)


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), make_pipeline(StandardScaler())]
)
def test_similarity_without_a_model_raises(data, estimator):
    with pytest.raises(TypeError, match=r"has no method similarity\. Expected a model"):
        similarity(estimator.fit(*data), *data)


def test_search_without_best_estimator_raises(data):
    search = GridSearchCV(
        Regressor(), {"shrink": [1.0]}, scoring=mix_match_scorer, refit=False
    )
    with pytest.raises(TypeError, match=r"has no best_estimator_\. Fit it first"):
        similarity(search.fit(*data), *data)


def test_retrieval_scores_equal_the_metrics(data):
    X, y = data
    model = Regressor().fit(X, y)
    matrix = model.similarity(X, y)
    scores = retrieval_scores(model, X, y)
    assert list(scores) == [
        "recall_at_10",
        "recall_at_100",
        "mix_match",
        "recall_at_10_brain_to_text",
        "recall_at_100_brain_to_text",
        "mix_match_brain_to_text",
        "n_candidates",
    ]
    for suffix, oriented in (("", matrix), ("_brain_to_text", matrix.T)):
        for k in (10, 100):
            assert scores[f"recall_at_{k}{suffix}"] == recall_at_k(oriented, k)
        assert scores[f"mix_match{suffix}"] == mix_match_score(oriented)
    assert scores["n_candidates"] == 160


@pytest.mark.parametrize("name", SCALAR_SCORERS)
def test_scalar_scorers_equal_retrieval_scores(data, name):
    X, y = data
    model = Regressor().fit(X, y)
    expected = retrieval_scores(model, X, y)[name.removesuffix("_scorer")]
    scorer = pickle.loads(pickle.dumps(getattr(metrics, name)))
    assert scorer(model, X, y) == expected


def test_too_large_k_is_omitted_with_one_warning(data):
    X, y = data
    model = Regressor().fit(X, y)
    with pytest.warns(UserWarning, match="recall_at_100 omitted, because .* only 50"):
        scores = retrieval_scores(model, X[:50], y[:50])
    assert "recall_at_100" not in scores
    assert "recall_at_100_brain_to_text" not in scores
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        retrieval_scores(model, X[:9], y[:9])
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("n", [10, 7])
def test_scalar_scorer_with_too_few_candidates_warns(data, n):
    X, y = data
    with pytest.warns(
        UserWarning, match=f"k=10 is nan, .* only {n} candidates"
    ) as found:
        assert np.isnan(recall_at_10_scorer(Regressor().fit(X, y), X[:n], y[:n]))
    assert len(found) == 1
    assert recall_at_10_scorer(Regressor().fit(X, y), X[:11], y[:11]) <= 1


@pytest.mark.parametrize(
    "tool",
    [
        cross_val_score,
        partial(learning_curve, train_sizes=[0.5, 1.0]),
        partial(validation_curve, param_name="shrink", param_range=[1.0, 2.0]),
        partial(permutation_test_score, n_permutations=2),
    ],
    ids=["cross_val_score", "learning_curve", "validation_curve", "permutation_test"],
)
def test_too_large_k_warns_in_cross_validation(data, tool):
    X, y = (rows[:40] for rows in data)
    with pytest.warns(UserWarning, match="k=10 is nan, .* only 10 candidates") as found:
        tool(Regressor(), X, y, cv=4, scoring=recall_at_10_scorer)
    # scikit-learn would warn with a traceback if the scorer raised an error.
    assert len({str(one.message) for one in found}) == 1


SCALAR = {
    "mix_match": mix_match_scorer,
    "recall": ScalarRetrievalScorer(k=3),
    "brain to text": ScalarRetrievalScorer(3, "brain_to_text"),
    "dice": make_dice_scorer(Masker().fit(), 0.25),
}
SEARCHES = [
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    partial(RandomizedSearchCV, n_iter=2),
]


@pytest.mark.parametrize("name", SCALAR)
@pytest.mark.parametrize(
    "search", SEARCHES, ids=["grid", "halving grid", "halving random", "random"]
)
def test_scalar_scorers_in_searches(search, name, data):
    options = {"scoring": SCALAR[name], "cv": KFold(3), "error_score": "raise"}
    if not isinstance(search, partial) and "Halving" in search.__name__:
        options |= {"min_resources": 60, "random_state": 0}
    found = search(Regressor(), {"shrink": [1.0, -1.0]}, **options).fit(*data)
    assert found.best_params_ == {"shrink": 1.0}
    expected = cross_val_score(Regressor(), *data, scoring=SCALAR[name], cv=KFold(3))
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    if "min_resources" not in options:
        assert found.best_score_ == pytest.approx(expected.mean())


@pytest.mark.parametrize("name", SCALAR)
def test_scalar_scorers_in_curves(name, data):
    data = [rows[:150] for rows in data]  # folds of equal size
    options = {"scoring": SCALAR[name], "cv": KFold(3), "error_score": "raise"}
    expected = cross_val_score(Regressor(), *data, **options)
    scores = learning_curve(Regressor(), *data, train_sizes=[0.3, 1.0], **options)[2]
    np.testing.assert_allclose(scores[-1], expected)
    scores = validation_curve(
        Regressor(), *data, param_name="shrink", param_range=[1.0, -1.0], **options
    )[1]
    np.testing.assert_allclose(scores[0], expected)
    assert (scores[1] < scores[0]).all()


@pytest.mark.parametrize("name", SCALAR)
def test_scalar_scorers_in_permutation_test(name, data):
    options = {"scoring": SCALAR[name], "cv": KFold(3)}
    expected = cross_val_score(Regressor(), *data, **options).mean()
    score, null, p_value = permutation_test_score(
        Regressor(), *data, n_permutations=19, random_state=0, **options
    )
    assert score == pytest.approx(expected)
    assert null.max() < score
    assert p_value == 1 / 20


def test_scalar_scorers_in_feature_selection(rng):
    X = rng.normal(size=(90, 6))
    y = X[:, :2] @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(90, 5))
    selection = RFECV(
        RidgeBaseline([1.0]), scoring=mix_match_scorer, cv=3, importance_getter="coef_"
    ).fit(X, y)
    assert selection.support_[:2].all()
    assert np.isfinite(selection.cv_results_["mean_test_score"]).all()
    forward = SequentialFeatureSelector(
        RidgeBaseline([1.0]), n_features_to_select=2, scoring=mix_match_scorer, cv=3
    ).fit(X, y)
    assert forward.get_support().tolist() == [True, True] + [False] * 4


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_retrieval_scorer_in_cross_validate(data, n_jobs):
    scores = cross_validate(
        wrap("pipeline"),
        *data,
        cv=KFold(4, shuffle=True, random_state=0),
        scoring=make_retrieval_scorer(ks=(1, 10)),
        n_jobs=n_jobs,
    )
    assert (scores["test_n_candidates"] == 40).all()
    assert (scores["test_mix_match"] > 0.6).all()
    assert (scores["test_recall_at_10"] > scores["test_recall_at_1"]).all()


def test_retrieval_scorer_in_grid_search(data):
    search = GridSearchCV(
        wrap("pipeline"),
        {"regressor__shrink": [1.0, -1.0]},
        scoring=make_retrieval_scorer(ks=(10,)),
        refit="mix_match",
        cv=3,
    ).fit(*data)
    assert search.best_params_ == {"regressor__shrink": 1.0}
    assert retrieval_scores(search, *data)["mix_match"] > 0.6


def test_scalar_scorer_in_cross_val_score(data):
    scores = cross_val_score(
        Regressor(), *data, scoring=recall_at_10_brain_to_text_scorer, cv=4, n_jobs=2
    )
    assert (scores > 10 / 40).all()


@pytest.mark.parametrize("factor", [1e-60, 1e-30, 1e20, 1e60])
def test_dice_scorer_does_not_depend_on_the_unit_of_y(overlapping, factor):
    masker, X, y = overlapping
    scorer = make_dice_scorer(masker)
    model = RidgeBaseline().fit(X, y)
    assert scorer(model, X, y.astype(float) * factor) == scorer(model, X, y)


def test_dice_scorer_is_the_mean_dice_of_studies(data):
    X, y = data
    model, masker = Regressor().fit(X, y), Masker().fit()
    maps = [masker.coefficients_to_voxels(one) for one in (y, model.predict(X))]
    expected = np.mean([dice_score(*pair, top=0.2) for pair in zip(*maps, strict=True)])
    scorer = pickle.loads(pickle.dumps(make_dice_scorer(masker, top=0.2)))
    assert scorer(model, X, y) == pytest.approx(expected)
    both = make_retrieval_scorer(masker=masker, top=0.2)
    both = pickle.loads(pickle.dumps(both))
    assert both(model, X, y)["dice"] == pytest.approx(expected)
    assert both(model, X, y)["mix_match"] == mix_match_scorer(model, X, y)


def test_retrieval_scorer_with_masker_in_cross_validate(data):
    scorer = make_retrieval_scorer(ks=(10,), masker=Masker().fit(), top=0.25)
    scores = cross_validate(wrap("pipeline"), *data, scoring=scorer, cv=3, n_jobs=2)
    assert ((scores["test_dice"] > 0) & (scores["test_dice"] <= 1)).all()


def test_dice_of_perfect_predictions_is_one(data):
    class Oracle(Regressor):
        def predict(self, X):
            return 3.0 * self.truth

    model = Oracle().fit(*data)
    model.truth = data[1]
    masker = Masker().fit()
    masker.coefficients_to_voxels = np.asarray
    assert make_dice_scorer(masker, top=0.2)(model, *data) == 1.0


@pytest.mark.parametrize("y_scaling", ["unit", "sqrt", None])
@pytest.mark.parametrize("wrap_model", [lambda model: model, make_pipeline])
def test_dice_scorer_equals_dice_of_images(overlapping, wrap_model, y_scaling):
    masker, X, y = overlapping
    model = wrap_model(RidgeBaseline(y_scaling=y_scaling)).fit(X[:40], y[:40])
    imgs = [masker.inverse_transform(one) for one in (y[40:], model.predict(X[40:]))]
    inside = masker.mask_img_.get_fdata() > 0
    maps = [img.get_fdata(dtype=np.float32)[inside].T for img in imgs]
    expected = np.mean([dice_score(*pair, top=0.1) for pair in zip(*maps, strict=True)])
    score = make_dice_scorer(masker)(model, X[40:], y[40:])
    assert score == pytest.approx(expected, abs=1e-12)
    assert 0.05 < score < 1


@pytest.mark.parametrize("y_scaling", ["unit", "sqrt", None])
@pytest.mark.parametrize("wrap_model", [lambda model: model, make_pipeline])
def test_threshold_applies_to_maps_of_one_unit(overlapping, wrap_model, y_scaling):
    """Observed maps have the unit of predictions, which depends on `y_scaling`."""
    masker, X, y = overlapping
    model = wrap_model(RidgeBaseline(y_scaling=y_scaling)).fit(X[:40], y[:40])
    order = {"unit": 2, "sqrt": 1, None: None}[y_scaling]
    scaled = np.array([c / np.linalg.norm(c, order) if order else c for c in y[40:]])
    maps = [masker.coefficients_to_voxels(c) for c in (scaled, model.predict(X[40:]))]
    threshold = float(np.quantile(maps[0], 0.9))
    expected = np.mean(
        [dice_score(*pair, threshold=threshold) for pair in zip(*maps, strict=True)]
    )
    scorer = pickle.loads(pickle.dumps(make_dice_scorer(masker, threshold=threshold)))
    assert scorer.top is None
    assert scorer(model, X[40:], y[40:]) == pytest.approx(expected, abs=1e-12)
    both = make_retrieval_scorer((1,), masker=masker, threshold=threshold)
    assert both(model, X[40:], y[40:])["dice"] == pytest.approx(expected, abs=1e-12)
    assert 0.05 < expected < 1
    assert make_dice_scorer(masker, threshold=1e9)(model, X[40:], y[40:]) == 0


def test_threshold_of_predictions_scaled_by_a_search(overlapping):
    """The score of a study does not depend on its norm if y_scaling is "unit"."""
    masker, X, y = overlapping
    search = GridSearchCV(
        make_pipeline(StandardScaler(), RidgeBaseline()),
        {"ridgebaseline__y_scaling": ["unit"]},
        scoring=make_dice_scorer(masker, threshold=1e-4),
        cv=2,
    ).fit(X, y)
    scorer = make_dice_scorer(masker, threshold=1e-4)
    assert search.best_score_ > 0.1
    assert scorer(search, X, 7 * y) == pytest.approx(scorer(search, X, y), abs=1e-12)


def test_k_between_fold_sizes_warns(data):
    with (
        pytest.warns(UserWarning, match="less than the size of the smallest fold"),
        pytest.raises(KeyError, match="recall_at_53"),
    ):
        cross_validate(
            Regressor(), *data, cv=KFold(3), scoring=make_retrieval_scorer((53,))
        )


def test_different_numbers_of_maps_raise(data):
    X, y = data
    scorer = make_dice_scorer(Masker().fit())
    with pytest.raises(ValueError, match="one map for each of 5 rows of y; got 160"):
        scorer(Regressor().fit(X, y), X, y[:5])


MAKERS = pytest.mark.parametrize(
    "make",
    [
        make_dice_scorer,
        lambda masker, **cut: make_retrieval_scorer(masker=masker, **cut),
    ],
    ids=["dice", "retrieval"],
)


@MAKERS
def test_invalid_threshold_raises(make):
    masker = Masker().fit()
    with pytest.raises(ValueError, match=r"exactly one .* threshold=0\.5, top=0\.1"):
        make(masker, threshold=0.5, top=0.1)
    for threshold in (np.nan, np.inf, "0.5", [0.5]):
        with pytest.raises(ValueError, match="threshold must be a finite number"):
            make(masker, threshold=threshold)


@MAKERS
def test_invalid_masker_raises(make):
    with pytest.raises(TypeError, match="Pass the fitted KDEDiFuMoMasker"):
        make(StandardScaler())
    with pytest.raises(NotFittedError):
        make(Masker())


def test_invalid_scorer_arguments_raise():
    with pytest.raises(ValueError, match="top must be a fraction"):
        make_dice_scorer(Masker().fit(), top=10)
    with pytest.raises(ValueError, match="k must be a positive integer"):
        make_retrieval_scorer(ks=(0, 10))
    with pytest.raises(TypeError, match=r"ks must be a sequence .* write ks=\(10,\)"):
        make_retrieval_scorer(10)
    with pytest.raises(ValueError, match="direction must be one of"):
        ScalarRetrievalScorer(direction="sideways")(None, None, None)


def test_one_study_raises(data):
    X, y = data
    with pytest.raises(ValueError, match="at least 2 candidates"):
        mix_match_scorer(Regressor().fit(X, y), X[:1], y[:1])
