"""Association maps of terms as in Neurosynth, and maps of texts computed from them."""

import nibabel as nib
import numpy as np
from scipy.sparse import csr_array, vstack
from scipy.spatial import KDTree
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.utils import gen_batches

from .._utils.validation import Interval, Real, check_peaks
from ._term_maps import TermMapEstimator

# Numbers of studies and of terms that are processed at a time. They limit the memory
# for the distances from peaks to voxels, and for the counts of studies by term and
# voxel.
_STUDIES_BLOCK = 2000
_TERMS_BLOCK = 200


def peak_indicators(peaks, mask_img, radius: float = 10.0) -> csr_array:
    """Find, for each study, the voxels that are close to one of its peaks.

    A voxel is close to a peak if the distance from its center to the exact coordinates
    of the peak is at most `radius`. NiMARE's ``MKDAKernel`` first moves each peak to
    the center of the nearest voxel of its grid. The results are equal if all peaks are
    at centers of voxels.

    Parameters
    ----------
    peaks : sequence of n_studies array-like of shape (n_peaks_i, 3)
        Coordinates x, y, z of the peaks in mm, in the space of the mask.
    mask_img : Nifti1Image of shape (nx, ny, nz)
        Mask. Only its nonzero voxels are returned.
    radius : float, default=10.0
        Maximum distance in mm.

    Returns
    -------
    indicators : csr_array of shape (n_studies, n_voxels), float32
        One if the voxel is close to a peak of the study, otherwise zero. Voxels are in
        the order of the nonzero voxels of the mask.

    Examples
    --------
    >>> from sklearn_neurocontext.comparators import peak_indicators
    >>> from sklearn_neurocontext.maskers import load_mask
    >>> peaks = [[[2, -22, 20]], [[2, -22, 20], [2, -22, 24]]]
    >>> peak_indicators(peaks, load_mask()).sum(axis=1).tolist()
    [81.0, 102.0]
    """
    peaks = check_peaks(peaks)
    inside = np.asarray(mask_img.dataobj) > 0
    centers = nib.affines.apply_affine(mask_img.affine, np.argwhere(inside))
    tree = KDTree(centers)
    blocks = [
        _indicators_of_block(peaks[rows], tree, radius)
        for rows in gen_batches(len(peaks), _STUDIES_BLOCK)
    ]
    return csr_array(vstack(blocks))


def _indicators_of_block(peaks, tree, radius):
    """Return the indicators of some studies, csr_array (n_studies, n_voxels)."""
    study = np.repeat(np.arange(len(peaks)), [len(rows) for rows in peaks])
    shape = len(peaks), tree.n
    if len(study) == 0:
        return csr_array(shape, dtype=np.float32)
    near = KDTree(np.concatenate(peaks)).sparse_distance_matrix(
        tree, radius, output_type="coo_matrix"
    )
    ones = np.ones(near.nnz, dtype=np.float32)
    indicators = csr_array((ones, (study[near.row], near.col)), shape=shape)
    indicators.sum_duplicates()
    indicators.data[:] = 1
    return indicators


def association_z(has_term, has_peak) -> np.ndarray:
    r"""Compute the z value of the association of each term with each voxel.

    For a term and a voxel, the n studies form a 2 × 2 table: they use the term or not,
    and report a peak close to the voxel or not. The value is

    .. math:: z = \operatorname{sign}(n a - t p) \sqrt{\chi^2}
        = \sqrt{n} \, \frac{n a - t p}{\sqrt{t (n - t) \, p (n - p)}},

    where t is the number of studies with the term, p the number of studies with a peak
    close to the voxel, a the number of studies with both, and :math:`\chi^2` is
    Pearson's statistic of independence without continuity correction. If all or none of
    the studies use the term, or if all or none of them report a peak close to the
    voxel, z is zero.

    Parameters
    ----------
    has_term : sparse array of shape (n_studies, n_terms)
        Whether each study uses each term, as zeros and ones.
    has_peak : sparse array of shape (n_studies, n_voxels)
        Whether each study reports a peak close to each voxel, as zeros and ones.

    Returns
    -------
    z_maps : ndarray of shape (n_terms, n_voxels), float32
        The z values.

    See Also
    --------
    peak_indicators : Find, for each study, the voxels that are close to one of its
        peaks.

    References
    ----------
    Yarkoni et al., Large-scale automated synthesis of human functional neuroimaging
    data, Nature Methods 2011.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from sklearn_neurocontext.comparators import association_z
    >>> association_z(csr_array([[1], [1], [0], [0]]), csr_array([[1], [1], [0], [0]]))
    array([[2.]], dtype=float32)
    """
    # Sums of zeros and ones are exact in float32 up to 2**24 studies.
    terms = csr_array(has_term, dtype=np.float32).T.tocsr()
    has_peak = csr_array(has_peak, dtype=np.float32)
    n_studies = terms.shape[1]
    n_term = terms.sum(axis=1, dtype=np.float64)
    n_peak = has_peak.sum(axis=0, dtype=np.float64)
    peak_std = np.sqrt(n_peak * (n_studies - n_peak))
    z_maps = np.zeros((terms.shape[0], has_peak.shape[1]), dtype=np.float32)
    for rows in gen_batches(terms.shape[0], _TERMS_BLOCK):
        n_both = (terms[rows] @ has_peak).toarray()
        n_rows = n_term[rows, None]
        std = np.sqrt(n_rows * (n_studies - n_rows)) * peak_std
        excess = np.sqrt(n_studies) * (n_studies * n_both - n_rows * n_peak)
        np.divide(excess, std, out=z_maps[rows], where=std > 0, casting="same_kind")
    return z_maps


