"""Meta-analyses of studies are computed by NiMARE."""

import sys

import numpy as np
import pytest

from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.inference import run_meta_analysis


@pytest.mark.slow
@pytest.mark.parametrize(("meta_analysis", "largest"), [("ale", 1), ("mkda", 30)])
def test_maps_are_largest_near_common_peaks(meta_analysis, largest):
    pytest.importorskip("nimare")
    corpus = make_studies(30, random_state=0)
    common = np.array([[-42.0, -22.0, 54.0]])
    corpus.peaks = [np.concatenate([xyz, common]) for xyz in corpus.peaks]
    maps = run_meta_analysis(corpus, meta_analysis)
    assert set(maps) == {"stat", "z"}
    volume = maps["z"].get_fdata()
    index = np.argwhere(volume == volume.max()).mean(axis=0)
    position = maps["z"].affine[:3] @ [*index, 1]
    assert np.linalg.norm(position - common[0]) < 10
    stat = maps["stat"].get_fdata()
    assert 0 < stat.max() <= largest


def test_invalid_method_raises():
    with pytest.raises(ValueError, match="'ale' or 'mkda'; got 'kda'"):
        run_meta_analysis(make_studies(3, random_state=0), "kda")


def test_missing_nimare_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nimare", None)
    with pytest.raises(ImportError, match=r"nimare.*pip install .*\[demo\]"):
        run_meta_analysis(make_studies(3, random_state=0))
