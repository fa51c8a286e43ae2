"""What maps by chance look like: their deviation, and the largest of it."""

import numpy as np

# A voxel's deviation by chance is not less than this quantile over voxels.
_FLOOR = 0.05


def deviation_by_chance(squares) -> np.ndarray:
    """Give the root mean square of each voxel, and at least its 5 % quantile.

    Parameters
    ----------
    squares : array-like of shape (n_exchanges, n_voxels)
        Mean square, after each exchange, of what maps deviate from the mean map by.

    Returns
    -------
    deviation : ndarray of shape (n_voxels,)
        The quantile is over voxels.
    """
    deviation = np.sqrt(np.mean(squares, axis=0))
    return np.maximum(deviation, np.quantile(deviation, _FLOOR))


def median_largest(by_chance, squares) -> float:
    """Give what half of the maps by chance reach with their largest z.

    Parameters
    ----------
    by_chance : list of ndarray of shape (n_maps, n_voxels)
        What maps deviate from the mean map by, after each exchange.
    squares : list of ndarray of shape (n_voxels,)
        Their mean squares.

    Returns
    -------
    z : float
        Each map is divided by the deviation of all exchanges but its own; 0 where
        there are fewer than two.
    """
    if len(by_chance) < 2:
        return 0.0
    largest = [
        (voxels / deviation_by_chance(np.delete(squares, own, axis=0))).max(axis=1)
        for own, voxels in enumerate(by_chance)
    ]
    return float(np.median(np.concatenate(largest)))