class NeurosynthMaps(TermMapEstimator):
    r"""Maps of texts, computed from association maps of their terms as in Neurosynth.

    For each term, Neurosynth tests at each voxel whether studies that use the term
    report a peak within 10 mm more often than studies that do not use the term. The
    result is a map of z values, see `association_z`. Neurosynth has no map of a whole
    text. Here, the map of a text is a weighted sum of the z maps of its terms,

    .. math:: m(x) = \sum_k w_k(x) \, z_k,

    where :math:`w_k(x)` is the TF-IDF weight of term k in text x. The weights of a text
    have L2 norm 1. Neurosynth has no such rule. On development studies, retrieval was
    better with TF-IDF weights than with term counts as weights. Terms of texts are
    words and pairs of words without English stop words, see
    :class:`~sklearn_neurocontext.TermCounts`.

    Parameters
    ----------
    min_studies : int, default=50
        Minimum number of training studies in which a term must occur.
    radius : float, default=10.0
        Maximum distance in mm between a voxel and a peak.
    representation : {"voxels", "coefficients"}, default="voxels"
        Form in which maps are predicted and compared: values at the voxels of the mask,
        or coefficients of the atlas of the masker. See `predict` and `similarity`.
    masker : KDEDiFuMoMasker or None, default=None
        Masker that defines the mask, the atlas, and the kernel with which the observed
        densities are computed from peaks. With None,
        ``KDEDiFuMoMasker("geometric")`` is used.

    Attributes
    ----------
    z_maps_ : ndarray of shape (n_terms, n_voxels), float32
        The z map of each term.
    terms_ : TermCounts
        Fitted counter of terms. ``terms_.get_feature_names_out()`` returns the terms.
    tfidf_ : TfidfTransformer
        Fitted transformer from counts of terms to TF-IDF weights.
    masker_ : KDEDiFuMoMasker
        Fitted masker.
    predicted_scaler_, observed_scaler_ : StandardScaler
        Scalers with the means of predicted and of observed maps over the training
        studies. With ``representation="coefficients"``, they also contain the standard
        deviations.

    See Also
    --------
    NeuroQuery : Regression of densities on terms.

    References
    ----------
    Yarkoni et al., Large-scale automated synthesis of human functional neuroimaging
    data, Nature Methods 2011.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.comparators import NeurosynthMaps
    >>> texts = ["finger tapping", "finger movement", "faces", "emotional faces"]
    >>> peaks = [[[-38, -24, 56]], [[-40, -22, 54]], [[40, -50, -20]], [[42, -48, -20]]]
    >>> masker = KDEDiFuMoMasker("geometric", n_components=128)
    >>> model = NeurosynthMaps(min_studies=2, masker=masker).fit(texts, peaks)
    >>> model.terms_.get_feature_names_out().tolist()
    ['faces', 'finger']
    >>> model.predict(["face perception", "faces"]).shape
    (2, 29398)
    """

    _parameter_constraints = {
        **TermMapEstimator._parameter_constraints,
        "radius": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, min_studies=50, *, radius=10.0, representation="voxels", masker=None
    ):
        self.min_studies = min_studies
        self.radius = radius
        self.representation = representation
        self.masker = masker

    def _fit_maps(self, counts, peaks):
        has_peak = peak_indicators(peaks, self.masker_.mask_img_, self.radius)
        self.z_maps_ = association_z(counts > 0, has_peak)
        self.tfidf_ = TfidfTransformer().fit(counts)

    def _predict_voxels(self, counts):
        return self.tfidf_.transform(counts) @ self.z_maps_
