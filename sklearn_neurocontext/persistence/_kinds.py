"""The closed list of what can be saved: which types, and what each has learned.

A further estimator is one more entry of `KINDS`. Parameters need no entry. A learned
array is described by its dimensions, words separated by spaces: a word that is an
attribute of the estimator stands for its value, the same other word twice in one
estimator for the same number; ``int`` in front of them stands for whole numbers,
``sparse`` for an array that may be sparse. A learned value of another sort is described
by its type, a net by ``"net"``. A ``?`` at the end, or ``None`` among the types, says
that it may be missing.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ._checks import (
    check_columns,
    check_kernel,
    check_members,
    check_vocabulary,
    check_weights,
    check_words,
)

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


_MODELS = "sklearn_neurocontext.models"
_PIPELINES = "sklearn_neurocontext.models"
_WORDS = "sklearn.feature_extraction.text"
_LEFT_BY_FITTING = ("_stop_words_id", "stop_words_")
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
        "KernelCCA",
        _MODELS,
        {
            **_TEXT_BRAIN,
            "latent_dim_": int,
            "canonical_correlations_": "latent_dim_",
            "text_weights_": "n_features_in_ latent_dim_",
            "text_intercept_": "latent_dim_",
            "brain_weights_": "n_brain_features latent_dim_",
            "brain_mean_": "n_brain_features",
            "nystroem_components_": "n_nystroem n_components_?",
            "nystroem_projection_": "n_nystroem n_brain_features?",
            "kernel_width_": float | None,
            "coef_": "n_features_in_ n_components_",
            "intercept_": "n_components_",
            "text_references_": "n_references latent_dim_?",
            "brain_references_": "n_references latent_dim_?",
        },
        check=check_kernel,
    ),
    Kind(
        "TextBrainEnsemble",
        _MODELS,
        {"estimators_": list, "means_": "n_estimators", "stds_": "n_estimators"},
        check=check_members,
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
        "TermCounts",
        "sklearn_neurocontext.text",
        {
            "n_terms_": int,
            "vectorizer_": object | None,
            "columns_": "int n_terms_?",
        },
        check=check_columns,
    ),
    Kind(
        "CountVectorizer",
        _WORDS,
        {"vocabulary_": dict, "fixed_vocabulary_": bool},
        check=check_vocabulary,
        transient=_LEFT_BY_FITTING,
    ),
    Kind(
        "TfidfVectorizer",
        _WORDS,
        {"vocabulary_": dict, "fixed_vocabulary_": bool, "_tfidf": object},
        check=check_weights,
        transient=_LEFT_BY_FITTING,
    ),
    Kind(
        "TfidfTransformer",
        _WORDS,
        {"idf_": "n_words?"},
        check=check_words,
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
    Kind(
        "Nystroem",
        "sklearn.kernel_approximation",
        {
            "_n_features_out": int,
            "components_": "_n_features_out n_features_in_",
            "component_indices_": "int _n_features_out",
            "normalization_": "_n_features_out _n_features_out",
        },
    ),
    Kind(
        "NystroemKernel",
        _PIPELINES,
        {
            "_n_features_out": int,
            "components_": "n_kept n_features_in_",
            "projection_": "n_kept _n_features_out",
        },
    ),
    Kind(
        "NeighborMaps",
        _PIPELINES,
        {
            "_n_features_out": int,
            "texts_": "sparse n_studies n_features_in_",
            "maps_": "n_studies _n_features_out",
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
