"""Commands ``map``, ``decode`` and ``report``, which use a fitted model."""

import re
import unicodedata
from pathlib import Path

import click

from .._utils.files import atomic_output, write_table
from ._common import (
    POSITIVE_INTEGER,
    OutputPath,
    Text,
    find_query,
    img_argument,
    index_corpus,
    list_peaks,
    load_model,
    model_options,
    note,
    notes_for_warnings,
    peaks_option,
    plot_map,
    plot_option,
    print_frame,
    views_option,
)

_IMG_PATH = OutputPath(".nii", ".nii.gz", dir_okay=False)
# Number of texts of a file whose maps are in memory at the same time.
_BATCH = 100
# Lists of terms of a model, as in NeuroContextModel.decode.
_TERM_LISTS = ("terms", "methods", "all_terms")


@click.command("map")
@click.argument("text", type=Text(), required=False)
@click.option(
    "--texts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Text file (UTF-8) with one text per line, in place of TEXT.",
)
@click.option(
    "--minus",
    type=Text(),
    help="Text whose map is subtracted from the map of each text.",
)
@click.option(
    "--output",
    "-o",
    type=OutputPath(),
    required=True,
    help="Output file of the map (.nii or .nii.gz); with --texts, output folder.",
)
@plot_option
@views_option
@click.option(
    "--peaks",
    type=OutputPath(dir_okay=False),
    help="Output file of a table of the peaks and their regions (.csv). With --plot, "
    "the figure also contains the first rows of the table.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, min_open=True),
    help="Smallest magnitude in the figure and in the table of peaks. By default, it "
    "is 3 with --z. Otherwise, the strongest 10 % of the brain voxels are shown.",
)
@click.option(
    "--z",
    is_flag=True,
    help="Write the z map: the difference between the map and the mean map, divided by "
    "the standard deviation of such differences in models fitted to random pairs of "
    "texts and maps.",
)
@model_options
@click.pass_context
def map_(
    context,
    text,
    texts,
    minus,
    output,
    plot,
    views,
    peaks,
    threshold,
    z,
    model,
    allow_download,
):
    """Predict the brain map of a text, or of each line of a file.

    TEXT is a word, a sentence, a title or an abstract. The command prints how many
    training studies support the map of the text. With --minus, it predicts the
    difference between the maps of two texts. With --texts, it writes one map per line,
    and a table maps.csv of the files, texts and numbers of studies.

    \b
    Examples:
      neurocontext map "reading words aloud" -o map.nii.gz --plot map.png
      neurocontext map "finger tapping" -o z.nii.gz --z --plot z.png --peaks z.csv
      neurocontext map "finger tapping" -o map.nii.gz --model fit_output
      neurocontext map "reading aloud" --minus "silent reading" -o difference.nii.gz
      neurocontext map --texts texts.txt -o maps
    """
    if (text is None) == (texts is None):
        raise click.UsageError("Pass either TEXT or --texts FILE.")
    if texts and (plot or peaks):
        raise click.UsageError(
            "--texts cannot be used together with --plot or --peaks."
        )
    kind = OutputPath(file_okay=False) if texts else _IMG_PATH
    output = kind.convert(output, _find_option(context, "output"), context)
    queries = _read_texts(texts) if texts else [text]
    loaded = load_model(model, allow_download, [*queries, *filter(None, [minus])])
    name = "z_map" if z else "brain_map"
    if texts:
        _write_maps(loaded, queries, minus, name, output)
        return
    with notes_for_warnings():
        maps = loaded.transform([text], minus=minus)
    (img,) = _select_maps(maps, name)
    with atomic_output(output) as temporary:
        img.to_filename(temporary)
    label = f"“{text}” minus “{minus}”" if minus else f"“{text}”"
    click.echo(f"{output}: {'z map' if z else 'map'} of {label}")
    for one in filter(None, [text, minus]):
        description = loaded.describe_support(one)
        if description:
            click.echo(f"“{one}”: {description}")
    from ..plotting import DENSITY_UNIT, Z_THRESHOLD

    options = {
        "threshold": threshold or (Z_THRESHOLD if z else None),
        "two_sided": z or bool(minus),
    }
    table = list_peaks(img, peaks, **options) if peaks else None
    if plot:
        unit = f"difference of {DENSITY_UNIT}" if minus else DENSITY_UNIT
        title = f"{text} minus {minus}" if minus else text
        texts = {"title": title, "unit": "z value" if z else unit}
        if not minus:
            texts["note"] = _describe_map(loaded, maps, text)
        plot_map(img, plot, views=views, peaks=table, **texts, **options)


def _describe_map(model, maps, text) -> str:
    """Return the support of a text, and the warning about its map if there is one."""
    parts = [model.describe_support(text)]
    if "z_map" in maps:
        parts.append(model.low_confidence_message(maps["z_map"][0], text))
    return " ".join(filter(None, parts))


def _find_option(context, name):
    """Return the option `name` of the command of a context."""
    return next(one for one in context.command.params if one.name == name)


def _select_maps(maps, name) -> list:
    """Return the maps of the kind `name`; raise ValueError if the model has none."""
    if name not in maps:
        raise ValueError(
            "--z needs a model with z maps; this model does not have z maps. Fit the "
            "model with --n-permutations above 0."
        )
    return maps[name]


