"""Scripts written for NeuroQuery run after the changes that the user guide lists."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import NeuroContextModel
from tests.text_model import make_corpus

ROOT = Path(__file__).parents[1]
README, USER_GUIDE = ROOT / "README.md", ROOT / "docs" / "guide" / "other_tools.md"
SECTION = "## Scripts for NeuroQuery\n"
START = """
from neuroquery import fetch_neuroquery_model, NeuroQueryModel
encoder = NeuroQueryModel.from_data_dir(fetch_neuroquery_model())
"""
QUERY = """
from nilearn.plotting import view_img

result = encoder("Chronic pain and noxious heat in patients & controls")
print(sorted(result))
view = view_img(result["brain_map"], threshold=3.1)
words = result["similar_words"]
print(words.sort_values(by="similarity", ascending=False).head())
print(words.sort_values(by="weight_in_brain_map", ascending=False).head(3))
recognized = words.query("weight_in_query != 0")
print(recognized.sort_values(by="weight_in_query", ascending=False).head())
documents = result["similar_documents"]
print(documents.head())
print(documents[["pmid", "title", "pubmed_url", "similarity"]].head(20))
from neuroquery.tokenization import print_highlighted_text, get_html_highlighted_text
print_highlighted_text(result["highlighted_text"])
html = get_html_highlighted_text(result["highlighted_text"])
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


FRONT_PAGE = """
from nilearn.plotting import view_img
encoder = NeuroQueryModel.from_data_dir(fetch_neuroquery_model())
img = encoder("Parkinson's disease")["brain_map"]
view = view_img(img, threshold=3.)
"""
TABLE = """
from neuroquery.img_utils import coordinates_to_maps

brain_maps, masker = coordinates_to_maps(coordinates)
"""


def _changes(page=USER_GUIDE):
    """Return the expressions, their replacements and imports in the table of a page."""
    section = page.read_text(encoding="utf-8").split(SECTION)[1].split("\n#")[0]
    row = r"^\| `(.+)` \| `(.+)` \| (?:`(.+)` )?\|$"
    return re.findall(row, section, flags=re.MULTILINE)


def _run(script, **names):
    """Change a script as the user guide says, run it and return its variables."""
    imports = r"^(from|import) neuroquery\b.*?( \([^)]*\))?$\n"
    script = re.sub(imports, "", script, flags=re.MULTILINE)
    for old, new, line in _changes():
        if old in script:
            script = f"{line}\n{script.replace(old, new)}"
    assert not re.search(r"neuroquery\.|NeuroQuery", script)
    exec(compile(script, "script.py", "exec"), names)
    return names


pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.inference.LowConfidenceWarning",
    "ignore:imgs are being resampled",
    "ignore:.*'partition' will ignore the 'mask'",
)


def test_readme_lists_lines_of_the_user_guide():
    assert len(_changes(README)) == 3
    assert _changes(README)[0] == _changes()[0] == ('["brain_map"]', '["z_map"]', "")
    assert set(_changes(README)) < set(_changes())


@pytest.mark.parametrize("page", [README, USER_GUIDE], ids=lambda page: page.name)
def test_each_row_imports_the_names_that_it_uses(page):
    for _, new, line in _changes(page):
        used = set(re.findall(r"\b([A-Z]\w+Model|KDE\w+|density_map|fetch_\w+)\b", new))
        assert used <= set(re.findall(r"\w+", line))
        exec(line, {})


@pytest.mark.parametrize(
    "imports",
    [
        "from neuroquery import fetch_neuroquery_model, NeuroQueryModel",
        "from neuroquery import NeuroQueryModel, fetch_neuroquery_model",
        "from neuroquery import (\n    NeuroQueryModel, fetch_neuroquery_model,\n)",
        "from neuroquery.datasets import fetch_neuroquery_model\n"
        "from neuroquery.encoding import NeuroQueryModel",
    ],
)
def test_map_of_the_front_page_is_above_its_threshold(imports):
    names = _run(imports + FRONT_PAGE)
    assert names["img"].get_fdata().max() > 3


def test_coefficients_of_a_table():
    table = pd.DataFrame(
        {"pmid": [2, 2, 1], "x": [0, -46, 46], "y": [-52, -68, -68], "z": [18, 32, 32]}
    )
    names = _run(TABLE, coordinates=table)
    assert names["brain_maps"].shape == (2, names["masker"].n_elements_)
    img = names["masker"].inverse_transform(names["brain_maps"])
    assert img.get_fdata()[:30, ..., 0].max() > img.get_fdata()[:30, ..., 1].max()


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
    assert names["html"] == names["result"]["highlighted_text"]
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
