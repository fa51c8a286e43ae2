"""NeuroQuery's own model, trained on any studies, as a reference of benchmarks."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import joblib
import numpy as np
from neuroquery import nmf, ridge
from neuroquery.nmf import CovarianceSmoothing
from neuroquery.smoothed_regression import SmoothedRegression
from neuroquery.tokenization import TextVectorizer
from scipy import sparse
from sklearn.decomposition import NMF
from sklearn.preprocessing import normalize

# Minimum number of studies of a term, as in NeuroQuery's published model.
MIN_STUDIES = 100
PARTS = ("title", "keywords", "abstract")
_RIDGE_GCV = ridge.ridge_gcv


def term_counts(corpus):
    """Add the counts of titles, keywords and abstracts, as NeuroQuery does."""
    if "term_counts" not in corpus:
        raise ValueError("The corpus must have word counts; try the corpus neuroquery.")
    return sum(corpus.term_counts[part] for part in PARTS).tocsr()


@dataclass(frozen=True, eq=False)
class NeuroQueryMaps:
    """Trained NeuroQuery model: z maps, or densities predicted by its regression.

    Attributes
    ----------
    vocabulary : list of str
        Its terms.
    columns : ndarray of shape (n_terms,), int
        Columns of the terms in the counts of the training studies.
    frequencies : ndarray of shape (n_terms,)
        Share of the training studies that use each term.
    model : SmoothedRegression
        NeuroQuery's smoothing and regression.
    cost : dict of str to dict
        ``"wall_seconds"`` and ``"cpu_seconds"`` of each step.
    """

    vocabulary: list
    columns: np.ndarray
    frequencies: np.ndarray
    model: SmoothedRegression
    cost: dict

    def tfidf(self, counts):
        """Compute unit TF-IDF rows from counts of all terms of the corpus."""
        idf = -np.log(self.frequencies) + 1
        return normalize(counts[:, self.columns].multiply(idf).tocsr())

    def tfidf_of_texts(self, texts):
        """Compute unit TF-IDF rows of texts with NeuroQuery's own vectorizer."""
        vectorizer = TextVectorizer.from_vocabulary(
            self.vocabulary, self.frequencies, add_unigrams=False
        ).fit()
        place = {
            term: column for column, term in enumerate(vectorizer.get_vocabulary())
        }
        columns = [place[term] for term in self.vocabulary]
        return normalize(vectorizer.transform(texts))[:, columns]

    def without_smoothing(self) -> "NeuroQueryMaps":
        """Return the same regression without smoothing of terms."""
        smoothing = CovarianceSmoothing(smoothing_weight=0.0)
        smoothing.V_ = self.model.smoothing_.V_
        smoothing.normalized_V_ = self.model.smoothing_.normalized_V_
        model = SmoothedRegression(smoothing_weight=0.0)
        model.smoothing_, model.regression_ = smoothing, self.model.regression_
        return replace(self, model=model)

    def z_maps(self, tfidf) -> np.ndarray:
        """Compute the z maps with which NeuroQuery answers, (n_texts, n_voxels)."""
        return np.asarray(self.model.transform_to_z_maps(tfidf))


def train(counts, vocabulary, maps, folder) -> NeuroQueryMaps:
    """Train NeuroQuery; a call that was stopped continues with the missing steps.

    Parameters
    ----------
    counts : sparse matrix of shape (n_studies, n_corpus_terms)
        How often each term of the corpus's vocabulary occurs in each training study.
    vocabulary : sequence of str
        The corpus's vocabulary.
    maps : ndarray of shape (n_studies, n_voxels), float32
        Densities of the same studies' peaks.
    folder : path-like
        Folder of finished steps; use one folder for each training set.

    Returns
    -------
    neuroquery : NeuroQueryMaps
        Trained.
    """
    folder = Path(folder)
    studies_with = np.asarray((counts > 0).sum(axis=0)).ravel()
    columns = np.flatnonzero(studies_with >= MIN_STUDIES)
    trained = NeuroQueryMaps(
        vocabulary=[vocabulary[column] for column in columns],
        columns=columns,
        frequencies=studies_with[columns] / counts.shape[0],
        model=SmoothedRegression(),
        cost={},
    )
    tfidf = trained.tfidf(counts).toarray().astype(np.float32)
    print(f"NeuroQuery: {len(columns):,} terms, {len(maps):,} studies", flush=True)
    steps = {
        "regression": lambda: _fit_ridge(tfidf, maps, folder),
        "smoothing": lambda: timed(_fit_smoothing, tfidf),
    }
    for name, fit in steps.items():
        trained.cost[name] = _keep_step(folder, name, fit)
    model = SmoothedRegression.from_data_dir(folder)
    return NeuroQueryMaps(**(vars(trained) | {"model": model}))


