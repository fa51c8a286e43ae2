"""Scripts written for NeuroQuery run after the changes that the user guide lists."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from sklearn_neurocontext import NeuroContextModel
from tests.text_model import make_corpus

ROOT = Path(__file__).parents[1]
README, USER_GUIDE = ROOT / "README.md", ROOT / "docs" / "index.md"
SECTION = "### Scripts for NeuroQuery\n"
START = """
from neuroquery import fetch_neuroquery_model, NeuroQueryModel
encoder = NeuroQueryModel.from_data_dir(fetch_neuroquery_model())
"""
QUERY = """
from nilearn.plotting import view_img

result = encoder("Chronic pain and noxious heat in patients & controls")
print(sorted(result))
view = view_img(result["z_map"], threshold=3.1)
words = result["similar_words"]
print(words.sort_values(by="similarity", ascending=False).head())
print(words.sort_values(by="weight_in_brain_map", ascending=False).head(3))
recognized = words.query("weight_in_query != 0")
print(recognized.sort_values(by="weight_in_query", ascending=False).head())
documents = result["similar_documents"]
print(documents.head())
print(documents[["pmid", "title", "pubmed_url", "similarity"]].head(20))
from neuroquery.tokenization import print_highlighted_text
print_highlighted_text(result["highlighted_text"])
"""
REVERSE = """
import numpy as np

vocabulary = np.asarray(encoder.full_vocabulary())[::40]
masker = encoder.get_masker()
term_maps = masker.transform(encoder.transform(vocabulary[:, None])["z_map"])
query = masker.transform(query_img).ravel()
similarities = query.dot(term_maps.T) / np.linalg.norm(term_maps, axis=1)
frequencies = encoder.document_frequencies()
rescaled = similarities * np.log(1 + frequencies.loc[vocabulary].values.ravel())
ranking = vocabulary[np.argsort(similarities)[::-1]]
"""
REGIONS = """
import pandas as pd
from nilearn.maskers import NiftiLabelsMasker

regions = NiftiLabelsMasker(labels_img=labels_img).fit()
table = {}
for term in ["finger tapping", "face recognition"]:
    img = encoder(term)["z_map"]
    img.to_filename(folder / f"{term}.nii.gz")
    table[term] = np.ravel(regions.transform(img))
table = pd.DataFrame(table)
"""
SAVED = """
encoder.to_data_dir(folder / "model")
loaded = NeuroQueryModel.from_data_dir(folder / "model")
img, loaded_img = (one("pain")["brain_map"] for one in (encoder, loaded))
"""
PEAKS = """
from neuroquery.img_utils import gaussian_coord_smoothing

peaks = [(0, -52, 18), (-46, -68, 32), (46, -68, 32), (1, 50, -5)]
img = gaussian_coord_smoothing(peaks, encoder.get_masker())
"""


def _changes(page=USER_GUIDE):
    """Return the lines for NeuroQuery and for this package in the table of a page."""
    section = page.read_text(encoding="utf-8").split(SECTION)[1].split("\n#")[0]
    return re.findall(r"^\| `(.+)` \| `(.+)` \|$", section, flags=re.MULTILINE)


def _run(script, **names):
    """Change a script as the user guide says, run it and return its variables."""
    for old, new in _changes():
        script = script.replace(old, new)
    assert "neuroquery." not in script.lower()
    exec(compile(script, "script.py", "exec"), names)
    return names


pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.inference.LowConfidenceWarning",
    "ignore:imgs are being resampled",
    "ignore:.*'partition' will ignore the 'mask'",
)


def test_readme_lists_lines_of_the_user_guide():
    assert len(_changes(README)) == 3
    assert set(_changes(README)) < set(_changes())


@pytest.mark.parametrize("indexed", [False, True])
def test_query(capsys, indexed, monkeypatch):
    if indexed:
        load = NeuroContextModel.from_pretrained
        monkeypatch.setattr(
            NeuroContextModel,
            "from_pretrained",
            lambda: load().index_corpus(make_corpus()),
        )
    names = _run(START + QUERY)
    printed = capsys.readouterr().out
    assert printed.endswith("[patients]\033[0m & \033[94m[controls]\033[0m\n")
    assert "\033[94m[Chronic pain]\033[0m and \033[94m[noxious]" in printed
    assert {"chronic pain", "noxious", "heat"} <= set(names["recognized"].index)
    assert len(names["documents"]) == (100 if indexed else 0)
    assert names["words"].columns.tolist() == [
        "similarity",
        "weight_in_brain_map",
        "weight_in_query",
        "n_documents",
    ]


def test_terms_of_a_map():
    encoder = NeuroContextModel.from_pretrained()
    for term in encoder.full_vocabulary()[:80:40]:
        names = _run(START + REVERSE, query_img=encoder(term)["z_map"])
        assert names["ranking"][0] == term
        assert names["similarities"].shape == names["vocabulary"].shape
    expected = {term: encoder.terms[term] for term in names["vocabulary"]}
    assert names["frequencies"].loc[names["vocabulary"]].to_dict() == expected
    inside = encoder.masker.mask_img_.get_fdata() > 0
    imgs = encoder.transform(names["vocabulary"])["z_map"]
    voxels = [img.get_fdata(dtype=np.float32)[inside] for img in imgs]
    np.testing.assert_array_equal(names["term_maps"], voxels)


def test_values_in_regions(tmp_path):
    mask_img = NeuroContextModel.from_pretrained().masker.mask_img_
    labels = np.zeros(mask_img.shape, dtype=np.int32)
    x = nib.affines.apply_affine(mask_img.affine, np.indices(labels.shape).T).T[0]
    labels[:] = np.where(x < 0, 1, 2)
    labels_img = nib.Nifti1Image(labels, mask_img.affine)
    names = _run(START + REGIONS, np=np, labels_img=labels_img, folder=tmp_path)
    for term in ("finger tapping", "face recognition"):
        img = nib.load(tmp_path / f"{term}.nii.gz")
        means = [img.get_fdata()[labels == label].mean() for label in (1, 2)]
        np.testing.assert_allclose(names["table"][term], means, rtol=1e-4)


def test_saved_model(tmp_path):
    names = _run(START + SAVED, folder=tmp_path)
    expected = names["img"].get_fdata()
    np.testing.assert_array_equal(names["loaded_img"].get_fdata(), expected)


def test_map_of_peaks():
    img = _run(START + PEAKS)["img"]
    values = img.get_fdata()
    assert values.sum() == pytest.approx(4, rel=0.02)
    for peak in [(0, -52, 18), (-46, -68, 32), (46, -68, 32), (1, 50, -5)]:
        voxel = np.linalg.inv(img.affine) @ (*peak, 1)
        assert values[tuple(voxel[:3].round().astype(int))] > 0.9 * 0.0728 / 2
