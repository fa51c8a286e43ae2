"""``neurocontext map``, ``decode`` and ``report``: a trained model at work."""

import numpy as np

from ..datasets import load_corpus
from ..inference import NeuroContextModel
from ..maskers._grid import open_img
from ._console import note, notes_for_warnings, print_frame, say
from ._steps import save_figure


def run_map(arguments):
    """Write the map of a text, and its picture."""
    model = _load(arguments)
    _check_known(model, [arguments.text])
    with notes_for_warnings():
        maps = model.transform([arguments.text])
    name = "z_map" if arguments.z else "brain_map"
    if name not in maps:
        raise ValueError(f"The model in {arguments.model!r} does not know z maps.")
    (img,) = maps[name]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    img.to_filename(arguments.output)
    say(f"{arguments.output}: the map of “{arguments.text}”")
    if arguments.plot:
        from ..plotting import plot_predicted_map

        options = {"unit": "z"} if arguments.z else {}
        if "z_map" in maps:
            options["note"] = model.caveat(maps["z_map"][0])
        figure = plot_predicted_map(img, text=arguments.text, **options)
        say(f"{save_figure(figure, arguments.plot)}: its strongest tenth")


def run_decode(arguments):
    """Print, or write, what matches a map."""
    img = open_img(arguments.image, "image", "a map in MNI space")
    model = _load(arguments)
    _check_known(model, arguments.text or [])
    candidates = arguments.text or "terms"
    if arguments.corpus:
        _index(model, arguments.corpus)
        note(f"Embedding {len(model.studies.titles):,} titles …")
        candidates = "studies"
    ranking = model.decode(img, candidates, k=arguments.k)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        ranking.to_csv(arguments.output, index=False, float_format="%.5g")
        say(f"{arguments.output}: the {len(ranking)} best")
    else:
        print_frame(ranking, f"What matches {arguments.image.name} best")
    n_studies = model.card.get("n_studies")
    of_how_many = f"{n_studies:,} " if isinstance(n_studies, int) else ""
    note(
        "Note: p and q compare with single studies' maps. Of a smooth map (of a group, "
        "a meta-analysis, or predicted) only the order counts. Maps of the "
        f"{of_how_many}studies that the model was trained on match too well."
    )


def run_report(arguments):
    """Write the page about a text."""
    from ..inference import make_report

    model = _load(arguments)
    _check_known(model, [arguments.text])
    if arguments.corpus:
        _index(model, arguments.corpus)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with notes_for_warnings():
        report = make_report(model, arguments.text)
    say(f"{report.save(arguments.output)}: open it")


def _load(arguments):
    return NeuroContextModel.from_pretrained(
        arguments.model, allow_download=arguments.allow_download
    )


def _check_known(model, texts):
    """Refuse texts of which a model of words knows none: all would have one map."""
    if not texts:
        return
    if not model._predictor.has_features:
        return
    features = model._predictor.features(texts)
    known = np.asarray(abs(features).sum(axis=1)).ravel() > 0
    unknown = [text for text, one in zip(texts, known, strict=True) if not one]
    if unknown:
        raise ValueError(
            f"The model knows no word of {unknown[0]!r}, and would give it the map of "
            "any text. Use other words, or a model with a language model."
        )


def _index(model, name):
    with notes_for_warnings():
        corpus = load_corpus(name)
        note(corpus.description)
        model.index_corpus(corpus)
