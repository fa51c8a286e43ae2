"""``neurocontext fit``: fit a model to a corpus and save it."""

import re
from contextlib import nullcontext
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
    model_name_option,
    n_components_option,
    note,
    notes_for_warnings,
    output_option,
    prepare,
    progress_bar,
    random_state_option,
    save_figure,
    text_field_option,
)

_N_NEAREST = 10
# Folder of the model, where from_pretrained looks for it inside the output folder.
_MODEL = "model"
# Files beside the model, not all of which each run writes.
_WRITTEN = re.compile(
    r"studies\.csv|training\.(csv|png)|nearest_studies\.csv"
    r"|(training_)?predictions\.(csv|nii\.gz)|prediction_[1-9][0-9]*\.png"
)


@click.command(epilog=CORPUS_HELP)
@corpus_argument
@output_option("fit_output")
@click.option(
    "--text",
    type=Text(),
    multiple=True,
    help="Predict the map of this text and find studies with similar maps; can be "
    "repeated.",
)
@click.option(
    "--estimator",
    type=click.Choice((*ESTIMATORS, *TEXT_ESTIMATORS)),
    default="contrastive",
    help="Estimator to fit. best_text_brain retrieves best, needs a few hundred "
    "studies and uses no language model.",
)
@text_field_option("title+abstract")
@model_name_option
@atlas_option
@n_components_option(256)
@click.option(
    "--n-permutations",
    type=Count(min=0),
    default=5,
    help="Number of refits on permuted text-map pairs used to estimate the null "
    "distribution of z maps; with 0, the model has no z maps.",
)
@random_state_option
def fit(
    corpus,
    output,
    text,
    estimator,
    text_field,
    model_name,
    atlas,
    n_components,
    n_permutations,
    random_state,
):
    """Fit a model to a corpus and save it.

    The commands map, decode and report use the saved model with --model. Without
    --text, the coefficients of the training studies are predicted.

    \b
    Examples:
      neurocontext fit my_corpus -o my_model
      neurocontext fit nimare --text "n-back with letters"
      neurocontext map "pain" -o map.nii.gz --model my_model
    """
    from ..experiments import make_embedder, make_estimators, provenance, select_inputs
    from ..inference import check_n_permutations, check_overwritable, fit_model

    takes_texts = estimator in TEXT_ESTIMATORS
    if takes_texts and model_name != MINILM:
        raise click.UsageError(f"--estimator {estimator} does not use --model-name.")
    check_overwritable(output / _MODEL)
    loaded, studies, masker = prepare(
        corpus,
        text_field,
        model_name,
        atlas,
        n_components,
        estimators=[estimator],
        check=lambda groups: check_n_permutations(groups, n_permutations),
    )
    settings = {
        "corpus": corpus,
        "text_field": text_field,
        "estimator": estimator,
        "atlas": atlas,
        "n_components": n_components,
        "random_state": random_state,
    }
    if not takes_texts:
        settings["model_name"] = model_name
    note(f"Fitting {estimator} to {len(studies.texts):,} studies …")
    bar = (
        progress_bar("refitting on permuted pairs") if n_permutations else nullcontext()
    )
    with notes_for_warnings(), bar as advance:
        model = fit_model(
            make_estimators(
                [estimator], random_state, decoder="residual", text_field=text_field
            )[estimator],
            select_inputs([estimator], studies)[estimator],
            studies.y,
            masker,
            texts=studies.texts,
            groups=studies.groups,
            embedder=None if takes_texts else make_embedder(model_name).fit(),
            n_permutations=n_permutations,
            random_state=random_state,
            card={"settings": _without_folders(settings), **provenance()},
            on_progress=advance,
        )
    # Nothing is replaced before everything that takes long is done.
    model.save(output / _MODEL, overwrite=True)
    click.echo(
        f"{_MODEL}: for neurocontext map, decode and report, with --model {output}; it "
        f"knows {len(model.terms):,} terms"
    )
    _remove_written(output)
    _write_training(model, output)
    _write_studies(loaded, studies, output)
    if text:
        _predict_texts(model, text, loaded, studies, output)
    else:
        _predict_studies(model, loaded, studies, output)
    click.echo(f"All results are in {output}")


