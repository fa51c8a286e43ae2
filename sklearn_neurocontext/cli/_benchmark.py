"""``neurocontext benchmark`` and ``demo``: compare estimators on the same splits."""

import textwrap
import time
from pathlib import Path

import click

from ._common import (
    CORPUS_HELP,
    ESTIMATORS,
    MINILM,
    TEXT_ESTIMATORS,
    Count,
    Text,
    atlas_option,
    corpus_argument,
    make_console,
    model_name_option,
    n_components_option,
    note,
    output_option,
    prepare,
    progress_bar,
    random_state_option,
    save_figure,
    text_field_option,
)

# Splits of the demo, and k of its recalls.
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


class _CommaSeparated(click.ParamType):
    """Values of one type, separated by commas."""

    def convert(self, value, param, ctx):
        """Return a tuple of converted values."""
        if isinstance(value, tuple):
            return value
        items = [item.strip() for item in value.split(",") if item.strip()]
        if not items:
            self.fail("must contain at least one value.", param, ctx)
        return tuple(self.item_type.convert(item, param, ctx) for item in items)


class _Estimators(_CommaSeparated):
    name = "names"
    item_type = click.Choice((*ESTIMATORS, *TEXT_ESTIMATORS))


class _Integers(_CommaSeparated):
    name = "integers"
    item_type = Count()


class _CandidatesOrFold(click.ParamType):
    """A number of candidates, or the word fold."""

    name = "integer|fold"

    def convert(self, value, param, ctx):
        """Return an integer or ``"fold"``."""
        if value == "fold":
            return value
        return Count().convert(value, param, ctx)


@click.command(epilog=CORPUS_HELP)
@corpus_argument
@output_option("benchmark_output")
@click.option(
    "--estimators",
    type=_Estimators(),
    default=",".join(ESTIMATORS),
    help="Estimators to compare, separated by commas; best_text_brain is another one.",
)
@text_field_option("title")
@model_name_option
@atlas_option
@n_components_option(512)
@click.option("--n-splits", type=Count(), default=15, help="Number of splits.")
@click.option(
    "--n-candidates",
    type=_CandidatesOrFold(),
    default=1000,
    help="Number of studies in each test part, or fold: cross-validation on shuffled "
    "folds of the whole corpus.",
)
@click.option(
    "--ks",
    type=_Integers(),
    default="10,100",
    help="k of each recall@k, separated by commas.",
)
@click.option(
    "--full-training",
    is_flag=True,
    help="Also train the contrastive model for all its epochs on the first split.",
)
@random_state_option
def benchmark(
    output, estimators, n_splits, n_candidates, ks, full_training, **settings
):
    """Compare estimators on the same splits of a corpus.

    Tables, figures and a report are written. A run that was stopped resumes when the
    command is repeated.

    \b
    Examples:
      neurocontext benchmark nimare --n-candidates fold --ks 1,5
      neurocontext benchmark neuroquery+neurosynth --text-field title
    """
    from ..experiments import make_estimators
    from ..inference import make_report

    corpus, text_field = settings["corpus"], settings["text_field"]
    random_state = settings["random_state"]

    def make_splits(groups):
        """Return the splits, or raise ValueError if there are too few studies."""
        return _make_splits(groups, n_splits, n_candidates, random_state, text_field)

    needed = [*estimators, "contrastive"] if full_training else estimators
    loaded, studies, masker = _prepare(settings, needed, check=make_splits)
    splits = make_splits(studies.groups)
    if n_candidates != "fold":
        note(repr(splits))
    run_settings = {name: str(value) for name, value in settings.items()}
    run_settings["files"] = sorted(set(loaded.get("files", {}).values()))
    run_settings["n_studies"] = len(studies.texts)
    options = {"output": output, "ks": ks, "settings": run_settings}
    made = make_estimators(estimators, random_state, text_field=text_field)
    result = _run(made, studies, splits, **options)
    result.write(output)
    metrics = _select_metrics(ks, result)
    _note_missing_recalls(ks, result)
    sizes = sorted({record["n_candidates"] for record in result.records})
    sizes = " to ".join(f"{n:,}" for n in dict.fromkeys((sizes[0], sizes[-1])))
    _print_scores(
        result,
        metrics,
        f"{corpus}, {text_field}: {len(studies.texts):,} studies, {n_splits} splits, "
        f"{sizes} candidates",
    )
    _print_differences(result, metrics)
    if full_training:
        _train_fully(studies, splits, random_state, metrics, options)
    _plot_recall_curves(result, output, f"{corpus}, {text_field}")
    _plot_median_study(
        loaded, studies, masker, splits[0], estimators[0], settings, output
    )
    make_report(None, result).save(output / "report.html")
    click.echo(f"Tables, records, figures and report.html are in {output}")


