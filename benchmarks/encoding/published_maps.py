r"""Published maps, compared with the maps that a saved model predicts from their names.

    python -m benchmarks.encoding.published_maps FOLDER [--model MODEL] [--output CSV]

FOLDER contains subfolders with ``descriptions.tsv`` (columns name, file, description)
and the maps named there. For each map, the table contains the correlation of its voxels
with those of the z map predicted from its description, the Dice score of the highest
10 % of voxels of both, and the rank of its description when the map is decoded among
all distinct descriptions. MODEL is the folder of a saved model; by default, the model
that comes with the package is used.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from nilearn.image import load_img
from nilearn.masking import apply_mask

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.experiments import read_described_maps
from sklearn_neurocontext.inference import LowConfidenceWarning
from sklearn_neurocontext.metrics import dice_score

TOP = 0.1


def measure(model, table) -> pd.DataFrame:
    """Add the columns correlation, dice and rank to a table of maps."""
    mask = model.masker.mask_img_
    texts = list(dict.fromkeys(table["description"]))
    rows = []
    for one in table.itertuples():
        img = load_img(one.path)
        z_map = apply_mask(model(one.description)["z_map"], mask)
        published = apply_mask(img, mask)
        ranking = model.decode(img, candidates=texts, k=len(texts))
        rows.append(
            {
                "correlation": np.corrcoef(z_map, published)[0, 1],
                "dice": dice_score(published, z_map, top=TOP),
                "rank": 1 + list(ranking["candidate"]).index(one.description),
            }
        )
    return pd.concat([table.drop(columns="path"), pd.DataFrame(rows)], axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    model = NeuroContextModel.from_pretrained(
        *([] if arguments.model is None else [arguments.model])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LowConfidenceWarning)
        table = measure(model, read_described_maps(arguments.folder))
    if arguments.output is not None:
        table.to_csv(arguments.output, index=False)
    print(table.to_string(index=False, float_format="{:.3f}".format))
    print(
        f"{len(table)} maps, {table['description'].nunique()} candidates: "
        f"mean correlation {table['correlation'].mean():.3f}, "
        f"mean Dice of the top {TOP:.0%} {table['dice'].mean():.3f}, "
        f"top-1 {(table['rank'] <= 1).mean():.3f}, "
        f"top-3 {(table['rank'] <= 3).mean():.3f}"
    )


if __name__ == "__main__":
    main()
