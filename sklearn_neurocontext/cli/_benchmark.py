"""Commands ``benchmark`` and ``demo``, which compare estimators on the same splits."""

import time
import warnings
from pathlib import Path

import click

from .._utils.files import atomic_output
from .._utils.progress import progress_bar
from ._common import (
    CORPUS_HELP,
    ESTIMATORS,
    MINILM,
    POSITIVE_INTEGER,
    TEXT_ESTIMATORS,
    CommaSeparated,
    Text,
    atlas_option,
    corpus_argument,
    make_console,
    model_name_option,
    n_components_option,
    note,
    notes_for_warnings,
    output_option,
    prepare,
    random_state_option,
    save_figure,
    text_field_option,
)
from ._fit import fit_settings

_DEMO_N_SPLITS = 15
_DEMO_KS = (1, 5)
_DEMO_SETTINGS = {
    "corpus": "nimare",
    "text_field": "title+abstract",
    "model_name": MINILM,
    "atlas": "geometric",
    "n_components": 256,
    "random_state": 0,
}


class _Estimators(CommaSeparated):
    """Parameter type of comma-separated names of estimators."""

    name = "names"
    item_type = click.Choice((*ESTIMATORS, *TEXT_ESTIMATORS))


class _Integers(CommaSeparated):
    """Parameter type of comma-separated positive integers."""

    name = "integers"
    item_type = POSITIVE_INTEGER


class _CandidatesOrFold(click.ParamType):
    """Parameter type that accepts a positive integer or the word "fold"."""

    name = "integer|fold"

    def convert(self, value, param, ctx):
        """Return an integer or ``"fold"``."""
        if value == "fold":
            return value
        return POSITIVE_INTEGER.convert(value, param, ctx)


@click.command(epilog=CORPUS_HELP)
@corpus_argument
@output_option(default="benchmark_output")
@click.option(
    "--estimators",
    type=_Estimators(),
    default=",".join(ESTIMATORS),
    help="Comma-separated estimators to compare; best_text_brain is also available.",
)
@text_field_option(default="title")
@model_name_option
@atlas_option
@n_components_option(default=512)
@click.option("--n-splits", type=POSITIVE_INTEGER, default=15, help="Number of splits.")
@click.option(
    "--n-candidates",
    type=_CandidatesOrFold(),
    default=1000,
    help='Number of test studies per split, or the word "fold". With "fold", the '
    "studies are shuffled and divided into folds, as in cross-validation.",
)
@click.option(
    "--ks",
    type=_Integers(),
    default="10,100",
    help="Comma-separated values of k for recall@k.",
)
@click.option(
    "--full-training",
    is_flag=True,
    help="On the first split, also train the contrastive model without early stopping.",
)
@random_state_option
def benchmark(
    output, estimators, n_splits, n_candidates, ks, full_training, **settings
):
    """Compare estimators on the same splits of a corpus.

    The output folder contains tables, figures and a report. To resume an interrupted
    run, repeat the command.

    \b
    Examples:
      neurocontext benchmark nimare --n-candidates fold --ks 1,5
      neurocontext benchmark neuroquery+neurosynth --text-field title
    """
    from ..inference import make_report

    corpus, text_field = settings["corpus"], settings["text_field"]

    def make_splits(groups):
        """Return the splits; raise ValueError if there are too few studies."""
        return _make_splits(groups, n_splits, n_candidates, settings)

    needed = [*estimators, "contrastive"] if full_training else estimators
    loaded, studies, masker = prepare(settings, needed, check=make_splits)
    splits = make_splits(studies.groups)
    if n_candidates != "fold":
        note(repr(splits))
    run_settings = {name: str(value) for name, value in settings.items()}
    run_settings["files"] = sorted(set(loaded.get("files", {}).values()))
    run_settings["n_studies"] = len(studies.texts)
    options = {"output": output, "ks": ks, "settings": run_settings}
    made = _make_estimators(estimators, settings)
    result = _run(made, studies, splits, **options)
    result.write(output)
    metrics = _select_metrics(ks, result)
    _note_missing_recalls(ks, result)
    sizes = [record["n_candidates"] for record in result.records]
    sizes = " to ".join(f"{n:,}" for n in sorted({min(sizes), max(sizes)}))
    title = f"{corpus}, {text_field}"
    _print_scores(
        result,
        metrics,
        f"{title}: {len(studies.texts):,} studies, {n_splits} splits, {sizes} "
        "candidates",
    )
    _print_differences(result, metrics)
    if full_training:
        _train_fully(studies, splits, settings, metrics, options)
    _plot_recall_curves(result, output, title)
    _plot_held_out_studies(
        loaded, studies, masker, splits[0], estimators[0], settings, output
    )
    make_report(None, result).save(output / "report.html")
    click.echo(f"Tables, records, figures and report.html are in {output}")


