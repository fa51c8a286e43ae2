"""Fixtures: a small model for each test, and reports made once."""

import numpy as np
import pytest
from sklearn.utils import Bunch

from sklearn_neurocontext import (
    CCABaseline,
    NeuroContextModel,
    RidgeBaseline,
    paper_splits,
)
from sklearn_neurocontext.experiments import run_benchmark
from sklearn_neurocontext.inference import make_report
from tests.inference.pages import HOSTILE
from tests.text_model import make_corpus, make_parts


@pytest.fixture
def corpus():
    """150 synthetic studies."""
    return make_corpus()


@pytest.fixture
def parts():
    """Arguments of `NeuroContextModel`; a copy, so that tests can replace them."""
    return dict(make_parts())


@pytest.fixture
def model(parts):
    """A model made from `parts`."""
    return NeuroContextModel(**parts)


@pytest.fixture(scope="session")
def report():
    """A report on a hostile text; the titles of all studies are hostile, too."""
    corpus = make_corpus()
    hostile = corpus.studies.assign(title=HOSTILE)
    corpus = Bunch(**{**corpus, "studies": hostile})
    model = NeuroContextModel(**make_parts()).index_corpus(corpus)
    model.card = {"note": "</td><script>document.title='owned'</script>"}
    return make_report(model, HOSTILE, k=5)


@pytest.fixture(scope="session")
def corpus_report():
    """A report on a corpus whose titles are all hostile and different."""
    corpus = make_corpus()
    titles = [f"{HOSTILE} {n}" for n in range(len(corpus.peaks))]
    corpus = {**corpus, "studies": corpus.studies.assign(title=titles)}
    corpus["description"] = HOSTILE
    return make_report(NeuroContextModel(**make_parts()), Bunch(**corpus), k=4)


@pytest.fixture(scope="session")
def benchmark_result():
    """The scores of two estimators, one of which has a hostile name."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 4))
    y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(160, 6))
    return run_benchmark(
        {"ridge": RidgeBaseline(), HOSTILE: CCABaseline()},
        X,
        y,
        paper_splits(160, n_splits=3, n_candidates=40, n_development=20),
        ks=(10,),
        settings={"corpus": HOSTILE},
    )


@pytest.fixture(scope="session")
def benchmark_report(benchmark_result):
    """A report on a benchmark."""
    return make_report(None, benchmark_result)


@pytest.fixture
def texts(corpus):
    """Titles and abstracts of the corpus."""
    return (corpus.studies["title"] + " " + corpus.studies["abstract"]).tolist()


@pytest.fixture
def y(parts, corpus):
    """Coefficients of the corpus."""
    return parts["masker"].transform(corpus.peaks)
