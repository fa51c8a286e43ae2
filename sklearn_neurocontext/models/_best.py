"""The best settings, chosen on development studies; see docs/benchmarks.md."""

from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline

from ..text import LLMChunkEmbedder, TermCounts
from ._ensemble import TextBrainEnsemble
from ._kernel_cca import KernelCCA
from ._neighbor_maps import NeighborMaps
from ._nystroem_kernel import NystroemKernel


def best_text_brain(text_field: str = "abstract", random_state=None):
    """Make the model that retrieves best for a part of the text, raw texts first.

    Word weights, whole, meet a kernel between maps in closed form (`KernelCCA`). For
    titles, which hold few words, three similarities are added: of a language model's
    embeddings, and of the maps of titles that are alike in words or in embeddings.
    Nothing is learned outside of ``fit``, so it can be cross-validated as it is.

    Parameters
    ----------
    text_field : {"title", "abstract", "body"}, default="abstract"
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
        If `text_field` has another value.

    See Also
    --------
    sklearn_neurocontext.experiments.run_benchmark : Scores it over splits.

    Examples
    --------
    >>> from sklearn_neurocontext import best_text_brain
    >>> list(best_text_brain("abstract", random_state=0).named_steps)
    ['termcounts', 'tfidftransformer', 'kernelcca']
    """
    makers = {"title": _title, "abstract": _abstract, "body": _body}
    if text_field not in makers:
        raise ValueError(
            f"text_field must be one of {list(makers)}; got {text_field!r}."
        )
    return makers[text_field](random_state)


def _words(terms, *steps):
    """Sublinear TF-IDF of whole words, then these steps."""
    return make_pipeline(
        TermCounts(**terms), TfidfTransformer(sublinear_tf=True), *steps
    )


def _title(random_state):
    def model(alpha_text):
        return KernelCCA(
            alpha_text=alpha_text,
            hubness_weight=0.75,
            hubness_temperature=0.1,
            random_state=random_state,
        )

    pairs = {"min_df": 5, "ngram_range": (1, 2), "stop_words": "english"}
    single = {"min_df": 3, "stop_words": "english"}
    kernel = NystroemKernel(0.3, random_state=random_state)
    members = {
        "words": _words(pairs, model(10.0)),
        "language_model": make_pipeline(LLMChunkEmbedder(), kernel, model(4.0)),
        "neighbors_by_words": _words(single, NeighborMaps(0.1), model(30.0)),
        "neighbors_by_language_model": make_pipeline(
            LLMChunkEmbedder(), NeighborMaps(0.05), model(30.0)
        ),
    }
    return TextBrainEnsemble(
        list(members.items()), weights=(1, 1, 0.5, 0.5), random_state=random_state
    )


def _abstract(random_state):
    # More landmarks than the default come closer to the kernel, at twice the time.
    return _words({"min_df": 10}, KernelCCA(n_nystroem=3000, random_state=random_state))


def _body(random_state):
    return _words({"min_df": 10}, KernelCCA(alpha_text=1.0, random_state=random_state))
