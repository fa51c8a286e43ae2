"""DataFrames as output of transformers change no result of the package."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    KDEDiFuMoMasker,
    KernelCCA,
    LLMChunkEmbedder,
    NeuroContextModel,
    RidgeBaseline,
    TermCounts,
    TextBrainEnsemble,
    best_text_brain,
    datasets,
    make_retrieval_scorer,
    similarity,
)
from sklearn_neurocontext.experiments import (
    held_out_studies,
    prepare_studies,
    run_benchmark,
)
from sklearn_neurocontext.inference import fit_model, training_statistics
from sklearn_neurocontext.metrics import mix_match_scorer, retrieval_scores
from sklearn_neurocontext.persistence import load_model, save_model
from tests.cli.console import run
from tests.text_model import make_corpus, make_parts

CORPUS = make_corpus()
TEXTS = (CORPUS.studies["title"] + " " + CORPUS.studies["abstract"]).tolist()
SPLITS = list(KFold(2).split(TEXTS))

pytestmark = [
    pytest.mark.filterwarnings("error:X (has|does not have valid) feature names"),
    pytest.mark.filterwarnings(
        "ignore::sklearn_neurocontext.inference.LowConfidenceWarning"
    ),
]


@pytest.fixture(params=["pandas", "polars"])
def container(request):
    """Name of the library whose DataFrames transformers return."""
    return pytest.importorskip(request.param).__name__


def _masker():
    return KDEDiFuMoMasker("geometric", 128).fit()


def _coefficients():
    return _masker().transform(CORPUS.peaks)


def _embedded(model=None):
    return make_pipeline(LLMChunkEmbedder(), StandardScaler(), model or CCABaseline())


def _mixed():
    """Build a pipeline that joins sparse and dense features."""
    words = make_pipeline(TermCounts(2), TfidfTransformer())
    features = make_union(words, LLMChunkEmbedder())
    return make_pipeline(features, KernelCCA(random_state=0))


def _save_and_load(tmp_path):
    model = NeuroContextModel(**make_parts())
    model.save(tmp_path / "model", overwrite=True)
    save_model(_embedded().fit(TEXTS, _coefficients()), tmp_path / "pipeline")
    save_model(_masker(), tmp_path / "masker")
    load_model(tmp_path / "masker")
    loaded = NeuroContextModel.from_pretrained(tmp_path / "model")
    return [
        loaded("pain")["z_map"].get_fdata(),
        similarity(load_model(tmp_path / "pipeline"), TEXTS, _coefficients()),
    ]


def _shipped(tmp_path):
    model = NeuroContextModel.from_pretrained().index_corpus(CORPUS)
    result = model("finger tapping")
    y = np.resize(_coefficients(), (len(TEXTS), model.masker.n_elements_))
    return [
        result["brain_map"].get_fdata(),
        result["similar_words"].sort_index(),
        result["similar_documents"]["similarity"],
        model.decode(result["brain_map"])["similarity"],
        model.decode(result["brain_map"], "studies")["similarity"],
        model.has_known_words(["zxqy", "pain"]),
        list(retrieval_scores(model.model, TEXTS, y).values()),
    ]


def _statistics(tmp_path):
    ridge = RidgeBaseline().fit(CORPUS.latent, _coefficients())
    options = {"texts": TEXTS, "n_permutations": 1}
    found = training_statistics(
        ridge, CORPUS.latent, _coefficients(), _masker(), **options
    )
    embedder = LLMChunkEmbedder().fit()
    model = fit_model(
        RidgeBaseline(),
        embedder.transform(TEXTS),
        _coefficients(),
        _masker(),
        embedder=embedder,
        **options,
    )
    return [found.null_std, found.mean, model("pain")["z_map"].get_fdata()]


def _ensembles(tmp_path):
    dense = _embedded(CCABaseline(y_scaling="sqrt"))
    pairs = [("mixed", _mixed()), ("dense", dense)]
    ensemble = TextBrainEnsemble(pairs, random_state=0).fit(TEXTS, _coefficients())
    return [similarity(ensemble, TEXTS, _coefficients()), ensemble.predict(TEXTS[:9])]


def _best(tmp_path):
    found = []
    for text_field in ("title", "abstract"):
        model = best_text_brain(text_field, random_state=0)
        model.fit(TEXTS, _coefficients())
        found += [similarity(model, TEXTS, _coefficients()), model.predict(TEXTS[:9])]
    return found


def _scores(tmp_path):
    scorer = make_retrieval_scorer((1, 10), masker=_masker())
    options = {"cv": 2, "error_score": "raise"}
    scores = cross_validate(
        _embedded(), TEXTS, _coefficients(), scoring=scorer, **options
    )
    grid = {"ccabaseline__alpha_text": [0.1, 1.0]}
    search = GridSearchCV(_embedded(), grid, scoring=mix_match_scorer, **options)
    search.fit(TEXTS, _coefficients())
    names = [name for name in scores if name.startswith("test_")]
    return [[scores[name] for name in names], search.best_score_]


def _experiments(tmp_path):
    result = run_benchmark(
        {"mixed": _mixed(), "dense": _embedded()},
        TEXTS,
        _coefficients(),
        SPLITS,
        ks=(1,),
    )
    studies = prepare_studies(CORPUS, "title", LLMChunkEmbedder(), _masker())
    dense = _embedded()
    _, dice = held_out_studies(
        dense, TEXTS, _coefficients(), CORPUS.peaks, SPLITS[0], _masker()
    )
    scores = [record["mix_match"] for record in result.records]
    return [scores, studies.X, studies.y, dice]


def _command(tmp_path):
    options = ["--estimator", "ridge", "--n-components", 128, "--n-permutations", 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_corpus", lambda name: CORPUS)
        result = run("fit", "nimare", *options, "--output", tmp_path / "fitted")
    assert result.exit_code == 0, result.output
    model = NeuroContextModel.from_pretrained(tmp_path / "fitted")
    table = np.loadtxt(
        tmp_path / "fitted" / "training_predictions.csv",
        delimiter=",",
        skiprows=1,
        usecols=range(1, 129),
    )
    return [model("pain")["z_map"].get_fdata(), table]


TASKS = {
    "save and load": _save_and_load,
    "shipped model": _shipped,
    "statistics": _statistics,
    "ensembles": _ensembles,
    "best_text_brain": _best,
    "scores": _scores,
    "experiments": _experiments,
    "command fit": _command,
}


def _assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        other = np.asarray(other, dtype=float)
        scale = np.abs(other).max()
        # polars stores columns, which changes the rounding of float32 products.
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize("task", TASKS)
def test_global_output_changes_no_result(task, container, tmp_path):
    expected = TASKS[task](tmp_path / "arrays")
    with config_context(transform_output=container):
        found = TASKS[task](tmp_path / "frames")
    _assert_equal(found, expected)


@pytest.mark.parametrize("steps", [[0], [1], [0, 1, 2]], ids=str)
def test_output_of_a_step_changes_no_result(steps, container, tmp_path):
    plain, model, masker = _embedded(), _embedded(), _masker()
    for step in steps:
        model[step].set_output(transform=container)
    framed = clone(masker).set_output(transform=container).fit()
    results = []
    for one, of_peaks in ((plain, masker), (model, framed)):
        y = of_peaks.transform(CORPUS.peaks)
        one.fit(TEXTS, y)
        statistics = training_statistics(one, TEXTS, y, of_peaks, n_permutations=1)
        parts = {**make_parts(), "model": one, "masker": of_peaks}
        parts |= {"mean": statistics.mean, "null_std": statistics.null_std}
        found = NeuroContextModel(**parts).index_corpus(CORPUS)
        found.save(tmp_path / "model", overwrite=True)
        loaded = NeuroContextModel.from_pretrained(tmp_path / "model")
        ensemble = TextBrainEnsemble([("one", one)], random_state=0).fit(TEXTS, y)
        scorer = make_retrieval_scorer((1,), masker=of_peaks)
        z_img = found("pain")["z_map"]
        results.append(
            [
                z_img.get_fdata(),
                loaded("pain")["z_map"].get_fdata(),
                found.similar_documents("pain")["similarity"],
                found.decode(z_img)["similarity"],
                found.decode(z_img, "studies")["similarity"],
                similarity(one, TEXTS, y),
                similarity(ensemble, TEXTS, y),
                list(scorer(one, TEXTS, y).values()),
            ]
        )
    _assert_equal(*reversed(results))


def test_models_fitted_to_frames_are_used_with_arrays_and_conversely(container):
    y = _coefficients()
    expected = similarity(_embedded().fit(TEXTS, y), TEXTS, y)
    with config_context(transform_output=container):
        fitted_to_frames = _embedded().fit(TEXTS, y)
        found = similarity(_embedded().fit(TEXTS, y), TEXTS, y)
    _assert_equal([similarity(fitted_to_frames, TEXTS, y), found], [expected, expected])


def test_counts_remain_sparse(container):
    expected = TermCounts(2).fit_transform(TEXTS)
    with config_context(transform_output=container):
        found = TermCounts(2).fit_transform(TEXTS)
    assert (found != expected).nnz == 0
    svd = TruncatedSVD(5, random_state=0)
    model = make_pipeline(TermCounts(2), svd, CCABaseline())
    framed = clone(model).set_output(transform=container).fit(TEXTS, _coefficients())
    found = framed.transform(TEXTS)
    assert type(found).__module__.startswith(container)
    model.fit(TEXTS, _coefficients())
    np.testing.assert_allclose(found, model.transform(TEXTS), atol=1e-6)
