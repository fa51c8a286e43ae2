"""The closed list of what can be saved: which types, and what each has learned.

A further estimator is one more entry of `KINDS`. Parameters need no entry. A learned
array is described by its dimensions, words separated by spaces: a word that is an
attribute of the estimator stands for its value, the same other word twice in one
estimator for the same number. A learned value of another sort is described by its type,
a net by ``"net"``. A ``?`` at the end, or ``None`` among the types, says that it may be
missing.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

# Of the machine and not of the model, hence left out; among them a folder of pickles.
LOCAL_PARAMETERS = ("cache", "memory", "shards", "token_env_variable")
_COMMON = {
    "n_features_in_": int | None,
    "feature_names_in_": np.ndarray | None,
    "_sklearn_output_config": dict | None,
}
_TEXT_BRAIN = {
    "n_components_": int,
    "y_mean_": "n_components_",
    "y_scale_": "n_components_",
    "_single_component": bool,
}
_TRAINED = {"best_epoch_": int, "n_epochs_": int, "history_": list}
# A peak whose coefficients are kept, to recognise another kernel. x, y, z in mm.
_PROBE = [[[-42.0, -22.0, 54.0]]]


@dataclass(frozen=True)
class Kind:
    """A type that can be saved.

    Attributes
    ----------
    name : str
        Name of the class.
    home : str
        Module that it is imported from.
    facts : dict of str to str or type
        What the class has learned, by attribute.
    check : callable or None
        ``check(estimator)`` raises ValueError where facts do not fit each other.
    refit : callable or None
        ``refit(estimator)`` fits a class that learns nothing from studies; of such a
        class nothing is kept but what `identify` gives.
    identify : callable or None
        ``identify(estimator)`` gives what tells it from others fitted likewise, as a
        dict of strings, numbers, and lists of numbers known to a ten-thousandth.
    transient : tuple of str
        Attributes that only serve while fitting.
    """

    name: str
    home: str
    facts: Mapping = field(default_factory=dict)
    check: Callable | None = None
    refit: Callable | None = None
    identify: Callable | None = None
    transient: tuple = ()

    def load_class(self) -> type:
        """Import the class."""
        return getattr(importlib.import_module(self.home), self.name)

    def all_facts(self) -> dict:
        """Give its own facts and those that every estimator may have."""
        return {**_COMMON, **self.facts}


def _refit_masker(masker) -> None:
    masker.fit()


def _identify_masker(masker) -> dict:
    probe = masker.transform(_PROBE)[0].astype(float).tolist()
    return {"atlas_hash": masker.atlas_hash_, "probe": probe}


def _refit_embedder(embedder) -> None:
    if embedder.trust_remote_code:
        raise ValueError(
            "trust_remote_code=True runs code that comes with a language model, which "
            "a saved model must not; save the model that follows the embedder instead"
        )
    embedder.fit()


def _identify_embedder(embedder) -> dict:
    # Hash of weights and tokenizer, precision, and how chunks are made and averaged.
    return {
        "settings_key": embedder.settings_key(),
        "embedding_dim": embedder.embedding_dim_,
    }


def _check_vocabulary(vectorizer) -> None:
    """Refuse columns beyond the weights, which NumPy would read from elsewhere."""
    if type(vectorizer._tfidf).__name__ != "TfidfTransformer":
        raise ValueError("_tfidf is no TfidfTransformer")
    columns = sorted(vectorizer.vocabulary_.values())
    if columns != list(range(len(columns))) or not columns:
        raise ValueError("vocabulary_ does not number its words from 0 on")
    idf = getattr(vectorizer._tfidf, "idf_", None)
    if idf is not None and len(idf) != len(columns):
        raise ValueError(
            f"vocabulary_ has {len(columns)} words and idf_ {len(idf)} weights"
        )


_MODELS = "sklearn_neurocontext.models"
_ALL = (
    Kind(
        "CCABaseline",
        _MODELS,
        {
            **_TEXT_BRAIN,
            "latent_dim_": int,
            "X_mean_": "n_features_in_",
            "text_weights_": "n_features_in_ latent_dim_",
            "brain_weights_": "n_components_ latent_dim_",
            "brain_loadings_": "latent_dim_ n_components_",
            "canonical_correlations_": "latent_dim_",
        },
    ),
    Kind(
        "RidgeBaseline",
        _MODELS,
        {
            **_TEXT_BRAIN,
            "alpha_": float,
            "coef_": "n_components_ n_features_in_",
            "intercept_": "n_components_",
        },
    ),
    Kind("MLPBaseline", _MODELS, {**_TEXT_BRAIN, **_TRAINED, "module_": "net"}),
    Kind(
        "ContrastiveTextBrain",
        _MODELS,
        {
            **_TEXT_BRAIN,
            **_TRAINED,
            "latent_dim_": int,
            "temperature_": float,
            "module_": "net",
            "decoder_": "net?",
        },
    ),
    Kind(
        "KDEDiFuMoMasker",
        "sklearn_neurocontext.maskers",
        refit=_refit_masker,
        identify=_identify_masker,
    ),
    Kind(
        "LLMChunkEmbedder",
        "sklearn_neurocontext.text",
        refit=_refit_embedder,
        identify=_identify_embedder,
    ),
    Kind("Pipeline", "sklearn.pipeline"),
    Kind("FeatureUnion", "sklearn.pipeline"),
    Kind(
        "TfidfVectorizer",
        "sklearn.feature_extraction.text",
        {"vocabulary_": dict, "fixed_vocabulary_": bool, "_tfidf": object},
        check=_check_vocabulary,
        transient=("_stop_words_id", "stop_words_"),
    ),
    Kind(
        "TfidfTransformer",
        "sklearn.feature_extraction.text",
        {"idf_": "n_features_in_?"},
    ),
    Kind(
        "TruncatedSVD",
        "sklearn.decomposition",
        {
            "components_": "rank n_features_in_",
            "explained_variance_": "rank",
            "explained_variance_ratio_": "rank",
            "singular_values_": "rank",
        },
    ),
    Kind("Normalizer", "sklearn.preprocessing"),
    Kind(
        "StandardScaler",
        "sklearn.preprocessing",
        {
            "n_samples_seen_": int | float | np.ndarray,
            "mean_": "n_features_in_?",
            "var_": "n_features_in_?",
            "scale_": "n_features_in_?",
        },
    ),
    # Inside ContrastiveTextBrain(decoder="ridge").
    Kind(
        "RidgeCV",
        "sklearn.linear_model",
        {
            "alpha_": float,
            "best_score_": float,
            "coef_": "n_targets n_features_in_",
            "intercept_": "n_targets",
        },
    ),
)
KINDS = MappingProxyType({kind.name: kind for kind in _ALL})
"""By name of the class."""