def _keep_step(folder, name, fit) -> dict:
    """Fit and save one step unless it is saved; return its times."""
    if not (folder / name).is_dir():
        step, cost = fit()
        unfinished = folder / f"{name}.unfinished"
        unfinished.mkdir(parents=True, exist_ok=True)
        step.to_data_dir(unfinished)
        (unfinished / "cost.json").write_text(json.dumps(cost))
        unfinished.rename(folder / name)
    return json.loads((folder / name / "cost.json").read_text())


def timed(function, *args, **kwargs):
    """Call a function; return its result, and its wall-clock and CPU time."""
    started = time.perf_counter(), time.process_time()
    result = function(*args, **kwargs)
    wall, cpu = time.perf_counter(), time.process_time()
    return result, {"wall_seconds": wall - started[0], "cpu_seconds": cpu - started[1]}


def _timed_ridge(X, Y, alphas, feat_penalty):
    return timed(_RIDGE_GCV, X, Y, alphas=alphas, feat_penalty=feat_penalty)


def _fit_ridge(tfidf, maps, folder):
    """Fit NeuroQuery's feature-selecting ridge, caching each of its three ridges."""
    kept = joblib.Memory(folder / "ridges", verbose=0).cache(_timed_ridge)
    costs = []

    def ridge_gcv(X, Y, alphas, feat_penalty):
        result, cost = kept(X, Y, alphas, feat_penalty)
        print(
            f"NeuroQuery: ridge, {cost['cpu_seconds']:.0f} s of CPU time",
            flush=True,
        )
        costs.append(cost)
        return result

    with patch.multiple(ridge, ridge_gcv=ridge_gcv, _gcv=leave_one_out_errors):
        regression = ridge.SelectiveRidge(store_M=True).fit(tfidf, maps)
    total = {key: sum(cost[key] for cost in costs) for key in costs[0]}
    return ridge.FittedLinearModel.from_model(regression), total


def _fit_smoothing(tfidf):
    """Fit NeuroQuery's smoothing with the penalties that it was written for.

    scikit-learn 1.2 and later multiply the penalties of NMF by the numbers of features
    and samples; NeuroQuery 1.1.0, unchanged, gets factors of zeros.
    """

    def make_nmf(alpha, **settings):
        n_samples, n_features = tfidf.shape
        penalties = {"alpha_W": alpha / n_features, "alpha_H": alpha / n_samples}
        return NMF(**settings, **penalties)

    with patch.object(nmf, "NMF", make_nmf):
        smoothing = CovarianceSmoothing().fit(sparse.csr_matrix(tfidf))
    if not smoothing.V_.any():
        raise ValueError("All factors of NeuroQuery's smoothing are zero.")
    return smoothing


def leave_one_out_errors(U, s, Y, intercept, alphas) -> np.ndarray:
    """Compute the errors of ``neuroquery.ridge._gcv`` from thin matrix products.

    NeuroQuery multiplies the targets by a matrix of studies by studies for each alpha;
    the singular vectors yield the same errors with a quarter of the work.
    """
    constant = U.var(axis=0) < 1e-12
    shrinkages, leverages = [], []
    for alpha in alphas:
        shrinkage = s**2 / (s**2 + alpha)
        shrinkage[constant] = 1
        shrinkages.append(shrinkage)
        leverages.append(np.einsum("ij,j,ij->i", U, shrinkage, U))
    errors = np.zeros((len(alphas), Y.shape[0]), dtype=Y.dtype)
    width = max(1, Y.shape[1] // 10)
    for start in range(0, Y.shape[1], width):
        target = Y[:, start : start + width]
        inner = U.T @ target
        for row, (shrinkage, leverage) in enumerate(
            zip(shrinkages, leverages, strict=True)
        ):
            residual = target - U @ (shrinkage[:, None] * inner)
            errors[row] += ((residual / (1 - leverage)[:, None]) ** 2).sum(axis=1)
    return errors
