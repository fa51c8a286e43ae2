"""Whether what an estimator has learned fits together, beyond types and shapes."""

import numpy as np


def check_vocabulary(vectorizer) -> None:
    """Refuse columns that words do not fill from 0 on.

    Parameters
    ----------
    vectorizer : CountVectorizer
        With what it has learned.

    Raises
    ------
    ValueError
        If columns are missing, or beyond the number of words.
    """
    columns = list(vectorizer.vocabulary_.values())
    whole = all(type(column) is int for column in columns)
    if not whole or sorted(columns) != list(range(len(columns))) or not columns:
        raise ValueError("vocabulary_ does not number its words from 0 on")


def check_weights(vectorizer) -> None:
    """Refuse columns beyond the weights, which NumPy would read from elsewhere.

    Parameters
    ----------
    vectorizer : TfidfVectorizer
        With what it has learned.

    Raises
    ------
    ValueError
        If there is not one weight for each word.
    """
    _check_type(vectorizer, "_tfidf", "TfidfTransformer")
    check_vocabulary(vectorizer)
    idf = getattr(vectorizer._tfidf, "idf_", None)
    if idf is not None and len(idf) != len(vectorizer.vocabulary_):
        raise ValueError(
            f"vocabulary_ has {len(vectorizer.vocabulary_)} words and idf_ {len(idf)} "
            "weights"
        )


def check_words(weighting) -> None:
    """Refuse as many weights as there are no columns, where their number is known.

    A ``TfidfVectorizer`` whose ``idf_`` was set, and not learned, does not know it.

    Parameters
    ----------
    weighting : TfidfTransformer
        With what it has learned.

    Raises
    ------
    ValueError
        If there is not one weight for each column.
    """
    n_columns = getattr(weighting, "n_features_in_", None)
    idf = getattr(weighting, "idf_", None)
    if n_columns is not None and idf is not None and len(idf) != n_columns:
        raise ValueError(f"idf_ has {len(idf)} weights for {n_columns} columns")


def check_columns(counter) -> None:
    """Refuse a TermCounts whose terms are not as many as it says, or nowhere.

    Parameters
    ----------
    counter : TermCounts
        With what it has learned.

    Raises
    ------
    ValueError
        If it has both words and columns or neither, or columns are out of range.
    """
    if hasattr(counter, "vectorizer_") == hasattr(counter, "columns_"):
        raise ValueError("it has learned either words or columns, not both or neither")
    if hasattr(counter, "vectorizer_"):
        _check_type(counter, "vectorizer_", "CountVectorizer")
        if len(counter.vectorizer_.vocabulary_) != counter.n_terms_:
            raise ValueError(
                f"vocabulary_ has {len(counter.vectorizer_.vocabulary_)} words and "
                f"n_terms_ is {counter.n_terms_}"
            )
        return
    columns = np.concatenate([[-1], counter.columns_, [counter.n_features_in_]])
    if (np.diff(columns) <= 0).any():
        raise ValueError("columns_ do not rise from 0 to below n_features_in_")


def check_kernel(model) -> None:
    """Refuse a KernelCCA whose settings ask for arrays that it has not.

    Parameters
    ----------
    model : KernelCCA
        With what it has learned.

    Raises
    ------
    ValueError
        If arrays are missing, or there without being asked for.
    """
    wanted = {
        ("nystroem_components_", "nystroem_projection_", "kernel_width_"): (
            model.kernel_width is not None
        ),
        ("text_references_", "brain_references_"): bool(model.hubness_weight),
    }
    for names, asked in wanted.items():
        for name in names:
            if (getattr(model, name, None) is not None) != asked:
                verb = "lacks" if asked else "must not have"
                raise ValueError(f"with its settings it {verb} {name}")
    n_brain_features = len(model.brain_mean_)
    if model.kernel_width is None and n_brain_features != model.n_components_:
        raise ValueError(
            f"brain_mean_ has {n_brain_features} entries for {model.n_components_} "
            "components"
        )


def check_members(ensemble) -> None:
    """Refuse an ensemble whose members are not those that its parameters name.

    Parameters
    ----------
    ensemble : TextBrainEnsemble
        With what it has learned.

    Raises
    ------
    ValueError
        If members and parameters differ in number or type.
    """
    named = [type(member).__name__ for _, member in ensemble.estimators]
    found = [type(member).__name__ for member in ensemble.estimators_]
    if named != found or len(found) != len(ensemble.means_):
        raise ValueError(
            f"estimators_ are {found} with {len(ensemble.means_)} scales; expected "
            f"{named}"
        )
    if ensemble.weights is not None and len(ensemble.weights) != len(found):
        raise ValueError(
            f"weights has {len(ensemble.weights)} entries for {len(found)} members"
        )
    if not (ensemble.stds_ > 0).all():
        raise ValueError("stds_ are not all above zero")


def _check_type(holder, attribute, name):
    if type(getattr(holder, attribute)).__name__ != name:
        raise ValueError(f"{attribute} is no {name}")
