"""Null distributions are calibrated, and the null that suits a map is chosen."""

import numpy as np
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.inference import _nulls
from sklearn_neurocontext.inference._nulls import (
    choose_null,
    effective_n_studies,
    fit_null,
    level_mean,
    mean_direction,
    negative_share,
    pool_studies,
)


@pytest.fixture
def studies():
    """Maps of 400 synthetic studies that have a mean map in common."""
    rng = np.random.default_rng(0)
    return rng.gamma(0.2, size=(400, 60)) * np.linspace(0.2, 2, 60)


@pytest.mark.parametrize("tail", ["positive", "negative", "both"])
def test_p_values_are_uniform_for_each_candidate(tail):
    rng = np.random.default_rng(0)
    shapes = np.array([2.0, 4.0, 8.0, 100.0])[:, None]  # from skewed to normal

    def draw(n):
        return rng.gamma(shapes, size=(4, n)) * [[1.0], [5.0], [0.1], [1.0]]

    null, new = draw(4000), draw(4000)
    fitted = fit_null(4, lambda rows: null[rows])
    p_values = np.array([fitted.p_values(one, tail) for one in new.T])
    for level in (0.01, 0.05, 0.5):
        rates = (p_values < level).mean(axis=0)
        np.testing.assert_allclose(rates, level, atol=5 * np.sqrt(level / 4000))


def test_tails_come_from_all_candidates_and_maps(monkeypatch):
    monkeypatch.setattr(_nulls, "_MAX_PAIRS", 100)
    monkeypatch.setattr(_nulls, "_BATCH", 7)
    null = np.random.default_rng(0).normal(size=(20, 30))
    fitted = fit_null(20, lambda rows: null[rows])
    assert 80 <= len(fitted.tails) <= 100
    np.testing.assert_allclose(fitted.mean, null.mean(axis=1))
    np.testing.assert_allclose(fitted.std, null.std(axis=1))
    selected = fitted.select([3, 5])
    expected = fitted.p_values(null[:, 0])[[3, 5]]
    np.testing.assert_allclose(selected.p_values(null[[3, 5], 0]), expected)


def test_constant_candidates_have_p_value_one():
    fitted = fit_null(2, lambda rows: np.zeros((2, 50))[rows])
    np.testing.assert_allclose(fitted.p_values(np.zeros(2)), 1)


def test_level_mean_sets_the_cosine_and_keeps_the_difference(studies):
    direction, cosine = mean_direction(studies)
    unit = studies / np.linalg.norm(studies, axis=1, keepdims=True)
    assert cosine == pytest.approx((unit @ direction).mean())
    leveled = level_mean(studies, direction, cosine)
    norms = np.linalg.norm(leveled, axis=1)
    np.testing.assert_allclose(norms, np.linalg.norm(studies, axis=1))
    np.testing.assert_allclose(leveled @ direction / norms, cosine)
    # More of the mean map does not change the result, apart from the norm.
    more = level_mean(studies + 3 * direction, direction, cosine)
    scale = np.linalg.norm(more, axis=1) / norms
    np.testing.assert_allclose(more, leveled * scale[:, None])


@pytest.mark.parametrize("n", [2, 5, 20])
def test_effective_n_of_pooled_studies(n, studies):
    settings = mean_direction(studies)
    pooled = pool_studies(studies, n)
    found = [effective_n_studies(one, *settings) for one in pooled[:500]]
    # Draws without replacement vary a little less.
    assert np.median(found) == pytest.approx(n, rel=0.25)
    assert effective_n_studies(-pooled[0], *settings) == 0


def test_pooled_maps_are_means_of_distinct_studies():
    pooled = pool_studies(np.eye(6), 2)
    assert pooled.shape == (3000, 6)
    assert set(np.unique(pooled)) == {0.0, 0.5}
    np.testing.assert_allclose(pooled.sum(axis=1), 1)
    np.testing.assert_allclose(pooled.mean(axis=0), 1 / 6, atol=0.03)


