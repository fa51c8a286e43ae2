"""Names lead to corpora and estimators; unknown names get an error that helps."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import evaluation
from sklearn_neurocontext.evaluation import (
    load_corpus,
    make_embedder,
    make_estimators,
    make_masker,
    usable_rows,
)


def test_nimare_by_name():
    corpus = load_corpus("nimare")
    assert len(corpus.studies) == len(corpus.peaks) == len(corpus.groups) >= 300


@pytest.mark.parametrize("name", ["neuroquery", "neurosynth"])
def test_folder_and_name_give_the_same(shared_data, monkeypatch, name):
    from_folder = load_corpus(shared_data / name)
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(shared_data))
    by_name = load_corpus(name)
    assert len(from_folder.studies) == len(by_name.studies) > 10_000
    assert list(from_folder.studies["study_id"]) == list(by_name.studies["study_id"])


def test_unknown_names_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="neither a folder nor one of neuroquery"):
        load_corpus("neuroquerry")
    with pytest.raises(ValueError, match="No corpus was recognised"):
        load_corpus(tmp_path)
    with pytest.raises(ValueError, match=r"Unknown estimators: 'svm'\. Expected some"):
        make_estimators(["ridge", "svm"])


def test_estimators_follow_a_scaler():
    estimators = make_estimators(random_state=3)
    assert tuple(estimators) == evaluation.ESTIMATORS
    for pipeline in estimators.values():
        assert isinstance(pipeline[0], StandardScaler)
        assert hasattr(pipeline[-1], "similarity")
    assert estimators["contrastive"][-1].decoder is None
    assert estimators["contrastive"][-1].random_state == 3
    assert estimators["mlp"][-1].random_state == 3
    with_decoder = make_estimators(["contrastive"], decoder="ridge")
    assert with_decoder["contrastive"][-1].decoder == "ridge"


def test_masker_and_embedder_get_their_names():
    masker = make_masker("difumo", 64)
    assert (masker.atlas, masker.n_components) == ("difumo", 64)
    assert make_embedder("some/model").model_name == "some/model"
    default = make_embedder()
    assert default.model_name == type(default)().model_name


def test_usable_rows_have_a_text_and_a_peak():
    texts = ["pain", "  ", "words", "", "faces"]
    y = np.array([[1.0, 0], [1, 1], [0, 0], [0, 0], [0, -1]])
    np.testing.assert_array_equal(usable_rows(texts, y), [0, 4])


def test_no_usable_row_is_an_error():
    with pytest.raises(ValueError, match="of 2, 1 have a text and 1 a peak"):
        usable_rows(["pain", ""], np.array([[0.0], [1.0]]))
    with pytest.raises(ValueError, match="Got 1 texts and 2 rows of y"):
        usable_rows(["pain"], np.ones((2, 1)))
