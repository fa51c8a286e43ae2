"""Null distributions of the similarities between candidates and maps."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import pearson3
from sklearn.utils import gen_batches

from .._utils.volumes import unit_rows, voxels_to_imgs
from ._array_cache import cached_array, fingerprint_or_none
from ._surrogates import coefficient_covariances, draw_surrogates, fit_shares

NULLS = ("auto", "studies", "pooled", "surrogates")
TAILS = ("positive", "negative", "both")
# Numbers of studies in a pooled null map, in steps of about a factor of two. The last
# one also serves for means of 50 studies (see benchmarks/encoding/decoding.py).
_POOL_SIZES = (1, 2, 5, 10, 20)
_N_POOLED_MAPS = 3000
# Number of candidates in a batch. Null similarities are computed batch by batch to save
# memory.
_BATCH = 2048
# Maximum number of pairs of candidate and null map in the pooled null distribution.
_MAX_PAIRS = 500_000
# Seed of the draws of null maps.
_SEED = 0
# Maximum number of null distributions that a model keeps in memory (4 MB each).
_MAX_FITTED = 12


@dataclass(frozen=True, eq=False)
class NullDistribution:
    """Distribution of the similarities between each candidate and null maps.

    Attributes
    ----------
    mean, std, skewness : ndarray of shape (n_candidates,)
        Moments of the null similarities of each candidate.
    tails : ndarray of shape (n_pairs,)
        Upper tail probabilities of null similarities, of all candidates, in ascending
        order. The probabilities of a candidate are those of the Pearson type III
        distribution with its moments.
    """

    mean: np.ndarray
    std: np.ndarray
    skewness: np.ndarray
    tails: np.ndarray

    def standardize(self, similarity) -> np.ndarray:
        """Subtract the null mean, and divide by the null standard deviation."""
        return (similarity - self.mean) / self.std

    def select(self, rows):
        """Return the null distribution of some of the candidates."""
        parts = self.mean[rows], self.std[rows], self.skewness[rows]
        return NullDistribution(*parts, self.tails)

    def p_values(self, similarity, tail="positive") -> np.ndarray:
        """Return the p values of similarities, of shape (n_candidates,).

        `fit_null` defines the p value of high similarities.
        """
        fitted = pearson3.sf(self.standardize(similarity), self.skewness)
        n_pairs = len(self.tails)
        n_above = np.searchsorted(self.tails, fitted, side="right")
        n_below = n_pairs - np.searchsorted(self.tails, fitted, side="left")
        above, below = ((1 + n) / (1 + n_pairs) for n in (n_above, n_below))
        if tail == "both":
            return np.minimum(1, 2 * np.minimum(above, below))
        return above if tail == "positive" else below


def fit_null(n_candidates, null_similarity) -> NullDistribution:
    r"""Fit the null distribution of each candidate.

    ``null_similarity(rows)`` returns the similarities between a slice of candidates and
    the null maps, an array of shape (n_rows, n_maps).

    The distribution of the null similarities of a candidate is approximated by the
    Pearson type III distribution (a shifted gamma distribution) with their mean,
    standard deviation and skewness. Let u be the upper tail probability of a similarity
    in this distribution. If the approximation were exact, u would be the p value. Its
    small errors in the tails are corrected by the pooled null distribution, which
    consists of the tail probabilities :math:`u_{dj}` of candidates d and null maps j.
    The p value is :math:`(1 + K) / (1 + N)`, where N is the number of pairs (d, j), and
    K is the number of pairs with :math:`u_{dj} \le u`. N is at most 500,000; if there
    are more pairs, some null maps of each candidate are left out.
    """
    parts = [
        _fit_batch(null_similarity(rows), rows.start, n_candidates)
        for rows in gen_batches(n_candidates, _BATCH)
    ]
    mean, std, skewness, tails = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return NullDistribution(mean, std, skewness, np.sort(tails))


def _fit_batch(similarity, start, n_candidates):
    """Return moments of similarities, and the tail probabilities of some of them."""
    similarity = similarity.astype(np.float64, copy=False)
    mean = similarity.mean(axis=1, keepdims=True)
    std = similarity.std(axis=1, keepdims=True)
    # The similarities of a candidate with all null maps may be equal up to rounding.
    std[std <= 1e-9] = 1
    z = (similarity - mean) / std
    skewness = (z * z * z).mean(axis=1, keepdims=True)
    # For each candidate, every `step`-th map is kept. The first one differs between
    # candidates, so that all maps are used.
    n_maps = z.shape[1]
    step = -(-n_candidates * n_maps // _MAX_PAIRS)
    first = (start + np.arange(len(z)))[:, None] % step
    columns = first + np.arange(0, n_maps, step)
    inside = columns < n_maps
    z = np.take_along_axis(z, np.minimum(columns, n_maps - 1), axis=1)
    tails = pearson3.sf(z, skewness)[inside]
    return mean[:, 0], std[:, 0], skewness[:, 0], tails


def mean_direction(reference) -> tuple[np.ndarray, float]:
    """Return the direction of the mean map, and the mean cosine to this direction.

    `reference` has shape (n_studies, n_components). Each study is scaled to norm 1
    before the mean is computed. The direction has shape (n_components,) and norm 1. The
    cosine is averaged over studies.
    """
    mean = unit_rows(reference).mean(axis=0)
    cosine = float(np.linalg.norm(mean))
    return mean / (cosine or 1.0), cosine


def level_mean(coefficients, direction, cosine) -> np.ndarray:
    """Set the cosine between each map and the mean map to that of a typical study.

    `coefficients` has shape (n_maps, n_components). `direction` and `cosine` are those
    of `mean_direction`. A map is the sum of a multiple of the direction and a part that
    is orthogonal to it. The multiple is replaced, and the orthogonal part is scaled, so
    that the cosine is `cosine` and the norm of the map does not change.
    """
    norms = np.linalg.norm(coefficients, axis=1, keepdims=True)
    along = coefficients @ direction
    differences = unit_rows(coefficients - along[:, None] * direction)
    leveled = cosine * direction + np.sqrt(max(1 - cosine**2, 0)) * differences
    return (norms * leveled).astype(coefficients.dtype)


def effective_n_studies(coefficients, direction, cosine) -> float:
    r"""Estimate the number of studies that were averaged in a map.

    Let :math:`\kappa` be the mean cosine between a study and the mean map. If studies
    have norm 1 and differ from the mean map in independent directions, the cosine c
    between the mean of n studies and the mean map satisfies

    .. math:: \frac{c^2}{1 - c^2} = \frac{n \kappa^2}{1 - \kappa^2}

    The function solves this equation for n. It returns 0 if c is not positive.

    >>> direction = np.array([1.0, 0.0])
    >>> round(effective_n_studies(np.array([0.8, 0.6]), direction, 0.8), 6)
    1.0
    """
    c = coefficients @ direction / (np.linalg.norm(coefficients) or 1.0)
    if c <= 0 or cosine == 0:
        return 0.0
    odds = c**2 / max(1 - c**2, 1e-9)
    return float(odds * (1 - cosine**2) / cosine**2)


def ranking_attributes(null) -> dict:
    """Return the attributes of a table of `decode` that describe the null."""
    name, setting = null
    if name == "studies":
        return {"null": name, "null_maps": "maps of single studies"}
    if name == "pooled":
        words = f"means of the maps of {setting} randomly drawn studies"
        return {"null": name, "n_pooled": setting, "null_maps": words}
    words = "random maps with the spatial autocorrelation of the map"
    return {"null": name, "null_maps": words}


def negative_share(coefficients) -> np.ndarray:
    """Return the share of negative values in the absolute sum of each row."""
    total = np.abs(coefficients).sum(axis=1)
    return np.maximum(-coefficients, 0).sum(axis=1) / np.where(total > 0, total, 1)


def choose_null(null, n_studies, is_statistic) -> tuple[str, int]:
    """Return the name of the null for a map, and the number of studies in a null map.

    `null` is the name that the user passed, and `n_studies` is the effective number of
    studies of the map. The second value is 0 for ``"surrogates"``.
    """
    if null == "surrogates" or (null == "auto" and is_statistic):
        return "surrogates", 0
    if null == "studies":
        return "studies", 1
    sizes = np.array(_POOL_SIZES if null == "auto" else _POOL_SIZES[1:])
    size = int(sizes[np.argmin(np.abs(np.log(sizes / max(n_studies, 1.0))))])
    return ("studies" if size == 1 else "pooled"), size


def pool_studies(reference, n_pooled) -> np.ndarray:
    """Return mean maps of randomly drawn studies, of shape (3000, n_components).

    Each map is the mean of `n_pooled` reference studies. Each study is scaled to norm 1
    before the mean is computed.
    """
    rng = np.random.default_rng(_SEED)
    n_pooled = min(n_pooled, len(reference))
    # Random keys are sorted to draw without replacement in each row.
    keys = rng.random((_N_POOLED_MAPS, len(reference)), dtype=np.float32)
    drawn = np.argpartition(keys, n_pooled - 1, axis=1)[:, :n_pooled]
    unit = unit_rows(reference)
    return sum(unit[rows] for rows in drawn.T) / n_pooled


class NullMaps:
    """Null maps of a model, and the null distributions that were fitted to them.

    A null is a tuple with two values: its name, and a setting. The setting of pooled
    studies is their number. The setting of surrogates are the shares of `fit_widths`.
    """

    def __init__(self, reference, masker):
        self._reference, self._masker = reference, masker
        self._direction, self._cosine = mean_direction(reference)
        self._negative_share = negative_share(reference).max()
        self._norm = np.linalg.norm(reference, axis=1).mean()
        self._covariances = None
        self._fitted = {}

    def choose(self, null, coefficients, img=None) -> tuple:
        """Return the null for a map.

        `coefficients` has shape (1, n_components). `img` is the image with these
        coefficients, or None for peaks.
        """
        # The coefficients of peaks may be negative, because the maps of an atlas may
        # overlap. A map with a larger share of negative values than all reference
        # studies is a statistical map.
        is_statistic = negative_share(coefficients)[0] > self._negative_share
        n_studies = effective_n_studies(coefficients[0], self._direction, self._cosine)
        name, n_pooled = choose_null(null, n_studies, is_statistic)
        if name != "surrogates":
            return name, n_pooled
        mask_img = self._masker.mask_img_
        if img is None:
            voxels = self._masker.coefficients_to_voxels(coefficients)
            img = voxels_to_imgs(voxels, mask_img)[0]
        return name, fit_shares(img, mask_img)

    def prepare(self, null, coefficients) -> np.ndarray:
        """Return the coefficients that are compared with candidates.

        Single studies are compared as they are. Other maps are changed by `level_mean`.
        Otherwise, p values would depend on the cosine between a map and the mean map.
        This cosine is large for the mean of many studies, and may have any value for a
        statistical map.
        """
        if null[0] == "studies":
            return coefficients
        return level_mean(coefficients, self._direction, self._cosine)

    def draw(self, null) -> np.ndarray:
        """Return the coefficients of null maps, of shape (n_maps, n_components)."""
        name, setting = null
        if name == "studies":
            return self._reference
        if name == "pooled":
            maps = pool_studies(self._reference, setting)
        else:
            maps = draw_surrogates(setting, self._read_covariances())
        return self.prepare(null, (self._norm * unit_rows(maps)).astype(np.float32))

    def _read_covariances(self):
        if self._covariances is None:
            name = fingerprint_or_none(self._masker)
            compute = partial(coefficient_covariances, self._masker)
            self._covariances = (
                compute()
                if name is None
                else cached_array("surrogates", {"masker": name}, compute)
            )
        return self._covariances

    def fit(self, null, candidates, n_candidates, compare) -> NullDistribution:
        """Return the null distribution of candidates.

        ``compare(rows, maps)`` returns the similarities between a slice of candidates
        and maps. `candidates` is the name of the candidates, under which the
        distribution is kept in memory, or None if it should not be kept.
        """
        key = candidates, null
        if key in self._fitted:
            return self._fitted[key]
        maps = self.draw(null)
        fitted = fit_null(n_candidates, lambda rows: compare(rows, maps))
        if candidates is not None:
            while len(self._fitted) >= _MAX_FITTED:
                self._fitted.pop(next(iter(self._fitted)))
            self._fitted[key] = fitted
        return fitted

    def forget(self, candidates) -> None:
        """Remove the null distributions of candidates that have changed."""
        for key in [key for key in self._fitted if key[0] == candidates]:
            del self._fitted[key]