def test_choice_of_the_null():
    assert choose_null("auto", 0.5, False) == ("studies", 1)
    assert choose_null("auto", 8.0, False) == ("pooled", 10)
    assert choose_null("auto", 1e9, False) == ("pooled", 20)
    assert choose_null("auto", 8.0, True) == ("surrogates", 0)
    assert choose_null("studies", 8.0, True) == ("studies", 1)
    assert choose_null("pooled", 0.5, True) == ("pooled", 2)
    assert choose_null("surrogates", 1.0, False) == ("surrogates", 0)
    rows = np.array([[1.0, -1.0], [3.0, -1.0], [0.0, 0.0]])
    np.testing.assert_allclose(negative_share(rows), [0.5, 0.25, 0])


def test_decode_states_the_null(model, parts, corpus):
    masker = parts["masker"]
    y = masker.transform(corpus.peaks)
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    single = corpus.peaks[np.argmin(unit @ unit.mean(axis=0))]
    assert model.decode(single).attrs["null"] == "studies"
    pooled = model.decode(masker.inverse_transform(unit.mean(axis=0)[None]))
    assert (pooled.attrs["null"], pooled.attrs["n_pooled"]) == ("pooled", 20)
    assert "means of the maps of 20" in pooled.attrs["null_maps"]
    difference = masker.inverse_transform(unit[:1] - unit[1:2])
    assert model.decode(difference).attrs["null"] == "surrogates"
    for null in ("studies", "pooled", "surrogates"):
        assert model.decode(single, null=null).attrs["null"] == null
        again = model.decode(single, null=null)
        assert again.equals(model.decode(single, null=null))


def test_tails_of_opposite_maps_are_mirrored(model, parts, corpus):
    y = parts["masker"].transform(corpus.peaks)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    imgs = [parts["masker"].inverse_transform(s * (y[:1] - y[1:2])) for s in (1, -1)]
    positive = model.decode(imgs[0], tail="positive").set_index("candidate")
    negative = model.decode(imgs[1], tail="negative").set_index("candidate")
    assert positive["p_value"].corr(negative["p_value"][positive.index]) > 0.9
    both = model.decode(imgs[0], tail="both")
    assert (both["p_value"].diff()[1:] >= 0).all()


@pytest.mark.parametrize(
    ("name", "value", "others"), [("null", "none", "'surrogates'"), ("tail", 2, "both")]
)
def test_unknown_choices_raise(name, value, others, model):
    with pytest.raises(ValueError, match=f"{name} must be .*{others}.*; got {value!r}"):
        model.decode([[0, 0, 0]], **{name: value})


def test_null_distributions_of_terms_are_kept(model, corpus, monkeypatch):
    model.index_corpus(corpus)
    first = {kind: model.decode([[0, 0, 0]], kind) for kind in ("terms", "studies")}
    shapes = []
    compare = model._similarity
    monkeypatch.setattr(
        model, "_similarity", lambda X, y: shapes.append(y.shape[0]) or compare(X, y)
    )
    for kind, table in first.items():
        assert model.decode([[0, 0, 0]], kind).equals(table)
    assert shapes == [1, 1]
    model.index_corpus(corpus)
    assert model.decode([[0, 0, 0]], "studies").equals(first["studies"])
    assert shapes == [1, 1, 60, 1]


def test_rows_of_studies_have_their_ids(model, corpus):
    model.index_corpus(corpus)
    ranking = model.decode([[-42, -22, 54]], "studies", k=150)
    titles = corpus.studies.set_index("study_id")["title"]
    assert titles[ranking["study_id"]].tolist() == ranking["candidate"].tolist()


def test_lists_of_terms(parts):
    terms = {"pain": 9, "appear": 9, "fmri": 9, "people": 9}
    model = NeuroContextModel(**{**parts, "terms": terms})
    for kind, expected in (
        ("terms", {"pain"}), ("methods", {"fmri"}), ("all_terms", set(terms)),
    ):  # fmt: skip
        assert set(model.decode([[0, 0, 0]], kind)["candidate"]) == expected
    other = NeuroContextModel(**{**parts, "terms": {"appear": 9}})
    with pytest.raises(ValueError, match=r"None of the 1 terms.*'terms'.*all_terms"):
        other.decode([[0, 0, 0]])
