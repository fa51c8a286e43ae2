"""The best settings, chosen on development studies; see docs/benchmarks.md."""

from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline

from ..models import KernelCCA, TextBrainEnsemble
from ..text import LLMChunkEmbedder, TermCounts


def best_text_brain(part: str = "abstract", random_state=None):
    """Make the model that retrieves best for a part of the text, raw texts first.

    Word weights, whole, meet a kernel between maps in closed form (`KernelCCA`). For
    titles, which hold few words, the similarities of a language model's embeddings are
    added. Nothing is learned outside of ``fit``, so it can be cross-validated as it is.

    Parameters
    ----------
    part : {"title", "abstract", "body"}, default="abstract"
        What the texts are. Titles have to be texts; for abstracts (and title, keywords
        and abstract together) and bodies, counts of terms will do as well.
    random_state : int, RandomState instance or None, default=None
        Choice of the studies that kernels are computed with. An int gives the same
        numbers at each fit.

    Returns
    -------
    estimator : Pipeline or TextBrainEnsemble
        Not fitted. ``fit(texts, y)``, then ``predict(texts)``; its similarity is that
        of ``similarity(estimator, texts, y)``.

    Raises
    ------
    ValueError
        If the part has another name.

    See Also
    --------
    sklearn_neurocontext.evaluation.run_benchmark : Scores it over splits.

    Examples
    --------
    >>> from sklearn_neurocontext import best_text_brain
    >>> list(best_text_brain("abstract", random_state=0).named_steps)
    ['termcounts', 'tfidftransformer', 'kernelcca']
    """
    makers = {"title": _title, "abstract": _abstract, "body": _body}
    if part not in makers:
        raise ValueError(f"part={part!r} is unknown; expected one of {list(makers)}.")
    return makers[part](random_state)


def _words(random_state, terms, **settings):
    """Sublinear TF-IDF of whole words into a KernelCCA."""
    return make_pipeline(
        TermCounts(**terms),
        TfidfTransformer(sublinear_tf=True),
        KernelCCA(random_state=random_state, **settings),
    )


def _title(random_state):
    words = {"min_df": 5, "ngram_range": (1, 2), "stop_words": "english"}
    # gamma=1/0.6: the kernel exp((cosine - 1) / 0.3) between embeddings of norm one.
    return TextBrainEnsemble(
        [
            ("words", _words(random_state, words, hubness_temperature=0.1)),
            (
                "language_model",
                make_pipeline(
                    LLMChunkEmbedder(),
                    Nystroem(
                        gamma=1 / 0.6, n_components=2500, random_state=random_state
                    ),
                    KernelCCA(
                        alpha_text=4.0,
                        hubness_temperature=0.1,
                        random_state=random_state,
                    ),
                ),
            ),
        ],
        random_state=random_state,
    )


def _abstract(random_state):
    return _words(random_state, {"min_df": 10})


def _body(random_state):
    return _words(random_state, {"min_df": 10}, alpha_text=1.0)
