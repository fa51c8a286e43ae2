"""What a fitted masker keeps instead of its table: how to come by it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import nibabel as nib
import numpy as np

from .._utils.disk_cache import entry_place, fetch_entry
from ._atlas import Atlas, find_atlas, hash_grid
from ._maps import Maps, build_maps, open_maps, read_blocks
from ._table import Table, build_table, open_table

# Raised when what the files hold changes, so that no version reads another's.
_FORMAT = 2


class RecentStore:
    """Keeps the results that were used last; builds one that is missing.

    Parameters
    ----------
    size : int
        Number of results to keep.
    """

    def __init__(self, size: int):
        self._size = size
        self._results = OrderedDict()
        # An atlas may be the maps of another masker: its build then asks here again.
        self._lock = threading.RLock()

    def get(self, key: Hashable, build: Callable):
        """Give the result of `key`, from ``build()`` if it is not here.

        Parameters
        ----------
        key : hashable
            Names everything that the result depends on.
        build : callable
            Takes nothing, gives the result. Threads that ask meanwhile wait for it.

        Returns
        -------
        result : object
            Shared: not to be changed.
        """
        with self._lock:
            if key not in self._results:
                self._results[key] = build()
            self._results.move_to_end(key)
            while len(self._results) > self._size:
                self._results.popitem(last=False)
            return self._results[key]


# Opened files by their place, so that clones in cross-validation open them once.
_OPENED = RecentStore(size=16)


@dataclass(frozen=True)
class Recipe:
    """Atlas, grid and kernel of a fitted masker; maps and table are on disk.

    Attributes
    ----------
    atlas, n_components, resolution_mm, data_dir : object
        As the masker was given them; of a geometric atlas the centres themselves, as an
        Atlas, which another machine's k-means might not find again.
    atlas_hash : str
        Content of the atlas when the masker was fitted.
    mask_img : Nifti1Image of shape (nx, ny, nz)
        The grid.
    fwhm : float
        In mm.
    kernel : {"endless", "reflected"}
        Kind of Gaussian.
    strategy : {"lstsq", "mean"}
        Least squares, or means.
    """

    atlas: Any
    n_components: int
    resolution_mm: int
    data_dir: Any
    atlas_hash: str
    mask_img: nib.Nifti1Image
    fwhm: float
    kernel: str
    strategy: str
    _grid_hash: str = field(default="")

    def __post_init__(self):
        object.__setattr__(self, "_grid_hash", hash_grid(self.mask_img))

    def maps(self) -> Maps:
        """Open the maps of the atlas on the grid, bringing them there if need be."""
        settings = self._maps_settings()
        return _OPENED.get(
            entry_place("maps", settings), lambda: open_maps(self._fetch_maps())
        )

    def table(self) -> Table:
        """Open the table, building it if need be."""
        settings = self._maps_settings() | {
            "fwhm": self.fwhm,
            "kernel": self.kernel,
            "strategy": self.strategy,
        }
        fetch = partial(fetch_entry, "table", settings, self._build_table)
        return _OPENED.get(entry_place("table", settings), lambda: open_table(fetch()))

    def _maps_settings(self):
        return {
            "format": _FORMAT,
            "atlas": self.atlas_hash,
            "grid": self._grid_hash,
        }

    def _fetch_maps(self):
        return fetch_entry("maps", self._maps_settings(), self._build_maps)

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
                "The atlas is another one than when the masker was fitted: its content "
                "has changed. Fit the masker again."
            )
        return build_maps(folder, atlas, self.mask_img)

    def _build_table(self, folder):
        entry = self._fetch_maps()
        maps = open_maps(entry)
        mix = maps.inverse if self.strategy == "lstsq" else 1 / mass_of(maps)
        build_table(
            folder,
            *read_blocks(entry.folder),
            mix,
            np.asarray(self.mask_img.dataobj) > 0,
            fwhm=self.fwhm,
            voxel_mm=nib.affines.voxel_sizes(self.mask_img.affine),
            kernel=self.kernel,
        )
        return {}


def mass_of(maps: Maps) -> np.ndarray:
    """Sum of each map; one for an empty map, whose coefficients are zero anyhow."""
    mass = maps.array.sum(axis=0, dtype=np.float64)
    return np.where(mass > 0, mass, 1)
