"""How well predicted maps match the peaks of meta-analyses."""

from collections import Counter
from itertools import chain

import numpy as np
from nibabel.affines import apply_affine
from scipy.spatial import cKDTree
from sklearn.utils import check_random_state

from .._space import mni_to_talairach, talairach_to_mni
from ..maskers._kde import FWHM_TO_SIGMA
from ..metrics import dice_score

# Peaks whose Gaussians are summed at a time: bounds memory.
_BLOCK = 2048


def density_map(peaks, mask_img, *, fwhm: float = 9.0, weights=None) -> np.ndarray:
    r"""Sum a Gaussian at each peak: :math:`d(v) = \sum_p w_p\, g(v - p)`.

    The Gaussian is evaluated at the voxels' centres, wherever between them the peak
    lies, and is never cut off.

    Parameters
    ----------
    peaks : array-like of shape (n_peaks, 3)
        x, y, z in mm, in the space of the mask.
    mask_img : Nifti1Image of shape (nx, ny, nz)
        True where the density is wanted; its axes are those of space.
    fwhm : float, default=9.0
        Full width at half maximum of the Gaussian, in mm.
    weights : array-like of shape (n_peaks,) or None, default=None
        Mass of each peak; None is one each.

    Returns
    -------
    density : ndarray of shape (n_voxels,), float64
        Per voxel, in the order of the mask's true voxels: over an endless grid it would
        sum to the peaks' mass.

    Raises
    ------
    ValueError
        If the image's axes are oblique.

    Examples
    --------
    >>> from sklearn_neurocontext.evaluation import density_map, make_masker
    >>> mask_img = make_masker("geometric", 64).fit().mask_img_
    >>> round(float(density_map([[0, -20, 20]], mask_img).sum()), 3)
    1.0
    """
    linear = mask_img.affine[:3, :3]
    if np.count_nonzero(linear - np.diag(np.diag(linear))):
        raise ValueError(
            f"The mask has the affine\n{mask_img.affine}\nwhose axes are oblique; "
            "resample it to a diagonal affine first."
        )
    peaks = np.asarray(peaks, dtype=np.float64).reshape(-1, 3)
    weights = np.ones(len(peaks)) if weights is None else np.asarray(weights)
    inside = np.asarray(mask_img.dataobj) > 0
    positions = apply_affine(np.linalg.inv(mask_img.affine), peaks)
    sigma = fwhm * FWHM_TO_SIGMA / np.abs(np.diag(linear))
    volume = np.zeros(inside.shape)
    for start in range(0, len(peaks), _BLOCK):
        block = slice(start, start + _BLOCK)
        x, y, z = (
            _gaussians(positions[block, axis], inside.shape[axis], sigma[axis])
            for axis in range(3)
        )
        plane = (y[:, :, None] * z[:, None, :]).reshape(len(y), -1)
        volume += ((x * weights[block, None]).T @ plane).reshape(inside.shape)
    return volume[inside]


def _gaussians(centres, n, sigma):
    """Evaluate normal densities at 0 … n - 1, in voxels: (n_centres, n)."""
    distance = (np.arange(n) - centres[:, None]) / sigma
    return np.exp(-0.5 * distance**2) / (sigma * np.sqrt(2 * np.pi))


def studies_sharing_peaks(
    peaks,
    experiments,
    *,
    tolerance_mm: float = 1.0,
    min_peaks: int = 3,
    min_share: float = 0.5,
) -> np.ndarray:
    """Find training studies that report the peaks of an experiment.

    A meta-analysis is made of published studies, so some of its peaks may stand in the
    training corpus, there or here in another space than stated. A study shares an
    experiment if it has enough of its distinct peaks, as they are or converted either
    way between Talairach and MNI space.

    Parameters
    ----------
    peaks : sequence of array-like of shape (n_peaks_i, 3)
        Of each training study, in mm.
    experiments : sequence of array-like of shape (n_peaks_i, 3)
        Peaks of each experiment of the meta-analyses, in mm.
    tolerance_mm : float, default=1.0
        How far apart two peaks may be along each axis.
    min_peaks : int, default=3
        Peaks that must be shared at least, 1 or more.
    min_share : float, default=0.5
        Share of the experiment's peaks that must be shared at least, in [0, 1].

    Returns
    -------
    rows : ndarray of int64
        Rows of `peaks`, rising.

    Raises
    ------
    ValueError
        If a number is out of its range, or peaks are not three numbers each.

    Examples
    --------
    >>> from sklearn_neurocontext.evaluation import studies_sharing_peaks
    >>> shared = [[-42, -22, 54], [4, 0, 60], [30, -80, 0]]
    >>> studies_sharing_peaks([[[0, 0, 0]], [*shared, [9, 9, 9]]], [shared])
    array([1])
    """
    if not (tolerance_mm >= 0 and min_peaks >= 1 and 0 <= min_share <= 1):
        raise ValueError(
            f"tolerance_mm={tolerance_mm!r}, min_peaks={min_peaks!r}, "
            f"min_share={min_share!r}; expected at least 0 mm, at least 1 peak and a "
            "share in [0, 1]."
        )
    peaks = [_as_peaks(one, f"peaks[{row}]") for row, one in enumerate(peaks)]
    study = np.repeat(np.arange(len(peaks)), [len(one) for one in peaks])
    tree = cKDTree(np.concatenate([np.zeros((0, 3)), *peaks]))
    sharing = set()
    for row, experiment in enumerate(experiments):
        wanted = np.unique(_as_peaks(experiment, f"experiments[{row}]"), axis=0)
        needed = max(min_peaks, min_share * len(wanted))
        if len(wanted) < needed:
            continue
        for moved in (wanted, talairach_to_mni(wanted), mni_to_talairach(wanted)):
            near = tree.query_ball_point(moved, tolerance_mm + 1e-6, p=np.inf)
            # A peak counts once for a study, however many of the study's are near.
            hits = [set(study[rows].tolist()) for rows in near]
            counts = Counter(chain.from_iterable(hits))
            sharing.update(one for one, n in counts.items() if n >= needed)
    return np.array(sorted(sharing), dtype=np.int64)


