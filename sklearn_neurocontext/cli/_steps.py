"""Steps that several commands share."""

import textwrap
from contextlib import contextmanager
from pathlib import Path

from sklearn.pipeline import Pipeline

from ..datasets import load_corpus
from ..experiments import (
    TEXT_ESTIMATORS,
    make_embedder,
    make_estimators,
    make_masker,
    median_study_maps,
    prepare_studies,
    select_inputs,
)
from ._console import note, notes_for_warnings, progress_bar

# Of predicted maps, full width at half maximum; docs/benchmarks.md has what it gains.
SMOOTHING_MM = 14.0


def prepare(corpus_name, *, part, encoder, atlas, n_components, names, check=None):
    """Load a corpus, embed its texts and compute its coefficients, with notes.

    Parameters
    ----------
    corpus_name, part, encoder, atlas : str
        As the command line has them.
    n_components : int
        Maps of the atlas.
    names : sequence of str
        Of the estimators; where all take texts, none are embedded.
    check : callable or None, default=None
        Given the study of each usable row before texts are embedded; what it raises
        ends the command.

    Returns
    -------
    corpus : Bunch
        The corpus.
    studies : PreparedStudies
        Its usable studies.
    masker : KDEDiFuMoMasker
        Fitted.
    """
    with notes_for_warnings():
        corpus = load_corpus(corpus_name)
    note(corpus.description)
    masker = make_masker(atlas, n_components)
    embedder = None if set(names) <= set(TEXT_ESTIMATORS) else make_embedder(encoder)
    words = "computing coefficients" if embedder is None else "embedding texts"
    with notes_for_warnings(), progress_bar(words) as advance:
        studies = prepare_studies(
            corpus, part, embedder, masker, check=check, on_progress=advance
        )
    note(
        f"{len(studies.texts):,} of {len(corpus.peaks):,} studies have a text "
        f"({part}) and a peak in the mask; coefficients took "
        f"{studies.seconds['coefficients']:.0f} s, embeddings "
        f"{studies.seconds['embeddings']:.0f} s."
    )
    return corpus, studies, masker


def from_texts(fitted, name, encoder):
    """Put the embedder in front of a pipeline that takes embeddings.

    Parameters
    ----------
    fitted : estimator
        Of `make_estimators`, fitted.
    name : str
        Its name.
    encoder : str
        As the command line has it.

    Returns
    -------
    model : estimator
        Fitted, from texts.
    """
    if name in TEXT_ESTIMATORS:
        return fitted
    embedder = make_embedder(encoder).fit()
    return Pipeline([("llmchunkembedder", embedder), *fitted.steps])


@contextmanager
def words_for_few_studies(names, n_studies):
    """Say in words of the command line that studies share too few words.

    Only estimators that take texts, among `names`, learn from words.
    """
    try:
        yield
    except ValueError as error:
        if "min_df" not in str(error) or not set(names) & set(TEXT_ESTIMATORS):
            raise
        raise ValueError(
            "best_text_brain learns from words that several studies share, and of "
            f"{n_studies:,} studies too few do. Take a larger corpus, another --text, "
            "or another estimator, such as cca."
        ) from error


def save_figure(figure, path: Path) -> Path:
    """Save a picture for screens and talks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def draw_recall_curves(result, path: Path, title: str) -> Path:
    """Draw the recall curves of all estimators."""
    from ..plotting import plot_recall_curves

    return save_figure(
        plot_recall_curves(result.recall_curves(), title=title).figure, path
    )


def draw_median_study(
    corpus, studies, masker, split, *, name, part, seed, path: Path
) -> str:
    """Draw the predicted and the observed map of the median study of a test part.

    Parameters
    ----------
    corpus : Bunch
        The corpus.
    studies : PreparedStudies
        Its usable studies.
    masker : KDEDiFuMoMasker
        Fitted.
    split : tuple of ndarray
        Training and test rows of `studies`.
    name : str
        Estimator that predicts.
    part : str
        What the texts are.
    seed : int
        Of the nets.
    path : Path
        Where the picture goes.

    Returns
    -------
    caption : str
        What the picture shows.
    """
    from ..plotting import plot_predicted_and_observed

    estimators = make_estimators([name], seed, decoder="residual", text_field=part)
    X = select_inputs([name], studies)[name]
    maps = median_study_maps(estimators[name], X, studies.y, split, masker)
    row = studies.rows[maps.row]
    title = textwrap.shorten(corpus.studies["title"].iloc[row], 160, placeholder=" …")
    figure = plot_predicted_and_observed(
        maps.predicted_img,
        maps.observed_img,
        title=title or str(corpus.studies["study_id"].iloc[row]),
        peaks=corpus.peaks[row],
    )
    save_figure(figure, path)
    return (
        f"{path.name}: the held-out study of median Dice in the first split "
        f"({maps.dice:.2f} at the strongest tenth of voxels; mean over "
        f"{len(maps.dice_of_all)} held-out studies {maps.dice_of_all.mean():.2f}), "
        f"predicted by {name}"
    )
