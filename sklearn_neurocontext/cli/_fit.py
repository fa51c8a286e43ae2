"""Command ``fit``, which fits a model to a corpus."""

import re
from contextlib import nullcontext

import click

from .._utils.files import expand_path, staged_files, write_table
from .._utils.progress import progress_bar
from ._common import (
    CORPUS_HELP,
    ESTIMATORS,
    MINILM,
    TEXT_ESTIMATORS,
    Text,
    atlas_option,
    corpus_argument,
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

_N_NEAREST = 10
# Name of the subfolder that contains the model. NeuroContextModel.from_pretrained looks
# for this subfolder in the output folder.
_MODEL = "model"
# Pattern of the names of all files that ``fit`` may write in addition to the model.
_WRITTEN = re.compile(
    r"studies\.csv|training\.(csv|png)|nearest_studies\.csv"
    r"|(training_)?predictions\.(csv|nii\.gz)|prediction_[1-9][0-9]*\.png"
)


@click.command(epilog=CORPUS_HELP)
@corpus_argument
@output_option(default="fit_output")
@click.option(
    "--text",
    type=Text(),
    multiple=True,
    help="Text whose map is predicted and compared with the maps of studies. The "
    "option can be repeated.",
)
@click.option(
    "--estimator",
    type=click.Choice((*ESTIMATORS, *TEXT_ESTIMATORS)),
    default="contrastive",
    help="Estimator to fit. best_text_brain has the highest retrieval scores, needs a "
    "few hundred studies, and uses no language model.",
)
@text_field_option(default="title+abstract")
@model_name_option
@atlas_option
@n_components_option(default=256)
@click.option(
    "--n-permutations",
    type=click.IntRange(min=0),
    default=5,
    help="Number of times that the estimator is fitted again, to randomly permuted "
    "pairs of texts and maps. These fits are needed for z maps; with 0, the model has "
    "no z maps.",
)
@random_state_option
def fit(output, text, n_permutations, **settings):
    """Fit a model to a corpus and save it.

    To use the saved model, pass the output folder as --model to the commands map,
    decode and report. Without --text, the coefficients of the training studies are
    predicted.

    \b
    Examples:
      neurocontext fit my_corpus -o my_model
      neurocontext fit nimare --text "n-back with letters"
      neurocontext map "pain" -o map.nii.gz --model my_model
    """
    from ..inference import check_n_permutations, check_overwritable

    estimator = settings["estimator"]
    if estimator in TEXT_ESTIMATORS:
        if settings["model_name"] != MINILM:
            raise click.UsageError(
                f"--estimator {estimator} does not use --model-name."
            )
        settings["model_name"] = None
    check_overwritable(output / _MODEL)
    loaded, studies, masker = prepare(
        settings,
        [estimator],
        check=lambda groups: check_n_permutations(groups, n_permutations),
    )
    note(f"Fitting {estimator} to {len(studies.texts):,} studies …")
    model = fit_settings(settings, studies, masker, n_permutations)
    # An earlier model and its results are replaced only after all new results have been
    # written to a temporary folder.
    with staged_files(output) as staged:
        _write_training(model, staged)
        _write_studies(loaded, studies, staged)
        if text:
            _predict_texts(model, list(text), loaded, studies, staged)
        else:
            _predict_studies(model, loaded, studies, staged)
        model.save(output / _MODEL, overwrite=True)
        _remove_written(output)
    if model.terms:
        number, advice = f"{len(model.terms):,} terms", ""
    else:
        number = "no terms, because no term occurs in five or more studies"
        advice = ". The command decode then needs --text or --corpus"
    click.echo(
        f"{_MODEL}: model with {number}. To use it, pass --model {output} to the "
        f"commands map, decode and report{advice}"
    )
    click.echo(f"All results are in {output}")


def fit_settings(settings, studies, masker, n_permutations):
    """Fit the estimator named in `settings`, and return a NeuroContextModel."""
    from ..experiments import make_embedder, make_estimators, provenance, select_inputs
    from ..inference import fit_model

    name, random_state = settings["estimator"], settings["random_state"]
    made = make_estimators(
        [name], random_state, decoder="residual", text_field=settings["text_field"]
    )
    model_name = settings["model_name"]
    label = "refitting on permuted pairs"
    bar = progress_bar(label) if n_permutations else nullcontext()
    with notes_for_warnings(), bar as update:
        return fit_model(
            made[name],
            select_inputs([name], studies)[name],
            studies.y,
            masker,
            texts=studies.texts,
            groups=studies.groups,
            embedder=make_embedder(model_name).fit() if model_name else None,
            n_permutations=n_permutations,
            random_state=random_state,
            card={"settings": _describe_settings(settings), **provenance()},
            on_progress=update,
        )


def _describe_settings(settings) -> dict:
    """Return the settings that are not None; shorten existing paths to file names."""
    settings = {key: value for key, value in settings.items() if value is not None}
    for name in {"corpus", "atlas", "model_name"} & set(settings):
        path = expand_path(settings[name])
        if path.exists():
            settings[name] = path.resolve().name
    return settings


def _remove_written(output):
    """Remove the files of an earlier fit; `_WRITTEN` matches their names."""
    for path in output.iterdir():
        if _WRITTEN.fullmatch(path.name) and not path.is_dir():
            path.unlink()


def _write_training(model, output):
    """Write the training curve if the estimator is a neural network."""
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from ..plotting import plot_training_curve

    network = model.model[-1] if isinstance(model.model, Pipeline) else model.model
    if not hasattr(network, "history_"):
        return
    write_table(output / "training.csv", pd.DataFrame(network.history_))
    axes = plot_training_curve(network.history_, best_epoch=network.best_epoch_)
    save_figure(axes.figure, output / "training.png")
    click.echo(
        f"training.csv, training.png: training curve; best epoch: {network.best_epoch_}"
    )


def _write_studies(loaded, studies, output):
    """Write the table of the training studies."""
    columns = ["study_id", "pmid", "pmcid", "title", "coordinate_space"]
    used = loaded.studies.iloc[studies.rows][columns]
    write_table(output / "studies.csv", used)
    click.echo(f"studies.csv: the {len(used):,} training studies")


def _predict_studies(model, loaded, studies, output):
    """Write the coefficients predicted for the training studies."""
    from .._utils.validation import american_spelling, array_output

    with array_output():
        if studies.X is None:
            texts = [american_spelling(text) for text in studies.texts]
            predicted = model.model.predict(texts)
        else:  # Skip the first step, because it would embed the texts again.
            predicted = model.model[1:].predict(studies.X)
    ids = loaded.studies["study_id"].iloc[studies.rows].tolist()
    path = output / "training_predictions.csv"
    _write_table(predicted, "study_id", ids, model.masker, path)
    click.echo(
        f"{path.name}: predicted coefficients of the {len(ids):,} training studies. "
        "Predictions for new studies are less accurate. To evaluate the estimator, "
        "use neurocontext benchmark"
    )


def _predict_texts(model, texts, loaded, studies, output):
    """Write the predicted map, a figure and the nearest studies of each text."""
    import pandas as pd

    from .._utils.validation import american_spelling, array_output
    from ..metrics import similarity
    from ..plotting import plot_maps

    path = output / "predictions.csv"
    converted = [american_spelling(text) for text in texts]
    with array_output():
        predicted = model.model.predict(converted)
    _write_table(predicted, "text", texts, model.masker, path)
    click.echo(f"{path.name}: predicted coefficients of the texts, without smoothing")
    with notes_for_warnings():
        maps_img = model.predict_img(texts)
    maps_img.to_filename(output / "predictions.nii.gz")
    click.echo("predictions.nii.gz: predicted maps in the order of the texts")
    nearest = []
    scores = similarity(model.model, converted, studies.y)
    for index, text in enumerate(texts):
        img = maps_img.slicer[..., index]
        description = model.describe_support(text)
        figure = plot_maps(img, title=text, note=description)
        path = save_figure(figure, output / f"prediction_{index + 1}.png")
        click.echo(f"{path.name}: predicted map of “{text}”. {description}".rstrip())
        best = scores[index].argsort()[::-1][:_N_NEAREST]
        found = loaded.studies.iloc[studies.rows[best]][["study_id", "title"]]
        found = found.assign(similarity=scores[index][best])
        found.insert(0, "text", text)
        found.insert(1, "rank", range(1, len(found) + 1))
        nearest.append(found)
    write_table(output / "nearest_studies.csv", pd.concat(nearest))
    click.echo(
        f"nearest_studies.csv: for each text, the {_N_NEAREST} studies with the most "
        "similar maps"
    )


def _write_table(predicted, heading, names, masker, path):
    """Write a table of predicted coefficients with one row per text or study."""
    import pandas as pd

    table = pd.DataFrame(predicted, columns=masker.get_feature_names_out())
    table.insert(0, heading, names)
    write_table(path, table, float_format="%.5g")
