"""Folders as pubget writes them."""

import json

import pandas as pd

SUBSET = "subset_articlesWithCoords_extractedData"


def write_extraction(folder, metadata, texts, coordinates, spaces, complete=True):
    """Write pubget's files, in its columns."""
    tables = {
        "metadata": (
            metadata,
            ["pmcid", "pmid", "doi", "title", "journal", "publication_year", "license"],
        ),
        "text": (texts, ["pmcid", "title", "keywords", "abstract", "body"]),
        "coordinates": (
            coordinates,
            ["pmcid", "table_id", "table_label", "x", "y", "z"],
        ),
        "coordinate_space": (spaces, ["pmcid", "coordinate_space"]),
    }
    folder.mkdir(parents=True)
    for name, (table, columns) in tables.items():
        frame = pd.DataFrame(table).reindex(columns=columns)
        frame.to_csv(folder / f"{name}.csv", index=False)
    info = {"name": "extract_data", "is_complete": complete, "n_articles": len(texts)}
    (folder / "info.json").write_text(json.dumps(info))
