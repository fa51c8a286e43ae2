"""One held-out study's maps, chosen by a rule and not by eye."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from ..metrics import dice_score
from ..models import scale_like_predictions


@dataclass(frozen=True, eq=False)
class StudyMaps:
    """The predicted and the observed map of one held-out study.

    Parameters
    ----------
    row : int
        Row of X and y.
    dice : float
        Dice overlap of the two maps at their strongest voxels, in [0, 1].
    dice_of_all : ndarray of shape (n_test,), float64
        The same of all studies of the test part.
    predicted_img, observed_img : Nifti1Image of shape (nx, ny, nz)
        The maps, both in the unit that the estimator predicts in.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.experiments import StudyMaps
    >>> StudyMaps(3, 0.5, np.array([0.5]), None, None).row
    3
    """

    row: int
    dice: float
    dice_of_all: np.ndarray
    predicted_img: object
    observed_img: object


def median_study_maps(estimator, X, y, split, masker, *, top=0.1) -> StudyMaps:
    """Predict the maps of a test part and take the study of median Dice.

    The median study is neither the best nor the worst: what a picture of it shows is
    what a user may expect.

    Parameters
    ----------
    estimator : estimator
        Unfitted, with ``predict``.
    X : ndarray of shape (n_studies, …)
        What the estimator takes: embeddings or texts.
    y : ndarray of shape (n_studies, n_components)
        Coefficients.
    split : tuple of ndarray
        Training and test rows.
    masker : KDEDiFuMoMasker
        The fitted masker that made y.
    top : float, default=0.1
        Fraction of the voxels compared, see `dice_score`.

    Returns
    -------
    maps : StudyMaps
        The study's row, its maps, and the Dice of all.

    Examples
    --------
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import make_masker, median_study_maps
    >>> corpus = make_studies(n_studies=60, random_state=0)
    >>> masker = make_masker("geometric", 128)
    >>> y = masker.fit_transform(corpus.peaks)
    >>> split = (range(40), range(40, 60))
    >>> maps = median_study_maps(RidgeBaseline(), corpus.latent, y, split, masker)
    >>> maps.predicted_img.shape == maps.observed_img.shape
    True
    """
    train, test = (np.asarray(rows) for rows in split)
    model = clone(estimator).fit(X[train], y[train])
    predicted = model.predict(X[test])
    overlaps = np.array(
        [
            dice_score(*masker.coefficients_to_voxels(pair), top=top)
            for pair in zip(y[test], predicted, strict=True)
        ]
    )
    chosen = int(np.argsort(overlaps, kind="stable")[len(overlaps) // 2])
    observed = scale_like_predictions(model, y[test][chosen][None])[0]
    pair = np.stack([predicted[chosen], observed])
    maps_img = masker.inverse_transform(pair)
    return StudyMaps(
        row=int(test[chosen]),
        dice=float(overlaps[chosen]),
        dice_of_all=overlaps,
        predicted_img=maps_img.slicer[..., 0],
        observed_img=maps_img.slicer[..., 1],
    )
