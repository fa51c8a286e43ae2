"""Transform peaks into coefficients of an atlas, and coefficients into brain maps."""

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
from .._utils.volumes import MAX_FWHM
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

    The density of a study at voxel v is a sum of Gaussians,
    :math:`d(v) = \sum_p g(v - p)`, where the sum is over the peaks p of the study and g
    is a Gaussian whose sum over voxels is 1. Let A be the atlas, a matrix with one row
    per voxel of a grid and one column per map. Let M be the mask, a diagonal matrix of
    ones and zeros. Let d be the vector of the densities at all voxels. The coefficients
    c of the study are the least-squares fit of the maps to the density in the mask,

    .. math::

        c = (A^T M A)^{-1} A^T M d.

    Let G be the symmetric matrix of the Gaussian weights between voxels, and T the
    table :math:`G \, M A (A^T M A)^{-1}` with one row per voxel. The coefficients are
    then a sum of rows of the table,

    .. math::

        c = \sum_p T_p,

    where :math:`T_p` is the row at the voxel of peak p. The first `fit` builds the
    table and saves it to disk. Later fits with the same parameters read the table from
    disk. The unit of densities is peaks per voxel. Coefficients have the same unit if
    the maps have no unit.

    Parameters
    ----------
    atlas : str, path-like or Nifti image, default="difumo"
        Atlas of maps.

        - ``"difumo"`` is the DiFuMo atlas, which nilearn downloads.
        - ``"geometric"`` is an atlas of non-overlapping parcels. The voxels in the MNI
          mask are grouped by k-means according to their positions, and each group is a
          parcel. This atlas needs no download. The atlases with 128, 256, 512 and 1024
          parcels are stored in the package. Atlases with other numbers of parcels are
          computed.
        - ``"geometric-soft"`` is the geometric atlas with overlapping parcels.
        - An image is either a 4D image of maps or a 3D image of labels. NaN is replaced
          by zero.
        - A path is the path of such an image. With a path, a pickled masker is smaller,
          because it does not contain the image.
    n_components : int, default=512
        Number of maps. Ignored if the atlas is an image or a path.
    fwhm : float, default=9.0
        Full width at half maximum of the Gaussian, in mm; at most 1000.
    voxelization : {"nearest", "linear", "neuroquery"}, default="nearest"
        How to assign peaks to voxels.

        - ``"nearest"`` moves each peak to the center of the nearest voxel.
        - ``"linear"`` divides each peak among the eight voxels around the peak.
        - ``"neuroquery"`` reproduces NeuroQuery. The voxel coordinates of each peak are
          rounded down, and peaks outside the mask are kept. The Gaussian is truncated
          at four standard deviations and reflected at the borders of the grid.
    target_affine : float, array-like of shape (3,), (3, 3), (4, 4) or None, default=4.0
        Voxel size of the grid in mm, or affine of the grid. If None, the grid of the
        mask is used.
    mask_img : "mni", path-like, 3D Nifti image or None, default="mni"
        Mask in which the maps are fitted to densities. ``"mni"`` is nilearn's MNI mask.
        If None, the maps are fitted in all voxels of the grid. The grid is then the
        grid of the atlas if the atlas is an image and `target_affine` is also None.
        Otherwise, the grid covers the field of view of the MNI mask.
    resolution_mm : {2, 3}, default=2
        Resolution of the DiFuMo atlas to download, in mm.
    strategy : {"lstsq", "mean"}, default="lstsq"
        How to compute coefficients. ``"lstsq"`` fits the maps by least squares. With
        ``"mean"``, the coefficient of a map is the weighted mean of the density, where
        the weights are the values of the map. ``"mean"`` requires maps without negative
        values.
    space : {"MNI", "TAL"}, default="MNI"
        Space of the peaks. ``"TAL"`` converts Talairach coordinates to MNI space by
        Lancaster's transform. Do not use ``"TAL"`` for peaks from the loaders of this
        package. These peaks are already in MNI space, and a second conversion would
        move them by 6 mm on average.
    empty : {"zero", "error"}, default="zero"
        How to handle a study with no peak in the mask. ``"zero"`` returns coefficients
        of zero. ``"error"`` raises an error.
    data_dir : path-like or None, default=None
        Folder in which nilearn stores the DiFuMo atlas. If None, nilearn's default
        folder is used.

    Attributes
    ----------
    maps_img_ : Nifti1Image of shape (nx, ny, nz, n_elements_)
        The atlas resampled to the grid, float32, zero outside the mask. The values are
        computed each time they are read.
    mask_img_ : Nifti1Image of shape (nx, ny, nz)
        The mask resampled to the grid.
    n_elements_ : int
        Number of maps.
    labels_ : list of str
        Names of the maps.
    atlas_hash_ : str
        SHA-256 hash of the atlas. If the atlas is ``"difumo"`` or a path, this is the
        hash of its file.
    atlas_affine_ : ndarray of shape (4, 4), float64
        Affine of the atlas image, from voxels to mm. For geometric atlases, this is the
        affine of the grid.

    See Also
    --------
    nilearn.maskers.NiftiMapsMasker : Transform images into coefficients, like
        `transform_imgs`.
    density_map : Compute the density of peaks at every voxel.
    load_mask : Load a mask without fitting a masker.

    Notes
    -----
    Maps and tables are cached on disk. To choose the cache folder, set the environment
    variable ``NEUROCONTEXT_CACHE`` to its path. If the variable is not set, the cache
    folder of the user is used. The files for 512 maps on the 4 mm grid need 0.1 GB. The
    cache folder can be deleted at any time.

    References
    ----------
    Dockès et al., NeuroQuery, eLife 2020. This paper uses a kernel of 9 mm on a grid of
    4 mm.

    Dadi et al., Fine-grain atlases of functional modes, NeuroImage 2020. This paper
    presents the DiFuMo atlas.

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
        "fwhm": [Interval(Real, 0, MAX_FWHM, closed="right")],
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
        """Find the atlas, and build the table T unless it is already on disk.

        Parameters
        ----------
        peaks : see `transform`, or None, default=None
            Peaks. They are checked, but do not change the fitted attributes.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : KDEDiFuMoMasker
            The fitted masker.

        Raises
        ------
        TypeError, ValueError
            If a parameter, the peaks or the atlas is invalid.
        OSError
            If the atlas or the mask cannot be found.
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
        # Parameters are copied, so that `set_params` has no effect until the next fit.
        self._recipe, self._counts_grid = recipe, counts_grid
        self._voxelization, self._space = self.voxelization, self.space
        self._empty = self.empty
        return self

    def transform(self, peaks):
        """Compute the coefficients of each study from its peaks.

        Parameters
        ----------
        peaks : sequence of array-like of shape (n_peaks_i, 3), DataFrame, sparse matrix
            Coordinates x, y, z of peaks in mm, in one of these forms:

            - A list, Series or object array with one item per study. An item is an
              array, or a DataFrame with the columns ``x``, ``y``, ``z``.
            - One DataFrame of the peaks of all studies. It must have the columns ``x``,
              ``y``, ``z`` and a column of study ids named ``study_id``, ``pmid``,
              ``pmcid`` or ``id``. Studies are returned in the order in which they first
              appear in the DataFrame.
            - A sparse matrix with the number of peaks of each study at each voxel, such
              as ``bunch.data``, where ``bunch`` is the result of NiMARE's
              ``Studyset.to_bunch()``. The masker must then have the parameter
              ``mask_img=bunch.masker.mask_img``.

            Peaks outside the field of view or outside the mask are dropped with a
            warning. With ``voxelization="neuroquery"``, peaks in the field of view but
            outside the mask are kept.

        Returns
        -------
        coefficients : ndarray of shape (n_studies, n_elements_), float32
            Coefficients. They are zero for studies whose peaks were all dropped.

        Raises
        ------
        TypeError, ValueError
            If the peaks do not have one of these forms or are not finite, or if all
            peaks of a study were dropped and ``empty="error"``.
        """
        check_is_fitted(self)
        peaks, ids = gather_peaks(
            peaks, space=self._space, counts_grid=self._counts_grid
        )
        coefficients = self._recipe.table().sum_rows(self._count_peaks(peaks))
        if (
            ids is not None
            and get_output_config("transform", self)["dense"] == "pandas"
        ):
            # The DataFrame is created here, because scikit-learn would use the index of
            # the input, which has one row per peak instead of one row per study.
            return pd.DataFrame(coefficients, index=ids, columns=self.labels_)
        return coefficients

    def _count_peaks(self, peaks):
        """Count the peaks of each study at each voxel: (n_studies, n_grid)."""
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
        return weights

    def peaks_to_voxels(self, peaks):
        """Compute the density of the peaks of each study at the voxels of the mask.

        This is the density d(v) to which `transform` fits the maps of the atlas. The
        kernel, the voxelization and the mask are those of the masker.

        Parameters
        ----------
        peaks : see `transform`
            Coordinates of the peaks of each study, in mm.

        Returns
        -------
        densities : ndarray of shape (n_studies, n_voxels), float32
            Peaks per voxel, in the order of the nonzero voxels of ``mask_img_``. With
            voxels of 4 mm, each row needs 0.1 MB.

        Raises
        ------
        TypeError, ValueError
            As in `transform`.

        See Also
        --------
        density_map : Compute the density of one study at exact coordinates.
        """
        check_is_fitted(self)
        return self._compute_densities(peaks)

    def _compute_densities(self, peaks):
        # scikit-learn wraps `transform` in another function, but not `peaks_to_voxels`.
        # Therefore, `peaks_to_voxels` calls `gather_peaks` through this function. The
        # call stack then has the same depth in both cases, and warnings point to the
        # user's call.
        peaks, _ = gather_peaks(peaks, space=self._space, counts_grid=self._counts_grid)
        return self._recipe.densities(self._count_peaks(peaks))

    def voxels_to_coefficients(self, voxels):
        """Compute the coefficients of maps at the voxels of the mask.

        Parameters
        ----------
        voxels : array-like of shape (n_maps, n_voxels)
            Values of maps, in the order of the nonzero voxels of ``mask_img_``, for
            example densities from `peaks_to_voxels`.

        Returns
        -------
        coefficients : ndarray of shape (n_maps, n_elements_), float32
            Coefficients. The dtype is float64 if the values are too large or too small
            for float32.

        Raises
        ------
        ValueError
            If the maps have another shape or are not finite.
        """
        check_is_fitted(self)
        voxels = np.asarray(voxels, dtype=np.float64)
        n_voxels = np.count_nonzero(self.mask_img_.dataobj)
        if voxels.ndim != 2 or voxels.shape[1] != n_voxels:
            raise ValueError(
                f"voxels must have shape (n_maps, {n_voxels}); got {voxels.shape}. "
                "Pass a single map as [voxels]."
            )
        if not np.isfinite(voxels).all():
            raise ValueError(
                "voxels must be finite; got NaN or infinity. Check the model that "
                "predicted them."
            )
        return _to_float32(self._recipe.coefficients(voxels))

    def transform_imgs(self, imgs, *, resampling="average"):
        """Compute the coefficients of images, for example of statistical maps.

        With ``strategy="lstsq"`` and ``resampling="nilearn"``, the coefficients are
        equal to those of nilearn's ``NiftiMapsMasker(masker.maps_img_,
        mask_img=masker.mask_img_, resampling_target="maps")``. This method is faster,
        because it inverts the Gram matrix of the maps only once. It reads images in
        batches of 256 MB. If maps have negative values, omit the parameter `mask_img`
        of ``NiftiMapsMasker`` to obtain equal coefficients. With `mask_img`, nilearn
        0.13 excludes voxels at which no map is positive.

        Parameters
        ----------
        imgs : Nifti image, path-like, or iterable of these
            3D or 4D images in MNI space. Images on another grid are resampled. NaN is
            replaced by zero.
        resampling : {"average", "nilearn"}, default="average"
            How to resample images to the grid of the masker.

            - ``"average"``: if an image has smaller voxels than the grid, its mean in
              each voxel of the grid is computed. All voxels of the image then
              contribute to the coefficients, which reduces noise. Other images are
              interpolated as with ``"nilearn"``.
            - ``"nilearn"``: images are interpolated at the centers of the voxels of the
              grid, as in nilearn's ``resample_img`` with
              ``interpolation="continuous"``. If an image has much smaller voxels than
              the grid, most of its voxels are ignored.

        Returns
        -------
        coefficients : ndarray of shape (n_images, n_elements_), float32
            Coefficients, with one row per 3D volume. The dtype is float64 if the
            values are too large or too small for float32.

        Raises
        ------
        TypeError, ValueError, OSError
            If there is no image, if an image cannot be found or read, or if an image is
            neither 3D nor 4D. If an image contains infinite values or values that are
            not real numbers, or if the positions of its voxels are unknown. If an image
            has nonzero values, but all of them are outside the mask. If `resampling` is
            invalid.
        """
        check_is_fitted(self)
        if resampling not in ("average", "nilearn"):
            raise ValueError(
                "The 'resampling' parameter of transform_imgs must be 'average' or "
                f"'nilearn'; got {resampling!r}."
            )
        rows = [np.zeros((0, self.n_elements_))]
        for voxels in stream_images(imgs, self.mask_img_, resampling):
            rows.append(self._recipe.coefficients(voxels))
        coefficients = np.concatenate(rows)
        if not len(coefficients):
            raise ValueError("imgs must contain at least one image; got no image.")
        return _to_float32(coefficients)

    def inverse_transform(self, coefficients):
        """Compute brain maps as weighted sums of the maps of the atlas.

        The weights are the coefficients.

        Parameters
        ----------
        coefficients : array-like of shape (n_maps, n_elements_)
            Coefficients, for example the predictions of a model.

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_maps)
            Brain maps, zero outside the mask. The dtype is float32, or float64 if the
            coefficients are too large or too small for float32.

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
            Coefficients, for example the predictions of a model.

        Returns
        -------
        voxels : ndarray of shape (n_maps, n_voxels), float32
            Values of the maps, in the order of the nonzero voxels of ``mask_img_``.
            The dtype is float64 if the coefficients are too large or too small for
            float32.

        Raises
        ------
        ValueError
            If the coefficients have another shape or are not finite.
        """
        check_is_fitted(self)
        coefficients = np.asarray(coefficients, dtype=np.float64)
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
        return self._recipe.maps().expand(_to_float32(coefficients))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the maps.

        Parameters
        ----------
        input_features : None, default=None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_elements_,), object
            Names of the maps, equal to ``labels_``.
        """
        check_is_fitted(self)
        return np.asarray(self.labels_, dtype=object)

    @property
    def maps_img_(self):
        """Return the atlas on the grid, a Nifti1Image (nx, ny, nz, n_elements_)."""
        check_is_fitted(self)
        maps = LazyMaps(self._recipe, self.n_elements_)
        # Without `dtype`, nibabel would read a value to find the dtype.
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


def _to_float32(coefficients):
    """Convert coefficients to float32, unless they are too large or too small."""
    largest = np.abs(coefficients).max(axis=1, initial=0)
    # Within these limits, neither the coefficients nor the voxel values of their maps
    # overflow in float32. Besides, coefficients that are much smaller than the largest
    # coefficient of their row are not rounded to zero.
    fits = (largest == 0) | ((largest > 1e-30) & (largest < 1e30))
    return coefficients.astype(np.float32) if fits.all() else coefficients