@click.command()
@output_option(default="demo_output")
@click.option(
    "--text",
    type=Text(),
    default="working memory load in the n-back task",
    help="Text whose map is predicted.",
)
def demo(output, text):
    """Compare four estimators on 320 real studies.

    The studies are distributed with NiMARE and report n-back and flanker tasks. The
    output folder contains tables and figures of a 15-fold cross-validation, observed
    and predicted maps of three held-out studies, and the predicted map of a text. To
    resume an interrupted run, repeat the command.

    \b
    Example:
      neurocontext demo --text "reading words aloud"
    """
    from ..model_selection import shuffled_folds

    started = time.perf_counter()
    settings = _DEMO_SETTINGS
    loaded, studies, masker = prepare(settings, ESTIMATORS)
    folds = shuffled_folds(studies.groups, _DEMO_N_SPLITS, settings["random_state"])
    made = _make_estimators(ESTIMATORS, settings)
    options = {"output": output, "ks": _DEMO_KS, "settings": settings}
    result = _run(made, studies, folds, **options)
    result.write(output)
    metrics = _select_metrics(_DEMO_KS, result)
    # Print mix&match first, because it does not depend on the number of candidates.
    metrics = {"mix_match": metrics.pop("mix_match"), **metrics}
    title = f"{len(studies.texts)} studies, {len(folds)} folds"
    _print_scores(result, metrics, f"{title}; chance level of mix&match: 50 %")
    _print_differences(result, {"mix_match": "mix&match"})
    n_candidates = min(record["n_candidates"] for record in result.records)
    click.echo(
        f"Recall among {n_candidates} candidates is not comparable with published "
        "values, which use 1,000 candidates. Mix&match compares the text of a study "
        "with the study's own map and with the maps of the other studies. It is the "
        "fraction of the other maps that are less similar to the text than the study's "
        "own map."
    )
    _plot_recall_curves(result, output, f"n-back and flanker: {title}")
    _plot_held_out_studies(
        loaded, studies, masker, folds[0], "contrastive", settings, output
    )
    _predict_text(text, studies, masker, output)
    seconds = time.perf_counter() - started
    click.echo(f"Finished in {seconds:.0f} s. Results are in: {output}")


def _make_estimators(names, settings, **options):
    """Return a dict whose keys are the names and whose values are the estimators."""
    from ..experiments import make_estimators

    random_state, text_field = settings["random_state"], settings["text_field"]
    return make_estimators(names, random_state, text_field=text_field, **options)


def _make_splits(groups, n_splits, n_candidates, settings):
    """Return shuffled folds if `n_candidates` is "fold"; otherwise, random splits."""
    from ..model_selection import paper_splits, shuffled_folds

    random_state = settings["random_state"]
    if n_candidates == "fold":
        return shuffled_folds(groups, n_splits, random_state)
    n_development = 300 if settings["text_field"] == "body" else 600
    if len(groups) <= n_candidates + n_development:
        raise ValueError(
            f"{len(groups):,} studies are too few for --n-candidates "
            f"{n_candidates:,} and {n_development} development studies. Lower "
            "--n-candidates, or pass --n-candidates fold, which does not need "
            "development studies."
        )
    return paper_splits(
        len(groups), n_splits, n_candidates, random_state, n_development=n_development
    )


def _run(estimators, studies, splits, *, output, ks, settings, reference="ridge"):
    """Run a benchmark with a progress bar and return its result."""
    from ..experiments import run_benchmark, select_inputs

    with notes_for_warnings(), progress_bar("fitting") as update:

        def show(n_done, n_total, record):
            label = f"fitting ({record['estimator']}, split {record['split'] + 1})"
            update(n_done, n_total, label)

        return run_benchmark(
            estimators,
            select_inputs(estimators, studies),
            studies.y,
            splits,
            output=output,
            on_progress=show,
            ks=ks,
            reference=reference,
            groups=studies.groups,
            settings=settings,
        )


def _select_metrics(ks, result) -> dict:
    """Return a dict that maps the names of the main scores to column headings."""
    headings = {f"recall_at_{k}": f"recall@{k}, %" for k in ks}
    headings["mix_match"] = "mix&match, %"
    return {name: text for name, text in headings.items() if name in result.metrics()}


def _note_missing_recalls(ks, result):
    """Print a note about values of k that are too large for the smallest test set."""
    missing = [k for k in ks if f"recall_at_{k}" not in result.metrics()]
    if missing:
        n = min(record["n_candidates"] for record in result.records)
        names = ", ".join(f"recall@{k}" for k in missing)
        note(f"Skipped {names}: the smallest test set has {n} candidates.")