def _as_peaks(peaks, name):
    array = np.asarray(peaks, dtype=np.float64)
    array = array.reshape(0, 3) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} has shape {array.shape}; expected (n_peaks, 3) with finite x, y, "
            "z in mm."
        )
    return array


def score_maps(
    predicted, observed, mean_map, *, top: float = 0.1, tops=(0.02, 0.05, 0.1, 0.2, 0.3)
) -> dict:
    """Compare predicted maps with observed ones, each with its own and with all others.

    Parameters
    ----------
    predicted, observed : ndarray of shape (n_maps, n_voxels)
        Row i of both is the same topic.
    mean_map : ndarray of shape (n_voxels,)
        Mean of the training studies' maps. Before ranking, its part is taken out of all
        maps, since every map resembles it.
    top : float, default=0.1
        Fraction of voxels that the main Dice compares.
    tops : sequence of float, default=(0.02, 0.05, 0.1, 0.2, 0.3)
        Fractions whose Dice is averaged.

    Returns
    -------
    scores : dict of str to ndarray of shape (n_maps,)
        ``dice`` at `top`, ``dice_mean`` over `tops`, ``correlation`` over voxels, and
        ``rank`` of the own observed map among all by correlation, the mean map removed:
        1 at best, ties counted half.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.evaluation import score_maps
    >>> maps = np.random.default_rng(0).uniform(size=(5, 400))
    >>> score_maps(maps, maps, maps.mean(axis=0))["rank"]
    array([1., 1., 1., 1., 1.])
    """
    predicted, observed = (np.asarray(one, np.float64) for one in (predicted, observed))
    pairs = list(zip(observed, predicted, strict=True))
    every = np.array([[dice_score(*pair, top=one) for one in tops] for pair in pairs])
    similarity = (
        _unit(_remove(predicted, mean_map)) @ _unit(_remove(observed, mean_map)).T
    )
    own = np.diag(similarity)[:, None]
    greater, tied = (similarity > own).sum(axis=1), (similarity == own).sum(axis=1)
    return {
        "dice": np.array([dice_score(*pair, top=top) for pair in pairs]),
        "dice_mean": every.mean(axis=1),
        "correlation": (_unit(_centre(predicted)) * _unit(_centre(observed))).sum(1),
        "rank": 1 + greater + (tied - 1) / 2,
    }


def _centre(maps):
    return maps - maps.mean(axis=1, keepdims=True)


def _remove(maps, mean_map):
    """Take the part along the mean map, and the mean over voxels, out of each map."""
    direction = _unit(_centre(np.asarray(mean_map, np.float64)[None]))[0]
    maps = _centre(maps)
    rest = maps - np.outer(maps @ direction, direction)
    # Of the mean map itself only rounding is left: nothing.
    nothing = np.linalg.norm(rest, axis=1) <= 1e-9 * np.linalg.norm(maps, axis=1)
    rest[nothing] = 0
    return rest


def _unit(maps):
    norms = np.linalg.norm(maps, axis=1, keepdims=True)
    return maps / np.where(norms > 0, norms, 1)


def bootstrap_interval(
    values, *, level: float = 0.95, n_draws: int = 10_000, random_state=0
) -> tuple[float, float]:
    """Percentile interval of a mean, by drawing its values with replacement.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        For example a score of each topic, or the difference of two methods.
    level : float, default=0.95
        Share of the draws' means inside the interval, in (0, 1).
    n_draws : int, default=10000
        Draws.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, or `level` or `n_draws` is out of its
        range.

    References
    ----------
    Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> from sklearn_neurocontext.evaluation import bootstrap_interval
    >>> bootstrap_interval([0.5, 0.5, 0.5])
    (0.5, 0.5)
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"values has shape {values.shape}, {np.sum(~np.isfinite(values))} of them "
            "not finite; expected finite numbers, at least one. Leave out topics "
            "without a score."
        )
    if not (0 < level < 1 and n_draws >= 1):
        raise ValueError(
            f"level={level!r}, n_draws={n_draws!r}; expected a share in (0, 1), 0.95 "
            "for 95 %, and at least one draw."
        )
    drawn = check_random_state(random_state).randint(
        len(values), size=(n_draws, len(values))
    )
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(values[drawn].mean(axis=1), ends)
    return float(low), float(high)
