"""Entries of an ontology are ranked; probabilities follow noisy-OR."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.datasets import load_cognitive_atlas
from sklearn_neurocontext.inference import noisy_or
from sklearn_neurocontext.inference._ontology import (
    count_evidence,
    entry_texts,
    link_matrix,
    standardize,
)
from sklearn_neurocontext.inference._terms import count_known_words

FOLDER = Path(__file__).parents[1] / "data" / "cognitive_atlas"


@pytest.fixture
def ontology():
    """The small ontology that was written for tests."""
    return load_cognitive_atlas(FOLDER)


@pytest.fixture
def img(parts, corpus):
    """The map of the pain topic."""
    centers = corpus.topic_centers[corpus.topic_names.index("pain")]
    return parts["masker"].inverse_transform(parts["masker"].transform([centers]))


def test_noisy_or_of_an_example():
    # 1 - 0.5 * 0.8 = 0.6 and 1 - 0.8 * 0.9 = 0.28.
    found = noisy_or([0.5, 0.2, 0.1], [[1, 1, 0], [0, 1, 1], [0, 0, 0]])
    np.testing.assert_allclose(found, [0.6, 0.28, 0.0], atol=1e-15)


def test_noisy_or_is_the_share_of_draws_with_a_member(rng):
    probabilities = rng.uniform(size=6)
    links = rng.uniform(size=(4, 6)) < 0.5
    draws = rng.uniform(size=(200_000, 6)) < probabilities
    shares = np.array([(draws & one).any(axis=1).mean() for one in links])
    np.testing.assert_allclose(noisy_or(probabilities, links), shares, atol=0.01)


def test_laws_of_noisy_or(rng):
    probabilities = rng.uniform(size=6)
    np.testing.assert_allclose(noisy_or(probabilities, np.eye(6)), probabilities)
    links = rng.uniform(size=(4, 6)) < 0.5
    found = noisy_or(probabilities, links)
    # More members never lower the probability. It is at least that of each member, and
    # at most the sum over members.
    assert (noisy_or(probabilities, np.ones((4, 6))) >= found).all()
    assert (found >= (links * probabilities).max(axis=1) - 1e-15).all()
    assert (found <= links @ probabilities + 1e-15).all()
    np.testing.assert_array_equal(found, noisy_or(probabilities, csr_array(links)))
    assert noisy_or([1.0, 0.5], [[1, 0], [0, 1], [1, 1]]).tolist() == [1.0, 0.5, 1.0]


def test_noisy_or_keeps_small_probabilities():
    found = noisy_or([1e-20, 3e-20], [[1, 1]])
    np.testing.assert_allclose(found, [4e-20])


@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.nan])
def test_noisy_or_rejects_values_that_are_no_probabilities(wrong):
    with pytest.raises(ValueError, match=rf"probabilities must be in .*; got {wrong}"):
        noisy_or([0.5, wrong], [[1, 1]])


@pytest.mark.parametrize("probabilities", [[0.5], [[0.5, 0.5]]])
def test_noisy_or_rejects_other_shapes(probabilities):
    with pytest.raises(ValueError, match="links must have one column per member"):
        noisy_or(probabilities, [[1, 1]])


def test_texts_of_entries(ontology):
    texts = entry_texts(ontology.concepts)
    assert texts[0] == "pain: A feeling caused by heat or pressure."
    assert texts[3] == "zorbing"


def test_evidence_is_that_of_the_best_known_term():
    n_studies = {"pain": 30, "heat": 12, "pain heat": 5, "task": 900, "scale": 800}
    names = ["Pain of heat", "pain heat task", "Parrott Scale", "zorb test", "Heats"]
    assert count_evidence(names, n_studies).tolist() == [30, 5, 0, 0, 0]


def test_counts_of_words_follow_from_word_features():
    texts = ["pain heat", "pain faces", "pain grip", "finger", "finger tapping"]
    words = TfidfVectorizer().fit(texts)
    model = make_pipeline(make_union(words), "passthrough")
    counts = count_known_words(model, {"pain": 3, "finger": 2})
    expected = {"pain": 3, "heat": 1, "faces": 1, "grip": 1, "finger": 2, "tapping": 1}
    assert counts == expected
    # Without a word whose count is known, and without word features, only terms count.
    assert count_known_words(model, {"zorb": 3}) == {"zorb": 3}
    assert count_known_words(make_pipeline("passthrough"), {"pain": 3}) == {"pain": 3}
    plain = make_pipeline(TfidfVectorizer(smooth_idf=False).fit(texts))
    assert count_known_words(plain, {"pain": 3}) == {"pain": 3}


def test_links_of_unknown_ids_are_omitted():
    pairs = [("a", "x"), ("a", "x"), ("b", "y"), ("c", "x"), ("a", "z")]
    found = link_matrix(pairs, ["a", "b"], ["x", "y"]).toarray()
    np.testing.assert_array_equal(found, [[1, 0], [0, 1]])
    assert link_matrix([], ["a"], ["x", "y"]).toarray().tolist() == [[0, 0]]


def test_standardized_similarities():
    null = np.array([[1.0, 3.0], [5.0, 5.0]])
    assert standardize(np.array([4.0, 7.0]), null).tolist() == [2.0, 2.0]


def test_tasks_have_softmax_probabilities(model, ontology, img):
    ranking = model.decode(img, "tasks", ontology=ontology, min_studies=1)
    assert ranking["candidate"][0] == "heat stimulation"
    assert set(ranking["candidate"]) == {
        "heat stimulation",
        "faces task",
        "finger tapping task",
    }
    assert ranking["similarity"].is_monotonic_decreasing
    assert ranking["probability"].sum() == pytest.approx(1)
    np.testing.assert_allclose(ranking["prior_probability"], 1 / 3)
    # The same texts have the same similarities and p values as plain candidates.
    tasks = ontology.tasks.set_index("name").loc[ranking["candidate"]].reset_index()
    plain = model.decode(img, entry_texts(tasks))
    np.testing.assert_allclose(ranking["similarity"], plain["similarity"])
    np.testing.assert_allclose(ranking["p_value"], plain["p_value"])


def test_concepts_and_domains_follow_from_tasks(model, ontology, img):
    options = {"ontology": ontology, "min_studies": 1}
    tasks, concepts, domains = (
        model.decode(img, kind, **options).set_index("candidate")
        for kind in ("tasks", "concepts", "domains")
    )
    for column in ("probability", "prior_probability"):
        heat, face, tap = (
            tasks.loc[name, column]
            for name in ("heat stimulation", "faces task", "finger tapping task")
        )
        grip = 1 - (1 - heat) * (1 - tap)
        assert concepts.loc["pain", column] == pytest.approx(heat)
        assert concepts.loc["perception of faces", column] == pytest.approx(face)
        assert concepts.loc["motor grip", column] == pytest.approx(grip)
        perception = 1 - (1 - heat) * (1 - face)
        assert domains.loc["Perception", column] == pytest.approx(perception)
        assert domains.loc["Action", column] == pytest.approx(grip)
    of_concepts = concepts["similarity"]
    mean = of_concepts[["pain", "perception of faces"]].mean()
    assert domains.loc["Perception", "similarity"] == pytest.approx(mean)
    assert domains.loc["Action", "similarity"] == pytest.approx(
        of_concepts["motor grip"]
    )
    assert "zorbing" not in concepts.index
    assert "n_studies" not in domains


def test_concepts_without_a_known_task_have_no_probability(model, ontology, img):
    # No name of a task but that of heat stimulation has a term of at least 12 studies
    # if the terms of the others are removed.
    model.terms = {"heat": 12, "pain": 30, "faces": 25, "perception of faces": 25}
    ontology.tasks = ontology.tasks[ontology.tasks["id"] == "tsk_heat"]
    found = model.decode(img, "concepts", ontology=ontology, min_studies=12)
    found = found.set_index("candidate")["probability"]
    assert found["pain"] == 1
    assert np.isnan(found["perception of faces"])


def test_disorders_with_evidence(model, ontology, img):
    ranking = model.decode(img, "disorders", ontology=ontology)
    assert ranking["candidate"].tolist() == ["pain disorder"]
    assert ranking["n_studies"].tolist() == [30]
    assert ranking["probability"].tolist() == [1.0]


def test_prior_of_studies(model, ontology, img):
    options = {"ontology": ontology, "min_studies": 1}
    uniform = model.decode(img, "tasks", **options).set_index("candidate")
    found = model.decode(img, "tasks", prior="studies", **options).set_index(
        "candidate"
    )
    weights = found["n_studies"] + 1
    np.testing.assert_allclose(found["prior_probability"], weights / weights.sum())
    product = uniform["probability"] * weights
    np.testing.assert_allclose(found["probability"], product / product.sum())
    pd.testing.assert_series_equal(found["similarity"], uniform["similarity"])


def test_ontology_is_fetched(model, img, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(FOLDER.parent))
    ranking = model.decode(img, "tasks", k=1)
    assert ranking["candidate"].tolist() == ["heat stimulation"]


def test_entries_without_evidence(model, ontology, img):
    with pytest.raises(
        ValueError, match=r"any of the 4 tasks.* at least 1000 training"
    ):
        model.decode(img, "tasks", ontology=ontology, min_studies=1000)


def test_wrong_prior_and_min_studies(model, ontology, img):
    with pytest.raises(ValueError, match=r"prior must be .*; got 'flat'"):
        model.decode(img, "tasks", ontology=ontology, prior="flat")
    with pytest.raises(ValueError, match=r"min_studies must be .*; got -1"):
        model.decode(img, "tasks", ontology=ontology, min_studies=-1)


def test_real_ontology(parts, img, shared_data):
    ontology = load_cognitive_atlas(shared_data / "cognitive_atlas")
    model = NeuroContextModel(**parts)
    ranking = model.decode(img, "domains", ontology=ontology)
    assert set(ranking["candidate"]) <= set(ontology.domains["name"])
    assert ranking["probability"].dropna().between(0, 1).all()
