"""``neurocontext demo``: the main job on the studies that come with NiMARE."""

import time

from ..experiments import ESTIMATORS, make_estimators
from ..inference import NeuroContextModel
from ..model_selection import shuffled_folds
from ._benchmark import headings, measure
from ._console import note, print_differences, print_scores, say
from ._corpus_parsers import ENCODER
from ._steps import (
    SMOOTHING_MM,
    draw_median_study,
    draw_recall_curves,
    from_texts,
    prepare,
    save_figure,
)

_PART = "title+abstract"
_N_COMPONENTS = 256
_N_FOLDS = 15
_KS = (1, 5)
_SEED = 0


def run(arguments):
    """Run the command and say where its results are."""
    started = time.perf_counter()
    output = arguments.output
    corpus, studies, masker = prepare(
        "nimare",
        part=_PART,
        encoder=ENCODER,
        atlas="geometric",
        n_components=_N_COMPONENTS,
        names=ESTIMATORS,
    )
    folds = shuffled_folds(studies.groups, _N_FOLDS, _SEED)
    settings = {"corpus": "nimare", "text": _PART, "encoder": ENCODER}
    settings |= {"atlas": "geometric", "components": _N_COMPONENTS, "seed": _SEED}
    estimators = make_estimators(random_state=_SEED)
    result = measure(
        estimators, studies, folds, output=output, ks=_KS, settings=settings
    )
    result.write(output)
    _print(result, len(studies.texts))
    title = f"{len(studies.texts)} n-back and flanker studies, {_N_FOLDS} folds"
    draw_recall_curves(result, output / "recall_curves.png", title)
    caption = draw_median_study(
        corpus,
        studies,
        masker,
        folds[0],
        name="contrastive",
        part=_PART,
        seed=_SEED,
        path=output / "predicted_and_observed.png",
    )
    say(caption)
    _predict_sentence(arguments.sentence, studies, masker, output)
    say(f"All done in {time.perf_counter() - started:.0f} s. Look into: {output}")


def _print(result, n_studies):
    metrics = headings(_KS, result)
    # Mix&match is the headline: it does not depend on the number of candidates.
    metrics = {"mix_match": metrics.pop("mix_match"), **metrics}
    title = f"{n_studies} studies, {_N_FOLDS} folds; mix&match: chance is 50 %"
    print_scores(result, metrics, title)
    print_differences(result, {"mix_match": "mix&match"})
    n_candidates = min(record["n_candidates"] for record in result.records)
    say(
        f"Recall among {n_candidates} candidates compares with nothing published "
        "(there: 1,000). mix&match: how often the right map beats a wrong one."
    )


def _predict_sentence(sentence, studies, masker, output):
    """Fit to all studies and predict the map of one sentence."""
    from ..plotting import plot_predicted_map

    note("Fitting to all studies for the sentence …")
    model = make_estimators(["contrastive"], _SEED, decoder="residual")["contrastive"]
    model.fit(studies.X, studies.y)
    model = from_texts(model, "contrastive", ENCODER)
    whole = NeuroContextModel(model, masker, smoothing_fwhm=SMOOTHING_MM)
    img = whole.predict_img([sentence]).slicer[..., 0]
    img.to_filename(output / "sentence.nii.gz")
    save_figure(plot_predicted_map(img, text=sentence), output / "sentence.png")
    say(f"sentence.png, sentence.nii.gz: the map predicted for “{sentence}”")
