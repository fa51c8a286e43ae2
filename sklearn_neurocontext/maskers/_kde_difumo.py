"""From peaks to coefficients on an atlas, and back to maps."""

import warnings
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._validation import (
    Integral,
    Interval,
    Real,
    StrOptions,
    check_is_fitted,
    check_peaks,
    fit_context,
)
from ._atlas import check_maps, hash_atlas, load_mask, resolve_atlas, write_voxels
from ._kde import build_table, peaks_to_weights
from ._store import RecentStore

# By content: clones in cross-validation share them, and no pickle carries them.
_TABLES = RecentStore(size=2)


class KDEDiFuMoMasker(TransformerMixin, BaseEstimator):
    r"""Coefficients of an atlas for the kernel density of reported peaks.

    The density of a study is :math:`d(v) = \sum_p g(v - p)`, a Gaussian of unit mass
    and the given full width at half maximum at each peak. Its coefficients are the
    least squares fit of the maps A of an atlas in a mask M,
    :math:`(A^T M A)^{-1} A^T M d`. Both steps are linear, so a study's coefficients are
    a sum of rows of one table, built at `fit`. On the grid, the Gaussian is a normal
    density sampled at the voxels and divided by its sum over an endless grid.

    Parameters
    ----------
    atlas : str, path-like or Nifti image, default="difumo"
        ``"difumo"`` (through nilearn's fetcher), ``"geometric"`` (made from the MNI
        mask alone, no download), or a 4D image of maps or a 3D image of labels; as a
        path, the masker's pickle stays small. Not-a-number counts as zero.
    n_components : int, default=512
        Number of maps; ignored where the atlas is an image.
    fwhm : float, default=9.0
        Full width at half maximum of the Gaussian, in mm.
    voxelization : {"nearest", "linear"}, default="nearest"
        Whether a peak moves to the centre of its voxel or is shared among the eight
        voxels around it.
    target_mm : float, default=4.0
        Voxel size of the grid, in mm.
    strategy : {"lstsq", "mean"}, default="lstsq"
        Least squares, or the mean density in each map, which needs maps without
        negative values.
    empty : {"zero", "error"}, default="zero"
        What a study without any peak inside the mask gives.
    data_dir : path-like or None, default=None
        Where nilearn keeps DiFuMo.

    Attributes
    ----------
    maps_img_ : Nifti1Image of shape (nx, ny, nz, n_elements_)
        The atlas on the grid, float32, zero outside the mask; made anew when asked for.
    mask_img_ : Nifti1Image of shape (nx, ny, nz)
        The MNI mask on the grid.
    n_elements_ : int
        Number of maps.
    labels_ : list of str
        Name of each map.
    atlas_hash_ : str
        SHA-256 of maps, mask and affine on the grid.

    See Also
    --------
    nilearn.maskers.NiftiMapsMasker : The same coefficients for images.

    References
    ----------
    Dockès et al., NeuroQuery, eLife 2020 (kernel of 9 mm on a 4 mm grid). Dadi et al.,
    Fine-grain atlases of functional modes, NeuroImage 2020 (DiFuMo).

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=128).fit()
    >>> masker.transform([[[-40, -24, 56]], [[44, -50, -20], [0, 0, 0]]]).shape
    (2, 128)
    """

    _parameter_constraints = {
        "atlas": "no_validation",
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "fwhm": [Interval(Real, 0, None, closed="neither")],
        "voxelization": [StrOptions({"nearest", "linear"})],
        "target_mm": [Interval(Real, 0, None, closed="neither")],
        "strategy": [StrOptions({"lstsq", "mean"})],
        "empty": [StrOptions({"zero", "error"})],
        "data_dir": "no_validation",
    }

    def __init__(
        self,
        atlas="difumo",
        n_components=512,
        *,
        fwhm=9.0,
        voxelization="nearest",
        target_mm=4.0,
        strategy="lstsq",
        empty="zero",
        data_dir=None,
    ):
        self.atlas = atlas
        self.n_components = n_components
        self.fwhm = fwhm
        self.voxelization = voxelization
        self.target_mm = target_mm
        self.strategy = strategy
        self.empty = empty
        self.data_dir = data_dir

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, peaks=None, y=None):
        """Load the atlas and build the table.

        Parameters
        ----------
        peaks : sequence of array-like of shape (n_peaks_i, 3) or None, default=None
            Checked if given; nothing is learned from them.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : KDEDiFuMoMasker
            The fitted masker.

        Raises
        ------
        TypeError, ValueError, OSError
            If a parameter, the peaks or the atlas is not as described or not found.
        """
        if peaks is not None:
            check_peaks(peaks)
        mask_img = load_mask(self.target_mm)
        atlas = resolve_atlas(self.atlas, self.n_components, mask_img, self.data_dir)
        check_maps(atlas, self.strategy)
        self.mask_img_, self._maps, self.labels_ = mask_img, atlas.maps, atlas.labels
        self.n_elements_ = len(atlas.labels)
        self.atlas_hash_ = hash_atlas(atlas, mask_img)
        # Facts: a parameter set later counts from the next fit on.
        self._kernel = (float(self.fwhm), self.strategy)
        if not self._table().unique:
            warnings.warn(
                "Some maps of the atlas are combinations of others on this grid, so "
                "coefficients are not unique; taking those of least norm, with maps "
                "at unit norm. Use a smaller target_mm or fewer maps if that matters.",
                UserWarning,
                stacklevel=3,
            )
        return self

    @property
    def maps_img_(self):
        """The atlas on the grid: Nifti1Image of shape (nx, ny, nz, n_elements_)."""
        check_is_fitted(self)
        return write_voxels(self._maps.T.toarray(), self.mask_img_)

    def transform(self, peaks):
        """Turn the peaks of each study into coefficients.

        Parameters
        ----------
        peaks : sequence of array-like of shape (n_peaks_i, 3)
            x, y, z in mm, MNI; one array per study. Peaks outside the mask are dropped,
            with one warning that counts them.

        Returns
        -------
        coefficients : ndarray of shape (n_studies, n_elements_), float32
            A study without a peak left has a row of zeros.

        Raises
        ------
        ValueError
            If a study's peaks are not finite (n, 3) numbers, or none is left and
            ``empty="error"``.
        """
        check_is_fitted(self)
        peaks = check_peaks(peaks)
        grid = self.mask_img_.affine, self._inside()
        weights, n_off_grid, n_off_mask = peaks_to_weights(
            peaks, *grid, voxelization=self.voxelization
        )
        self._tell_dropped(n_off_grid, n_off_mask, sum(map(len, peaks)))
        bare = np.flatnonzero(np.diff(weights.indptr) == 0)
        if self.empty == "error" and len(bare):
            raise ValueError(
                f"{len(bare)} of {len(peaks)} studies have no peak inside the mask, "
                f"the first in row {bare[0]}. Drop them, or pass empty='zero'."
            )
        return self._table().sum_rows(weights)

    def inverse_transform(self, coefficients):
        """Turn coefficients into maps: coefficients times the maps of the atlas.

        Parameters
        ----------
        coefficients : array-like of shape (n_maps, n_elements_)
            For example what a model predicts.

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_maps)
            Zero outside the mask.
        """
        return write_voxels(self.coefficients_to_voxels(coefficients), self.mask_img_)

    def coefficients_to_voxels(self, coefficients):
        """Turn coefficients into values at the voxels of the mask.

        Parameters
        ----------
        coefficients : array-like of shape (n_maps, n_elements_)
            For example what a model predicts.

        Returns
        -------
        voxels : ndarray of shape (n_maps, n_voxels), float32
            In the order of ``mask_img_``'s true voxels.

        Raises
        ------
        ValueError
            If the coefficients are not finite, or not `n_elements_` for each map.
        """
        check_is_fitted(self)
        coefficients = np.asarray(coefficients, dtype=np.float32)
        if coefficients.ndim != 2 or coefficients.shape[1] != self.n_elements_:
            raise ValueError(
                f"coefficients have shape {coefficients.shape}; expected (n_maps, "
                f"{self.n_elements_}). A single map is written [coefficients]."
            )
        if not np.isfinite(coefficients).all():
            raise ValueError(
                "coefficients hold NaN or infinity. Check what predicted them."
            )
        return coefficients @ self._maps.T

    def get_feature_names_out(self, input_features=None):
        """Name the columns that `transform` gives.

        Parameters
        ----------
        input_features : None, default=None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_elements_,), object
            The atlas's labels.
        """
        check_is_fitted(self)
        return np.asarray(self.labels_, dtype=object)

    def _inside(self):
        return np.asarray(self.mask_img_.dataobj) > 0

    def _table(self):
        """Give the table of this atlas and kernel, built once per process."""
        fwhm, strategy = self._kernel

        build = partial(
            build_table,
            self._maps,
            self._inside(),
            fwhm=fwhm,
            voxel_mm=np.diag(self.mask_img_.affine)[:3],
            strategy=strategy,
        )
        return _TABLES.get((self.atlas_hash_, fwhm, strategy), build)

    def _tell_dropped(self, n_off_grid, n_off_mask, n_peaks):
        if n_off_grid + n_off_mask == 0:
            return
        warnings.warn(
            f"Dropped {n_off_grid + n_off_mask} of {n_peaks} peaks: {n_off_grid} "
            f"outside the field of view, {n_off_mask} outside the mask. If these are "
            "many, check that peaks are in mm and in MNI space.",
            UserWarning,
            stacklevel=4,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
