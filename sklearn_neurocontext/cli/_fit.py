"""``neurocontext fit``: a model of a whole corpus, its tables and predictions."""

import re
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline

from ..experiments import TEXT_ESTIMATORS, inputs_of, make_estimators, provenance
from ..inference import NeuroContextModel, training_statistics
from ..inference._calibration import check_exchanges
from ..inference._storage import INSIDE
from ..metrics import similarity
from ._console import note, notes_for_warnings, progress_bar, say
from ._corpus_parsers import ENCODER
from ._model_folder import check_replaceable, replace_model
from ._steps import (
    SMOOTHING_MM,
    from_texts,
    prepare,
    save_figure,
    words_for_few_studies,
)

_N_NEAREST = 10
_SETTINGS = ("corpus", "text", "estimator", "encoder", "atlas", "components", "seed")
# What fit writes beside the model, not all of it each time.
_WRITTEN = re.compile(
    r"studies\.csv|training\.(csv|png)|nearest_studies\.csv"
    r"|(training_)?predictions\.(csv|nii\.gz)|prediction_[1-9][0-9]*\.png"
)


def run(arguments):
    """Run the command and say where its results are."""
    output, name = arguments.output, arguments.estimator
    check_replaceable(output / INSIDE)
    _check_encoder(name, arguments.encoder)
    corpus, studies, masker = prepare(
        arguments.corpus,
        part=arguments.text,
        encoder=arguments.encoder,
        atlas=arguments.atlas,
        n_components=arguments.components,
        names=[name],
        check=lambda groups: check_exchanges(groups, arguments.exchanges),
    )
    estimators = make_estimators(
        [name], arguments.seed, decoder="residual", part=arguments.text
    )
    note(f"Fitting {name} to {len(studies.texts):,} studies …")
    X = inputs_of([name], studies)[name]
    with words_for_few_studies([name], len(studies.texts)):
        fitted = estimators[name].fit(X, studies.y)
        statistics = _measure(fitted, X, studies, masker, arguments)
    model = from_texts(fitted, name, arguments.encoder)
    # Only now, when all that takes long is done, is anything replaced.
    whole = _save(model, statistics, masker, len(studies.texts), arguments)
    _remove_written(output)
    _write_training(fitted, output)
    used = corpus.studies.iloc[studies.rows]
    used[["study_id", "pmid", "pmcid", "title", "reported_space"]].to_csv(
        output / "studies.csv", index=False
    )
    say(f"studies.csv: the {len(used):,} studies of the model")
    if arguments.sentence:
        _predict_sentences(arguments.sentence, whole, corpus, studies, output)
    else:
        path = output / "training_predictions.csv"
        names = used["study_id"].tolist()
        _write_table(fitted.predict(X), "study_id", names, masker, path)
        say(
            f"{path.name}: coefficients of the {len(names):,} studies that the model "
            "was fitted to, nearer to their maps than those of new texts: to score "
            "the model, take neurocontext benchmark"
        )
    say(f"All is in {output}")


def _check_encoder(name, encoder):
    """Refuse an encoder that nothing would be embedded with."""
    if name in TEXT_ESTIMATORS and encoder != ENCODER:
        raise ValueError(f"{name} takes no --encoder; leave it out.")


def _measure(fitted, X, studies, masker, arguments):
    """Measure what the model's maps are compared with."""
    words = "fitting by chance, for z maps"
    bar = progress_bar(words) if arguments.exchanges else nullcontext()
    with notes_for_warnings(), bar as advance:
        return training_statistics(
            fitted,
            X,
            studies,
            masker,
            smoothing_fwhm=SMOOTHING_MM,
            n_exchanges=arguments.exchanges,
            random_state=arguments.seed,
            on_progress=advance,
        )


def _save(model, statistics, masker, n_studies, arguments):
    """Save the model with what its maps are compared with."""
    whole = NeuroContextModel(
        model,
        masker,
        smoothing_fwhm=SMOOTHING_MM,
        terms=statistics.terms,
        mean=statistics.mean,
        z_scale=statistics.z_scale,
        reference=statistics.reference,
        card={
            "settings": _settings(arguments),
            "n_studies": n_studies,
            "n_reference": len(statistics.reference),
            "n_exchanges": arguments.exchanges,
            **provenance(),
        },
    )
    replace_model(whole, arguments.output / INSIDE)
    say(
        f"{INSIDE}: for neurocontext map, decode and report, as --model "
        f"{arguments.output}; it knows {len(statistics.terms):,} terms"
    )
    return whole


def _settings(arguments) -> dict:
    """Say what the model was made of, with files and folders by their name alone."""
    settings = {name: str(getattr(arguments, name)) for name in _SETTINGS}
    if arguments.estimator in TEXT_ESTIMATORS:
        del settings["encoder"]
    for name in {"corpus", "atlas", "encoder"} & set(settings):
        path = Path(settings[name]).expanduser()
        if path.exists():
            settings[name] = path.resolve().name
    return settings


def _remove_written(output):
    """Remove what an earlier fit wrote, by its exact names."""
    for path in output.iterdir():
        if _WRITTEN.fullmatch(path.name) and not path.is_dir():
            path.unlink()


def _write_training(fitted, output):
    """Write how the net was trained, where the estimator is one."""
    model = fitted[-1] if isinstance(fitted, Pipeline) else fitted
    if not hasattr(model, "history_"):
        return
    from ..plotting import plot_training_curve

    pd.DataFrame(model.history_).to_csv(output / "training.csv", index=False)
    axes = plot_training_curve(model.history_, best_epoch=model.best_epoch_)
    save_figure(axes.figure, output / "training.png")
    say(f"training.csv, training.png: best epoch {model.best_epoch_}")


def _write_table(predicted, heading, names, masker, path):
    table = pd.DataFrame(predicted, columns=masker.get_feature_names_out())
    table.insert(0, heading, names)
    table.to_csv(path, index=False, float_format="%.5g")


def _predict_sentences(sentences, whole, corpus, studies, output):
    """Write map, picture and nearest studies of each sentence."""
    from ..plotting import plot_predicted_map

    predicted = whole.model.predict(sentences)
    path = output / "predictions.csv"
    _write_table(predicted, "text", sentences, whole.masker, path)
    say(f"{path.name}: coefficients of the sentences, before maps are smoothed")
    maps_img = whole.predict_img(sentences)
    maps_img.to_filename(output / "predictions.nii.gz")
    say("predictions.nii.gz: one map for each, in their order")
    nearest = []
    scores = similarity(whole.model, sentences, studies.y)
    for index, sentence in enumerate(sentences):
        img = maps_img.slicer[..., index]
        figure = plot_predicted_map(img, text=sentence)
        path = save_figure(figure, output / f"prediction_{index + 1}.png")
        say(f"{path.name}: the map predicted for “{sentence}”")
        best = scores[index].argsort()[::-1][:_N_NEAREST]
        found = corpus.studies.iloc[studies.rows[best]][["study_id", "title"]]
        found = found.assign(similarity=scores[index][best])
        found.insert(0, "sentence", sentence)
        found.insert(1, "rank", range(1, len(found) + 1))
        nearest.append(found)
    pd.concat(nearest).to_csv(output / "nearest_studies.csv", index=False)
    say(f"nearest_studies.csv: the {_N_NEAREST} studies whose maps are most similar")
