"""Complete list of the types that can be saved, and their fitted attributes.

To support another estimator, add an entry to `KINDS`. An entry lists only the fitted
attributes. Constructor parameters need not be listed, because `save_model` saves all
parameters except `LOCAL_PARAMETERS`. Each fitted attribute is described by a type or by
a string:

- A type, or a union of types: the value must have this type, or one of the types in the
  union. If the union contains ``None``, the attribute may be missing.
- ``"net"``: the value is a neural network.
- Any other string: the value is an array. The string contains one word per dimension,
  separated by spaces. If a word is the name of a fitted integer attribute of the
  estimator, the size of that dimension must equal the value of the integer attribute.
  If a word is not the name of an attribute, all dimensions of the estimator's arrays
  that are described by this word must have the same size. The array contains floats.
  If the string begins with the additional word ``int``, the array contains integers.
  If the string begins with the additional word ``sparse``, the array may be sparse.
- A string that ends with ``?``: the attribute may be missing.

For example, ``"n_components_ latent_dim_"`` describes a matrix of floats whose shape is
given by the fitted attributes ``n_components_`` and ``latent_dim_``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

# Parameters that are neither saved nor loaded, because they depend on the machine.
# Loaded estimators have the default values of these parameters. `memory` is also
# omitted because it may be the name of a folder with pickles.
LOCAL_PARAMETERS = (
    "cache",
    "data_dir",
    "device",
    "memory",
    "n_jobs",
    "shards",
    "token_env_variable",
)
# Attributes that scikit-learn may set on any estimator.
COMMON = {
    "n_features_in_": int | None,
    "feature_names_in_": np.ndarray | None,
    "_sklearn_output_config": dict | None,
}


@dataclass(frozen=True)
class Kind:
    """Description of a type that can be saved.

    Attributes
    ----------
    home : str
        Module from which the class is imported.
    learned : dict of str to str or type
        Name and description of each fitted attribute. The docstring of this module
        explains the descriptions.
    transient : tuple of str
        Attributes that are not saved, because they are used only during fitting.
    """

    home: str
    learned: Mapping = field(default_factory=dict)
    transient: tuple = ()


_COMPARATORS = "sklearn_neurocontext.comparators"
_MODELS = "sklearn_neurocontext.models"
_WORDS = "sklearn.feature_extraction.text"
_LEFT_BY_FITTING = ("_stop_words_id", "stop_words_")
_TEXT_BRAIN = {
    "n_components_": int,
    "y_mean_": "n_components_",
    "y_scale_": "n_components_",
    "_single_component": bool,
}
_TERM_MAPS = {
    "terms_": object,
    "tfidf_": object,
    "masker_": object,
    "predicted_scaler_": object,
    "observed_scaler_": object,
}
_TRAINED = {"best_epoch_": int, "n_epochs_": int, "history_": list}
KINDS = {
    "CCABaseline": Kind(
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
    "RidgeBaseline": Kind(
        _MODELS,
        {
            **_TEXT_BRAIN,
            "alpha_": float,
            "coef_": "n_components_ n_features_in_",
            "intercept_": "n_components_",
        },
    ),
    "MLPBaseline": Kind(_MODELS, {**_TEXT_BRAIN, **_TRAINED, "module_": "net"}),
    "ContrastiveTextBrain": Kind(
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
    "Text2Brain": Kind(
        _COMPARATORS,
        {
            **_TRAINED,
            "n_components_": int,
            "y_mean_": "n_components_",
            "_single_component": bool,
            "box_shape_": tuple,
            "module_": "net",
        },
    ),
    "KernelCCA": Kind(
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
    ),
    "TextBrainEnsemble": Kind(
        _MODELS,
        {"estimators_": list, "means_": "n_estimators", "stds_": "n_estimators"},
    ),
    "NystroemKernel": Kind(
        _MODELS,
        {
            "_n_features_out": int,
            "components_": "n_kept n_features_in_",
            "projection_": "n_kept _n_features_out",
        },
    ),
    "NeighborMaps": Kind(
        _MODELS,
        {
            "_n_features_out": int,
            "texts_": "sparse n_studies n_features_in_",
            "maps_": "n_studies _n_features_out",
        },
    ),
    "NeuroQuery": Kind(
        _COMPARATORS,
        {
            **_TERM_MAPS,
            "selected_": "int n_selected",
            "coef_": "n_selected n_voxels",
            "intercept_": "n_voxels",
            "coef_covariance_": "n_selected n_selected",
            "residual_variance_": "n_voxels",
            "alpha_": float,
            "factors_": "n_terms n_factors",
        },
    ),
    "NeurosynthMaps": Kind(_COMPARATORS, {**_TERM_MAPS, "z_maps_": "n_terms n_voxels"}),
    # The fitted attributes of the masker and the embedder do not depend on studies.
    # Therefore they are not saved. `load_model` fits the masker and the embedder again.
    "KDEDiFuMoMasker": Kind("sklearn_neurocontext.maskers"),
    "LLMChunkEmbedder": Kind("sklearn_neurocontext.text"),
    "TermCounts": Kind(
        "sklearn_neurocontext.text",
        {
            "n_terms_": int,
            "vectorizer_": object | None,
            "columns_": "int n_terms_?",
        },
    ),
    "Pipeline": Kind("sklearn.pipeline"),
    "FeatureUnion": Kind("sklearn.pipeline"),
    "CountVectorizer": Kind(
        _WORDS, {"vocabulary_": dict, "fixed_vocabulary_": bool}, _LEFT_BY_FITTING
    ),
    "TfidfVectorizer": Kind(
        _WORDS,
        {"vocabulary_": dict, "fixed_vocabulary_": bool, "_tfidf": object},
        _LEFT_BY_FITTING,
    ),
    "TfidfTransformer": Kind(_WORDS, {"idf_": "n_words?"}),
    "TruncatedSVD": Kind(
        "sklearn.decomposition",
        {
            "components_": "rank n_features_in_",
            "explained_variance_": "rank",
            "explained_variance_ratio_": "rank",
            "singular_values_": "rank",
        },
    ),
    "Nystroem": Kind(
        "sklearn.kernel_approximation",
        {
            "_n_features_out": int,
            "components_": "_n_features_out n_features_in_",
            "component_indices_": "int _n_features_out",
            "normalization_": "_n_features_out _n_features_out",
        },
    ),
    "Normalizer": Kind("sklearn.preprocessing"),
    "StandardScaler": Kind(
        "sklearn.preprocessing",
        {
            "n_samples_seen_": int | float | np.ndarray,
            "mean_": "n_features_in_?",
            "var_": "n_features_in_?",
            "scale_": "n_features_in_?",
        },
    ),
    # The attribute decoder_ of ContrastiveTextBrain(decoder="ridge") is a RidgeCV.
    "RidgeCV": Kind(
        "sklearn.linear_model",
        {
            "alpha_": float,
            "best_score_": float,
            "coef_": "n_targets n_features_in_",
            "intercept_": "n_targets",
        },
    ),
}
