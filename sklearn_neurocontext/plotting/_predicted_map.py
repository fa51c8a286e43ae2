"""The map predicted for a text."""

from ._glass_brain import draw_glass_brain, figure_with_title, keep_strongest, read_map
from ._style import UNIT_NORM, check_title


def plot_predicted_map(img, *, text, top=0.1, unit=UNIT_NORM, note=""):
    """Draw the map predicted for a text on a glass brain, below the text.

    Parameters
    ----------
    img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        What ``masker.inverse_transform(model.predict([text]))`` gives, in MNI space.
    text : str
        Drawn as it is, on two lines at most, the rest an ellipsis; no part of it is
        read as mathematics.
    top : float, default=0.1
        Fraction of the brain's voxels to draw, in (0, 1], the strongest first. Only
        positive ones are drawn.
    unit : str, default="peak density (norm 1)"
        Unit of the map, for the colour bar. Models predict coefficients
        of studies scaled to norm 1 unless they have ``y_scaling=None``.
    note : str, default=""
        What a reader of the picture must know, such as `NeuroContextModel.caveat`;
        drawn below the text, as it is.

    Returns
    -------
    figure : matplotlib Figure
        Twelve inches wide.

    Raises
    ------
    TypeError
        If `img` is not an image, or `text` or `note` not a string.
    ValueError
        If `img` holds several maps, NaN, or no positive voxel inside the brain, or
        `top` is out of range.

    See Also
    --------
    plot_predicted_and_observed : The same above the map that the study reports.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.plotting import plot_predicted_map
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=128)
    >>> coefficients = masker.fit_transform([[[-42, -24, 56], [44, -22, 54]]])
    >>> figure = plot_predicted_map(
    ...     masker.inverse_transform(coefficients), text="finger tapping"
    ... )
    >>> figure.get_suptitle()
    'finger tapping'
    """
    text, note = check_title(text, "text"), check_title(note, "note")
    kept_img = keep_strongest(read_map(img, "img"), top, "img")
    figure, (rectangle,) = figure_with_title(text, 1, note)
    draw_glass_brain(
        figure, rectangle, kept_img, label=f"predicted, top {100 * top:g} %", unit=unit
    )
    return figure
