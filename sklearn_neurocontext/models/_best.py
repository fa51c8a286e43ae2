"""Function that builds the best model for titles, abstracts or bodies of articles.

Models are compared by retrieval: brain maps are ranked by their similarity to a text,
and the map of the same study should have the best rank. The models and their parameters
were chosen because their retrieval was best on the development set. The studies of this
set serve only for choosing models and are in no test set.
"""

from functools import partial

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline

from ..text import LLMChunkEmbedder, TermCounts
from ._ensemble import TextBrainEnsemble
from ._kernel_cca import KernelCCA
from ._neighbor_maps import NeighborMaps
from ._nystroem_kernel import NystroemKernel

_MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def best_text_brain(
    text_field: str = "abstract", random_state=None, *, model_names=(_MINILM,)
):
    """Build the model with the best retrieval for titles, abstracts or bodies.

    For abstracts and bodies, the model is a `KernelCCA` fitted to TF-IDF (term
    frequency-inverse document frequency) weights of words. For titles, which have few
    words, the model is an ensemble. By default, it consists of four `KernelCCA` models.
    Each of these models uses different features of a title:

    - TF-IDF weights of words and word pairs;
    - Nyström features, computed from a language model's embedding of the title;
    - the average map of the training studies whose titles have similar words;
    - the average map of the training studies whose titles have similar embeddings.

    The method ``fit`` fits all steps to the training studies only. Therefore, the model
    can be cross-validated without leakage.

    Parameters
    ----------
    text_field : {"title", "abstract", "body"}, default="abstract"
        Part of each article that is used as text. Also use ``"abstract"`` if each
        text is the concatenation of title, keywords and abstract. For ``"abstract"``
        and ``"body"``, X may contain term counts instead of texts.
    random_state : int, RandomState instance or None, default=None
        Controls the random choices of the model, for example the choice of the training
        studies from which Nyström features are computed. Pass an int for reproducible
        results.
    model_names : sequence of str, \
            default=("sentence-transformers/all-MiniLM-L6-v2",)
        Language models that embed titles; see `LLMChunkEmbedder`. Each language model
        adds two `KernelCCA` models to the ensemble for titles. Models for abstracts and
        bodies use no language model.

    Returns
    -------
    estimator : Pipeline or TextBrainEnsemble
        Unfitted estimator. After ``estimator.fit(texts, y)``, call
        ``estimator.predict(texts)`` to predict maps, or the function
        ``similarity(estimator, texts, y)`` to compare texts with maps.

    Raises
    ------
    ValueError
        If `text_field` is not ``"title"``, ``"abstract"`` or ``"body"``, or if
        `model_names` is empty.

    See Also
    --------
    sklearn_neurocontext.experiments.run_benchmark : Score estimators over splits.

    Examples
    --------
    >>> from sklearn_neurocontext import best_text_brain
    >>> list(best_text_brain("abstract", random_state=0).named_steps)
    ['termcounts', 'tfidftransformer', 'kernelcca']
    """
    makers = {
        "title": partial(_title, model_names=model_names),
        "abstract": _abstract,
        "body": _body,
    }
    if text_field not in makers:
        raise ValueError(
            f"text_field must be one of {list(makers)}; got {text_field!r}."
        )
    if isinstance(model_names, str) or not len(model_names):
        raise ValueError(
            "model_names must be a sequence with at least one name; got "
            f"{model_names!r}."
        )
    return makers[text_field](random_state)


def _words(terms, *steps):
    """Build a pipeline that computes sublinear TF-IDF weights, then applies `steps`.

    `terms` contains the parameters of `TermCounts`.
    """
    return make_pipeline(
        TermCounts(**terms), TfidfTransformer(sublinear_tf=True), *steps
    )


def _title(random_state, model_names):
    def model(alpha_text):
        return KernelCCA(
            alpha_text=alpha_text,
            hubness_weight=0.75,
            hubness_temperature=0.1,
            random_state=random_state,
        )

    pairs = {"min_df": 5, "ngram_range": (1, 2), "stop_words": "english"}
    single = {"min_df": 3, "stop_words": "english"}
    words = {"words": _words(pairs, model(10.0))}
    neighbors = {"neighbors_by_words": _words(single, NeighborMaps(0.1), model(30.0))}
    for place, model_name in enumerate(model_names):
        suffix = f"_{place + 1}" if len(model_names) > 1 else ""
        kernel = NystroemKernel(0.3, random_state=random_state)
        words[f"language_model{suffix}"] = make_pipeline(
            LLMChunkEmbedder(model_name), kernel, model(4.0)
        )
        neighbors[f"neighbors_by_language_model{suffix}"] = make_pipeline(
            LLMChunkEmbedder(model_name), NeighborMaps(0.05), model(30.0)
        )
    # The errors of different language models are similar. Therefore, the weight of a
    # language model decreases with the number of language models.
    weight = len(model_names) ** -0.5
    of_language_models = [weight] * len(model_names)
    weights = np.array([1.0, *of_language_models])
    return TextBrainEnsemble(
        list((words | neighbors).items()),
        weights=tuple(np.concatenate([weights, 0.5 * weights]).tolist()),
        random_state=random_state,
    )


def _abstract(random_state):
    # With 3000 Nyström components instead of the default 1500, the kernel is
    # approximated better, but the computation takes twice as long.
    return _words({"min_df": 10}, KernelCCA(n_nystroem=3000, random_state=random_state))


def _body(random_state):
    return _words({"min_df": 10}, KernelCCA(alpha_text=1.0, random_state=random_state))
