"""Peaks of all forms are the same peaks; what is none of them is told."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers._peaks import STUDY_COLUMNS, gather_peaks

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
SHAPE = (9, 8, 7)
TABLE = pd.DataFrame(
    {
        "id": ["b", "a", "b"],
        "x": [1.0, 2, 3],
        "y": [4, 5, 6],
        "z": [7, 8, 9],
    }
)


@pytest.mark.parametrize("name", STUDY_COLUMNS)
def test_studies_of_a_table_come_as_they_appear(name):
    peaks, ids = gather_peaks(TABLE.rename(columns={"id": name}))
    assert ids.tolist() == ["b", "a"]
    np.testing.assert_array_equal(peaks[0], [[1, 4, 7], [3, 6, 9]])
    np.testing.assert_array_equal(peaks[1], [[2, 5, 8]])


def test_of_two_ids_that_of_the_study_counts():
    """NiMARE's tables have both: an id for each analysis, and its study's."""
    _, ids = gather_peaks(TABLE.assign(study_id=["s", "s", "t"]))
    assert ids.tolist() == ["s", "t"]


def test_rows_of_counts_are_peaks_at_voxel_centres(rng):
    counts = rng.poisson(0.02, (5, np.prod(SHAPE)))
    counts[2] = 0
    peaks, _ = gather_peaks(csr_array(counts), counts_grid=(SHAPE, AFFINE))
    assert [len(rows) for rows in peaks] == counts.sum(axis=1).tolist()
    back = np.zeros_like(counts)
    for row, xyz in enumerate(peaks):
        voxels = nib.affines.apply_affine(np.linalg.inv(AFFINE), xyz)
        flat = np.ravel_multi_index(np.rint(voxels).astype(int).T, SHAPE)
        np.add.at(back[row], flat, 1)
    np.testing.assert_array_equal(back, counts)


@pytest.mark.parametrize(
    ("peaks", "match"),
    [
        (TABLE.drop(columns="id"), "columns x, y, z; expected x, y, z in mm and one"),
        (TABLE.drop(columns="z"), "has the columns id, x, y; expected"),
        (TABLE.assign(id=["b", None, "b"]), "1 rows of the table of peaks have no id"),
        (TABLE.assign(x=["a", "b", "c"]), "cannot be read as numbers"),
        (TABLE.assign(x=[1, np.nan, 2]), "study 1 hold NaN or infinity"),
        (TABLE.assign(space=["MNI", "TAL", "MNI"]), "'space' of the table holds other"),
        (TABLE.iloc[:0], "peaks is empty"),
        (csr_array((2, 7)), r"have 7 columns; the mask's own grid \(9, 8, 7\) has 504"),
        (csr_array(np.full((1, 504), 0.5)), "other values than whole numbers"),
        (csr_array(-np.eye(1, 504)), "other values than whole numbers"),
    ],
)
def test_other_forms_are_told(peaks, match):
    with pytest.raises(ValueError, match=match):
        gather_peaks(peaks, counts_grid=(SHAPE, AFFINE))


def test_a_space_that_fits_is_taken():
    table = TABLE.assign(space=["TAL", "TAL", "UNKNOWN"])
    peaks, _ = gather_peaks(table, space="TAL")
    assert np.abs(peaks[1] - [[2, 5, 8]]).max() > 1


def test_rows_of_nimares_bunch_are_taken():
    """Peaks of each analysis, rounded to NiMARE's 2 mm voxels."""
    nimare = pytest.importorskip("nimare")
    from nimare.studyset import Studyset

    points = [[[-40, -24, 56], [44, -50, -20]], [[0, -10, 4]]]
    studies = [
        {
            "id": f"s{row}",
            "name": "",
            "authors": "",
            "publication": "",
            "metadata": {},
            "analyses": [
                {
                    "id": "1",
                    "name": "",
                    "conditions": [],
                    "weights": [],
                    "images": [],
                    "points": [
                        {"space": "MNI", "coordinates": xyz, "values": []}
                        for xyz in of_study
                    ],
                }
            ],
        }
        for row, of_study in enumerate(points)
    ]
    bunch = Studyset({"id": "x", "name": "", "studies": studies}).to_bunch()
    assert nimare.__version__
    masker = KDEDiFuMoMasker("geometric", 16, mask_img=bunch.masker.mask_img).fit()
    np.testing.assert_allclose(
        masker.transform(bunch.data), masker.transform(points), rtol=1e-6
    )
    np.testing.assert_array_equal(
        masker.transform(bunch.data[[1]]), masker.transform(bunch.data)[[1]]
    )