@click.command()
@output_option("demo_output")
@click.option(
    "--text",
    type=Text(),
    default="working memory load in the n-back task",
    help="Predict the map of this text.",
)
def demo(output, text):
    """Compare four estimators on 320 real studies.

    The studies come with NiMARE and were found by the words n-back and flanker. Tables
    and figures of 15 folds and the predicted map of a text are written. A run that was
    stopped resumes when the command is repeated.

    \b
    Example:
      neurocontext demo --text "reading words aloud"
    """
    from ..experiments import make_estimators
    from ..model_selection import shuffled_folds

    started = time.perf_counter()
    random_state = _DEMO_SETTINGS["random_state"]
    loaded, studies, masker = _prepare(_DEMO_SETTINGS, ESTIMATORS)
    folds = shuffled_folds(studies.groups, _DEMO_N_SPLITS, random_state)
    result = _run(
        make_estimators(ESTIMATORS, random_state),
        studies,
        folds,
        output=output,
        ks=_DEMO_KS,
        settings=_DEMO_SETTINGS,
    )
    result.write(output)
    metrics = _select_metrics(_DEMO_KS, result)
    # First the metric that does not depend on the number of candidates.
    metrics = {"mix_match": metrics.pop("mix_match"), **metrics}
    title = f"{len(studies.texts)} studies, {len(folds)} folds"
    _print_scores(result, metrics, f"{title}; chance level of mix&match: 50 %")
    _print_differences(result, {"mix_match": "mix&match"})
    n_candidates = min(record["n_candidates"] for record in result.records)
    click.echo(
        f"Recall among {n_candidates} candidates is not comparable with published "
        "values, which use 1,000. mix&match is the fraction of wrong maps that score "
        "below the right one."
    )
    _plot_recall_curves(result, output, f"n-back and flanker: {title}")
    _plot_median_study(
        loaded, studies, masker, folds[0], "contrastive", _DEMO_SETTINGS, output
    )
    _predict_text(text, studies, masker, output)
    seconds = time.perf_counter() - started
    click.echo(f"Finished in {seconds:.0f} s. Results are in: {output}")


def _prepare(settings, estimators, check=None):
    names = ("corpus", "text_field", "model_name", "atlas", "n_components")
    arguments = [settings[name] for name in names]
    return prepare(*arguments, estimators=estimators, check=check)


def _make_splits(groups, n_splits, n_candidates, random_state, text_field):
    """Return shuffled folds, or the splits of the paper."""
    from ..model_selection import paper_splits, shuffled_folds

    if n_candidates == "fold":
        return shuffled_folds(groups, n_splits, random_state)
    n_development = 300 if text_field == "body" else 600
    if len(groups) <= n_candidates + n_development:
        raise ValueError(
            f"{len(groups):,} studies are too few for --n-candidates "
            f"{n_candidates:,} and {n_development} development studies. Lower it, or "
            "pass --n-candidates fold, which needs no development studies."
        )
    return paper_splits(
        len(groups), n_splits, n_candidates, random_state, n_development=n_development
    )


def _run(estimators, studies, splits, *, output, ks, settings, reference="ridge"):
    """Run a benchmark with a progress bar and return its result."""
    from ..experiments import run_benchmark, select_inputs

    with progress_bar("fitting") as advance:

        def show(n_done, n_total, record):
            label = f"fitting ({record['estimator']}, split {record['split'] + 1})"
            advance(n_done, n_total, label)

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
    """Return headings of the main scores, by the names that the records have."""
    headings = {f"recall_at_{k}": f"recall@{k}, %" for k in ks}
    headings["mix_match"] = "mix&match, %"
    return {name: text for name, text in headings.items() if name in result.metrics()}


def _note_missing_recalls(ks, result):
    """Print which recalls have a k that is not below the number of candidates."""
    missing = [k for k in ks if f"recall_at_{k}" not in result.metrics()]
    if missing:
        n = min(record["n_candidates"] for record in result.records)
        names = ", ".join(f"recall@{k}" for k in missing)
        note(f"Left out {names}: the smallest test part has {n} candidates.")


