"""Dice overlap of two maps."""

import math
from numbers import Real

import numpy as np

from .._utils.volumes import check_top, select_top


def dice_score(true_map, predicted_map, *, threshold=None, top=None) -> float:
    r"""Dice overlap of two maps after thresholding both.

    With the selected voxels :math:`A` of the one map and :math:`B` of the other,

    .. math:: D = \frac{2 |A \cap B|}{|A| + |B|},

    and 0 where both selections are empty. `top` compares where maps are strongest,
    whatever their units; `threshold` compares maps that share a unit.

    Parameters
    ----------
    true_map, predicted_map : array-like of equal shape, or 3D Nifti image
        The maps, of any number of dimensions, finite. Pass voxels inside the mask: with
        `top`, every value counts as a voxel.
    threshold : float, default=None
        Select the voxels above this value (strictly), in the unit of the maps.
    top : float, default=None
        Select the strongest fraction of the voxels, in (0, 1]. The cut is the k-th
        largest value, k being `top` times the number of voxels, rounded up. Voxels
        above the cut are selected; voxels tied at the cut enter only while positive, so
        the zero background of a sparse map never does.

    Returns
    -------
    dice : float
        Fraction in [0, 1].

    Raises
    ------
    ValueError
        If not exactly one of `threshold` and `top` is given, if it is out of range, or
        if the maps differ in shape or affine, are empty, or hold NaN or infinity.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import dice_score
    >>> dice_score([3.0, 2.0, 0.0, 0.0], [3.0, 0.0, 2.0, 0.0], top=0.5)
    0.5
    >>> dice_score([0.9, 0.8, 0.1], [0.7, 0.2, 0.1], threshold=0.5)
    0.6666666666666666
    """
    if (threshold is None) == (top is None):
        raise ValueError(
            "dice_score needs exactly one of threshold and top; got "
            f"threshold={threshold!r}, top={top!r}."
        )
    true_map, predicted_map = _check_maps(true_map, predicted_map)
    if top is None:
        if not isinstance(threshold, Real) or not math.isfinite(threshold):
            raise ValueError(f"threshold must be a finite number; got {threshold!r}.")
        selected = [rows > threshold for rows in (true_map, predicted_map)]
    else:
        check_top(top)
        selected = [select_top(rows, top) for rows in (true_map, predicted_map)]
    return float(dice_of_rows(*selected)[0])


def _check_maps(true_map, predicted_map) -> tuple[np.ndarray, np.ndarray]:
    """Read two maps of equal shape as arrays of shape (1, n_voxels)."""
    affines = [getattr(one, "affine", None) for one in (true_map, predicted_map)]
    true_map, predicted_map = (_read_map(one) for one in (true_map, predicted_map))
    if true_map.shape != predicted_map.shape or true_map.size == 0:
        raise ValueError(
            f"The maps have shapes {true_map.shape} and {predicted_map.shape}; "
            "expected two of the same shape, not empty. Resample one to the other "
            "first."
        )
    if all(one is not None for one in affines) and not np.allclose(*affines):
        raise ValueError(
            "The two images have different affines; expected the same grid. Resample "
            "one to the other first, for example with nilearn.image.resample_to_img."
        )
    if not (np.isfinite(true_map).all() and np.isfinite(predicted_map).all()):
        raise ValueError(
            "A map holds NaN or infinity. Mask these voxels or set them to 0 first."
        )
    return true_map.reshape(1, -1), predicted_map.reshape(1, -1)


def _read_map(one) -> np.ndarray:
    try:
        values = one.get_fdata() if hasattr(one, "get_fdata") else one
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A map cannot be read as numbers ({error}). Expected an array of values "
            "at voxels, or a Nifti image."
        ) from error


def dice_of_rows(true, predicted) -> np.ndarray:
    """Dice overlap of two selections, row by row; 0 where both are empty."""
    both = np.count_nonzero(true & predicted, axis=1)
    sizes = np.count_nonzero(true, axis=1) + np.count_nonzero(predicted, axis=1)
    return 2.0 * both / np.maximum(sizes, 1)
