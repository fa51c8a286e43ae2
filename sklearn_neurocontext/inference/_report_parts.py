"""Make the parts of an HTML report: pictures, viewers, tables and metadata."""

import base64
import hashlib
import io
import warnings
from collections.abc import Mapping, Sized
from datetime import UTC, datetime
from functools import cache

import numpy as np
from markupsafe import Markup
from nibabel.affines import apply_affine

from .._utils.files import replace_surrogates
from .._utils.packages import library_versions
from .._utils.pages import (
    compress_img,
    make_anatomy,
    make_environment,
    report_script,
)
from .._utils.volumes import keep_strongest
from ..plotting import Z_THRESHOLD
from ._peaks import find_peaks

# At this resolution, the text in pictures has the same size as the text of the page.
# Pictures are saved at twice this resolution, so that they are sharp on screens with a
# high pixel density.
_PIXELS_PER_INCH = 80
_DOTS_PER_INCH = 2 * _PIXELS_PER_INCH


def render(template: str, title: str, content: dict, metadata: dict) -> str:
    """Return an HTML page. All text is escaped, except strings of type `Markup`."""
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    versions = library_versions()
    metadata = {"made": made, "versions": versions, **_shorten(metadata, versions)}
    return (
        _environment()
        .get_template(template)
        .render(
            title=title,
            made=made,
            version=versions["sklearn_neurocontext"],
            metadata=describe_metadata(metadata),
            script_hash=_script()[1],
            **content,
        )
    )


def show_rows(template: str, **content) -> str:
    """Return HTML without page layout, for notebooks. All text is escaped."""
    return replace_surrogates(_environment().get_template(template).render(**content))


def describe_metadata(metadata: dict) -> list:
    """Return the names and the values of nested metadata, as pairs of str."""
    return [(" › ".join(path), value) for path, value in _flatten(metadata, ())]


@cache
def _environment():
    return make_environment(__package__)


@cache
def _script() -> tuple[str, str]:
    """Return the script of reports, and its hash for the security policy."""
    script = report_script()
    digest = hashlib.sha256(script.encode()).digest()
    return script, base64.b64encode(digest).decode("ascii")


def map_content(imgs, inside, *, title, units, top, explanation="") -> dict:
    """Return the content of the template of maps: maps as JSON, and the script.

    `imgs` is a dict with one or both of the keys "z_map" and "brain_map". Its values
    are images. `units` is a dict from the same keys to units. `inside` is an array of
    bool that is True inside the mask. At first, the page shows z values of at least 3,
    or the fraction `top` of the voxels of a brain map. If `explanation` is empty, the
    page shows the same explanation as the local web page.
    """
    maps = {
        name: {
            "nifti": _encode(compress_img(img)),
            "unit": units[name],
            "threshold": Z_THRESHOLD
            if name == "z_map"
            else float(np.quantile(np.abs(img.get_fdata()[inside]), 1 - top)),
            "peaks": find_peaks(img).to_dict("records"),
        }
        for name, img in imgs.items()
    }
    data = {"title": title, "explanation": explanation, "maps": maps}
    script, _ = _script()
    anatomy = _encode(make_anatomy())
    return {"data": {**data, "anatomy": anatomy}, "script": Markup(script)}


def _encode(content: bytes) -> str:
    """Return bytes as text in Base64."""
    return base64.b64encode(content).decode("ascii")


def picture(figure, description: str) -> dict:
    """Return a matplotlib figure as a PNG image with its width, for a template."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DOTS_PER_INCH)
    return {
        "description": description,
        "width": round(_PIXELS_PER_INCH * figure.get_figwidth()),
        "source": f"data:image/png;base64,{_encode(stream.getvalue())}",
    }


def show_img(img, threshold=None):
    """Return nilearn's viewer of both signs of a map beyond a threshold.

    If `threshold` is None, the top 10 % of voxels are shown.
    """
    if threshold is not None:
        return _open_view(img, threshold=threshold)
    kept_img = keep_strongest(img, 0.1, "The map")
    style = {"symmetric_cmap": False, "cmap": "inferno_r", "vmin": 0}
    return _open_view(kept_img, threshold=_smallest_positive(kept_img), **style)


def _smallest_positive(img) -> float:
    """Return a threshold just below the smallest positive value of an image."""
    values = img.get_fdata()
    return 0.999 * float(values[values > 0].min())


def _open_view(img, **options):
    """Return nilearn's viewer of a map, cut at the voxel with the largest magnitude."""
    from nilearn.plotting import view_img

    values = np.abs(img.get_fdata())
    strongest = np.unravel_index(values.argmax(), values.shape)
    with warnings.catch_warnings():
        # nilearn computes the median of a masked array, and NumPy warns that it ignores
        # the mask. The warning is suppressed because no value of the array is masked.
        warnings.filterwarnings("ignore", ".*'partition' will ignore the 'mask'")
        # nilearn warns if no voxel reaches the threshold.
        warnings.filterwarnings("ignore", "The given float value must not exceed")
        return view_img(
            img,
            cut_coords=apply_affine(img.affine, strongest).tolist(),
            black_bg=False,
            width_view=900,
            **options,
        )


def table(frame, formats, links=None) -> dict:
    """Return the columns and cells of a DataFrame, as strings, for a template.

    The keys of `formats` are the names of the numeric columns. The values are functions
    that format the numbers of these columns. Columns without any value are omitted. If
    `links` is given, it lists the address to which the first cell of each row links, or
    "" for no link.
    """
    cells = frame.astype(object)
    for name, write in ((n, w) for n, w in formats.items() if n in frame):
        cells[name] = cells[name].map(write, na_action="ignore")
    cells = cells.where(frame.notna(), "").map(lambda one: replace_surrogates(str(one)))
    cells = cells.loc[:, (cells != "").any()]
    rows = cells.to_numpy().tolist()
    for row, address in zip(rows, links or (), strict=bool(links)):
        if address:
            row[0] = {"text": row[0], "address": address}
    return {"columns": [(str(name), name in formats) for name in cells], "rows": rows}


def _shorten(value, versions):
    """Return metadata in which "as above" replaces each dict that equals `versions`."""
    if isinstance(value, Mapping):
        return {
            name: "as above" if inside == versions else _shorten(inside, versions)
            for name, inside in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shorten(inside, versions) for inside in value]
    return value


def _flatten(value, path):
    """Yield the path and the text of each value in nested dictionaries and lists."""
    if value is None or (isinstance(value, Sized) and not len(value)):
        yield path, "–"
    elif isinstance(value, Mapping):
        for name, inside in value.items():
            yield from _flatten(inside, (*path, str(name)))
    elif isinstance(value, list | tuple) and any(
        isinstance(one, Mapping | list | tuple) for one in value
    ):
        for place, inside in enumerate(value, 1):
            yield from _flatten(inside, (*path, str(place)))
    elif isinstance(value, list | tuple):
        yield path, ", ".join(map(str, value))
    else:
        yield path, f"{value:.10g}" if isinstance(value, float) else str(value)
