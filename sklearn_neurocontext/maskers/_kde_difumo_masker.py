"""Peaks to coefficients of an atlas, and coefficients to brain maps."""

import nibabel as nib
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
from ._images import (
    LazyMaps,
    check_affine,
    open_mask,
    resample_mask,
    stream_images,
    to_volume,
)
from ._kde import peaks_to_weights
from ._maps import check_maps
from ._peaks import gather_peaks, warn_outside
from ._table import Recipe


class KDEDiFuMoMasker(TransformerMixin, BaseEstimator):
    r"""Transform the peaks of studies into coefficients of a brain atlas.

    The density of a study is a sum of Gaussians of unit mass at its peaks,
    :math:`d(v) = \sum_p g(v - p)`, evaluated on a grid of voxels. Its coefficients are
    the least-squares fit of the maps of an atlas A to the density in a mask M,

    .. math::

        c = (A^T M A)^{-1} A^T M d = \sum_p T_p,
        \quad T = G \, M A (A^T M A)^{-1},

    where G is the Gaussian kernel between voxels. Coefficients are therefore the sum
    of the rows of one table T at the voxels of the peaks. The table is built by the
    first `fit` and kept on disk. Densities are in peaks per voxel, and so are
    coefficients if the maps of the atlas have no unit.

    Parameters
    ----------
    atlas : str, path-like or Nifti image, default="difumo"
        ``"difumo"``, downloaded by nilearn; ``"geometric"``, the parcels of k-means on
        the voxels of the MNI mask, without any download; ``"geometric-soft"``, the same
        with overlapping parcels; or a 4D image of maps or a 3D image of labels, or its
        path (then pickles of the masker stay small). Geometric atlases of 128, 256, 512
        and 1024 parcels are part of the package; others are computed. NaN is replaced
        by zero.
    n_components : int, default=512
        Number of maps; ignored if the atlas is an image.
    fwhm : float, default=9.0
        Full width at half maximum of the Gaussian, in mm.
    voxelization : {"nearest", "linear", "neuroquery"}, default="nearest"
        How to assign peaks to voxels. ``"nearest"`` moves a peak to the center of its
        voxel. ``"linear"`` shares it among the eight voxels around it.
        ``"neuroquery"`` reproduces NeuroQuery: peaks move to the next lower voxel and
        are kept outside the mask; the Gaussian is truncated at four standard deviations
        and reflected at the borders of the grid.
    target_affine : float, array-like of shape (3,), (3, 3), (4, 4) or None, default=4.0
        Voxel size of the grid in mm, or its affine; None keeps the grid of the mask.
    mask_img : "mni", path-like, 3D Nifti image or None, default="mni"
        Mask in which maps are fitted. ``"mni"`` is nilearn's MNI mask. None is its
        whole box, or with ``target_affine=None`` the whole grid of the atlas image.
    resolution_mm : {2, 3}, default=2
        Resolution of the DiFuMo atlas to download, in mm.
    strategy : {"lstsq", "mean"}, default="lstsq"
        ``"lstsq"`` fits maps by least squares; ``"mean"`` computes the mean density in
        each map, which requires maps without negative values.
    space : {"MNI", "TAL"}, default="MNI"
        Space of the peaks. Talairach coordinates are converted by Lancaster's
        transform. Peaks from this package's loaders are already in MNI space; a second
        conversion would move them by 6 mm on average.
    empty : {"zero", "error"}, default="zero"
        How to handle a study with no peak in the mask: coefficients of zero, or an
        error.
    data_dir : path-like or None, default=None
        Folder of nilearn's data, for DiFuMo.

    Attributes
    ----------
    maps_img_ : Nifti1Image of shape (nx, ny, nz, n_elements_)
        The atlas on the grid, float32, zero outside the mask. Its values are computed
        each time they are read.
    mask_img_ : Nifti1Image of shape (nx, ny, nz)
        The mask on the grid.
    n_elements_ : int
        Number of maps.
    labels_ : list of str
        Names of the maps.
    atlas_hash_ : str
        SHA-256 of the file of the atlas, or of its values and affine.
    atlas_affine_ : ndarray of shape (4, 4), float64
        Affine of the atlas image, voxel to mm; for geometric atlases that of the grid.

    See Also
    --------
    nilearn.maskers.NiftiMapsMasker : Transform images into coefficients, as
        `transform_imgs` does.
    density_map : Compute the density of peaks at every voxel.

    Notes
    -----
    Maps and tables are kept in the folder named by the environment variable
    ``NEUROCONTEXT_CACHE``, or in the user's cache folder. 512 maps on the 4 mm grid
    take 0.1 GB. The folder can be deleted at any time.

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
        """Find the atlas, and build the table unless it is already on disk.

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
        TypeError, ValueError
            If a parameter, the peaks or the atlas are invalid.
        OSError
            If the atlas or the mask is not found.
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
        self.mask_img_, self.labels_ = recipe.mask_img, list(maps.labels)
        self.n_elements_, self.atlas_hash_ = len(maps.labels), atlas.hash
        self.atlas_affine_ = (atlas.img or recipe.mask_img).affine.astype(np.float64)
        # Copies, as parameters that are set later have no effect until the next fit.
        self._recipe, self._counts_grid = recipe, counts_grid
        self._voxelization, self._space = self.voxelization, self.space
        self._empty = self.empty
        return self

    def transform(self, peaks):
        """Compute the coefficients of each study from its peaks.

        Parameters
        ----------
        peaks : sequence of array-like of shape (n_peaks_i, 3), DataFrame, sparse matrix
            x, y, z in mm, in one of these forms:

            - a list, Series or object array with one array, or one DataFrame with the
              columns ``x``, ``y``, ``z``, per study;
            - one DataFrame of all peaks with the columns ``x``, ``y``, ``z`` and one of
              ``study_id``, ``pmid``, ``pmcid``, ``id``; studies are in the order of
              their first rows;
            - a sparse matrix of counts of peaks at voxels, such as NiMARE's
              ``Studyset.to_bunch().data``; the masker then needs
              ``mask_img=bunch.masker.mask_img``.

            Peaks outside the field of view or the mask are dropped; a warning counts
            them. With ``voxelization="neuroquery"`` those outside the mask are kept.

        Returns
        -------
        coefficients : ndarray of shape (n_studies, n_elements_), float32
            Zero for studies with no peak in the mask.

        Raises
        ------
        TypeError, ValueError
            If the peaks have another form or are not finite, or if a study has no peak
            in the mask and ``empty="error"``.
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
        warn_outside(n_off_grid, n_off_mask, sum(map(len, peaks)), kept=kept)
        empty = np.flatnonzero(np.diff(weights.indptr) == 0)
        if self._empty == "error" and len(empty):
            raise ValueError(
                f"{len(empty)} of {len(peaks)} studies have no peak inside the mask; "
                f"the first is in row {empty[0]}. Drop them, or pass empty='zero'."
            )
        coefficients = self._recipe.table().sum_rows(weights)
        if (
            ids is not None
            and get_output_config("transform", self)["dense"] == "pandas"
        ):
            # scikit-learn would take the index of the input, whose rows are peaks.
            return pd.DataFrame(coefficients, index=ids, columns=self.labels_)
        return coefficients

    def transform_imgs(self, imgs):
        """Compute the coefficients of images, for example of statistical maps.

        With ``strategy="lstsq"`` they equal those of nilearn's
        ``NiftiMapsMasker(masker.maps_img_, mask_img=masker.mask_img_,
        resampling_target="maps")``, but maps are factorized only once and images are
        read in batches of 256 MB. If maps have negative values, they equal those
        without `mask_img`, as nilearn 0.13 then excludes voxels where no map is
        positive.

        Parameters
        ----------
        imgs : Nifti image, path-like, or iterable of these
            3D or 4D, in MNI space. Images on another grid are resampled. NaN is
            replaced by zero.

        Returns
        -------
        coefficients : ndarray of shape (n_images, n_elements_), float32
            One row per volume.

        Raises
        ------
        TypeError, ValueError, OSError
            If there is no image, or one is not found, not 3D or 4D, or infinite.
        """
        check_is_fitted(self)
        maps = self._recipe.maps()
        mean = self._recipe.strategy == "mean"
        rows = [np.zeros((0, self.n_elements_))]
        for voxels in stream_images(imgs, self.mask_img_):
            products = maps.project(voxels)
            rows.append(products / maps.masses if mean else products @ maps.inverse)
        coefficients = np.concatenate(rows).astype(np.float32)
        if not len(coefficients):
            raise ValueError("imgs is empty; expected at least one image.")
        return coefficients

    def inverse_transform(self, coefficients):
        """Compute brain maps, the sums of atlas maps weighted by coefficients.

        Parameters
        ----------
        coefficients : array-like of shape (n_maps, n_elements_)
            For example the prediction of a model.

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_maps)
            Float32, zero outside the mask.

        Raises
        ------
        ValueError
            If the coefficients have another shape or are not finite.
        """
        volume = to_volume(self.coefficients_to_voxels(coefficients), self.mask_img_)
        return nib.Nifti1Image(volume, self.mask_img_.affine)

    def coefficients_to_voxels(self, coefficients):
        """Compute brain maps at the voxels of the mask.

        Parameters
        ----------
        coefficients : array-like of shape (n_maps, n_elements_)
            For example the prediction of a model.

        Returns
        -------
        voxels : ndarray of shape (n_maps, n_voxels), float32
            In the order of the nonzero voxels of ``mask_img_``.

        Raises
        ------
        ValueError
            If the coefficients have another shape or are not finite.
        """
        check_is_fitted(self)
        coefficients = np.asarray(coefficients, dtype=np.float32)
        if coefficients.ndim != 2 or coefficients.shape[1] != self.n_elements_:
            raise ValueError(
                f"coefficients must have shape (n_maps, {self.n_elements_}); got "
                f"{coefficients.shape}. Pass a single map as [coefficients]."
            )
        if not np.isfinite(coefficients).all():
            raise ValueError(
                "coefficients must be finite; got NaN or infinity. Check the model "
                "that predicted them."
            )
        return self._recipe.maps().expand(coefficients)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the maps.

        Parameters
        ----------
        input_features : None, default=None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_elements_,), object
            The labels of the atlas.
        """
        check_is_fitted(self)
        return np.asarray(self.labels_, dtype=object)

    @property
    def maps_img_(self):
        """The atlas on the grid: Nifti1Image of shape (nx, ny, nz, n_elements_)."""
        check_is_fitted(self)
        maps = LazyMaps(self._recipe, self.n_elements_)
        # With dtype, as nibabel would otherwise read a value.
        return nib.Nifti1Image(maps, self.mask_img_.affine, dtype=maps.dtype)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_recipe")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
