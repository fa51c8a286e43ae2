"""From peaks to coefficients on an atlas, and back to maps."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from .._utils.validation import (
    Integral,
    Interval,
    Options,
    Real,
    StrOptions,
    check_is_fitted,
    fit_context,
    get_output_config,
)
from ._atlas import find_atlas
from ._coefficients import CoefficientsMixin
from ._grid import check_affine, open_mask, resample_mask
from ._kde import peaks_to_weights
from ._maps import check_maps
from ._peaks import gather_peaks, tell_outside
from ._recipe import Recipe


class KDEDiFuMoMasker(CoefficientsMixin, TransformerMixin, BaseEstimator):
    r"""Coefficients of an atlas for the kernel density of reported peaks.

    The density of a study is :math:`d(v) = \sum_p g(v - p)`, a Gaussian of unit mass
    and the given full width at half maximum at each peak. Its coefficients are the
    least squares fit of the maps A of an atlas in a mask M,
    :math:`(A^T M A)^{-1} A^T M d`. Both steps are linear, so a study's coefficients are
    a sum of rows of one table, which is built at the first `fit` and kept on disk.

    Parameters
    ----------
    atlas : str, path-like or Nifti image, default="difumo"
        ``"difumo"`` (through nilearn's fetcher); ``"geometric"`` (k-means on the voxels
        of the MNI mask, no download) or ``"geometric-soft"`` (the same, overlapping),
        which ship with 128, 256, 512 and 1024 centres and run the k-means in each
        process for other numbers; or a 4D image of maps or a 3D image of labels; as a
        path, the masker's pickle stays small. Not-a-number counts as zero.
    n_components : int, default=512
        Number of maps; ignored where the atlas is an image.
    fwhm : float, default=9.0
        Full width at half maximum of the Gaussian, in mm.
    voxelization : {"nearest", "linear", "neuroquery"}, default="nearest"
        A peak moves to the centre of its voxel; or is shared among the eight voxels
        around it; or all is done as NeuroQuery does: a peak moves to the next lower
        voxel, the Gaussian ends at four standard deviations and is reflected at the
        borders of the grid, and peaks on the grid but outside the mask are kept.
    target_affine : float, array-like of shape (3,), (3, 3), (4, 4) or None, default=4.0
        Voxel size of the grid in mm, or its affine; None is the mask's own grid.
    mask_img : "mni", path-like, 3D Nifti image or None, default="mni"
        Where the maps are fitted. ``"mni"`` is nilearn's MNI mask, None the whole box
        of it; with ``target_affine=None`` the whole grid of the atlas's image.
    resolution_mm : {2, 3}, default=2
        Resolution in which DiFuMo is fetched.
    strategy : {"lstsq", "mean"}, default="lstsq"
        Least squares, or the mean density in each map, which needs maps without
        negative values.
    space : {"MNI", "TAL"}, default="MNI"
        Space of the peaks; Talairach is converted by Lancaster's transform. Leave it
        at MNI for peaks from this package's loaders: they have converted already, and
        converting twice moves peaks by 6 mm on average.
    empty : {"zero", "error"}, default="zero"
        What a study without any peak left gives.
    data_dir : path-like or None, default=None
        Where nilearn keeps DiFuMo.

    Attributes
    ----------
    maps_img_ : Nifti1Image of shape (nx, ny, nz, n_elements_)
        The atlas on the grid, float32, zero outside the mask; its values are written
        out each time that they are read.
    mask_img_ : Nifti1Image of shape (nx, ny, nz)
        The mask on the grid.
    n_elements_ : int
        Number of maps.
    labels_ : list of str
        Name of each map.
    atlas_hash_ : str
        SHA-256 of the atlas as it was given: of its file, or of values and affine.
    atlas_affine_ : ndarray of shape (4, 4), float64
        Affine of the atlas's image, voxel to mm; that of the grid for ``"geometric"``.

    See Also
    --------
    nilearn.maskers.NiftiMapsMasker : Coefficients of images; see `transform_imgs`.

    Notes
    -----
    Maps and table are kept in the folder that the environment variable
    ``NEUROCONTEXT_CACHE`` names, or in the user's cache folder, by the content of atlas
    and settings; 512 maps on the 4 mm grid take 0.1 GB. The folder may be deleted.

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
        "voxelization": [StrOptions({"nearest", "linear", "neuroquery"})],
        "target_affine": "no_validation",
        "mask_img": "no_validation",
        "resolution_mm": [Options(Integral, {2, 3})],
        "strategy": [StrOptions({"lstsq", "mean"})],
        "space": [StrOptions({"MNI", "TAL"})],
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
        target_affine=4.0,
        mask_img="mni",
        resolution_mm=2,
        strategy="lstsq",
        space="MNI",
        empty="zero",
        data_dir=None,
    ):
        self.atlas = atlas
        self.n_components = n_components
        self.fwhm = fwhm
        self.voxelization = voxelization
        self.target_affine = target_affine
        self.mask_img = mask_img
        self.resolution_mm = resolution_mm
        self.strategy = strategy
        self.space = space
        self.empty = empty
        self.data_dir = data_dir

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, peaks=None, y=None):
        """Find the atlas, and build the table where it is not on disk.

        Parameters
        ----------
        peaks : see `transform`, or None, default=None
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
        check_affine(self.target_affine)
        source = {"resolution_mm": self.resolution_mm, "data_dir": self.data_dir}
        atlas = find_atlas(self.atlas, self.n_components, **source)
        own_grid = self.target_affine is None
        counts_img = open_mask(self.mask_img, atlas.img if own_grid else None)
        counts_grid = counts_img.shape, counts_img.affine
        if peaks is not None:
            gather_peaks(peaks, space=self.space, counts_grid=counts_grid)
        whole = self.mask_img is None
        recipe = Recipe(
            self.atlas if atlas.img else atlas,
            self.n_components,
            **source,
            atlas_hash=atlas.hash,
            mask_img=resample_mask(counts_img, self.target_affine, whole),
            fwhm=float(self.fwhm),
            kernel="reflected" if self.voxelization == "neuroquery" else "endless",
            strategy=self.strategy,
        )
        maps = recipe.maps()
        check_maps(maps, self.strategy)
        recipe.table()
        # Facts: a parameter set later counts from the next fit on.
        self.mask_img_, self.labels_ = recipe.mask_img, list(maps.labels)
        self.n_elements_, self.atlas_hash_ = len(maps.labels), atlas.hash
        self.atlas_affine_ = (atlas.img or recipe.mask_img).affine.astype(np.float64)
        self._recipe, self._counts_grid = recipe, counts_grid
        self._voxelization, self._space = self.voxelization, self.space
        self._empty = self.empty
        return self

    def transform(self, peaks):
        """Turn the peaks of each study into coefficients.

        Parameters
        ----------
        peaks : sequence of array-like of shape (n_peaks_i, 3), DataFrame, sparse matrix
            x, y, z in mm; one array per study (a list, Series, or object array). Or a
            table of peaks with the columns ``x``, ``y``, ``z`` and one of ``study_id``,
            ``pmid``, ``pmcid``, ``id``: studies come in the order in which they first
            appear there. Or rows of NiMARE's ``Studyset.to_bunch().data``, where the
            masker's `mask_img` is ``bunch.masker.mask_img``. Peaks outside the field of
            view or the mask are dropped, with one warning that counts them; those
            outside the mask are kept, and counted, by ``voxelization="neuroquery"``.

        Returns
        -------
        coefficients : ndarray of shape (n_studies, n_elements_), float32
            A study without a peak left has a row of zeros.

        Raises
        ------
        TypeError, ValueError
            If the peaks are in no such form or not finite, or a study has none left and
            ``empty="error"``.
        """
        check_is_fitted(self)
        peaks, ids = gather_peaks(
            peaks, space=self._space, counts_grid=self._counts_grid
        )
        weights, n_off_grid, n_off_mask = peaks_to_weights(
            peaks,
            self.mask_img_.affine,
            np.asarray(self.mask_img_.dataobj) > 0,
            voxelization=self._voxelization,
        )
        kept = self._voxelization == "neuroquery"
        tell_outside(n_off_grid, n_off_mask, sum(map(len, peaks)), kept=kept)
        bare = np.flatnonzero(np.diff(weights.indptr) == 0)
        if self._empty == "error" and len(bare):
            raise ValueError(
                f"{len(bare)} of {len(peaks)} studies have no peak inside the mask, "
                f"the first in row {bare[0]}. Drop them, or pass empty='zero'."
            )
        coefficients = self._recipe.table().sum_rows(weights)
        if (
            ids is not None
            and get_output_config("transform", self)["dense"] == "pandas"
        ):
            # The rows of the input are peaks, so that its index would not fit.
            return pd.DataFrame(coefficients, index=ids, columns=self.labels_)
        return coefficients

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_recipe")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
