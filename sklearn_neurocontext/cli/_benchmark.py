"""``neurocontext benchmark``: estimators on the same splits."""

from ..experiments import make_estimators, run_benchmark, select_inputs
from ..model_selection import paper_splits, shuffled_folds
from ._console import (
    note,
    print_differences,
    print_scores,
    progress_bar,
    say,
)
from ._steps import (
    draw_median_study,
    draw_recall_curves,
    prepare,
    words_for_few_studies,
)


def run(arguments):
    """Run the command and say where its results are."""
    from ..inference import make_report

    names = arguments.estimators
    estimators = make_estimators(names, arguments.seed, text_field=arguments.text)
    corpus, studies, masker = prepare(
        arguments.corpus,
        part=arguments.text,
        encoder=arguments.encoder,
        atlas=arguments.atlas,
        n_components=arguments.components,
        names=[*names, "contrastive"] if arguments.full_training else names,
        check=lambda groups: _splits(arguments, groups),
    )
    splits = _splits(arguments, studies.groups)
    if arguments.candidates != "fold":
        note(repr(splits))
    settings = {
        name: str(getattr(arguments, name))
        for name in ("corpus", "text", "encoder", "atlas", "components", "seed")
    }
    settings["files"] = sorted(set(corpus.get("files", {}).values()))
    settings["n_studies"] = len(studies.texts)
    result = measure(
        estimators,
        studies,
        splits,
        output=arguments.output,
        ks=arguments.ks,
        settings=settings,
    )
    result.write(arguments.output)
    metrics = headings(arguments.ks, result)
    _note_left_out(arguments.ks, result)
    _print(result, metrics, arguments, len(studies.texts))
    if arguments.full_training:
        _train_fully(arguments, studies, splits, settings, metrics)
    _draw(arguments, result, corpus, studies, masker, splits[0])
    make_report(None, result).save(arguments.output / "report.html")
    say(f"Tables, records, pictures and report.html are in {arguments.output}")


def _draw(arguments, result, corpus, studies, masker, split):
    """Draw the recall curves, and the maps of the first estimator's median study."""
    title = f"{arguments.corpus}, {arguments.text}"
    draw_recall_curves(result, arguments.output / "recall_curves.png", title)
    caption = draw_median_study(
        corpus,
        studies,
        masker,
        split,
        name=arguments.estimators[0],
        part=arguments.text,
        seed=arguments.seed,
        path=arguments.output / "predicted_and_observed.png",
    )
    say(caption)


def headings(ks, result) -> dict:
    """Name the scores a person reads first: those that the records have."""
    wanted = {f"recall_at_{k}": f"recall@{k}, %" for k in ks}
    wanted["mix_match"] = "mix&match, %"
    return {name: words for name, words in wanted.items() if name in result.metrics()}


def measure(estimators, studies, splits, *, output, ks, settings, reference="ridge"):
    """Run the benchmark behind a progress bar.

    Parameters
    ----------
    estimators : dict of str to estimator
        Unfitted, by the names of `make_estimators`.
    studies : PreparedStudies
        X and y.
    splits : sequence of (train, test)
        Rows of `studies`.
    output : Path
        Folder of checkpoints.
    ks : tuple of int
        The k of each recall.
    settings : dict
        Kept beside the numbers.
    reference : str or None, default="ridge"
        Estimator that others are compared with.

    Returns
    -------
    result : BenchmarkResult
        Records and tables.
    """
    few = words_for_few_studies(estimators, len(studies.texts))
    with few, progress_bar("fitting") as advance:

        def show(n_done, n_total, record):
            words = f"fitting ({record['estimator']}, split {record['split'] + 1})"
            advance(n_done, n_total, words)

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


def _splits(arguments, groups):
    if arguments.candidates == "fold":
        return shuffled_folds(groups, arguments.folds, arguments.seed)
    n_studies = len(groups)
    n_development = 300 if arguments.text == "body" else 600
    # `paper_splits` would say it too, but not in options of the command line.
    if n_studies <= arguments.candidates + n_development:
        raise ValueError(
            f"{n_studies:,} studies are too few for test parts of "
            f"{arguments.candidates:,} beside {n_development} development studies. "
            "Take fewer --candidates, or --candidates fold, which sets none aside."
        )
    return paper_splits(
        n_studies,
        n_splits=arguments.folds,
        n_candidates=arguments.candidates,
        random_state=arguments.seed,
        n_development=n_development,
    )


def _note_left_out(ks, result):
    """Say which recalls were asked for that this number of candidates does not give."""
    left_out = [k for k in ks if f"recall_at_{k}" not in result.metrics()]
    if left_out:
        n = min(record["n_candidates"] for record in result.records)
        words = ", ".join(f"recall@{k}" for k in left_out)
        note(f"Left out {words}: the smallest test part has {n} candidates.")


def _print(result, metrics, arguments, n_studies):
    candidates = sorted({record["n_candidates"] for record in result.records})
    pool = " to ".join(f"{n:,}" for n in dict.fromkeys((candidates[0], candidates[-1])))
    print_scores(
        result,
        metrics,
        f"{arguments.corpus}, {arguments.text}: {n_studies:,} studies, "
        f"{arguments.folds} splits, {pool} candidates",
    )
    print_differences(result, metrics)


def _train_fully(arguments, studies, splits, settings, metrics):
    """Train the contrastive model for all its epochs on the first split."""
    model = make_estimators(["contrastive"], arguments.seed)["contrastive"]
    model.set_params(contrastivetextbrain__patience=None)
    result = measure(
        {"contrastive, all epochs": model},
        studies,
        [splits[0]],
        output=arguments.output,
        ks=arguments.ks,
        settings=settings,
        reference=None,
    )
    result.write(arguments.output / "full_training")
    record = result.records[0]
    scores = ", ".join(
        f"{words.removesuffix(', %')} {100 * record[name]:.1f} %"
        for name, words in metrics.items()
    )
    say(
        f"All {record['n_epochs']} epochs on the first split: {scores}; best epoch "
        f"{record['best_epoch']}, {record['fit_seconds']:.0f} s"
    )
