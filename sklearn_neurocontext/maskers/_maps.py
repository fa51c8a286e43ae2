"""Maps of an atlas on a grid, and the least squares on them, kept on disk."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import csc_array
from sklearn.utils import gen_batches

from ._atlas import Atlas
from ._geometric import hard_parcels, soft_parcels
from ._grid import voxel_centres
from ._npy_writer import NpyWriter
from ._solve import ILL_CONDITIONED, gram_matrix, is_full, solve_gram

# Maps held in memory at a time.
_BLOCK = 64
# The user's line: above a check, fit, and scikit-learn's wrapper of fit.
_USER = 4


@dataclass(frozen=True)
class Maps:
    """Maps at the voxels of a mask.

    Attributes
    ----------
    array : csc_array of shape (n_voxels, n_components), float32
        Zeros are not stored.
    labels : list of str
        One distinct name for each map.
    inverse : ndarray of shape (n_components, n_components), float64
        Inverse of AᵀMA, that of least norm where it is singular.
    condition : float
        Condition number of AᵀMA with maps at unit norm (LAPACK's estimate, seldom too
        low by more than a factor of three); infinite where it is singular.
    lowest : float
        Lowest value of all maps, at most zero.
    """

    array: csc_array
    labels: list
    inverse: np.ndarray
    condition: float
    lowest: float

    def project(self, voxels) -> np.ndarray:
        """Multiply images (n_images, n_voxels) with maps: (n_images, n_components)."""
        parts = [maps.T @ voxels.T for _, maps in self._quick_blocks(np.float64)]
        return np.concatenate(parts).T

    def expand(self, coefficients) -> np.ndarray:
        """Sum maps by coefficients (n_maps, n_components): (n_maps, n_voxels)."""
        return sum(
            coefficients[:, block] @ maps.T
            for block, maps in self._quick_blocks(np.float32)
        )

    def _quick_blocks(self, dtype):
        """Give the maps whole, or if they are full, as plain arrays block by block."""
        n_components = self.array.shape[1]
        if not is_full(self.array):
            yield slice(0, n_components), self.array
            return
        for block in gen_batches(n_components, _BLOCK):
            yield block, self.array[:, block].toarray().astype(dtype)


def open_maps(entry) -> Maps:
    """Take the maps out of an entry that `build_maps` wrote."""
    arrays, facts = entry.arrays, entry.facts
    condition = facts["condition"]
    parts = arrays["data"], arrays["indices"], arrays["indptr"]
    array = csc_array(parts, shape=(facts["n_voxels"], len(facts["labels"])))
    inverse = np.asarray(arrays["inverse"])
    condition = np.inf if condition is None else condition
    return Maps(array, facts["labels"], inverse, condition, facts["lowest"])


def read_blocks(folder: Path):
    """Read maps from a folder, a block in memory at a time.

    Parameters
    ----------
    folder : Path
        Where `build_maps` wrote them.

    Returns
    -------
    blocks : list of slice
        Components of each block.
    read : callable
        Takes a block, gives its maps: csc_array of shape (n_voxels, n_in_block).
    """
    indptr = np.load(folder / "indptr.npy")
    n_voxels = int(np.load(folder / "n_voxels.npy"))

    def read(block):
        # Mapped anew each time, so that pages that were read are given back.
        ends = indptr[block.start : block.stop + 1]
        data, indices = (
            np.array(np.load(folder / name, mmap_mode="r")[ends[0] : ends[-1]])
            for name in ("data.npy", "indices.npy")
        )
        shape = (n_voxels, len(ends) - 1)
        return csc_array((data, indices, ends - ends[0]), shape=shape)

    return list(gen_batches(len(indptr) - 1, _BLOCK)), read


def build_maps(folder: Path, atlas: Atlas, mask_img) -> dict:
    """Bring an atlas to the voxels of a mask and write it, map by map.

    Parameters
    ----------
    folder : Path
        To write to.
    atlas : Atlas
        From `find_atlas`.
    mask_img : Nifti image
        Its true voxels are the target.

    Returns
    -------
    facts : dict
        Number of voxels, labels, condition number, lowest value.

    Raises
    ------
    ValueError
        If a map holds infinity, or the atlas has no label in the mask.
    """
    labels, columns = sample_atlas(atlas, mask_img)
    n_voxels = int(np.count_nonzero(mask_img.dataobj))
    # The least that holds the number of values: scipy wants one for both arrays.
    least = np.min_scalar_type(-n_voxels * len(labels) - 1)
    index_dtype = np.promote_types(np.int32, least)
    ends, lowest = [0], 0.0
    with (
        NpyWriter(folder / "data.npy", np.float32) as data,
        NpyWriter(folder / "indices.npy", index_dtype) as indices,
    ):
        for held, values in columns:
            data.append(values)
            indices.append(held)
            ends.append(data.n_rows)
            lowest = min(lowest, float(values.min(initial=0)))
    np.save(folder / "indptr.npy", np.array(ends, dtype=index_dtype))
    np.save(folder / "n_voxels.npy", n_voxels)
    inverse, condition = solve_gram(gram_matrix(*read_blocks(folder)))
    np.save(folder / "inverse.npy", inverse)
    return {
        "n_voxels": n_voxels,
        "labels": labels,
        "condition": condition if np.isfinite(condition) else None,
        "lowest": lowest,
    }


def sample_atlas(atlas: Atlas, mask_img):
    """Give the names of an atlas's maps, and its values at the voxels of a mask.

    Parameters
    ----------
    atlas : Atlas
        From `find_atlas`.
    mask_img : Nifti image
        Its true voxels are the target.

    Returns
    -------
    labels : list of str
        One for each map.
    columns : iterator of (indices, values)
        Voxels, in order, and values of each map where it is not zero. Maps are
        interpolated linearly, labels taken from the nearest voxel.
    """
    voxels = voxel_centres(mask_img)
    if atlas.kind == "hard":
        return atlas.names, hard_parcels(atlas.content, voxels)
    if atlas.kind == "soft":
        return atlas.names, soft_parcels(atlas.content, voxels, atlas.width)
    positions = nib.affines.apply_affine(np.linalg.inv(atlas.img.affine), voxels).T
    if atlas.kind == "labels":
        return _sample_labels(atlas.img, positions)
    return atlas.names, _sample_maps(atlas.img, mask_img, positions)


def _sample_maps(img, mask_img, positions):
    inside = np.asarray(mask_img.dataobj) > 0
    on_grid = img.shape[:3] == inside.shape and np.allclose(
        img.affine, mask_img.affine, rtol=0, atol=1e-6
    )
    for index in range(img.shape[3]):
        # Atlases often mark the outside of a map with NaN.
        volume = np.nan_to_num(img.dataobj[..., index], posinf=np.inf, neginf=-np.inf)
        if not np.isfinite(volume).all():
            raise ValueError(
                f"Map {index} of the atlas holds infinity. Repair it first."
            )
        if on_grid:
            values = volume[inside].astype(np.float32)
        else:
            values = map_coordinates(volume, positions, order=1, output=np.float32)
        held = np.flatnonzero(values)
        yield held, values[held]


def _sample_labels(img, positions):
    """Take the label of the nearest voxel; zero is no label."""
    volume = np.nan_to_num(np.asanyarray(img.dataobj))
    if np.any(np.abs(volume - np.rint(volume)) > 1e-3):
        raise ValueError(
            "The atlas is a 3D image whose values are not whole numbers; expected "
            "labels. Maps go along a fourth axis, also if there is only one."
        )
    values = np.rint(map_coordinates(volume, positions, order=0))
    # All those of the image: one that the grid misses keeps its place, empty.
    labels = [label for label in np.unique(np.rint(volume)) if label]
    if not values.any():
        raise ValueError(
            "The atlas has no label but 0 in the mask. Check that its affine is in "
            "mm and in MNI space."
        )
    held = (np.flatnonzero(values == label) for label in labels)
    return (
        [f"label {label:.0f}" for label in labels],
        ((voxels, np.ones(len(voxels))) for voxels in held),
    )


def check_maps(maps: Maps, strategy: str) -> None:
    """Refuse negative maps for means; warn about empty and about collinear ones.

    Parameters
    ----------
    maps : Maps
        The atlas on the grid.
    strategy : {"lstsq", "mean"}
        What is to be done with it.

    Raises
    ------
    ValueError
        If a map has negative values and the strategy is ``"mean"``.
    """
    if strategy == "mean" and maps.lowest < 0:
        raise ValueError(
            "strategy='mean' needs maps without negative values; the atlas has values "
            f"down to {maps.lowest:.3g}. Use strategy='lstsq'."
        )
    bare = np.flatnonzero(np.diff(maps.array.indptr) == 0)
    if len(bare):
        warnings.warn(
            f"{len(bare)} of {len(maps.labels)} maps of the atlas are empty in the "
            f"mask, the first {maps.labels[bare[0]]!r}; their coefficients are always "
            "zero. Use smaller voxels (target_affine), or check that the atlas is in "
            "MNI space.",
            UserWarning,
            stacklevel=_USER,
        )
    if strategy == "lstsq" and np.isinf(maps.condition):
        warnings.warn(
            "Some maps of the atlas are combinations of others on this grid, so "
            "coefficients are not unique; taking those of least norm, with maps at "
            "unit norm. Use smaller voxels (target_affine) or fewer maps if that "
            "matters.",
            UserWarning,
            stacklevel=_USER,
        )
    elif strategy == "lstsq" and maps.condition > ILL_CONDITIONED:
        warnings.warn(
            "Some maps of the atlas are nearly combinations of others on this grid: "
            f"the condition number of AᵀMA is about {maps.condition:.1e}. "
            "Coefficients are unique, but rounding in the maps changes them. Use fewer "
            "maps if that matters.",
            UserWarning,
            stacklevel=_USER,
        )
