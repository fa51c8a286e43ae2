"""`NeuroContextModel` predicts brain maps of texts and decodes brain maps."""

import warnings
from numbers import Integral, Real

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize

from .._utils.validation import check_is_fitted, check_texts, innermost_model
from .._utils.volumes import smooth_voxels, voxels_to_imgs
from ..models import TextBrainEnsemble
from ._decoding import IndexedStudies, cosines, rank_candidates
from ._storage import find_folder, read_folder, write_folder
from ._terms import mark_terms, term_shares


class LowConfidenceWarning(UserWarning):
    """The predicted map of a text does not differ clearly from the mean map."""


class NeuroContextModel:
    """Text-to-map model; as shipped, ridge regression and kernel CCA, not the network.

    It predicts brain maps of texts, and decodes maps into terms, studies or texts.
    `from_pretrained` loads the shipped model by default: ridge regression predicts maps
    and kernel CCA compares texts with maps, both on word features and MiniLM
    embeddings. Any other fitted model of this package can be used as well.

    The interface is that of ``neuroquery.NeuroQueryModel``: ``model(text)`` and
    ``model.transform(texts)`` return dictionaries with the same keys.

    Parameters
    ----------
    model : Pipeline or TextBrainEnsemble
        Fitted model that takes texts. The last step of a pipeline must be an estimator
        of this package with a ``predict`` method.
    masker : KDEDiFuMoMasker
        Fitted masker that computed the coefficients that the model was fitted to.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum of the Gaussian that smooths predicted maps, in mm.
        With a `mean_map`, only the difference from the mean map is smoothed.
    terms : dict of str to int or None, default=None
        Terms in lower case and the number of training studies of each. They are used by
        `similar_words`, `highlighted_text` and `decode`.
    mean : array-like of shape (n_components,) or None, default=None
        Mean coefficients of the training studies, on the scale of the predictions.
    mean_map : array-like of shape (n_voxels,) or None, default=None
        Mean density of the training studies at each voxel of the mask, in the unit of
        the predictions. Needs `mean`.
    quadratic_coef : float, default=0.0
        Coefficient (at least 0) of the quadratic term that corrects the shrinkage of
        large differences from the mean map, see `transform`. Needs `mean`.
    null_std : array-like of shape (n_voxels,) or None, default=None
        Null standard deviation of predicted maps, the denominator of z maps, see
        `training_statistics`.
    z_threshold : float, default=0.0
        A text whose largest z is below this threshold raises a `LowConfidenceWarning`.
        The default, 0, disables the warning.
    reference : array-like of shape (n_studies, n_components) or None, default=None
        Coefficients of training studies, which define the null distribution of the p
        values of `decode`.
    term_features : array-like of shape (n_terms, n_features) or None, default=None
        Features of the terms, the output of the pipeline without its last step. If
        None, they are computed when they are first needed.
    unit_maps : bool, default=False
        Whether the model was fitted with ``y_scaling=None`` to coefficients of norm
        one. If so, maps are scaled to norm one before they are compared with texts.
    card : dict or None, default=None
        Metadata of the model and its training.

    Attributes
    ----------
    model, masker, smoothing_fwhm, terms, quadratic_coef, z_threshold, unit_maps, card
        Values of the parameters.
    mean_map : ndarray of shape (n_voxels,) or None
        Value of the parameter or, if it is None, the smoothed map of `mean`.
    studies : IndexedStudies or None
        Studies of the corpus that was passed to `index_corpus`.

    Raises
    ------
    TypeError
        If `model` is not a pipeline or an ensemble that predicts coefficients.
    NotFittedError
        If the model or the masker is not fitted.
    ValueError
        If the model and the masker have different numbers of components, an array has a
        wrong shape or holds NaN, a number is negative, or `mean` is missing although
        another parameter needs it.

    See Also
    --------
    sklearn_neurocontext.inference.fit_model : Fit an estimator and its statistics.
    sklearn_neurocontext.persistence.save_model : Save any fitted model.

    References
    ----------
    Dockès et al., NeuroQuery, comprehensive meta-analysis of human brain mapping, eLife
    2020: the interface.

    Examples
    --------
    >>> from sklearn_neurocontext import NeuroContextModel
    >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
    >>> img = model("finger tapping")["brain_map"]  # doctest: +SKIP
    """

    def __init__(
        self,
        model,
        masker,
        *,
        smoothing_fwhm=0.0,
        terms=None,
        mean=None,
        mean_map=None,
        quadratic_coef=0.0,
        null_std=None,
        z_threshold=0.0,
        reference=None,
        term_features=None,
        unit_maps=False,
        card=None,
    ):
        _check_model(model)
        check_is_fitted(masker)
        self.model = model
        self.masker = masker
        n_components, n_voxels = self._check_components()
        self.smoothing_fwhm = _check_number("smoothing_fwhm", smoothing_fwhm)
        self.quadratic_coef = _check_number("quadratic_coef", quadratic_coef)
        self.z_threshold = _check_number("z_threshold", z_threshold)
        self.terms = _check_terms(terms)
        self.unit_maps = bool(unit_maps)
        self.card = dict(card or {})
        self.studies = None
        self._mean = _check_array("mean", mean, (n_components,))
        self._mean_map = _check_array("mean_map", mean_map, (n_voxels,))
        self._null_std = _check_array("null_std", null_std, (n_voxels,))
        self._reference = _check_array("reference", reference, (None, n_components))
        shape = (len(self.terms), None)
        self._term_features = _check_array("term_features", term_features, shape)
        self._check_mean()

    @classmethod
    def from_pretrained(
        cls, name_or_directory="minilm", *, device=None, allow_download=False
    ):
        """Load the model that comes with the package, or a saved model.

        The model of the package, ``"minilm"``, is ridge regression and kernel CCA on
        word features and MiniLM embeddings, not the contrastive network. It needs the
        extra ``minilm`` of the package and no network connection. Its card,
        ``README.md`` in its folder, describes its training data, scores and limits; the
        attribute `card` holds the same figures.

        Parameters
        ----------
        name_or_directory : str or path-like, default="minilm"
            ``"minilm"``, or a folder that `save` or ``neurocontext fit`` wrote.
        device : str or None, default=None
            Torch device; None selects the device that the model was saved with.
        allow_download : bool, default=False
            Whether a language model or DiFuMo that is not on this machine may be
            downloaded; by default, nothing connects to the network.

        Returns
        -------
        model : NeuroContextModel
            The loaded model.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist or holds no saved model.
        OSError
            If a language model or an atlas is not on this machine.
        ValueError
            If files of the model were altered, or if the language model or the atlas
            differs from the one used in training.
        """
        folder = find_folder(name_or_directory)
        return cls(**read_folder(folder, device, allow_download=allow_download))

    def save(self, directory, *, half=False, overwrite=False):
        """Save the model in a folder, as safetensors and JSON.

        Parameters
        ----------
        directory : path-like
            A new or empty folder; with `overwrite`, also the folder of a saved model.
        half : bool, default=False
            Whether to save matrices of floats with 16 bits, see `save_model`.
        overwrite : bool, default=False
            Whether to replace a model that was saved in this folder earlier. The
            earlier model is kept until the new one is complete. A folder with any other
            file is not replaced.

        Returns
        -------
        directory : Path
            The folder.

        Raises
        ------
        FileExistsError
            If `directory` holds files that must not be replaced.
        TypeError, ValueError
            If the model, the masker or the card cannot be saved.
        """
        statistics = {
            "smoothing_fwhm": self.smoothing_fwhm,
            "terms": self.terms,
            "mean": self._mean,
            "mean_map": self._mean_map,
            "quadratic_coef": self.quadratic_coef,
            "null_std": self._null_std,
            "z_threshold": self.z_threshold,
            "reference": self._reference,
            "term_features": self._dense_term_features(),
            "unit_maps": self.unit_maps,
            "card": self.card,
        }
        return write_folder(
            directory,
            self.model,
            self.masker,
            half=half,
            overwrite=overwrite,
            statistics=statistics,
        )

    def __call__(self, text):
        """Predict the map of one text, with its most similar terms and studies.

        Parameters
        ----------
        text : str
            A text of any length.

        Returns
        -------
        result : dict
            ``brain_map`` and ``z_map``, 3D images of the maps of `transform`;
            ``similar_words``, a DataFrame, if the model has terms;
            ``similar_documents``, a DataFrame, or None without a corpus; and
            ``highlighted_text``, a str. The methods of the same names describe them.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or is blank.

        Warns
        -----
        LowConfidenceWarning
            If the largest z of a map is below `z_threshold`.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"text must be one string; got {type(text).__name__}. For several "
                "texts use transform(texts)."
            )
        result = {name: imgs[0] for name, imgs in self.transform([text]).items()}
        if self.terms:
            result["similar_words"] = self.similar_words(text)
        found = None if self.studies is None else self.similar_documents(text)
        result["similar_documents"] = found
        result["highlighted_text"] = self.highlighted_text(text)
        return result

    def predict_img(self, texts):
        """Predict the brain map of each text.

        Parameters
        ----------
        texts : sequence of str
            Texts of any length.

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_texts)
            For each text, the ``brain_map`` of `transform`: the expected density of
            peaks in a study with this text, in the unit that the model was fitted to.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or one is blank.

        Warns
        -----
        LowConfidenceWarning
            If the largest z of a map is below `z_threshold`.
        """
        return nib.concat_images(self._to_imgs(self._predict_voxels(texts)[0]))

    def transform(self, texts):
        r"""Predict brain maps, and z maps of their differences from the mean map.

        Let d be the smoothed difference of the predicted map from the mean map of the
        training studies. At each voxel v, the brain map m and the z map are

        .. math::

            m(v) = \bar m(v) + d(v) + c\, \frac{\max(d(v), 0)^2}{\mu}, \qquad
            z(v) = \frac{d(v)}{s(v)}

        The mean map :math:`\bar m` is `mean_map`, and :math:`\mu` is its mean over
        voxels. The coefficient c is `quadratic_coef`; if it is zero and the model was
        made without `mean_map`, m is the smoothed prediction. Regression shrinks small
        and large differences alike; the quadratic term corrects the large ones.

        The null standard deviation s of d is `null_std`, estimated by refitting the
        model to permuted text-map pairs, see `training_statistics`. The z values are
        not corrected for the number of voxels. As s is estimated from maps of titles,
        it is too small for maps of single words, which vary more.

        Parameters
        ----------
        texts : sequence of str
            Texts of any length.

        Returns
        -------
        maps : dict of str to list of Nifti1Image of shape (nx, ny, nz)
            ``brain_map``, and ``z_map`` if the model has `mean` and `null_std`; one
            image per text.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or one is blank.

        Warns
        -----
        LowConfidenceWarning
            For each text whose largest z is below `z_threshold`.
        """
        brain_maps, z_maps = self._predict_voxels(texts)
        maps = {"brain_map": self._to_imgs(brain_maps)}
        if z_maps is not None:
            maps["z_map"] = self._to_imgs(z_maps)
        return maps

    def low_confidence_message(self, z_img) -> str:
        """Return a warning message if a map does not differ clearly from the mean map.

        Parameters
        ----------
        z_img : Nifti1Image of shape (nx, ny, nz)
            The ``z_map`` of a text, from `transform` or from a call.

        Returns
        -------
        message : str
            A sentence with the largest z and `z_threshold`, for figures and pages;
            empty if a voxel reaches the threshold, or if the threshold is 0.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
        >>> z_img = model("finger tapping")["z_map"]  # doctest: +SKIP
        >>> model.low_confidence_message(z_img)  # doctest: +SKIP
        ''
        """
        inside = np.asarray(self.masker.mask_img_.dataobj) > 0
        largest = np.asarray(z_img.dataobj)[inside].max()
        return self._low_confidence("this map", largest)

    def has_known_words(self, texts) -> np.ndarray:
        """Check whether the model knows any word of each text.

        All texts without a known word have the same map, the mean map.

        Parameters
        ----------
        texts : sequence of str
            Texts of any length.

        Returns
        -------
        known : ndarray of shape (n_texts,), bool
            True for all texts if the model is an ensemble or uses a language model.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or one is blank.
        """
        texts = check_texts(texts)
        if not self._has_features:
            return np.ones(len(texts), dtype=bool)
        return np.asarray(abs(self._features(texts)).sum(axis=1)).ravel() > 0

    def similar_words(self, text):
        """Compare a text with the terms that the model knows.

        Parameters
        ----------
        text : str
            A text of any length.

        Returns
        -------
        words : DataFrame
            Indexed by term and sorted by ``weight_in_brain_map`` in descending order.
            ``weight_in_brain_map`` is the cosine between the predicted maps of the term
            and the text after subtraction of the mean map. ``similarity`` is the cosine
            between the features of the term and the text (absent if the model is an
            ensemble). ``weight_in_query`` is the share of the term among the known
            terms in the text. ``n_documents`` is the number of training studies with
            the term.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string or is blank, or the model knows no terms.
        """
        texts = check_texts([text], "text")
        query, known = self._features(texts), self._known_features()
        mean = 0 if self._mean is None else self._mean
        shares = term_shares(text, self.terms)
        columns = {"similarity": cosines(known, query)} if self._has_features else {}
        columns |= {
            "weight_in_brain_map": cosines(
                self._last.predict(known) - mean, self._last.predict(query) - mean
            ),
            "weight_in_query": [shares.get(term, 0.0) for term in self.terms],
            "n_documents": list(self.terms.values()),
        }
        words = pd.DataFrame(columns, index=pd.Index(list(self.terms), name="term"))
        return words.sort_values("weight_in_brain_map", ascending=False, kind="stable")

    def highlighted_text(self, text) -> str:
        """Mark the terms that the model knows in a text.

        Parameters
        ----------
        text : str
            A text of any length.

        Returns
        -------
        marked : str
            HTML with ``<mark>`` elements; everything else is escaped.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or is blank.
        """
        return mark_terms(*check_texts([text], "text"), self.terms)

    def index_corpus(self, corpus):
        """Index the studies of a corpus, for `similar_documents` and `decode`.

        Studies without a title or without a peak inside the mask are left out. The
        coefficients of the studies are stored in the package's cache folder, and so are
        the features of their titles when ``decode(img, "studies")`` computes them. The
        environment variable ``NEUROCONTEXT_CACHE`` sets this folder. Altered files in
        it are detected and computed again.

        Parameters
        ----------
        corpus : Bunch
            As returned by a loader of `sklearn_neurocontext.datasets`.

        Returns
        -------
        self : NeuroContextModel
            The same model.

        Raises
        ------
        ValueError
            If no study has both a title and a peak inside the mask.
        OSError
            If the cache folder cannot be written to.

        Warns
        -----
        UserWarning
            If a file in the cache was altered and is computed again.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> from sklearn_neurocontext.datasets import fetch_neuroquery
        >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
        >>> model.index_corpus(fetch_neuroquery())  # doctest: +SKIP
        >>> model.similar_documents("finger tapping", k=5)  # doctest: +SKIP
        """
        self.studies = IndexedStudies(corpus, self.masker)
        return self

    def similar_documents(self, text, *, k=100):
        """Find the studies whose maps match a text best.

        Parameters
        ----------
        text : str
            A text of any length.
        k : int, default=100
            Number of studies.

        Returns
        -------
        documents : DataFrame
            Columns ``study_id``, ``pmid``, ``title``, ``year``, ``journal`` and
            ``similarity``, in descending order of similarity.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string or is blank, `k` is not a positive integer, or
            `index_corpus` was not called.
        """
        texts = check_texts([text], "text")
        studies = self._indexed()
        similarity = self._similarity(self._features(texts), studies.coefficients)
        return studies.best(similarity[0], _check_count("k", k))

    def decode(self, img, candidates="terms", *, k=20):
        """Rank terms, studies or texts by their similarity with a brain map.

        Parameters
        ----------
        img : Nifti image or path-like
            One map in MNI space, on any grid.
        candidates : {"terms", "studies"} or sequence of str, default="terms"
            ``"terms"``: the terms that the model knows; ``"studies"``: the titles of
            the corpus that was passed to `index_corpus`; or a list of any texts.
        k : int, default=20
            Number of candidates to return.

        Returns
        -------
        ranking : DataFrame
            Columns ``candidate``, ``similarity``, ``p_value`` and ``q_value``, in
            descending order of similarity. The null distribution of the p values is
            that of the similarities of candidates with maps of training studies: a
            small p value means that this map is more similar to the candidate than the
            map of a study usually is. The q values control the false discovery rate
            among all candidates, not only among the k returned.

        Raises
        ------
        ValueError
            If `img` holds several maps or only zeros, or if the model lacks reference
            studies, terms or an indexed corpus that the ranking needs.
        TypeError
            If `candidates` is another string.
        """
        if self._reference is None:
            raise ValueError(
                "This model has no reference maps, which p values need. Pass reference "
                "to NeuroContextModel, or load a model that has them."
            )
        k = _check_count("k", k)
        coefficients = self.masker.transform_imgs(img)
        if len(coefficients) != 1:
            raise ValueError(
                f"img must hold one map; got {len(coefficients)}. Pass the maps one by "
                "one: nilearn.image.index_img(img, i)."
            )
        if not coefficients.any():
            raise ValueError(
                "img holds only zeros or NaN inside the brain. Check that its affine "
                "is in mm and in MNI space."
            )
        names, features = self._candidates(candidates)
        ranking = rank_candidates(
            names,
            self._similarity(features, coefficients)[:, 0],
            lambda rows: self._similarity(features[rows], self._reference),
        )
        return ranking.head(k)

    @property
    def mean_map(self):
        """Mean density at each voxel of the mask; None for a model without `mean`."""
        if self._mean_map is None and self._mean is not None:
            return self._smooth(self._mean[None])[0]
        return self._mean_map

    @property
    def _last(self):
        """Last step of the pipeline, or the ensemble."""
        return self.model[-1] if isinstance(self.model, Pipeline) else self.model

    @property
    def _has_features(self) -> bool:
        """Whether the model computes features of texts; an ensemble does not."""
        return isinstance(self.model, Pipeline) and len(self.model) > 1

    def _features(self, texts):
        """Return the input of `_last`: features of texts, or the texts themselves."""
        if not self._has_features:
            return np.array(texts, dtype=object)
        features = self.model[:-1].transform(texts)
        return features.tocsr() if issparse(features) else features

    def _similarity(self, features, coefficients):
        """Return the similarity of texts with maps, as (n_texts, n_maps)."""
        if self.unit_maps:
            coefficients = normalize(coefficients)
        return self._last.similarity(features, coefficients)

    def _predict_voxels(self, texts):
        """Return brain maps, and z maps or None, each as (n_texts, n_voxels)."""
        texts = check_texts(texts)
        coefficients = self._last.predict(self._features(texts))
        if self._mean is None:
            return self._smooth(coefficients), None
        differences, z = self._smooth(coefficients - self._mean), None
        if self._null_std is not None:
            std = np.where(self._null_std > 0, self._null_std, np.inf)
            z = differences / std
            self._warn_low_confidence(texts, z)
        if self._mean_map is None and self.quadratic_coef == 0:
            return self._smooth(coefficients), z
        return expected_density(self.mean_map, differences, self.quadratic_coef), z

    def _smooth(self, coefficients):
        """Return the smoothed maps of coefficients, as (n_maps, n_voxels)."""
        voxels = self.masker.coefficients_to_voxels(coefficients)
        return smooth_voxels(voxels, self.masker.mask_img_, self.smoothing_fwhm)

    def _to_imgs(self, voxels):
        return voxels_to_imgs(voxels, self.masker.mask_img_)

    def _warn_low_confidence(self, texts, z):
        for text, largest in zip(texts, z.max(axis=1), strict=True):
            message = self._low_confidence(f"the map of {text[:60]!r}", largest)
            if message:
                warnings.warn(message, LowConfidenceWarning, stacklevel=4)

    def _low_confidence(self, name, largest) -> str:
        """Return a message if the largest z of a map is below the threshold."""
        if largest >= self.z_threshold or self.z_threshold == 0:
            return ""
        return (
            f"No voxel of {name} exceeds the null (largest z {largest:.1f}, threshold "
            f"{self.z_threshold:.1f}). The model may not know these words."
        )

    def _candidates(self, candidates):
        """Return the names and the features of candidates."""
        if isinstance(candidates, str) and candidates == "terms":
            return list(self.terms), self._known_features()
        if isinstance(candidates, str) and candidates == "studies":
            studies = self._indexed()
            steps = self.model[:-1] if self._has_features else None
            return studies.titles, studies.features(self._features, steps)
        if isinstance(candidates, str):
            raise TypeError(
                "candidates must be 'terms', 'studies' or a list of texts; got "
                f"{candidates!r}. For one text pass a list: [{candidates!r}]."
            )
        texts = check_texts(candidates, "candidates")
        return texts, self._features(texts)

    def _known_features(self):
        """Return the features of the terms, computed once."""
        if not self.terms:
            raise ValueError(
                "This model knows no terms. Pass terms to NeuroContextModel, or load a "
                "model that has them."
            )
        if self._term_features is None:
            features = self._features(list(self.terms))
            if features.dtype.kind == "f":
                features = features.astype(np.float32)  # The type of saved features.
            self._term_features = features
        return self._term_features

    def _dense_term_features(self):
        """Return the features of the terms if they are dense; None if not."""
        if not self.terms or not self._has_features:
            return None
        features = self._known_features()
        return None if issparse(features) else features

    def _indexed(self):
        if self.studies is None:
            raise ValueError(
                "This model has no studies yet. Load or fetch a corpus and pass it to "
                "index_corpus(corpus)."
            )
        return self.studies

    def _check_components(self) -> tuple[int, int]:
        """Check the number of components; return it and the number of voxels."""
        n_components = _innermost(self._last).n_components_
        if n_components != self.masker.n_elements_:
            raise ValueError(
                f"The model predicts {n_components} coefficients and the masker has "
                f"{self.masker.n_elements_} maps. Pass the masker whose coefficients "
                "the model was fitted to."
            )
        return n_components, int(np.count_nonzero(self.masker.mask_img_.dataobj))

    def _check_mean(self):
        """Check that `mean` is set if needed, and that the mean map is positive."""
        needs_mean = self._mean_map is not None or self.quadratic_coef > 0
        if needs_mean and self._mean is None:
            raise ValueError(
                "mean_map and quadratic_coef need mean, the mean of the training "
                "studies' coefficients. Pass mean as well."
            )
        if self.quadratic_coef > 0 and not self.mean_map.mean() > 0:
            raise ValueError(
                f"quadratic_coef={self.quadratic_coef:g} needs a mean map with a "
                "positive mean. Check mean and mean_map."
            )


def _check_model(model) -> None:
    """Check that a model is fitted, takes texts and predicts coefficients."""
    last = model[-1] if isinstance(model, Pipeline) else model
    if not (
        isinstance(model, Pipeline | TextBrainEnsemble) and hasattr(last, "predict")
    ):
        raise TypeError(
            "model must be a fitted Pipeline from texts to an estimator that predicts "
            "coefficients, for example make_pipeline(LLMChunkEmbedder(), "
            "CCABaseline()), or a TextBrainEnsemble of such pipelines; got a "
            f"{type(model).__name__}."
        )
    check_is_fitted(last)


def _innermost(estimator):
    """Return the innermost model of an estimator; of an ensemble, that of its first."""
    model = innermost_model(estimator)
    if isinstance(model, TextBrainEnsemble):
        return _innermost(model.estimators_[0])
    return model


def _check_array(name: str, array, shape: tuple):
    """Return an array as float32, or None; None in `shape` matches any size."""
    if array is None:
        return None
    array = np.asarray(array, dtype=np.float32)
    fits = array.ndim == len(shape) and all(
        wanted in (None, n) for wanted, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        words = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({words}); got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds NaN or infinity. Check the data that it was computed from."
        )
    return array


def _check_number(name: str, value) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number of at least 0; got {value!r}.")
    return float(value)


def _check_count(name: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer; got {value!r}.")
    return int(value)


def _check_terms(terms) -> dict:
    """Check terms and their numbers of studies; return them as a dictionary."""
    terms = dict(terms or {})
    for term, n_studies in terms.items():
        words = " ".join(str(term).lower().split())
        is_count = isinstance(n_studies, Integral) and not isinstance(n_studies, bool)
        if term != words or not words or not is_count or n_studies < 0:
            raise ValueError(
                "terms must map terms in lower case, their words separated by one "
                f"space, to numbers of studies; got {term!r}: {n_studies!r}."
            )
    return {term: int(n_studies) for term, n_studies in terms.items()}


def expected_density(mean_map, differences, quadratic_coef: float) -> np.ndarray:
    """Compute the brain maps of `NeuroContextModel.transform`, (n_maps, n_voxels).

    The quadratic term follows a log link, as in coordinate-based meta-regression (Yu et
    al., Biostatistics 2024): µ exp(d / µ) ≈ µ + d + d² / 2µ, where c is one half.

    >>> expected_density(np.array([1.0, 3.0]), np.array([[2.0, -1.0]]), 0.5)
    array([[4., 2.]])
    """
    densities = mean_map + differences
    if quadratic_coef > 0:
        scale = quadratic_coef / mean_map.mean()
        densities = densities + scale * np.maximum(differences, 0) ** 2
    return densities