def _train_fully(studies, splits, random_state, metrics, options):
    """Train the contrastive model for all its epochs on the first split."""
    from ..experiments import make_estimators

    model = make_estimators(["contrastive"], random_state)["contrastive"]
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
        f"All {record['n_epochs']} epochs on the first split: {scores}; best epoch "
        f"{record['best_epoch']}, {record['fit_seconds']:.0f} s"
    )


def _plot_recall_curves(result, output: Path, title):
    from ..plotting import plot_recall_curves

    axes = plot_recall_curves(result.recall_curves(), title=title)
    save_figure(axes.figure, output / "recall_curves.png")


def _plot_median_study(loaded, studies, masker, split, estimator, settings, output):
    """Plot the predicted and the observed map of the test study of median Dice."""
    from ..experiments import make_estimators, median_study_maps, select_inputs
    from ..plotting import plot_predicted_and_observed

    made = make_estimators(
        [estimator],
        settings["random_state"],
        decoder="residual",
        text_field=settings["text_field"],
    )
    X = select_inputs(made, studies)[estimator]
    maps = median_study_maps(made[estimator], X, studies.y, split, masker)
    row = studies.rows[maps.row]
    title = textwrap.shorten(loaded.studies["title"].iloc[row], 160, placeholder=" …")
    figure = plot_predicted_and_observed(
        maps.predicted_img,
        maps.observed_img,
        title=title or str(loaded.studies["study_id"].iloc[row]),
        peaks=loaded.peaks[row],
    )
    path = save_figure(figure, output / "predicted_and_observed.png")
    click.echo(
        f"{path.name}: the test study of median Dice in the first split, predicted by "
        f"{estimator} (Dice {maps.dice:.2f} of the top 10 % of voxels; mean of "
        f"{len(maps.dice_of_all)} test studies {maps.dice_of_all.mean():.2f})"
    )


def _predict_text(text, studies, masker, output):
    """Fit the contrastive model to all studies and predict the map of a text."""
    from ..experiments import make_embedder, make_estimators
    from ..inference import fit_model
    from ..plotting import plot_predicted_map

    note("Fitting to all studies to predict the map of the text …")
    made = make_estimators(
        ["contrastive"], _DEMO_SETTINGS["random_state"], decoder="residual"
    )["contrastive"]
    embedder = make_embedder(MINILM).fit()
    model = fit_model(
        made,
        studies.X,
        studies.y,
        masker,
        texts=studies.texts,
        groups=studies.groups,
        embedder=embedder,
        n_permutations=0,
    )
    img = model.predict_img([text]).slicer[..., 0]
    img.to_filename(output / "text.nii.gz")
    save_figure(plot_predicted_map(img, text=text), output / "text.png")
    click.echo(f"text.png, text.nii.gz: predicted map of “{text}”")


def _print_scores(result, metrics, title):
    """Print scores in percent, mean ± std over splits, and their chance levels."""
    from rich.table import Table
    from rich.text import Text

    from ..experiments import format_mean_std

    summary = result.summary().set_index(["estimator", "metric"])
    # As Text: names and folders may contain rich's markup.
    table = Table(title=Text(title), title_justify="left")
    table.add_column("estimator")
    for heading in metrics.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("fit, s", justify="right", no_wrap=True)
    for name in summary.index.unique("estimator"):
        rows = [summary.loc[(name, metric)] for metric in metrics]
        cells = [format_mean_std(row["mean"], row["std"]) for row in rows]
        seconds = summary.loc[(name, "fit_seconds"), "mean"]
        table.add_row(Text(name), *cells, f"{seconds:.1f}")
    levels = [100 * summary.loc[(name, metric), "chance"] for metric in metrics]
    table.add_row("chance", *(f"{level:.1f}" for level in levels), "", style="dim")
    make_console().print(table)


def _print_differences(result, metrics):
    """Print differences from the reference in points, with paired intervals."""
    from ..experiments import format_difference

    differences = result.differences().set_index(["estimator", "metric"])
    for name in differences.index.unique("estimator"):
        for metric, heading in metrics.items():
            row = differences.loc[(name, metric)]
            click.echo(
                f"{name} minus {row['reference']}, {heading.removesuffix(', %')}, in "
                f"points [paired 95 % interval]: {format_difference(row)}"
            )
