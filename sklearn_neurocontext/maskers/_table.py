"""Build the table T = G·M·A(AᵀMA)⁻¹, whose rows are the coefficients of single peaks.

T has one row per voxel. The row of a voxel contains the coefficients of a study whose
only peak is at this voxel. For a grid of n voxels and m maps,

- G is a symmetric Gaussian kernel of shape (n, n);
- M is the mask, a diagonal matrix of ones and zeros of shape (n, n);
- A is the atlas, a matrix of shape (n, m) with one map per column.

Let w, of shape (n,), be the number of peaks of a study at each voxel. The density of
the study is d = Gw. The coefficients c of the study are the least-squares fit of the
maps to the density in the mask, c = (AᵀMA)⁻¹AᵀMd = Tᵀw. Therefore, the coefficients are
the sum of the rows of T at the voxels of the peaks.

T does not depend on the studies. Therefore, T is built once and saved to disk. Maps are
processed in blocks to limit memory use.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import maximum_filter
from sklearn.utils import gen_batches

from .._utils.disk_cache import NpyWriter, entry_folder, fetch_entry
from .._utils.volumes import FWHM_TO_SIGMA
from ._atlas import Atlas, find_atlas, hash_mask
from ._kde import kernel_margin, kernel_matrices, smooth_map, smooth_weights
from ._maps import Maps, build_maps, open_maps, read_blocks

# Version of the file format, which is part of the cache settings. Increase it when the
# content of the files changes, so that files of earlier versions are not reused.
_FORMAT = 2
# Number of rows of the table held in memory at a time.
_BLOCK = 8192


@dataclass(frozen=True)
class Table:
    """Rows of T at the voxels in or near the mask. The other rows are not needed."""

    rows: np.ndarray  # (n_rows,), int: flat indices of the voxels on the grid
    values: np.ndarray  # (n_rows, n_components), float32: rows of T

    def sum_rows(self, weights) -> np.ndarray:
        """Compute the coefficients Tᵀw of each study: (n_studies, n_components)."""
        # `weights` has shape (n_studies, n_grid). Each row is the vector w of a study,
        # that is, the number of peaks of the study at each voxel of the grid.
        return weights[:, self.rows] @ self.values


def build_table(folder: Path, blocks, read, mixing, inside, *, fwhm, voxel_mm, kernel):
    """Build T = G·M·A(AᵀMA)⁻¹ block by block and write T to a folder.

    First, G·MA is written map by map to a temporary file. Then, blocks of rows of G·MA
    are multiplied by (AᵀMA)⁻¹. For weighted means, (AᵀMA)⁻¹ is replaced by a diagonal
    matrix.

    Parameters
    ----------
    folder : Path
        Output folder for ``table.npy`` and ``rows.npy``, which become the attributes
        `values` and `rows` of `Table`.
    blocks, read : list of slice and callable
        The two values returned by `read_blocks`: slices that divide the components
        into blocks, and a function that reads the columns of MA for a block.
    mixing : ndarray of shape (n_components, n_components) or (n_components,), float64
        Matrix by which the rows of G·MA are multiplied. For a least-squares fit, the
        matrix is (AᵀMA)⁻¹. For weighted means, the matrix is diagonal, and `mixing`
        contains only its diagonal entries. Each entry is 1 divided by the sum of a map.
    inside : ndarray of shape (nx, ny, nz), bool
        The mask M.
    fwhm : float
        Full width at half maximum of the Gaussian G, in mm.
    voxel_mm : ndarray of shape (3,)
        Voxel sizes, in mm.
    kernel : {"endless", "reflected"}
        ``"endless"`` is a Gaussian that is not truncated. ``"reflected"`` is
        NeuroQuery's Gaussian, which is truncated and reflected at the borders of the
        grid.
    """
    matrices = kernel_matrices(kernel, inside.shape, fwhm, voxel_mm)
    margin = kernel_margin(kernel, fwhm * FWHM_TO_SIGMA / voxel_mm)
    rows = np.flatnonzero(maximum_filter(inside, 2 * margin + 1, mode="constant"))
    np.save(folder / "rows.npy", rows)
    scratch = folder / "smooth.bin"
    voxels = np.argwhere(inside)
    with scratch.open("wb") as stream:
        for block in blocks:
            _write_smooth(stream, read(block), voxels, matrices, rows)
    with NpyWriter(folder / "table.npy", np.float32, (len(mixing),)) as table:
        for batch in gen_batches(len(rows), _BLOCK):
            smooth = _read_smooth(scratch, batch, len(rows), len(mixing))
            table.append(smooth * mixing if mixing.ndim == 1 else smooth @ mixing)
    scratch.unlink()


def _write_smooth(stream, maps, voxels, matrices, rows):
    """Smooth each map of a block and append its values at the voxels `rows` to a file.

    `voxels` are the indices (x, y, z) of the voxels in the mask.
    """
    for component in range(maps.shape[1]):
        nonzero = slice(*maps.indptr[component : component + 2])
        smooth = smooth_map(voxels[maps.indices[nonzero]], maps.data[nonzero], matrices)
        smooth.ravel()[rows].tofile(stream)


def _read_smooth(scratch: Path, batch, n_rows, n_components):
    """Read a batch of rows of G·MA: (n_in_batch, n_components)."""
    part = np.empty((n_components, batch.stop - batch.start))
    with scratch.open("rb") as stream:
        for component, row in enumerate(part):
            stream.seek((component * n_rows + batch.start) * part.itemsize)
            stream.readinto(row)
    return part.T


class RecentStore:
    """Keep recent results in memory, and compute each result once for all threads."""

    def __init__(self, size: int):
        self._size = size
        self._results = OrderedDict()
        # The lock is reentrant, because the function `build` may call `get`. For
        # example, if the atlas is the `maps_img_` of another masker, `build` opens the
        # maps of that masker.
        self._lock = threading.RLock()

    def get(self, key, build):
        """Return the result of a key; call ``build()`` if the result is missing."""
        with self._lock:
            if key not in self._results:
                self._results[key] = build()
            self._results.move_to_end(key)
            while len(self._results) > self._size:
                self._results.popitem(last=False)
            return self._results[key]


# Maps and tables that are in use. The keys are the folders of their files. The clones
# of a masker, for example in cross-validation, share these maps and tables.
_OPENED = RecentStore(size=16)


@dataclass(frozen=True, eq=False)
class Recipe:
    """Atlas, mask, kernel and strategy of a fitted masker; they determine its table."""

    # A pickled masker contains its recipe, but not its maps and its table.
    # `atlas` is the parameter `atlas` of the masker. For a geometric atlas, it is an
    # `Atlas` object instead, because k-means might find other centers on another
    # machine.
    atlas: Any
    n_components: int
    resolution_mm: int
    data_dir: Any
    atlas_hash: str  # hash of the atlas at the time of the fit
    mask_img: nib.Nifti1Image  # mask resampled to the grid
    fwhm: float  # in mm
    kernel: str  # key of KERNELS
    strategy: str

    @cached_property
    def _maps_settings(self) -> dict:
        grid_hash = hash_mask(self.mask_img)
        return {"format": _FORMAT, "atlas": self.atlas_hash, "grid": grid_hash}

    def maps(self) -> Maps:
        """Open the maps of the atlas on the grid, or build them if they are missing."""
        folder = entry_folder("maps", self._maps_settings)
        return _OPENED.get(folder, lambda: open_maps(self._fetch_maps()))

    def table(self) -> Table:
        """Open the table, or build the table if it is missing."""
        settings = self._maps_settings | {
            "fwhm": self.fwhm,
            "kernel": self.kernel,
            "strategy": self.strategy,
        }
        folder = entry_folder("table", settings)
        fetch = partial(fetch_entry, "table", settings, self._build_table)
        return _OPENED.get(folder, lambda: _open_table(fetch()))

    def densities(self, weights) -> np.ndarray:
        """Compute the density Gw of each study at the voxels in the mask, as float32.

        `weights` contains a row w for each study. The result has shape (n_studies,
        n_voxels).
        """
        voxel_mm = nib.affines.voxel_sizes(self.mask_img.affine)
        inside = np.asarray(self.mask_img.dataobj) > 0
        matrices = kernel_matrices(self.kernel, inside.shape, self.fwhm, voxel_mm)
        return smooth_weights(weights, inside, matrices)

    def coefficients(self, voxels) -> np.ndarray:
        """Compute the coefficients of brain maps: (n_maps, n_components), float64."""
        maps = self.maps()
        products = maps.project(voxels)
        if self.strategy == "mean":
            return products / maps.masses
        return products @ maps.inverse

    def _fetch_maps(self):
        return fetch_entry("maps", self._maps_settings, self._build_maps)

    def _build_maps(self, folder):
        atlas = self.atlas
        if not isinstance(atlas, Atlas):
            atlas = find_atlas(
                atlas,
                self.n_components,
                resolution_mm=self.resolution_mm,
                data_dir=self.data_dir,
            )
        if atlas.hash != self.atlas_hash:
            raise ValueError(
                "The content of the atlas has changed since the masker was fitted. "
                "Fit the masker again."
            )
        return build_maps(folder, atlas, self.mask_img)

    def _build_table(self, folder):
        entry = self._fetch_maps()
        maps = open_maps(entry)
        build_table(
            folder,
            *read_blocks(entry.folder),
            maps.inverse if self.strategy == "lstsq" else 1 / maps.masses,
            np.asarray(self.mask_img.dataobj) > 0,
            fwhm=self.fwhm,
            voxel_mm=nib.affines.voxel_sizes(self.mask_img.affine),
            kernel=self.kernel,
        )
        return {}


def _open_table(entry) -> Table:
    """Return the table of a cache entry that was written by `build_table`."""
    return Table(np.asarray(entry.arrays["rows"]), np.asarray(entry.arrays["table"]))
