"""``neurocontext map``, ``decode`` and ``report``: use a trained model."""

from pathlib import Path

import click

from ._common import (
    Count,
    OutputPath,
    Text,
    make_console,
    note,
    notes_for_warnings,
    save_figure,
)


def _model_options(command):
    """Add the options that choose a model."""
    command = click.option(
        "--allow-download",
        is_flag=True,
        help="Download a language model or an atlas that the model needs.",
    )(command)
    return click.option(
        "--model",
        default="minilm",
        help="Folder written by neurocontext fit or NeuroContextModel.save, or minilm, "
        "the model of the package.",
    )(command)


@click.command("map")
@click.argument("text", type=Text())
@click.option(
    "--output",
    "-o",
    type=OutputPath(".nii", ".nii.gz", dir_okay=False),
    required=True,
    help="File of the map (.nii.gz).",
)
@click.option(
    "--plot",
    type=OutputPath(".png", ".pdf", ".svg", dir_okay=False),
    help="File of a figure (.png, .pdf, .svg).",
)
@click.option(
    "--z",
    is_flag=True,
    help="Write the z map: the difference from the mean map in null standard "
    "deviations.",
)
@_model_options
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
            f"--z needs a model with z maps; the model in {model!r} has none. Fit it "
            "with --n-permutations above 0."
        )
    (img,) = maps[name]
    output.parent.mkdir(parents=True, exist_ok=True)
    img.to_filename(output)
    click.echo(f"{output}: map of “{text}”")
    if plot:
        from ..plotting import plot_predicted_map

        options = {"unit": "z"} if z else {}
        if "z_map" in maps:
            options["note"] = loaded.low_confidence_message(maps["z_map"][0])
        figure = plot_predicted_map(img, text=text, **options)
        click.echo(f"{save_figure(figure, plot)}: its top 10 % of voxels")


@click.command()
@click.argument("img", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--corpus",
    help="Rank the titles of this corpus (a name or a folder, as for fit) instead of "
    "the terms of the model.",
)
@click.option(
    "--text", type=Text(), multiple=True, help="Rank this text; can be repeated."
)
@click.option("-k", type=Count(), default=20, help="Number of candidates to list.")
@click.option(
    "--output", "-o", type=OutputPath(dir_okay=False), help="File of the table (.csv)."
)
@_model_options
def decode(img, corpus, text, k, output, model, allow_download):
    """Rank the terms, studies or texts that match a brain map.

    IMG is a map in MNI space (.nii.gz).

    \b
    Examples:
      neurocontext decode map.nii.gz
      neurocontext decode map.nii.gz --corpus nimare -k 50
      neurocontext decode map.nii.gz --text faces --text pain
    """
    if corpus and text:
        raise click.UsageError("--corpus and --text cannot be used together.")
    loaded = _load(model, allow_download, text)
    candidates = list(text) or "terms"
    if corpus:
        _index(loaded, corpus)
        note(f"Embedding {len(loaded.studies.titles):,} titles …")
        candidates = "studies"
    ranking = loaded.decode(img, candidates, k=k)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        ranking.to_csv(output, index=False, float_format="%.5g")
        click.echo(f"{output}: the {len(ranking)} best candidates")
    else:
        _print_frame(ranking, f"Best candidates for {img.name}")
    n_studies = loaded.card.get("n_studies")
    number = f"{n_studies:,} " if isinstance(n_studies, int) else ""
    note(
        "Note: p and q values compare with maps of single studies. For a smooth map "
        "(of a group, a meta-analysis or a prediction) only the order is meaningful. "
        f"Maps of the {number}training studies match better than new maps."
    )


@click.command()
@click.argument("text", type=Text())
@click.option(
    "--output",
    "-o",
    type=OutputPath(".html", ".htm", dir_okay=False),
    required=True,
    help="File of the page (.html).",
)
@click.option(
    "--corpus", help="List the best studies of this corpus (a name or a folder)."
)
@_model_options
def report(text, output, corpus, model, allow_download):
    """Write an HTML page about a text: its map, terms and studies.

    TEXT is a word, a sentence, a title or an abstract. The page opens without a
    network.

    \b
    Examples:
      neurocontext report "fear" -o report.html
      neurocontext report "fear" -o report.html --corpus nimare
    """
    from ..inference import make_report

    loaded = _load(model, allow_download, [text])
    if corpus:
        _index(loaded, corpus)
    output.parent.mkdir(parents=True, exist_ok=True)
    with notes_for_warnings():
        page = make_report(loaded, text)
    click.echo(f"{page.save(output)}: page about “{text}”")


def _load(model, allow_download, texts):
    """Load a model that knows a word of each text."""
    from ..inference import NeuroContextModel

    loaded = NeuroContextModel.from_pretrained(model, allow_download=allow_download)
    if texts:
        known = loaded.has_known_words(texts)
        unknown = [
            text for text, is_known in zip(texts, known, strict=True) if not is_known
        ]
        if unknown:
            raise ValueError(
                f"The model knows no word of {unknown[0]!r}: its map would be the mean "
                "map. Use other words, or a model with a language model."
            )
    return loaded


def _index(model, corpus):
    """Load a corpus and index its studies in a model."""
    from ..datasets import load_corpus

    with notes_for_warnings():
        loaded = load_corpus(corpus)
        note(loaded.description)
        model.index_corpus(loaded)


def _print_frame(frame, title):
    """Print a DataFrame, whose texts are not read as rich's markup."""
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
