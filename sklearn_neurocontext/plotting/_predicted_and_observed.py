"""The map predicted for a study below the one it reports."""

from ._glass_brain import (
    check_study_peaks,
    draw_glass_brain,
    figure_with_title,
    keep_strongest,
    read_map,
)
from ._style import UNIT_NORM, check_title


def plot_predicted_and_observed(
    predicted_img,
    observed_img,
    *,
    title=None,
    peaks=None,
    top=0.1,
    unit=UNIT_NORM,
):
    """Draw the map a study reports and the one predicted from its text.

    Each map has its own colour scale, since a prediction is an expectation over studies
    and flatter than the map of one study; what can be compared is where they are
    strong. The voxels drawn are those that
    :func:`~sklearn_neurocontext.metrics.dice_score` compares for the same `top`.

    Parameters
    ----------
    predicted_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        What ``masker.inverse_transform(model.predict([text]))`` gives, in MNI space.
    observed_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        The same for the coefficients of the study's peaks; where models scale studies
        to norm 1, of coefficients divided by their norm.
    title : str or None, default=None
        The study's title. Drawn as it is, on two lines at most, the rest an ellipsis;
        no part of it is read as mathematics.
    peaks : array-like of shape (n_peaks, 3) or None, default=None
        The study's peaks, mm in MNI space, marked on the observed map, with a legend.
    top : float, default=0.1
        Fraction of the brain's voxels to draw, in (0, 1], the strongest first. Only
        positive ones are drawn.
    unit : str, default="peak density (norm 1)"
        Unit of both maps, for the colour bars. Models predict coefficients
        of studies scaled to norm 1 unless they have ``y_scaling=None``.

    Returns
    -------
    figure : matplotlib Figure
        Twelve inches wide, the observed map above the predicted one.

    Raises
    ------
    TypeError
        If a map is not an image, or `title` not a string.
    ValueError
        If an image holds several maps, NaN, or no positive voxel inside the brain,
        `top` is out of range, or peaks are not finite (n_peaks, 3) numbers.

    See Also
    --------
    plot_predicted_map : The map predicted for any text.

    Examples
    --------
    >>> from sklearn.preprocessing import normalize
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.plotting import plot_predicted_and_observed
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=128).fit()
    >>> peaks = [[-42, -24, 56], [44, -22, 54]]
    >>> observed, other = normalize(masker.transform([peaks, [[-40, -28, 50]]]))
    >>> figure = plot_predicted_and_observed(
    ...     masker.inverse_transform([other]),
    ...     masker.inverse_transform([observed]),
    ...     title="Finger tapping",
    ...     peaks=peaks,
    ... )
    >>> figure.get_suptitle()
    'Finger tapping'
    """
    title = "" if title is None else check_title(title, "title")
    peaks = check_study_peaks(peaks)
    observed_img, predicted_img = (
        keep_strongest(read_map(img, name), top, name)
        for img, name in (
            (observed_img, "observed_img"),
            (predicted_img, "predicted_img"),
        )
    )
    figure, (above, below) = figure_with_title(title, 2)
    label = f"top {100 * top:g} %"
    draw_glass_brain(
        figure,
        above,
        observed_img,
        label=f"observed, {label}",
        unit=unit,
        peaks=peaks,
    )
    draw_glass_brain(
        figure, below, predicted_img, label=f"predicted, {label}", unit=unit
    )
    return figure
