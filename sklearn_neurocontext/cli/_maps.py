"""Commands ``map``, ``decode`` and ``report``, which use a fitted model."""

import sys
from pathlib import Path

import click

from .._utils.files import atomic_output, write_table
from ._common import (
    POSITIVE_INTEGER,
    OutputPath,
    Text,
    load_with_notes,
    make_console,
    model_options,
    note,
    notes_for_warnings,
    save_figure,
)


@click.command("map")
@click.argument("text", type=Text())
@click.option(
    "--output",
    "-o",
    type=OutputPath(".nii", ".nii.gz", dir_okay=False),
    required=True,
    help="Output file of the map (.nii or .nii.gz).",
)
@click.option(
    "--plot",
    type=OutputPath(".png", ".pdf", ".svg", dir_okay=False),
    help="Output file of a figure of the map (.png, .pdf or .svg).",
)
@click.option(
    "--z",
    is_flag=True,
    help="Write the z map, which is the difference between the map and the mean map, "
    "divided by the null standard deviation.",
)
@model_options
def map_(text, output, plot, z, model, allow_download):
    """Predict the brain map of a text.

    TEXT is a word, a sentence, a title or an abstract.

    \b
    Examples:
      neurocontext map "reading words aloud" -o map.nii.gz --plot map.png
      neurocontext map "finger tapping" -o z.nii.gz --z
      neurocontext map "finger tapping" -o map.nii.gz --model fit_output
    """
    loaded = _load(model, allow_download, [text])
    with notes_for_warnings():
        maps = loaded.transform([text])
    name = "z_map" if z else "brain_map"
    if name not in maps:
        raise ValueError(
            f"--z needs a model with z maps; the model {model!r} does not have z maps. "
            "Fit the model with --n-permutations above 0."
        )
    (img,) = maps[name]
    with atomic_output(output) as temporary:
        img.to_filename(temporary)
    click.echo(f"{output}: {'z map' if z else 'map'} of “{text}”")
    if plot:
        from ..plotting import plot_predicted_map

        options = {"unit": "z value"} if z else {}
        if "z_map" in maps:
            options["note"] = loaded.low_confidence_message(maps["z_map"][0])
        figure = plot_predicted_map(img, text=text, **options)
        click.echo(f"{save_figure(figure, plot)}: figure of the top 10 % of voxels")


@click.command()
@click.argument("img", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--corpus",
    help="Name, file or folder of a corpus, as in neurocontext fit. The titles of its "
    "studies are ranked instead of the terms of the model.",
)
@click.option(
    "--text",
    type=Text(),
    multiple=True,
    help="Text to rank instead of terms. The option can be repeated.",
)
@click.option(
    "-k", type=POSITIVE_INTEGER, default=20, help="Number of candidates to list."
)
@click.option(
    "--output",
    "-o",
    type=OutputPath(dir_okay=False),
    help="Output file of the table (.csv).",
)
@model_options
def decode(img, corpus, text, k, output, model, allow_download):
    """Rank the terms, studies or texts that match a brain map.

    IMG is a NIfTI file of a map in MNI space.

    \b
    Examples:
      neurocontext decode map.nii.gz
      neurocontext decode map.nii.gz --corpus nimare -k 50
      neurocontext decode map.nii.gz --text faces --text pain
    """
    if corpus and text:
        raise click.UsageError("--corpus and --text cannot be used together.")
    loaded = _load(model, allow_download, text)
    if not (loaded.terms or corpus or text):
        raise ValueError(
            f"The model {model!r} has no terms to rank. Pass --text or --corpus."
        )
    candidates = list(text) or "terms"
    if corpus:
        _index_corpus(loaded, corpus)
        note(f"Embedding {len(loaded.studies.titles):,} titles …")
        candidates = "studies"
    with notes_for_warnings():
        ranking = loaded.decode(img, candidates, k=k)
    if output:
        write_table(output, ranking, float_format="%.5g")
        click.echo(f"{output}: the {len(ranking)} best candidates")
    else:
        _print_frame(ranking, f"Best candidates for {img.name}")
    n_studies = loaded.card.get("n_studies")
    number = f"{n_studies:,} " if isinstance(n_studies, int) else ""
    note(
        "Note: the null distribution of p and q values was computed from maps of "
        "single studies. Maps of groups, meta-analyses and predictions are smoother; "
        "for these maps, only the order of candidates is meaningful. Maps of the "
        f"{number}training studies match better than new maps."
    )


@click.command()
@click.argument("text", type=Text())
@click.option(
    "--output",
    "-o",
    type=OutputPath(".html", ".htm", dir_okay=False),
    required=True,
    help="Output file of the page (.html).",
)
@click.option(
    "--corpus",
    help="Name, file or folder of a corpus whose best-matching studies are listed.",
)
@model_options
def report(text, output, corpus, model, allow_download):
    """Write an HTML page about the map of a text.

    TEXT is a word, a sentence, a title or an abstract. The page contains the map, and
    the terms and studies that match it best. It can be viewed offline.

    \b
    Examples:
      neurocontext report "fear" -o report.html
      neurocontext report "fear" -o report.html --corpus nimare
    """
    loaded = _load(model, allow_download, [text])
    if corpus:
        _index_corpus(loaded, corpus)
    from ..inference import make_report

    output.parent.mkdir(parents=True, exist_ok=True)
    with notes_for_warnings():
        page = make_report(loaded, text)
    click.echo(f"{page.save(output)}: report on “{text}”")


def _load(model, allow_download, texts):
    """Load a model, and check that it knows at least one word of each text."""
    if sys.stderr.isatty():
        note("Loading the model …")
    from ..inference import NeuroContextModel

    loaded = NeuroContextModel.from_pretrained(model, allow_download=allow_download)
    known = loaded.has_known_words(texts) if texts else []
    for text, is_known in zip(texts, known, strict=True):
        if not is_known:
            raise ValueError(
                f"The model does not know any word of {text!r}. The predicted map "
                "would be the mean map. Use other words, or a model with a language "
                "model."
            )
    return loaded


def _index_corpus(model, corpus):
    """Load a corpus and add its studies to a model as candidates."""
    loaded = load_with_notes(corpus)
    with notes_for_warnings():
        model.index_corpus(loaded)


def _print_frame(frame, title):
    """Print a DataFrame as a table without interpreting brackets as rich markup."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left")
    for name in frame:
        right = frame[name].dtype.kind == "f"
        table.add_column(name, justify="right" if right else "left")
    for row in frame.itertuples(index=False):
        cells = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row]
        table.add_row(*map(escape, cells))
    make_console().print(table)
