"""Predict the maps of the front page with the shipped model, as nilearn's viewers."""

import math
from pathlib import Path

from nilearn.plotting import view_img

from sklearn_neurocontext import NeuroContextModel

QUERIES = ["finger tapping", "reading words aloud", "fear conditioning"]
Z_THRESHOLD = 3.0


def _write_viewers(app):
    """Write one page per query into docs/_static/maps."""
    folder = Path(app.srcdir) / "_static" / "maps"
    folder.mkdir(exist_ok=True)
    model = NeuroContextModel.from_pretrained()
    for query in QUERIES:
        z_img = model(query)["z_map"]
        largest = math.ceil(abs(z_img.get_fdata()).max())
        view = view_img(z_img, threshold=Z_THRESHOLD, vmax=largest, black_bg=False)
        view.save_as_html(folder / f"{query.replace(' ', '_')}.html")


def setup(app):
    """Connect the function to the start of the build."""
    app.connect("builder-inited", _write_viewers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
