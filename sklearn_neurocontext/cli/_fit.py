"""``neurocontext fit``: a model of a whole corpus, its tables and predictions."""

import re
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline

from ..evaluation import (
    TEXT_ESTIMATORS,
    inputs_of,
    make_embedder,
    make_estimators,
    predict_coefficients,
    provenance,
    training_statistics,
)
from ..evaluation._statistics import check_exchanges
from ..metrics import similarity
from ..pretrained import NeuroContextModel
from ._console import note, notes_for_warnings, progress_bar, say
from ._corpus_parsers import ENCODER
from ._model_folder import MODEL, check_replaceable, replace_model
from ._steps import prepare, save_figure, words_for_few_studies

_N_NEAREST = 10
_SETTINGS = ("corpus", "text", "estimator", "encoder", "atlas", "components", "seed")
# What fit writes beside the model, not all of it each time.
_WRITTEN = re.compile(
    r"studies\.csv|training\.(csv|png)|nearest_studies\.csv"
    r"|predictions\.(csv|nii\.gz)|prediction_[1-9][0-9]*\.png"
)


def run(arguments):
    """Run the command and say where its results are."""
    output, name = arguments.output, arguments.estimator
    check_replaceable(output / MODEL)
    _check_encoder(name, arguments.encoder)
    corpus, studies, masker = prepare(
        arguments.corpus,
        part=arguments.text,
        encoder=arguments.encoder,
        atlas=arguments.atlas,
        n_components=arguments.components,
        names=[name],
    )
    check_exchanges(studies.groups, arguments.exchanges)
    estimators = make_estimators(
        [name], arguments.seed, decoder="residual", part=arguments.text
    )
    note(f"Fitting {name} to {len(studies.texts):,} studies …")
    X = inputs_of([name], studies)[name]
    with words_for_few_studies([name], len(studies.texts)):
        fitted = estimators[name].fit(X, studies.y)
        statistics = _measure(fitted, X, studies, masker, arguments)
    model = _from_texts(fitted, name, arguments.encoder)
    # Only now, when all that takes long is done, is anything replaced.
    _save(model, statistics, masker, len(studies.texts), arguments)
    _remove_written(output)
    _write_training(fitted, output)
    used = corpus.studies.iloc[studies.rows]
    used[["study_id", "pmid", "pmcid", "title", "reported_space"]].to_csv(
        output / "studies.csv", index=False
    )
    say(f"studies.csv: the {len(used):,} studies of the model")
    if arguments.sentence:
        _predict_sentences(arguments.sentence, model, corpus, studies, masker, output)
    else:
        names = used["study_id"].tolist()
        _write_predictions(predict_coefficients(fitted, X), names, masker, output)
    say(f"All is in {output}")


def _check_encoder(name, encoder):
    """Refuse an encoder that nothing would be embedded with."""
    if name in TEXT_ESTIMATORS and encoder != ENCODER:
        raise ValueError(f"{name} takes no --encoder; leave it out.")


def _from_texts(fitted, name, encoder):
    """Put the embedder in front of what takes embeddings."""
    if name in TEXT_ESTIMATORS:
        return fitted
    embedder = make_embedder(encoder).fit()
    return Pipeline([("llmchunkembedder", embedder), *fitted.steps])


def _measure(fitted, X, studies, masker, arguments):
    """Measure what the model's maps are compared with."""
    with (
        notes_for_warnings(),
        progress_bar("fitting by chance, for z maps") as advance,
    ):
        return training_statistics(
            fitted,
            X,
            studies,
            masker,
            n_exchanges=arguments.exchanges,
            random_state=arguments.seed,
            on_progress=advance,
        )


def _save(model, statistics, masker, n_studies, arguments):
    """Save the model with what its maps are compared with."""
    whole = NeuroContextModel(
        model,
        masker,
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
    replace_model(whole, arguments.output / MODEL)
    say(
        f"{MODEL}: for neurocontext map, decode and report, as --model "
        f"{arguments.output}; it knows {len(statistics.terms):,} terms"
    )


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


def _write_predictions(predicted, names, masker, output):
    table = pd.DataFrame(predicted, columns=masker.get_feature_names_out())
    table.insert(0, "text", names)
    table.to_csv(output / "predictions.csv", index=False, float_format="%.5g")
    say(f"predictions.csv: coefficients of {len(table):,} texts")


def _predict_sentences(sentences, model, corpus, studies, masker, output):
    """Write map, picture and nearest studies of each sentence."""
    from ..plotting import plot_predicted_map

    predicted = predict_coefficients(model, sentences)
    _write_predictions(predicted, sentences, masker, output)
    maps_img = masker.inverse_transform(predicted)
    maps_img.to_filename(output / "predictions.nii.gz")
    say(f"predictions.nii.gz: {len(sentences)} maps, in the order of the sentences")
    nearest = []
    scores = similarity(model, sentences, studies.y)
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
