"""Rows of the retrieval tables: estimators, their input and their splits."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.retrieval.windows import richest_in_coordinates, spread_windows
from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    MLPBaseline,
    RidgeBaseline,
    TermCounts,
    best_text_brain,
)
from sklearn_neurocontext.metrics import csls, similarity
from sklearn_neurocontext.text import strip_coordinates

RANDOM_STATE = 0
SIZES = (1000, 2000, 5000, 10_000)
BEST = "best_text_brain"
PAPER = "contrastive, paper settings"
# Settings of the network that were chosen on development studies, see `settings`.
BEST_OF_NET = {"batch_size": 512, "lr": 1e-3, "y_scaling": "sqrt"}


@dataclass(eq=False)
class Row:
    """One row of a table.

    Attributes
    ----------
    name : str
        Name in the records.
    estimator : estimator
        Unfitted estimator.
    X : object
        Its input, or a function that returns it.
    splits : list of (train, test)
        Splits on which it is fitted and scored.
    label : str or None
        Name in the table, if different: rows of two tables with the same fits share
        records.
    """

    name: str
    estimator: object
    X: object
    splits: list
    label: str | None = None


class CorrectedByCandidates(BaseEstimator):
    """Estimator whose similarities are corrected by CSLS, which is transductive."""

    def __init__(self, estimator, k=10):
        self.estimator = estimator
        self.k = k

    def fit(self, X, y):
        """Fit the estimator."""
        self.estimator_ = clone(self.estimator).fit(X, y)
        return self

    def similarity(self, X, y):
        """Return the corrected similarities of all texts with all maps."""
        return csls(similarity(self.estimator_, X, y), self.k)


def methods(task, encoder) -> list:
    """Compare the estimators with the paper settings and the best settings."""
    X = task.X if task.texts is None else encoder.embed(task.texts)
    models = estimators() | {"contrastive, best settings": net(**BEST_OF_NET)}
    rows = [
        Row(name, on_features(task, model), X, task.splits)
        for name, model in models.items()
    ]
    return [best(task, encoder), *rows]


def settings(task, encoder) -> list:
    """Compare settings of features and of the network on development studies.

    The best are `BEST_OF_NET` and the defaults of `on_features`.
    """
    if task.texts is None:
        tried = {
            "LSA-300, standardized: paper's network": on_features(
                task, net(), scaled=True
            ),
            "LSA-300: paper's network": on_features(task, net()),
            "LSA-300, standardized: cca": on_features(task, CCABaseline(), scaled=True),
            "LSA-300: cca": on_features(task, CCABaseline()),
            "LSA-1000: cca": on_features(task, CCABaseline(), dim=1000),
        }
        return [Row(name, model, task.X, task.trial) for name, model in tried.items()]
    nets = {
        PAPER: {},
        "contrastive, square roots": {"y_scaling": "sqrt"},
        "contrastive, batches of 512, lr 0.001": {"batch_size": 512, "lr": 1e-3},
        "contrastive, both": {"batch_size": 512, "lr": 1e-3, "y_scaling": "sqrt"},
    }
    X = encoder.embed(task.texts)
    return [
        Row(name, on_features(task, net(**options)), X, task.trial)
        for name, options in nets.items()
    ]


def losses(task, encoder) -> list:
    """Compare the paper's recipe, and InfoNCE with weights of the decoder's error."""
    weighted = {
        f"contrastive, reconstruction_weight={weight:g}": on_features(
            task, net(decoder="residual", reconstruction_weight=weight)
        )
        for weight in (0.1, 1, 10)
    }
    models = {
        PAPER: on_features(task, net()),
        "contrastive, paper recipe": ContrastiveTextBrain.paper(
            decoder=None, random_state=RANDOM_STATE
        ),
    }
    X = encoder.embed(task.texts)
    return [
        Row(name, model, X, task.splits) for name, model in (models | weighted).items()
    ]


def text(task, encoder) -> list:
    """Compare the best settings with a language model alone, on one kind of text."""
    rows = [best(task, encoder)]
    if task.texts is not None:

        def embed():
            if task.name != "bodies":
                return encoder.embed(task.texts)
            windows = [spread_windows(one, encoder.n_windows) for one in task.texts]
            return encoder.embed_windows(windows)

        rows.append(Row(f"{encoder.label} alone", on_kernel(), embed, task.splits))
    return rows


def sizes(task, encoder) -> list:
    """Train on nested subsets of the training studies."""
    whole = best(task, encoder)
    rows = []
    for size in SIZES:
        parts = [(some_of(train, size), test) for train, test in task.splits]
        rows.append(replace(whole, splits=parts, label=f"{BEST}, {size:,} studies"))
    return [*rows, replace(whole, label=f"{BEST}, all")]


def some_of(rows, size) -> np.ndarray:
    """Return the first `size` studies in a fixed random order of the corpus."""
    if size > len(rows):
        raise ValueError(f"size must be at most {len(rows)}; got {size}.")
    order = np.random.default_rng(RANDOM_STATE).permutation(rows.max() + 1)
    return np.sort(order[np.isin(order, rows)][:size])


def encoders(task, encoder) -> list:
    """Compare three estimators on the embeddings of one language model."""
    X = encoder.embed(task.texts)
    models = {
        "cca": on_features(task, CCABaseline()),
        "KernelCCA": on_kernel(),
        PAPER: on_features(task, net()),
    }
    return [Row(name, model, X, task.splits) for name, model in models.items()]


def candidates(task, encoder) -> list:
    """Correct the hubness of similarities with those of all candidates."""
    whole = best(task, encoder)
    corrected = CorrectedByCandidates(whole.estimator)
    return [whole, replace(whole, name=f"{BEST}, CSLS", estimator=corrected)]


def coordinates(task, encoder) -> list:
    """Compare full texts with coordinates and without."""
    windows = [
        spread_windows(one, encoder.n_windows) + richest_in_coordinates(one)
        for one in task.texts
    ]
    stripped = [[strip_coordinates(one) for one in of_text] for of_text in windows]
    n_changed = sum(one != other for one, other in zip(windows, stripped, strict=True))
    print(f"strip_coordinates changed windows of {n_changed} studies", flush=True)
    return [
        Row(name, on_kernel(), encoder.embed_windows(one), task.splits)
        for name, one in (("left in", windows), ("strip_coordinates", stripped))
    ]


TABLES = {
    table.__name__: table
    for table in (
        methods,
        losses,
        text,
        sizes,
        encoders,
        candidates,
        coordinates,
        settings,
    )
}


def best(task, encoder) -> Row:
    """Return the row of `best_text_brain`."""
    model = best_text_brain(task.text_field, RANDOM_STATE)
    stores = [name for name in model.get_params() if name.endswith("__cache")]
    model.set_params(**dict.fromkeys(stores, str(encoder.store)))
    return Row(BEST, model, task.X, task.splits)


def estimators() -> dict:
    """Return the estimators of the paper by name, without decoders."""
    return {
        PAPER: net(),
        "cca": CCABaseline(),
        "ridge": RidgeBaseline(),
        "mlp": MLPBaseline(random_state=RANDOM_STATE),
    }


def net(**options):
    """Return the contrastive model, without a decoder unless `options` has one."""
    options = {"decoder": None, "random_state": RANDOM_STATE} | options
    return ContrastiveTextBrain(**options)


def on_features(task, model, dim=300, *, scaled=False):
    """Return a pipeline of a model of embeddings, or of LSA of counts."""
    if task.texts is not None:
        return make_pipeline(StandardScaler(), model)
    steps = [
        TermCounts(min_df=10),
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(dim, random_state=RANDOM_STATE),
    ]
    return make_pipeline(*steps, *[StandardScaler()] * scaled, model)


def on_kernel():
    """Return the kernel CCA of embeddings within `best_text_brain("title")`."""
    return dict(best_text_brain("title", RANDOM_STATE).estimators)["language_model"][1:]
