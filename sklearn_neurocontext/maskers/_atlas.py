"""Find an atlas, compute its hash, and sample its maps at the voxels of a mask."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nilearn.datasets import fetch_atlas_difumo
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from .._utils.disk_cache import hash_file
from .._utils.volumes import is_path, open_img
from ._images import (
    open_mask,
    read_finite,
    read_voxels,
    resample_mask,
    same_grid,
    volume_indices,
    voxel_centers,
)

DIFUMO_DIMENSIONS = (64, 128, 256, 512, 1024)
SHIPPED_CENTERS = (128, 256, 512, 1024)
_NAMES = "'geometric', 'geometric-soft', 'difumo'"
# If parcels overlap, each voxel is divided among this number of parcels, which have the
# nearest centers. The shares of all other parcels are omitted, because their sum would
# be less than 1e-4 (measured for 128, 512 and 1024 centers).
_N_SHARING = 16


@dataclass(frozen=True)
class Atlas:
    """An atlas before its maps are sampled at the voxels of a mask."""

    # "hard": non-overlapping parcels around centers; "soft": overlapping parcels around
    # centers; "maps": a 4D image; "labels": a 3D image.
    kind: str
    # Centers in mm, of shape (n_components, 3), for "hard" and "soft"; otherwise an
    # image.
    content: Any
    names: list | None  # distinct names of the maps; None for the kind "labels"
    hash: str  # SHA-256 of the content
    # Standard deviation of the Gaussians that define soft parcels, in mm.
    width: float | None = None

    @property
    def img(self):
        """Image of the atlas; None for an atlas that is defined by centers."""
        return None if self.kind in ("hard", "soft") else self.content


def find_atlas(atlas, n_components, *, resolution_mm=2, data_dir=None) -> Atlas:
    """Find an atlas by its name, path or image, without sampling its maps."""
    # The parameters are documented in KDEDiFuMoMasker.
    if isinstance(atlas, str) and atlas in ("geometric", "geometric-soft"):
        kind = "soft" if atlas == "geometric-soft" else "hard"
        centers = geometric_centers(n_components)
        names = [f"x={x:.0f} y={y:.0f} z={z:.0f}" for x, y, z in centers]
        width = parcel_width(centers) if kind == "soft" else None
        hashed = _hash(kind.encode(), centers, str(width).encode())
        return Atlas(kind, centers, _make_distinct(names), hashed, width)
    names = None
    if isinstance(atlas, str) and atlas == "difumo":
        atlas, names = _fetch_difumo(n_components, resolution_mm, data_dir)
    img = open_img(atlas, "atlas", _NAMES)
    hashed = _hash_files(img) if is_path(atlas) else _hash_img(img)
    if (
        img.ndim == 4
        and img.shape[3] == 1
        and _is_labels(read_voxels(img, (..., 0), "atlas"))
    ):
        img = img.slicer[..., 0]
    if img.ndim == 4:
        names = names or [f"component {index}" for index in range(img.shape[3])]
        return Atlas("maps", img, _make_distinct(names), hashed)
    return Atlas("labels", img, None, hashed)


def _fetch_difumo(n_components, resolution_mm, data_dir):
    if n_components not in DIFUMO_DIMENSIONS:
        raise ValueError(
            "n_components must be one of "
            f"{', '.join(map(str, DIFUMO_DIMENSIONS))} with atlas='difumo'; got "
            f"{n_components}. To use another number, pass atlas='geometric'."
        )
    try:
        fetched = fetch_atlas_difumo(
            dimension=n_components,
            resolution_mm=resolution_mm,
            data_dir=data_dir,
            verbose=0,
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"The DiFuMo atlas with {n_components} maps was not found and could not be "
            f"downloaded ({error}). Download it on a machine with network access and "
            "pass its folder as data_dir. Otherwise use atlas='geometric', which needs "
            "no download, or pass the path of another atlas."
        ) from error
    return fetched.maps, list(fetched.labels["difumo_names"])


def _is_labels(volume) -> bool:
    """Return True if all values are integers, with at least two distinct labels.

    Zero is not a label.
    """
    values = np.unique(np.nan_to_num(volume))
    return np.count_nonzero(values) > 1 and np.array_equal(values, np.rint(values))


def _make_distinct(names):
    """Add a number to each repeated name, so that all names are distinct."""
    seen = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct


def _hash_files(img) -> str:
    """Hash the file of an image, or both files if the header has its own file."""
    paths = sorted({Path(holder.filename) for holder in img.file_map.values()})
    hashes = [hash_file(path) for path in paths]
    return hashes[0] if len(hashes) == 1 else _hash("".join(hashes).encode())


def _hash_img(img) -> str:
    """Hash the shape, the affine and the values of an image.

    To limit memory, one map is read at a time.
    """
    maps = (read_voxels(img, index, "atlas") for index in volume_indices(img))
    return _hash(str(img.shape).encode(), img.affine, *maps)


def hash_mask(mask_img: nib.Nifti1Image) -> str:
    """Hash the voxels, the shape and the affine of a mask."""
    inside = np.asarray(mask_img.dataobj) > 0
    return _hash(np.packbits(inside), str(inside.shape).encode(), mask_img.affine)


def _hash(*parts) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, bytes):
            part = np.ascontiguousarray(part)
            digest.update(f"{part.dtype}{part.shape}".encode())
        digest.update(part)
    return digest.hexdigest()


def geometric_centers(n_components: int) -> np.ndarray:
    """Return the centers of the geometric atlas in mm: (n_components, 3), float64."""
    # For the most common numbers of components, the centers are read from a file,
    # because the result of k-means may depend on the version of scikit-learn.
    if n_components in SHIPPED_CENTERS:
        source = files("sklearn_neurocontext.maskers") / "data/geometric_centers.npz"
        with source.open("rb") as stream, np.load(stream) as centers:
            return centers[str(n_components)].astype(np.float64)
    return compute_centers(n_components)


@cache
def compute_centers(n_components: int) -> np.ndarray:
    """Compute centers in mm by k-means on the voxels of the MNI mask at 4 mm."""
    from sklearn.cluster import KMeans

    voxels = _brain_voxels()
    if n_components > len(voxels):
        raise ValueError(
            f"For a geometric atlas, n_components must be at most {len(voxels)}, the "
            f"number of voxels of the MNI mask at 4 mm; got {n_components}."
        )
    means = KMeans(n_components, n_init=1, max_iter=100, random_state=0)
    # Only one thread is used, because several threads add numbers in an order that
    # varies between runs. Rounding errors would then vary too. As a result, a voxel
    # that is equally far from two centers could be assigned to a different center in
    # each run.
    with threadpool_limits(1):
        parcel_of = means.fit_predict(voxels)
    # The centers of KMeans are not used, because they have rounding errors. The sums
    # below are exact, because the positions are integers.
    sums = [np.bincount(parcel_of, axis, n_components) for axis in voxels.T]
    return np.stack(sums, axis=1) / np.bincount(parcel_of)[:, None]


def _brain_voxels() -> np.ndarray:
    """Return the voxel centers of the MNI mask at 4 mm: (n, 3), in mm."""
    return voxel_centers(resample_mask(open_mask("mni"), 4.0))


def parcel_width(centers) -> float:
    """Compute the spread of voxels around their nearest center, in mm.

    The spread is the standard deviation of voxel positions along one axis, relative to
    the center.
    """
    distance, _ = cKDTree(centers).query(_brain_voxels())
    # The mean squared distance is divided by 3 to obtain the variance along one axis.
    # The result is rounded, because rounding errors would change the hash of the atlas.
    return round(float(np.sqrt(np.mean(distance**2) / 3)), 3)


def sample_atlas(atlas: Atlas, mask_img):
    """Return the names of the maps, and an iterator with (indices, values) per map.

    The voxels of the mask are numbered from 0. `indices` are the numbers of the voxels
    at which the map is nonzero. `values` are the values of the map at these voxels.
    """
    voxels = voxel_centers(mask_img)
    if atlas.kind == "hard":
        return atlas.names, _hard_parcels(atlas.content, voxels)
    if atlas.kind == "soft":
        return atlas.names, _soft_parcels(atlas.content, voxels, atlas.width)
    positions = nib.affines.apply_affine(np.linalg.inv(atlas.img.affine), voxels).T
    if atlas.kind == "labels":
        return _sample_labels(atlas.img, positions)
    return atlas.names, _sample_maps(atlas.img, mask_img, positions)


def _hard_parcels(centers, voxels):
    """Assign each voxel to its nearest center; yield (indices, ones) per center."""
    _, parcel_of = cKDTree(centers).query(voxels)
    for parcel in range(len(centers)):
        nonzero = np.flatnonzero(parcel_of == parcel)
        yield nonzero, np.ones(len(nonzero))


def _soft_parcels(centers, voxels, width: float):
    """Divide each voxel among its nearest centers; yield (indices, shares) per center.

    The share of voxel v that belongs to center c is
    exp(-|v-c|²/(2s²)) / Σₖ exp(-|v-cₖ|²/(2s²)), where |v-c| is the distance between v
    and c in mm, s is `width` in mm, and the sum is over the centers cₖ nearest to v.
    In a mixture of Gaussians with equal weights, these shares are called
    responsibilities.
    """
    n_sharing = min(_N_SHARING, len(centers))
    distance, center_of = cKDTree(centers).query(voxels, k=[*range(1, n_sharing + 1)])
    share = np.exp((distance[:, :1] ** 2 - distance**2) / (2 * width**2))
    share /= share.sum(axis=1, keepdims=True)
    order = np.argsort(center_of, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(center_of.ravel(), minlength=len(centers)))
    for nonzero in np.split(order, ends[:-1]):
        yield nonzero // n_sharing, share.ravel()[nonzero]


def _sample_maps(img, mask_img, positions):
    """Interpolate maps linearly at positions; yield (indices, values) per map.

    The indices are those of nonzero values. `positions` has shape (3, n_voxels) and
    contains voxel coordinates in the atlas image.
    """
    inside = np.asarray(mask_img.dataobj) > 0
    on_grid = same_grid(img, mask_img)
    for number, index in enumerate(volume_indices(img)):
        # NaN is replaced by zero, because many atlases contain NaN outside a map.
        volume = read_finite(img, index, f"Map {number} of the atlas")
        if on_grid:
            values = volume[inside].astype(np.float32)
        else:
            values = map_coordinates(volume, positions, order=1, output=np.float32)
        nonzero = np.flatnonzero(values)
        yield nonzero, values[nonzero]


def _sample_labels(img, positions):
    """Return names of nonzero labels, and an iterator with (indices, ones) per label.

    The indices are the numbers of the voxels with this label.
    """
    volume = read_finite(img, ..., "atlas")
    if np.any(np.abs(volume - np.rint(volume)) > 1e-3):
        raise ValueError(
            "A 3D atlas must contain integer labels; got values that are not integers. "
            "Pass maps as a 4D image, even if there is only one map."
        )
    values = np.rint(map_coordinates(volume, positions, order=0))
    # A label without any voxel on the grid is kept as an empty map.
    labels = [label for label in np.unique(np.rint(volume)) if label]
    if not values.any():
        raise ValueError(
            "The atlas has no nonzero label inside the mask. Check that the affine of "
            "the atlas is in mm and in MNI space."
        )
    held = (np.flatnonzero(values == label) for label in labels)
    return (
        [f"label {label:.0f}" for label in labels],
        ((voxels, np.ones(len(voxels))) for voxels in held),
    )
