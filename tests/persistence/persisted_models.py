"""Make small models with all supported types that learn from studies."""

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KernelCCA,
    MLPBaseline,
    RidgeBaseline,
    TextBrainEnsemble,
)
from sklearn_neurocontext.models import NeighborMaps, NystroemKernel
from sklearn_neurocontext.text import TermCounts

NET = {"max_epochs": 2, "batch_size": 32, "random_state": 0}


def make_models():
    """Return unfitted models by name."""
    words = make_pipeline(
        TfidfVectorizer(min_df=2, ngram_range=(1, 2), dtype=np.float32),
        TruncatedSVD(6, random_state=0),
        Normalizer(),
    )
    letters = make_pipeline(TfidfVectorizer(analyzer="char"), TruncatedSVD(3))
    union = FeatureUnion(
        [("words", words), ("letters", letters)],
        transformer_weights={"words": 1.0, "letters": 0.5},
    )
    counted = make_pipeline(
        TfidfVectorizer(use_idf=False, norm=None, max_features=40),
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(5, random_state=0),
        "passthrough",
        StandardScaler(),
        RidgeBaseline(alphas=np.array([1.0, 10.0])),
    )
    return {
        "union, CCA": make_pipeline(union, CCABaseline(latent_dim=4)),
        "counts, ridge": counted,
        "perceptron": _text_to(MLPBaseline(hidden_dim=8, **NET)),
        "contrastive": _text_to(ContrastiveTextBrain(latent_dim=5, **NET)),
        "contrastive, ridge": _text_to(ContrastiveTextBrain(decoder="ridge", **NET)),
        "contrastive, bare": _text_to(
            ContrastiveTextBrain(decoder=None, y_scaling=None, **NET)
        ),
        "contrastive, joint loss": _text_to(
            ContrastiveTextBrain(reconstruction_weight=1.0, **NET)
        ),
        "contrastive, paper": _text_to(ContrastiveTextBrain.paper(**NET)),
        "words, kernel": _counted(KernelCCA(n_nystroem=30, random_state=0)),
        "nystroem": make_pipeline(
            TfidfVectorizer(dtype=np.float32),
            TruncatedSVD(6, random_state=0),
            NystroemKernel(n_components=20, random_state=0),
            KernelCCA(4, n_nystroem=20, random_state=0),
        ),
        "neighbors": _counted(NeighborMaps(), KernelCCA(4, random_state=0)),
        "ensemble": make_ensemble(),
    }


def make_ensemble():
    """Return an ensemble with a kernel between texts and one between maps."""
    letters = make_pipeline(
        TfidfVectorizer(analyzer="char"),
        TruncatedSVD(8, random_state=0),
        Nystroem(n_components=12, random_state=0),
        KernelCCA(3, kernel_width=None, hubness_weight=0),
    )
    words = _counted(KernelCCA(4, n_nystroem=20, random_state=0))
    return TextBrainEnsemble(
        [("words", words), ("letters", letters)], weights=[1.0, 0.5], random_state=0
    )


def _counted(*steps):
    return make_pipeline(
        TermCounts(min_df=2, ngram_range=(1, 2)),
        TfidfTransformer(sublinear_tf=True),
        *steps,
    )


def _text_to(estimator):
    scaled = make_pipeline(TfidfVectorizer(), TruncatedSVD(6, random_state=0))
    return make_pipeline(scaled, StandardScaler(with_mean=False), estimator)
