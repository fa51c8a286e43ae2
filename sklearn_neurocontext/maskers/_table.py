"""Table T = G·M·A(AᵀMA)⁻¹; each row has the coefficients of one peak at one voxel.

On a grid of n voxels and for m maps,

- G, of shape (n, n), is a Gaussian kernel, symmetric;
- M, of shape (n, n), is the mask, diagonal with ones and zeros;
- A, of shape (n, m), is the atlas, one map per column.

Let w, of shape (n,), be the number of peaks of a study at each voxel. The density of
the study is Gw, and its coefficients are the least-squares fit of the maps to the
density in the mask, (AᵀMA)⁻¹AᵀM·Gw = Tᵀw: the sum of the rows of T at the peaks.

T does not depend on the studies. It is built once, in bounded memory, and kept on disk.
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
from ._kde import KERNELS, kernel_margin, smooth_map
from ._maps import Maps, build_maps, open_maps, read_blocks

# Version of the file format, which is part of the cache settings. Increase it when the
# content of the files changes, so that files of earlier versions are not reused.
_FORMAT = 2
# Number of rows of the table held in memory at a time.
_BLOCK = 8192


@dataclass(frozen=True)
class Table:
    """Rows of T at voxels in or near the mask; a peak elsewhere has no effect."""

    rows: np.ndarray  # (n_rows,), int: flat indices of these voxels on the grid
    values: np.ndarray  # (n_rows, n_components), float32: coefficients of a single peak

    def sum_rows(self, weights) -> np.ndarray:
        """Compute the coefficients Tᵀw of each study: (n_studies, n_components)."""
        # `weights` has shape (n_studies, n_grid), with w of one study per row.
        return weights[:, self.rows] @ self.values


def build_table(folder: Path, blocks, read, mixing, inside, *, fwhm, voxel_mm, kernel):
    """Write T = G·M·A(AᵀMA)⁻¹, in bounded memory.

    First G·MA is written map by map to a scratch file; then blocks of its rows are
    multiplied by (AᵀMA)⁻¹.

    Parameters
    ----------
    folder : Path
        Output folder for ``table.npy`` and ``rows.npy``, which become the attributes
        `values` and `rows` of `Table`.
    blocks, read : list of slice and callable
        Blocks of components, and a function that reads the columns of MA of a block,
        as returned by `read_blocks`.
    mixing : ndarray of shape (n_components, n_components) or (n_components,), float64
        (AᵀMA)⁻¹ for a least-squares fit. To compute weighted means instead, 1 divided
        by the sum of each map.
    inside : ndarray of shape (nx, ny, nz), bool
        The mask M.
    fwhm : float
        Full width at half maximum of the Gaussian G, in mm.
    voxel_mm : ndarray of shape (3,)
        Voxel sizes, in mm.
    kernel : {"endless", "reflected"}
        Key of `KERNELS`.
    """
    sigma = fwhm * FWHM_TO_SIGMA / voxel_mm
    matrices = [
        KERNELS[kernel](*axis) for axis in zip(inside.shape, sigma, strict=True)
    ]
    margin = kernel_margin(kernel, sigma)
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
    """Smooth each map of a block and append its values at the voxels `rows`."""
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
    """Keep recent results; compute each missing one once, in any thread."""

    def __init__(self, size: int):
        self._size = size
        self._results = OrderedDict()
        # The lock is reentrant because `build` may call `get`: if the atlas consists of
        # the maps of another masker, those maps are built first.
        self._lock = threading.RLock()

    def get(self, key, build):
        """Return the result of a key, computed by ``build()`` if it is missing."""
        with self._lock:
            if key not in self._results:
                self._results[key] = build()
            self._results.move_to_end(key)
            while len(self._results) > self._size:
                self._results.popitem(last=False)
            return self._results[key]


# Open maps and tables, with their folders as keys. Clones of a masker, for example in
# cross-validation, share them.
_OPENED = RecentStore(size=16)


@dataclass(frozen=True, eq=False)
class Recipe:
    """Atlas, mask and kernel of a fitted masker, from which its table is built."""

    # A masker is pickled with its recipe, without its maps and table.
    # `atlas` is the masker's parameter, except for a geometric atlas: it is then the
    # Atlas itself, because k-means might give other maps on another machine.
    atlas: Any
    n_components: int
    resolution_mm: int
    data_dir: Any
    atlas_hash: str  # at the time of the fit
    mask_img: nib.Nifti1Image  # on the grid
    fwhm: float  # in mm
    kernel: str  # key of KERNELS
    strategy: str

    @cached_property
    def _maps_settings(self) -> dict:
        grid_hash = hash_mask(self.mask_img)
        return {"format": _FORMAT, "atlas": self.atlas_hash, "grid": grid_hash}

    def maps(self) -> Maps:
        """Open the maps of the atlas on the grid, or build them."""
        folder = entry_folder("maps", self._maps_settings)
        return _OPENED.get(folder, lambda: open_maps(self._fetch_maps()))

    def table(self) -> Table:
        """Open the table, or build it."""
        settings = self._maps_settings | {
            "fwhm": self.fwhm,
            "kernel": self.kernel,
            "strategy": self.strategy,
        }
        folder = entry_folder("table", settings)
        fetch = partial(fetch_entry, "table", settings, self._build_table)
        return _OPENED.get(folder, lambda: _open_table(fetch()))

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
    """Return the table of a cache entry that `build_table` has written."""
    return Table(np.asarray(entry.arrays["rows"]), np.asarray(entry.arrays["table"]))