def _without_folders(settings) -> dict:
    """Return settings in which files and folders have their name alone."""
    settings = dict(settings)
    for name in {"corpus", "atlas", "model_name"} & set(settings):
        path = Path(settings[name]).expanduser()
        if path.exists():
            settings[name] = path.resolve().name
    return settings


def _remove_written(output):
    """Remove the files that an earlier fit wrote, by their exact names."""
    for path in output.iterdir():
        if _WRITTEN.fullmatch(path.name) and not path.is_dir():
            path.unlink()


def _write_training(model, output):
    """Write the training curve of a neural network."""
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from ..plotting import plot_training_curve

    network = model.model[-1] if isinstance(model.model, Pipeline) else model.model
    if not hasattr(network, "history_"):
        return
    pd.DataFrame(network.history_).to_csv(output / "training.csv", index=False)
    axes = plot_training_curve(network.history_, best_epoch=network.best_epoch_)
    save_figure(axes.figure, output / "training.png")
    click.echo(f"training.csv, training.png: best epoch {network.best_epoch_}")


def _write_studies(loaded, studies, output):
    """Write the table of the training studies."""
    columns = ["study_id", "pmid", "pmcid", "title", "coordinate_space"]
    used = loaded.studies.iloc[studies.rows][columns]
    used.to_csv(output / "studies.csv", index=False)
    click.echo(f"studies.csv: the {len(used):,} training studies")


def _predict_studies(model, loaded, studies, output):
    """Write the coefficients predicted for the training studies."""
    if studies.X is None:
        predicted = model.model.predict(studies.texts)
    else:  # without the first step, which would embed the texts again
        predicted = model.model[1:].predict(studies.X)
    ids = loaded.studies["study_id"].iloc[studies.rows].tolist()
    path = output / "training_predictions.csv"
    _write_table(predicted, "study_id", ids, model.masker, path)
    click.echo(
        f"{path.name}: coefficients of the {len(ids):,} training studies, nearer to "
        "their maps than predictions for new texts: to score the model, use "
        "neurocontext benchmark"
    )


def _predict_texts(model, texts, loaded, studies, output):
    """Write map, figure and nearest studies of each text."""
    import pandas as pd

    from ..metrics import similarity
    from ..plotting import plot_predicted_map

    texts = list(texts)
    path = output / "predictions.csv"
    _write_table(model.model.predict(texts), "text", texts, model.masker, path)
    click.echo(f"{path.name}: coefficients of the texts, before maps are smoothed")
    maps_img = model.predict_img(texts)
    maps_img.to_filename(output / "predictions.nii.gz")
    click.echo("predictions.nii.gz: maps of the texts, in their order")
    nearest = []
    scores = similarity(model.model, texts, studies.y)
    for index, text in enumerate(texts):
        img = maps_img.slicer[..., index]
        figure = plot_predicted_map(img, text=text)
        path = save_figure(figure, output / f"prediction_{index + 1}.png")
        click.echo(f"{path.name}: predicted map of “{text}”")
        best = scores[index].argsort()[::-1][:_N_NEAREST]
        found = loaded.studies.iloc[studies.rows[best]][["study_id", "title"]]
        found = found.assign(similarity=scores[index][best])
        found.insert(0, "text", text)
        found.insert(1, "rank", range(1, len(found) + 1))
        nearest.append(found)
    pd.concat(nearest).to_csv(output / "nearest_studies.csv", index=False)
    click.echo(f"nearest_studies.csv: the {_N_NEAREST} studies with most similar maps")


def _write_table(predicted, heading, names, masker, path):
    """Write coefficients, one row for each name."""
    import pandas as pd

    table = pd.DataFrame(predicted, columns=masker.get_feature_names_out())
    table.insert(0, heading, names)
    table.to_csv(path, index=False, float_format="%.5g")