def _train_fully(studies, splits, settings, metrics, options):
    """Train the contrastive model without early stopping on the first split."""
    model = _make_estimators(["contrastive"], settings)["contrastive"]
    model.set_params(contrastivetextbrain__patience=None)
    made = {"contrastive, all epochs": model}
    result = _run(made, studies, [splits[0]], reference=None, **options)
    result.write(options["output"] / "full_training")
    record = result.records[0]
    scores = ", ".join(
        f"{heading.removesuffix(', %')} {100 * record[name]:.1f} %"
        for name, heading in metrics.items()
    )
    click.echo(
        f"Without early stopping, first split: {scores}. Trained {record['n_epochs']} "
        f"epochs in {record['fit_seconds']:.0f} s; the weights of epoch "
        f"{record['best_epoch']} were kept."
    )


def _plot_recall_curves(result, output: Path, title):
    from ..plotting import plot_recall_curves

    axes = plot_recall_curves(result.recall_curves(), title=title)
    save_figure(axes.figure, output / "recall_curves.png")


def _plot_held_out_studies(loaded, studies, masker, split, estimator, settings, output):
    """Plot maps of three test studies: with high, medium and low Dice."""
    from ..experiments import held_out_studies, select_inputs
    from ..plotting import plot_predicted_and_observed

    made = _make_estimators([estimator], settings, decoder="residual")
    X = select_inputs(made, studies)[estimator]
    peaks = [loaded.peaks[row] for row in studies.rows]
    with warnings.catch_warnings():
        # `prepare` has printed a note about peaks outside the mask.
        warnings.filterwarnings("ignore", "Dropped")
        found, dice = held_out_studies(
            made[estimator], X, studies.y, peaks, split, masker
        )
    table = loaded.studies.iloc[[studies.rows[one.row] for one in found]]
    names = table["title"].where(table["title"] != "", table["study_id"].astype(str))
    figure = plot_predicted_and_observed(
        [one.predicted_img for one in found],
        [one.observed_img for one in found],
        titles=[
            f"{one.percentile}th percentile of Dice ({one.dice:.2f}): {name}"
            for one, name in zip(found, names, strict=True)
        ],
        title=f"Held-out studies: reported peaks, and maps predicted by {estimator}",
    )
    path = save_figure(figure, output / "predicted_and_observed.png")
    percentiles = ", ".join(f"{one.percentile}th" for one in found)
    values = ", ".join(f"{one.dice:.2f}" for one in found)
    click.echo(
        f"{path.name}: for three test studies of the first split, the density of the "
        f"reported peaks and the map predicted by {estimator}. The studies are at the "
        f"{percentiles} percentile of the Dice score for the top 10 % of voxels "
        f"({values}); the mean over {len(dice)} test studies is {dice.mean():.2f}"
    )


def _predict_text(text, studies, masker, output):
    """Fit the contrastive model to all studies; write the predicted map of a text."""
    from ..plotting import plot_maps

    note("Fitting the contrastive model to all studies …")
    settings = _DEMO_SETTINGS | {"estimator": "contrastive"}
    model = fit_settings(settings, studies, masker, n_permutations=0)
    with notes_for_warnings():
        img = model.predict_img([text]).slicer[..., 0]
    with atomic_output(output / "text.nii.gz") as temporary:
        img.to_filename(temporary)
    save_figure(plot_maps(img, title=text), output / "text.png")
    click.echo(f"text.png, text.nii.gz: predicted map of “{text}”")


def _print_scores(result, metrics, title):
    """Print scores in percent with 95 % intervals, and their chance levels."""
    from rich.table import Table
    from rich.text import Text

    from ..experiments import format_interval

    summary = result.summary().set_index(["estimator", "metric"])
    # rich interprets brackets in a title of type str as markup, but not brackets in a
    # title of type rich.text.Text.
    table = Table(title=Text(title), title_justify="left")
    table.add_column("estimator")
    for heading in metrics.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("fit, s", justify="right", no_wrap=True)
    for name in summary.index.unique("estimator"):
        rows = [summary.loc[(name, metric)] for metric in metrics]
        # The interval is on a second line, so that the table is not too wide.
        cells = [format_interval(row).replace(" ", "\n", 1) for row in rows]
        seconds = summary.loc[(name, "fit_seconds"), "mean"]
        table.add_row(Text(name), *cells, f"{seconds:.1f}")
    levels = [100 * summary.loc[(name, metric), "chance"] for metric in metrics]
    table.add_row("chance", *(f"{level:.1f}" for level in levels), "", style="dim")
    make_console().print(table)
    if intervals := result.describe_intervals():
        click.echo(f"Scores are means over splits. {intervals}")


def _print_differences(result, metrics):
    """Print differences from the reference estimator and their 95 % intervals."""
    from ..experiments import format_interval

    differences = result.differences().set_index(["estimator", "metric"])
    for name in differences.index.unique("estimator"):
        for metric, heading in metrics.items():
            row = differences.loc[(name, metric)]
            click.echo(
                f"{name} minus {row['reference']}, {heading.removesuffix(', %')}: "
                "difference in percentage points [paired 95 % interval]: "
                f"{format_interval(row, signed=True)}"
            )
