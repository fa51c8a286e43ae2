"""Small steps on arrays that the pretrained model shares."""

from numbers import Integral, Real

import nibabel as nib
import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import normalize


def check_array(name: str, array, shape: tuple):
    """Check an optional array's numbers and shape, in which None is any number."""
    if array is None:
        return None
    array = np.asarray(array, dtype=np.float32)
    fits = array.ndim == len(shape) and all(
        wanted in (None, n) for wanted, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        words = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} has shape {array.shape}; expected ({words}).")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds NaN or infinity; expected numbers. Check the data that it "
            "was computed from."
        )
    return array


def check_number(name: str, value, meaning: str):
    """Check a finite number that is not below zero."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= value < np.inf:
        raise ValueError(f"{name}={value!r}; expected {meaning}, not below zero.")
    return float(value)


def check_count(name: str, value) -> int:
    """Check a number of things to give."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r}; expected a whole number above zero.")
    return int(value)


def check_terms(terms) -> dict:
    """Check terms and their numbers of studies; None is no terms."""
    terms = dict(terms or {})
    for term, n_studies in terms.items():
        words = " ".join(str(term).lower().split())
        whole = isinstance(n_studies, Integral) and not isinstance(n_studies, bool)
        if term != words or not words or not whole or n_studies < 0:
            raise ValueError(
                f"terms has {term!r}: {n_studies!r}; expected a term in lower case, "
                "its words apart by one blank, and its number of studies."
            )
    return {term: int(n_studies) for term, n_studies in terms.items()}


def cosines(rows, one) -> np.ndarray:
    """Cosine of each row with one row of shape (1, n); zero where a norm is zero."""
    products = normalize(rows) @ normalize(one).T
    return (products.toarray() if issparse(products) else products)[:, 0]


def voxels_to_imgs(voxels: np.ndarray, mask_img) -> list:
    """Write each row of voxels as a 3D image, zero outside the mask."""
    inside = np.asarray(mask_img.dataobj) > 0
    imgs = []
    for one in voxels:
        volume = np.zeros(inside.shape, dtype=np.float32)
        volume[inside] = one
        imgs.append(nib.Nifti1Image(volume, mask_img.affine))
    return imgs


def expected_density(mean_map, deviations, curvature: float) -> np.ndarray:
    r"""Turn predicted deviations from a mean map into expected densities.

    .. math:: m(v) = \bar m(v) + d(v) + c\, \frac{\max(d(v), 0)^2}{\mu}

    with the mean map :math:`\bar m`, its mean :math:`\mu` over voxels, the deviation d
    and the curvature c. A regression's large deviations are too small, since it shrinks
    all alike; with a log link, as coordinate-based meta-regression has it,
    :math:`\mu \exp(d / \mu) \approx \mu + d + d^2 / 2 \mu`, where c is one half.

    Parameters
    ----------
    mean_map : ndarray of shape (n_voxels,)
        Mean density of studies; its mean is positive where c is not zero.
    deviations : ndarray of shape (n_maps, n_voxels)
        In the unit of the mean map.
    curvature : float
        c, not below zero.

    Returns
    -------
    densities : ndarray of shape (n_maps, n_voxels)
        In the same unit.

    References
    ----------
    Yu et al., Neuroimaging meta regression for coordinate based meta analysis data with
    a spatial model, Biostatistics 2024: the log link.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference._arrays import expected_density
    >>> expected_density(np.array([1.0, 3.0]), np.array([[2.0, -1.0]]), curvature=0.5)
    array([[4., 2.]])
    """
    if curvature == 0:
        return mean_map + deviations
    bent = curvature / mean_map.mean() * np.maximum(deviations, 0) ** 2
    return mean_map + deviations + bent
