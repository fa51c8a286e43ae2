"""``neurocontext fit``: a model of a whole corpus, its tables and predictions."""

import pandas as pd

from ..evaluation import make_embedder, make_estimators
from ..metrics import similarity
from ._console import note, say
from ._steps import prepare, save_figure

_N_NEAREST = 10


def run(arguments):
    """Run the command and say where its results are."""
    output = arguments.output
    corpus, studies, masker = prepare(
        arguments.corpus,
        arguments.text,
        arguments.encoder,
        arguments.atlas,
        arguments.components,
    )
    name = arguments.estimator
    model = make_estimators([name], arguments.seed, decoder="residual")[name]
    note(f"Fitting {name} to {len(studies.texts):,} studies …")
    model.fit(studies.X, studies.y)
    output.mkdir(parents=True, exist_ok=True)
    for stale in output.glob("prediction*"):  # of an earlier run, for other sentences
        stale.unlink()
    (output / "nearest_studies.csv").unlink(missing_ok=True)
    _write_training(model[-1], output)
    used = corpus.studies.iloc[studies.rows]
    used[["study_id", "pmid", "pmcid", "title", "reported_space"]].to_csv(
        output / "studies.csv", index=False
    )
    say(f"studies.csv: the {len(used):,} studies of the model")
    if arguments.sentence:
        _predict_sentences(arguments, model, corpus, studies, masker)
    else:
        names = used["study_id"].tolist()
        _write_predictions(model.predict(studies.X), names, masker, output)
    say(f"All is in {output}")


def _write_training(model, output):
    """Write how the net was trained, where the estimator is one."""
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


def _predict_sentences(arguments, model, corpus, studies, masker):
    """Write map, picture and nearest studies of each sentence."""
    from ..plotting import plot_predicted_map

    sentences, output = arguments.sentence, arguments.output
    X = make_embedder(arguments.encoder).fit(sentences).transform(sentences)
    predicted = model.predict(X)
    _write_predictions(predicted, sentences, masker, output)
    maps_img = masker.inverse_transform(predicted)
    maps_img.to_filename(output / "predictions.nii.gz")
    say(f"predictions.nii.gz: {len(sentences)} maps, in the order of the sentences")
    nearest = []
    scores = similarity(model, X, studies.y)
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
