"""NeuroQuery's model, which can be trained on any studies."""

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer

from .._utils.validation import Interval, Real, StrOptions
from ._selective_ridge import fit_ridge, fit_smoothing, select_terms, smooth_terms
from ._term_maps import TermMapEstimator


class NeuroQuery(TermMapEstimator):
    r"""NeuroQuery's regression of densities of peaks on the terms of texts.

    The features of a text are the TF-IDF weights of its terms, scaled to L2 norm 1. A
    first ridge regression of densities on all terms selects the terms with large z
    values. A second ridge regression on the selected terms has a smaller penalty for
    terms with larger z values. Both choose their penalty by the leave-one-out error. To
    predict a map, a part of the weight of each term is first moved to related terms.
    Related terms are found by nonnegative matrix factorization of the features of the
    training studies.

    The model equals that of the package ``neuroquery``, version 1.1.0, except for three
    differences. The leave-one-out errors are computed from smaller matrix products.
    The penalties of the factorization are the original ones of NeuroQuery; with
    scikit-learn 1.2 and later, the penalties of the package ``neuroquery`` are so large
    that all factors are zero. Terms of texts are counted by
    :class:`~sklearn_neurocontext.TermCounts`. The densities are those of the masker;
    with ``KDEDiFuMoMasker("geometric", voxelization="neuroquery")``, they equal
    NeuroQuery's own densities.

    Parameters
    ----------
    min_studies : int, default=100
        Minimum number of training studies in which a term must occur.
    smoothing_weight : float, default=0.1
        Fraction of the weight of a term that is moved to related terms, in [0, 1].
    output : {"z", "density"}, default="z"
        Maps to predict. ``"z"`` stands for z values, which NeuroQuery shows for
        queries. ``"density"`` stands for the densities that the regression predicts.
    representation : {"voxels", "coefficients"}, default="voxels"
        Form in which maps are predicted and compared: values at the voxels of the mask,
        or coefficients of the atlas of the masker. See `predict` and `similarity`.
    masker : KDEDiFuMoMasker or None, default=None
        Masker that defines the mask, the atlas, and the kernel with which the observed
        densities are computed from peaks. With None,
        ``KDEDiFuMoMasker("geometric")`` is used.

    Attributes
    ----------
    selected_ : ndarray of shape (n_selected,), int64
        Indices of the selected terms.
    coef_ : ndarray of shape (n_selected, n_voxels), float32
        Coefficients of the selected terms.
    intercept_ : ndarray of shape (n_voxels,), float32
        Density that is predicted for a text without terms.
    coef_covariance_ : ndarray of shape (n_selected, n_selected), float32
        Covariance of the coefficients at one voxel, if its residuals have variance one.
    residual_variance_ : ndarray of shape (n_voxels,), float32
        Mean squared residual of each voxel.
    alpha_ : float
        Chosen penalty of the second regression.
    factors_ : ndarray of shape (n_terms, n_factors), float32
        Weights of terms in groups of related terms (factors). There are at most 300
        factors.
    terms_ : TermCounts
        Fitted counter of terms.
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
    NeurosynthMaps : Association maps of terms.

    References
    ----------
    Dockès et al., NeuroQuery, comprehensive meta-analysis of human brain mapping, eLife
    2020.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.comparators import NeuroQuery
    >>> words = "adults children women men patients age group scan trial block".split()
    >>> topics = {"tapping": [-38, -24, 56], "faces": [40, -50, -20]}
    >>> texts, peaks = [], []
    >>> for topic, peak in topics.items():
    ...     texts += [f"{topic} {a} {b}" for a in words for b in words]
    ...     peaks += [[peak]] * len(words) ** 2
    >>> masker = KDEDiFuMoMasker("geometric", n_components=128, target_affine=12.0)
    >>> model = NeuroQuery(min_studies=30, masker=masker).fit(texts, peaks)
    >>> model.terms_.get_feature_names_out()[model.selected_].tolist()
    ['faces', 'tapping']
    """

    _parameter_constraints = {
        **TermMapEstimator._parameter_constraints,
        "smoothing_weight": [Interval(Real, 0, 1, closed="both")],
        "output": [StrOptions({"z", "density"})],
    }

    def __init__(
        self,
        min_studies=100,
        *,
        smoothing_weight=0.1,
        output="z",
        representation="voxels",
        masker=None,
    ):
        self.min_studies = min_studies
        self.smoothing_weight = smoothing_weight
        self.output = output
        self.representation = representation
        self.masker = masker

    def _fit_maps(self, counts, peaks):
        # Without smoothing, the inverse document frequency of a term is 1 - log(f),
        # where f is the fraction of studies that contain the term.
        self.tfidf_ = TfidfTransformer(smooth_idf=False).fit(counts)
        features = self.tfidf_.transform(counts)
        dense = features.toarray().astype(np.float32)
        densities = self._compute_densities(peaks)
        self.selected_, penalties = select_terms(fit_ridge(dense, densities))
        if not len(self.selected_):
            raise ValueError(
                f"None of the {dense.shape[1]} terms has much larger z values than the "
                "others, so no term is selected. Pass more studies, or lower "
                f"min_studies={self.min_studies} to have more terms."
            )
        ridge = fit_ridge(dense[:, self.selected_], densities, penalties)
        self.coef_, self.intercept_ = ridge.coef, ridge.intercept
        self.coef_covariance_ = ridge.covariance
        self.residual_variance_ = ridge.residual_variance
        self.alpha_ = ridge.alpha
        self.factors_ = fit_smoothing(features.astype(np.float32))

    def _predict_voxels(self, counts):
        features = self.tfidf_.transform(counts).toarray().astype(np.float32)
        features = smooth_terms(features, self.factors_, self.smoothing_weight)
        features = features[:, self.selected_]
        maps = features @ self.coef_
        if self.output == "density":
            return maps + self.intercept_
        variances = np.einsum(
            "ij,jk,ik->i", features, self.coef_covariance_, features, optimize=True
        )
        std = np.sqrt(np.outer(np.clip(variances, 0, None), self.residual_variance_))
        return maps / np.maximum(std, 1e-24)
