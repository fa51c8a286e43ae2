"""Sample the maps of an atlas in a mask, and cache them on disk.

The columns of the matrix A are the maps. The matrix M is diagonal, with 1 at the voxels
in the mask and 0 elsewhere. The products MA and (AᵀMA)⁻¹ are cached.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, pinvh
from scipy.linalg.lapack import dpocon
from scipy.sparse import csc_array
from sklearn.utils import gen_batches

from .._utils.disk_cache import NpyWriter
from ._atlas import Atlas, sample_atlas

# Number of maps per block. At most two blocks are in memory at a time.
_BLOCK = 64
# If more than this fraction of the values of maps is nonzero, the maps are converted to
# dense arrays, because products of dense arrays are then faster.
_DENSE_SHARE = 0.1
# A map is approximated by a least-squares fit of other maps. The unexplained share is
# the squared norm of the residual divided by the squared norm of the map. If this share
# is at most the threshold below, the map is treated as a linear combination of the
# other maps. For an exact linear combination, the share is about 1e-14 instead of 0,
# because the values of maps are rounded to float32.
_MIN_UNEXPLAINED_SHARE = 1e-12
# If the condition number of AᵀMA exceeds this threshold, the masker warns, because
# coefficients then lose at least four of the seven significant digits of float32.
_ILL_CONDITIONED = 1e8
# With this stack level, a warning points to the user's call of fit. This call runs
# scikit-learn's wrapper, then fit itself and check_maps.
_STACKLEVEL = 4


@dataclass(frozen=True)
class Maps:
    """Maps at the voxels of a mask, and the inverse of their Gram matrix AᵀMA."""

    # Rows of MA at voxels in the mask: (n_voxels, n_components), float32.
    array: csc_array
    labels: list  # distinct names of the maps
    # Inverse or pseudoinverse of AᵀMA: (n_components, n_components), float64.
    inverse: np.ndarray
    # Condition number of AᵀMA for maps scaled to unit norm. It is infinite if AᵀMA is
    # singular. Otherwise it is an estimate by LAPACK, which is rarely less than a third
    # of the true number.
    condition: float
    lowest: float  # lowest value of all maps, or zero if no value is negative

    @property
    def masses(self) -> np.ndarray:
        """Sum of each map, or 1 for maps whose sum is not positive: (n_components,)."""
        # The value 1 avoids a division by zero.
        masses = self.array.sum(axis=0, dtype=np.float64)
        return np.where(masses > 0, masses, 1)

    def project(self, voxels) -> np.ndarray:
        """Compute the products ``voxels @ array``: (n_images, n_components)."""
        parts = [maps.T @ voxels.T for _, maps in self._fast_blocks(np.float64)]
        return np.concatenate(parts).T

    def expand(self, coefficients) -> np.ndarray:
        """Compute the products ``coefficients @ array.T``: (n_images, n_voxels)."""
        return sum(
            coefficients[:, block] @ maps.T
            for block, maps in self._fast_blocks(np.float32)
        )

    def _fast_blocks(self, dtype):
        """Yield blocks of components: a slice and the maps that it selects.

        Sparse maps form a single block, which is a sparse array. Other maps form
        several blocks, each of which is a dense array.
        """
        n_components = self.array.shape[1]
        if not _is_dense(self.array):
            yield slice(0, n_components), self.array
            return
        for block in gen_batches(n_components, _BLOCK):
            yield block, self.array[:, block].toarray().astype(dtype)


def open_maps(entry) -> Maps:
    """Return the maps of a cache entry that was written by `build_maps`."""
    arrays, facts = entry.arrays, entry.facts
    condition = facts["condition"]
    parts = arrays["data"], arrays["indices"], arrays["indptr"]
    array = csc_array(parts, shape=(facts["n_voxels"], len(facts["labels"])))
    inverse = np.asarray(arrays["inverse"])
    condition = np.inf if condition is None else condition
    return Maps(array, facts["labels"], inverse, condition, facts["lowest"])


def build_maps(folder: Path, atlas: Atlas, mask_img) -> dict:
    """Write the maps of an atlas at the voxels of a mask; return their properties."""
    # `columns` is a generator, so maps are sampled and written one at a time.
    labels, columns = sample_atlas(atlas, mask_img)
    n_voxels = int(np.count_nonzero(mask_img.dataobj))
    # scipy requires the same integer type for indices and indptr. No value of these
    # arrays exceeds the number of nonzero values of all maps, which is at most the
    # number of voxels times the number of maps.
    smallest = np.min_scalar_type(-n_voxels * len(labels) - 1)
    index_dtype = np.promote_types(np.int32, smallest)
    ends, lowest = [0], 0.0
    with (
        NpyWriter(folder / "data.npy", np.float32) as data,
        NpyWriter(folder / "indices.npy", index_dtype) as indices,
    ):
        for nonzero, values in columns:
            data.append(values)
            indices.append(nonzero)
            ends.append(data.n_rows)
            lowest = min(lowest, float(values.min(initial=0)))
    np.save(folder / "indptr.npy", np.array(ends, dtype=index_dtype))
    np.save(folder / "n_voxels.npy", n_voxels)
    inverse, condition = invert_gram(gram_matrix(*read_blocks(folder)))
    np.save(folder / "inverse.npy", inverse)
    return {
        "n_voxels": n_voxels,
        "labels": labels,
        "condition": condition if np.isfinite(condition) else None,
        "lowest": lowest,
    }


def read_blocks(folder: Path):
    """Return slices that divide maps into blocks, and a function that reads a block."""
    indptr = np.load(folder / "indptr.npy")
    n_voxels = int(np.load(folder / "n_voxels.npy"))

    def read(block):
        """Return the maps of a block of components as a sparse array."""
        # Each call opens the files again as memory maps, so that the memory used for
        # earlier blocks is released.
        ends = indptr[block.start : block.stop + 1]
        data, indices = (
            np.array(np.load(folder / name, mmap_mode="r")[ends[0] : ends[-1]])
            for name in ("data.npy", "indices.npy")
        )
        shape = (n_voxels, len(ends) - 1)
        return csc_array((data, indices, ends - ends[0]), shape=shape)

    return list(gen_batches(len(indptr) - 1, _BLOCK)), read


def gram_matrix(blocks, read) -> np.ndarray:
    """Compute AᵀMA in float64 from the two values that `read_blocks` returns."""
    n_components = blocks[-1].stop
    gram = np.empty((n_components, n_components))
    for row, left_block in enumerate(blocks):
        left = _to_float64(read(left_block))
        for block in blocks[row:]:
            right = left if block is left_block else _to_float64(read(block))
            product = left.T @ right
            if not isinstance(product, np.ndarray):
                product = product.toarray()
            gram[left_block, block] = product
            gram[block, left_block] = product.T
    return gram


def _to_float64(maps):
    """Return maps in float64, as a dense array if many values are nonzero."""
    maps = maps.astype(np.float64)
    return maps.toarray() if _is_dense(maps) else maps


def _is_dense(maps) -> bool:
    return maps.nnz > _DENSE_SHARE * maps.shape[0] * maps.shape[1]


def invert_gram(gram):
    """Return (AᵀMA)⁻¹, and the condition number of AᵀMA for maps scaled to unit norm.

    `gram` is AᵀMA, where the columns of A are the maps and M is the mask.
    """
    # In the inverse, the rows and columns of empty maps are zero. If a map is a linear
    # combination of other maps, AᵀMA has no inverse. The pseudoinverse is then returned
    # instead, because it results in coefficients of minimum norm, and the condition
    # number is infinite.
    norm = np.sqrt(gram.diagonal())
    nonempty = norm > 0
    norm = np.where(nonempty, norm, 1)
    scaled = gram / norm / norm[:, None]
    np.fill_diagonal(scaled, 1)
    inverse, condition = _invert(scaled)
    return inverse / norm / norm[:, None] * nonempty, condition


def _invert(matrix):
    """Return the inverse and the condition number of a matrix with unit diagonal."""
    # For a singular matrix, the pseudoinverse and infinity are returned.
    try:
        factor = cho_factor(matrix, lower=True)
        if np.diag(factor[0]).min() ** 2 > _MIN_UNEXPLAINED_SHARE:
            reciprocal, _ = dpocon(factor[0], np.abs(matrix).sum(0).max(), uplo="L")
            return cho_solve(factor, np.eye(len(matrix))), 1 / reciprocal
    except LinAlgError:
        pass
    return pinvh(matrix, rtol=_MIN_UNEXPLAINED_SHARE), np.inf


def check_maps(maps: Maps, strategy: str) -> None:
    """Raise an error or warn if the maps are not suitable for the strategy.

    With ``strategy="mean"``, negative values result in an error. Empty maps result in a
    warning. With ``strategy="lstsq"``, maps that are exactly or almost linear
    combinations of other maps also result in a warning.
    """
    if strategy == "mean" and maps.lowest < 0:
        raise ValueError(
            "strategy='mean' requires maps without negative values; the lowest value "
            f"of the atlas is {maps.lowest:.3g}. Use strategy='lstsq'."
        )
    empty = np.flatnonzero(np.diff(maps.array.indptr) == 0)
    if len(empty):
        warnings.warn(
            f"{len(empty)} of {len(maps.labels)} maps of the atlas are empty in the "
            f"mask. The first empty map is {maps.labels[empty[0]]!r}. The coefficients "
            "of empty maps are always zero. Use smaller voxels (target_affine), or "
            "check that the atlas is in MNI space.",
            UserWarning,
            stacklevel=_STACKLEVEL,
        )
    if strategy == "lstsq" and np.isinf(maps.condition):
        warnings.warn(
            "Some maps of the atlas are linear combinations of other maps on this "
            "grid. Coefficients are not unique. The masker uses the coefficients that "
            "have minimum norm when maps are scaled to unit norm. To obtain unique "
            "coefficients, use smaller voxels (target_affine) or fewer maps.",
            UserWarning,
            stacklevel=_STACKLEVEL,
        )
    elif strategy == "lstsq" and maps.condition > _ILL_CONDITIONED:
        warnings.warn(
            "Some maps of the atlas are almost linear combinations of other maps on "
            f"this grid: the condition number of AᵀMA is about {maps.condition:.1e}. "
            "Coefficients are unique, but they are sensitive to rounding of the maps. "
            "To obtain stable coefficients, use fewer maps.",
            UserWarning,
            stacklevel=_STACKLEVEL,
        )
