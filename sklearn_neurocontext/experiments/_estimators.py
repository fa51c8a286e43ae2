"""Names, as a command line has them, to embedders, maskers and estimators.

Packages that take long to import are imported by the functions that need them.
"""

from functools import partial

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ESTIMATORS = ("contrastive", "cca", "ridge", "mlp")
# Takes texts; the others take embeddings.
TEXT_ESTIMATORS = ("best_text_brain",)
_MINILM = "minilm"


def make_embedder(encoder: str = _MINILM):
    """Make the embedder of an encoder's name.

    Parameters
    ----------
    encoder : str, default="minilm"
        ``"minilm"`` for the embedder's default, which needs no network; else the name
        or the folder of a language model.

    Returns
    -------
    embedder : LLMChunkEmbedder
        Not fitted.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import make_embedder
    >>> type(make_embedder()).__name__
    'LLMChunkEmbedder'
    """
    from ..text import LLMChunkEmbedder

    if encoder == _MINILM:
        return LLMChunkEmbedder()
    return LLMChunkEmbedder(model_name=encoder)


def make_masker(atlas="geometric", n_components: int = 512):
    """Make the masker of an atlas.

    Parameters
    ----------
    atlas : str or path-like, default="geometric"
        ``"geometric"`` (made from the MNI mask), ``"difumo"`` (downloaded once), or the
        file of a 4D probabilistic atlas.
    n_components : int, default=512
        Number of maps; a file brings its own.

    Returns
    -------
    masker : KDEDiFuMoMasker
        Not fitted.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import make_masker
    >>> make_masker("geometric", 64).n_components
    64
    """
    from ..maskers import KDEDiFuMoMasker

    return KDEDiFuMoMasker(atlas=atlas, n_components=n_components)


def make_estimators(
    names=ESTIMATORS, random_state=0, *, decoder=None, part="title+abstract"
) -> dict:
    """Make the estimators of a benchmark, those of embeddings after a StandardScaler.

    Parameters
    ----------
    names : sequence of str, default=("contrastive", "cca", "ridge", "mlp")
        Which ones; these four take embeddings and have the article's settings, which
        are their defaults. ``"best_text_brain"`` takes texts.
    random_state : int, RandomState instance or None, default=0
        Seed of the nets, and of the landmarks of `best_text_brain`.
    decoder : {"residual", "ridge"} or None, default=None
        Decoder of the contrastive model. Retrieval needs none.
    part : {"title", "abstract", "body", "title+abstract"}, default="title+abstract"
        What the texts are, which the settings of `best_text_brain` depend on.

    Returns
    -------
    estimators : dict of str to estimator
        Not fitted, in the order of `names`.

    Raises
    ------
    ValueError
        If a name is unknown.

    See Also
    --------
    inputs_of : Gives each what it takes.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import make_estimators
    >>> list(make_estimators(["ridge", "cca"]))
    ['ridge', 'cca']
    """
    from .. import models

    def scaled(model, **params):
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
        # Title and abstract together are as long as an abstract.
        "best_text_brain": partial(
            models.best_text_brain, part.split("+")[-1], random_state
        ),
    }
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise ValueError(
            f"Unknown estimators: {', '.join(map(repr, unknown))}. Expected some of "
            f"{', '.join(makers)}."
        )
    return {name: makers[name]() for name in names}


def inputs_of(names, studies) -> dict:
    """Give each estimator of `make_estimators` what it takes.

    Parameters
    ----------
    names : sequence of str
        Of the estimators; one of another name takes embeddings.
    studies : PreparedStudies
        Texts, and embeddings where an estimator takes them.

    Returns
    -------
    inputs : dict of str to ndarray
        Texts, of shape (n_studies,), or embeddings, of shape (n_studies,
        embedding_dim).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.experiments import PreparedStudies, inputs_of
    >>> one = np.ones((1, 4), dtype="float32")
    >>> rows, groups = np.array([0]), np.array(["a"])
    >>> studies = PreparedStudies(rows, ["pain"], one, one, groups, {})
    >>> inputs = inputs_of(["ridge", "best_text_brain"], studies)
    >>> inputs["ridge"].shape, inputs["best_text_brain"].tolist()
    ((1, 4), ['pain'])
    """
    texts = np.array(studies.texts, dtype=object)
    return {name: texts if name in TEXT_ESTIMATORS else studies.X for name in names}
