"""An atlas made of nothing but the MNI mask: k-means on the positions of voxels."""

from functools import cache
from importlib.resources import files

import numpy as np
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from ._grid import open_mask, resample_mask, voxel_centres

SHIPPED_CENTRES = (128, 256, 512, 1024)
# A voxel of the soft atlas belongs to this many centres: to all others together it
# would belong with a share below 1e-4 (measured for 128, 512 and 1024 centres).
_N_SHARING = 16


def brain_voxels() -> np.ndarray:
    """Voxels of the 4 mm MNI mask, from which centres are computed: (n, 3), in mm."""
    return voxel_centres(resample_mask(open_mask("mni"), 4.0))


def geometric_centres(n_components: int) -> np.ndarray:
    """Centres of a k-means on the voxels of the MNI mask, in mm.

    Parameters
    ----------
    n_components : int
        128, 256, 512 and 1024 come with the package, so that coefficients never drift
        between versions. For other numbers each process runs the k-means, on a 4 mm
        grid with a fixed seed and one thread: the same centres, as long as NumPy and
        scikit-learn are the same.

    Returns
    -------
    centres : ndarray of shape (n_components, 3), float64
        In mm, MNI.
    """
    if n_components in SHIPPED_CENTRES:
        source = files("sklearn_neurocontext.maskers") / "data/geometric_centres.npz"
        with source.open("rb") as stream, np.load(stream) as centres:
            return centres[str(n_components)].astype(np.float64)
    return compute_centres(n_components)


@cache
def compute_centres(n_components: int) -> np.ndarray:
    """Run the k-means of `geometric_centres` on the voxels of the 4 mm mask.

    Sums over threads come in no fixed order, and their rounding decides where a voxel
    lies as near to two centres; hence one thread. Positions are whole numbers of mm,
    so that the means taken here are exact.
    """
    from sklearn.cluster import KMeans

    voxels = brain_voxels()
    if n_components > len(voxels):
        raise ValueError(
            f"n_components={n_components} is more than the {len(voxels)} voxels of the "
            "4 mm mask. Lower it."
        )
    means = KMeans(n_components, n_init=1, max_iter=100, random_state=0)
    with threadpool_limits(1):
        parcel_of = means.fit_predict(voxels)
    sums = [np.bincount(parcel_of, axis, n_components) for axis in voxels.T]
    return np.stack(sums, axis=1) / np.bincount(parcel_of)[:, None]


def soft_width(centres) -> float:
    """Measure the standard deviation of voxels about their centre, per axis, in mm.

    It is given to a thousandth of a mm: the atlas's hash covers it.
    """
    distance, _ = cKDTree(centres).query(brain_voxels())
    return round(float(np.sqrt(np.mean(distance**2) / 3)), 3)


def hard_parcels(centres, voxels):
    """Give each voxel wholly to its nearest centre: a column for each centre.

    Parameters
    ----------
    centres : ndarray of shape (n_components, 3)
        In mm.
    voxels : ndarray of shape (n_voxels, 3)
        In mm.

    Yields
    ------
    indices : ndarray of shape (n_held,), int
        Voxels of the next centre, in order.
    values : ndarray of shape (n_held,), float
        Ones.
    """
    _, parcel_of = cKDTree(centres).query(voxels)
    for parcel in range(len(centres)):
        held = np.flatnonzero(parcel_of == parcel)
        yield held, np.ones(len(held))


def soft_parcels(centres, voxels, width: float):
    r"""Share each voxel among the centres around it: a column for each centre.

    Voxel v belongs to centre c with
    :math:`\exp(-|v-c|^2/2s^2) / \sum_k \exp(-|v-c_k|^2/2s^2)`, the responsibilities
    of a mixture of Gaussians whose limit for small s is k-means.

    Parameters
    ----------
    centres : ndarray of shape (n_components, 3)
        In mm.
    voxels : ndarray of shape (n_voxels, 3)
        In mm.
    width : float
        The standard deviation s, in mm.

    Yields
    ------
    indices : ndarray of shape (n_held,), int
        Voxels of the next centre, in order.
    values : ndarray of shape (n_held,), float
        Shares; those of one voxel sum to one.
    """
    n_sharing = min(_N_SHARING, len(centres))
    distance, centre_of = cKDTree(centres).query(voxels, k=[*range(1, n_sharing + 1)])
    share = np.exp((distance[:, :1] ** 2 - distance**2) / (2 * width**2))
    share /= share.sum(axis=1, keepdims=True)
    order = np.argsort(centre_of, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(centre_of.ravel(), minlength=len(centres)))
    for held in np.split(order, ends[:-1]):
        yield held // n_sharing, share.ravel()[held]
