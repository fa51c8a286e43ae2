"""
How do I read my studies, and in which space are their peaks?
=============================================================

A corpus consists of the texts of studies and of the peaks that they report. This
example reads a Sleuth file and two tables, converts Talairach peaks, and joins both
corpora.
"""

# %%
# A Sleuth file
# -------------
# BrainMap's program Sleuth writes one text file for each search. Its first line states
# the coordinate space. Each experiment begins with its name.

import tempfile
from pathlib import Path

from sklearn_neurocontext.datasets import load_sleuth

SLEUTH = """// Reference=Talairach
// Smith, 2005: words > rest
// Subjects=12
-42 -24 50
-4 -6 52
22 -52 -20

// Jones, 2011: sentences > words
// Subjects=20
-50 -40 4
-46 18 20
"""
folder = Path(tempfile.mkdtemp())
sleuth_path = folder / "reading.txt"
sleuth_path.write_text(SLEUTH)
sleuth = load_sleuth(sleuth_path)
print(sleuth.studies[["study_id", "title", "coordinate_space"]].to_string())

# %%
# Talairach peaks were converted to MNI space, with Lancaster's transform. Loaders
# always return peaks in MNI space. In the figure, gray points are the peaks as reported
# in Talairach space, and red points are the same peaks in MNI space.

import matplotlib.pyplot as plt
import numpy as np
from nilearn.plotting import plot_glass_brain, show

talairach = np.array(
    [line.split() for line in SLEUTH.splitlines() if line and line[0] != "/"], float
)
mni = np.concatenate(sleuth.peaks)
figure = plt.figure(figsize=(9, 3.2))
display = plot_glass_brain(None, figure=figure)
display.add_markers(talairach, marker_color="0.6", marker_size=40)
display.add_markers(mni, marker_color="C3", marker_size=40)
distance = np.linalg.norm(mni - talairach, axis=1)
print(f"The conversion moves these peaks by {distance.mean():.1f} mm on average.")
show()

# %%
# Two tables
# ----------
# ``load_table`` takes one table of studies and one table of peaks, as files or as
# DataFrames. Both tables have a column that identifies the study.

import pandas as pd

from sklearn_neurocontext.datasets import load_table

studies = pd.DataFrame(
    {
        "pmid": ["11", "12", "13"],
        "title": ["Reading words aloud", "Naming of pictures", "A review of reading"],
        "coordinate_space": ["MNI", "MNI", "MNI"],
    }
)
peaks = pd.DataFrame(
    {
        "pmid": ["11", "11", "12"],
        "x": [-50, -44, 38],
        "y": [-10, -58, -56],
        "z": [40, -14, -18],
    }
)
tables = load_table(studies, peaks)
print(tables.description)

# %%
# One corpus
# ----------
# ``merge_corpora`` joins corpora, and recognizes articles that are in both. Studies
# without a text or without a peak in the mask cannot be used for training:
# ``usable_rows`` returns the rows of all other studies.

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.datasets import merge_corpora, study_texts, usable_rows

corpus = merge_corpora(sleuth, tables)
texts = study_texts(corpus, "title")
y = KDEDiFuMoMasker("geometric", n_components=128).fit_transform(corpus.peaks)
rows = usable_rows(texts, y)
print(f"{len(rows)} of {len(texts)} studies can be used for training:")
print("\n".join(texts[row] for row in rows))

# %%
# Read ``corpus.description`` before you train: it contains the number of peaks in each
# space, of converted peaks and of studies without a peak.