def _read_texts(path) -> list:
    """Return the texts of a file, one per line; blank lines are omitted."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} must be a text file in UTF-8.") from error
    texts = [line.strip() for line in lines if line.strip()]
    for text in texts:
        if not any(map(str.isalnum, text)):
            raise ValueError(
                f"Each line of {str(path)!r} must contain at least one word; got "
                f"{text!r}."
            )
    if not texts:
        raise ValueError(f"{str(path)!r} must contain at least one text; got none.")
    return texts


def _write_maps(model, texts, minus, name, folder):
    """Write one map per text, and the table maps.csv of files and texts."""
    import pandas as pd

    n_digits = len(str(len(texts)))
    files, n_studies = [], []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        with notes_for_warnings():
            maps = model.transform(batch, minus=minus)
        imgs = _select_maps(maps, name)
        n_studies.extend(maps.get("n_studies", []))
        for text, img in zip(batch, imgs, strict=True):
            files.append(f"{len(files) + 1:0{n_digits}}_{_shorten(text)}.nii.gz")
            with atomic_output(folder / files[-1]) as temporary:
                img.to_filename(temporary)
    table = pd.DataFrame({"file": files, "text": texts})
    if n_studies:
        table["n_studies"] = n_studies
    write_table(folder / "maps.csv", table, float_format="%.5g")
    click.echo(f"{folder}: {len(files):,} maps, and maps.csv with their texts")


def _shorten(text) -> str:
    """Return at most 40 ASCII letters, digits and hyphens, for a file name."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower())[:40].strip("-") or "text"


@click.command()
@img_argument
@peaks_option
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
    "--candidates",
    type=click.Choice([*_TERM_LISTS, "tasks", "concepts", "disorders", "domains"]),
    default="terms",
    metavar="KIND",
    help="Terms of the model: terms (of neuroscience), methods or all_terms; or "
    "entries of the Cognitive Atlas: tasks, concepts, disorders or domains. The atlas "
    "(2 MB) is downloaded once.",
)
@click.option(
    "--null",
    type=click.Choice(["auto", "studies", "pooled", "surrogates"]),
    default="auto",
    help="Maps with which p values are computed: of single studies, means of several "
    "studies, or random maps as smooth as the map. By default, the map decides.",
)
@click.option(
    "--tail",
    type=click.Choice(["positive", "negative", "both"]),
    default="positive",
    help="Similarities that count as evidence. Use negative or both for contrasts.",
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
def decode(
    img, peaks, corpus, text, candidates, null, tail, k, output, model, allow_download
):
    """Rank terms, studies or tasks that match a map or peaks.

    IMG is a NIfTI file of a map or a mask in MNI space. A mask is replaced by the
    density of peaks that are uniformly distributed in the mask.

    \b
    Examples:
      neurocontext decode map.nii.gz
      neurocontext decode --peak -42 -22 54 --peak 4 0 60
      neurocontext decode map.nii.gz --corpus nimare -k 50
      neurocontext decode map.nii.gz --text faces --text pain
      neurocontext decode map.nii.gz --candidates tasks
      neurocontext decode contrast.nii.gz --tail both
    """
    is_ontology = candidates not in _TERM_LISTS
    if bool(corpus) + bool(text) + (candidates != "terms") > 1:
        raise click.UsageError(
            "--corpus, --text and --candidates cannot be used together."
        )
    query, name = find_query(img, peaks)
    loaded = load_model(model, allow_download, text)
    if not (loaded.terms or corpus or text or is_ontology):
        raise ValueError(
            f"The model {model!r} has no terms to rank. Pass --text or --corpus."
        )
    candidates = list(text) or candidates
    if is_ontology:
        note(f"Comparing the map with the {candidates} of the Cognitive Atlas …")
    if corpus:
        index_corpus(loaded, corpus)
        note(f"Embedding {len(loaded.studies.titles):,} titles …")
        candidates = "studies"
    with notes_for_warnings():
        ranking = loaded.decode(query, candidates, k=k, null=null, tail=tail)
    if output:
        write_table(output, ranking, float_format="%.5g")
        click.echo(f"{output}: the {len(ranking)} best candidates")
    else:
        print_frame(ranking, f"Best candidates for {name}")
    n_studies = loaded.card.get("n_studies")
    number = f"{n_studies:,} " if isinstance(n_studies, int) else ""
    note(
        "Note: percentiles, p and q values compare each similarity with a null "
        f"distribution: {ranking.attrs['null_maps']} (null: {ranking.attrs['null']}). "
        f"Maps of the {number}training studies match better than new maps."
    )
    if is_ontology:
        note(
            "Probabilities are not calibrated: compare them with prior probabilities. "
            "The Cognitive Atlas (https://www.cognitiveatlas.org) is licensed under CC "
            "BY-SA 3.0."
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
    loaded = load_model(model, allow_download, [text])
    if corpus:
        index_corpus(loaded, corpus)
    from ..inference import make_report

    output.parent.mkdir(parents=True, exist_ok=True)
    with notes_for_warnings():
        page = make_report(loaded, text)
    click.echo(f"{page.save(output)}: report on “{text}”")
