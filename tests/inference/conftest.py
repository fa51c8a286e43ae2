"""The small model of `text_model`, new for each test, and reports made once."""

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
    """Model, masker and statistics, as the constructor takes them."""
    return make_parts()


@pytest.fixture
def model(parts):
    """A new model on the same parts."""
    return NeuroContextModel(**parts)


@pytest.fixture(scope="session")
def report():
    """A report on a hostile text, with a hostile title among the studies."""
    corpus = make_corpus()
    hostile = corpus.studies.assign(title=HOSTILE)
    corpus = Bunch(**{**corpus, "studies": hostile})
    model = NeuroContextModel(**make_parts()).index_corpus(corpus)
    model.card = {"note": "</td><script>document.title='owned'</script>"}
    return make_report(model, HOSTILE, k=5)


@pytest.fixture(scope="session")
def corpus_report():
    """A report on a corpus all of whose titles are hostile, each its own way."""
    corpus = make_corpus()
    titles = [f"{HOSTILE} {n}" for n in range(len(corpus.peaks))]
    corpus = {**corpus, "studies": corpus.studies.assign(title=titles)}
    corpus["description"] = HOSTILE
    return make_report(NeuroContextModel(**make_parts()), Bunch(**corpus), k=4)


@pytest.fixture(scope="session")
def benchmark_report():
    """A report on two estimators, one of them with a hostile name."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 4))
    y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(160, 6))
    result = run_benchmark(
        {"ridge": RidgeBaseline(), HOSTILE: CCABaseline()},
        X,
        y,
        paper_splits(160, n_splits=3, n_candidates=40, n_development=20),
        ks=(10,),
        settings={"corpus": HOSTILE},
    )
    return result, make_report(None, result)
