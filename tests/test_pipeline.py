"""The parts compose: texts and peaks through a pipeline, scored over folds."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KDEDiFuMoMasker,
    LLMChunkEmbedder,
    make_dice_scorer,
    make_retrieval_scorer,
    retrieval_scores,
)
from sklearn_neurocontext.datasets import make_studies, study_texts


@pytest.fixture(scope="module")
def masker():
    return KDEDiFuMoMasker(atlas="geometric", n_components=128).fit()


@pytest.fixture(scope="module")
def studies(masker):
    corpus = make_studies(n_studies=240, random_state=0)
    return study_texts(corpus, "title+abstract"), masker.transform(corpus.peaks)


def _word_pipeline(model):
    return make_pipeline(
        TfidfVectorizer(), TruncatedSVD(20, random_state=0), StandardScaler(), model
    )


@pytest.mark.filterwarnings("ignore:.*recall_at_100")
def test_retrieval_scores_with_language_model_and_contrastive_over_15_folds(studies):
    texts, y = studies
    scores = cross_validate(
        make_pipeline(
            LLMChunkEmbedder(),
            StandardScaler(),
            ContrastiveTextBrain(max_epochs=2, decoder=None, random_state=0),
        ),
        texts,
        y,
        cv=KFold(15, shuffle=True, random_state=0),
        scoring=retrieval_scores,
    )
    assert set(scores["test_n_candidates"]) == {16}
    assert np.isfinite(scores["test_mix_match"]).all()
    assert np.isfinite(scores["test_recall_at_10_brain_to_text"]).all()


def test_retrieval_and_dice_in_one_callable_beat_chance(studies, masker):
    texts, y = studies
    scores = cross_validate(
        _word_pipeline(CCABaseline()),
        texts,
        y,
        cv=KFold(3, shuffle=True, random_state=0),
        scoring=make_retrieval_scorer(ks=(1, 10), masker=masker),
    )
    assert scores["test_mix_match"].mean() > 0.6
    assert scores["test_recall_at_10"].mean() > 2 * 10 / 80
    assert 0 < scores["test_dice"].mean() <= 1


def test_dice_scorer_is_a_scalar_scorer(studies, masker):
    texts, y = studies
    scores = cross_validate(
        _word_pipeline(CCABaseline()),
        texts,
        y,
        cv=3,
        scoring={"dice": make_dice_scorer(masker, top=0.1)},
    )
    assert scores["test_dice"].shape == (3,)


def test_grid_search_refits_on_a_retrieval_figure_and_scores_through(studies):
    texts, y = studies
    search = GridSearchCV(
        _word_pipeline(CCABaseline()),
        {"truncatedsvd__n_components": [5, 20]},
        cv=3,
        scoring=make_retrieval_scorer(ks=(10,)),
        refit="mix_match",
        n_jobs=2,
    ).fit(texts[:160], y[:160])
    held_out = make_retrieval_scorer(ks=(10,))(search, texts[160:], y[160:])
    assert held_out["n_candidates"] == 80
    assert held_out["mix_match"] > 0.6
