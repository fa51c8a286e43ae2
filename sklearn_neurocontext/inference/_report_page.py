"""Parts of an HTML page that opens without network: everything is inside, escaped."""

import base64
import html
import io
import warnings
from collections.abc import Mapping, Sized
from datetime import UTC, datetime

import numpy as np
from nibabel.affines import apply_affine

from .._utils.versions import library_versions

# Browsers refuse whatever is not inside the page.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-src 'self'; form-action 'none'; base-uri 'none'"
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
blockquote { margin: 0; padding: .6rem 1rem; background: #f5f5f5;
             border-left: 4px solid #0072b2; overflow-wrap: anywhere; }
mark { background: #fde9b8; }
img { max-width: 100%; height: auto; } iframe { width: 100%; border: 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ddd;
         vertical-align: top; overflow-wrap: break-word; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
.caveat { padding: .6rem 1rem; background: #fdf1e7; border-left: 4px solid #d55e00; }
summary { cursor: pointer; color: #0072b2; }
.facts { font-size: .85rem; } .facts td { overflow-wrap: anywhere; }
.facts th { font-weight: normal; color: #555; width: 40%; }
"""

# Of pictures, twice as fine as they are shown; with this many, their type is as large
# as that of the page.
_PIXELS_PER_INCH = 80
_DOTS_PER_INCH = 2 * _PIXELS_PER_INCH
# Above and below the viewer inside its frame, in pixels.
_VIEW_MARGINS = 16


def page(title: str, sections) -> str:
    """Put sections together.

    Parameters
    ----------
    title : str
        Escaped here.
    sections : sequence of (str, str)
        Heading, escaped here, and HTML.

    Returns
    -------
    html : str
        A whole document.
    """
    parts = [
        f"<section><h2>{html.escape(heading)}</h2>\n{content}\n</section>"
        for heading, content in sections
    ]
    title = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def picture(figure, words: str) -> str:
    """Write a matplotlib figure as an image, whose type is as large as the page's."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DOTS_PER_INCH)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    width = round(_PIXELS_PER_INCH * figure.get_figwidth())
    return (
        f'<img alt="{html.escape(words)}" width="{width}" '
        f'src="data:image/png;base64,{data}">'
    )


def viewer(kept_img) -> str:
    """Write nilearn's interactive viewer, shut in a frame that may only run scripts.

    Voxels of `kept_img` that are zero are not shown; the viewer starts at its strongest
    voxel.
    """
    from nilearn.plotting import view_img

    values = kept_img.get_fdata()
    strongest = np.unravel_index(values.argmax(), values.shape)
    with warnings.catch_warnings():
        # nilearn takes the median of a masked array that masks nothing.
        warnings.filterwarnings("ignore", ".*'partition' will ignore the 'mask'")
        view = view_img(
            kept_img,
            cut_coords=apply_affine(kept_img.affine, strongest).tolist(),
            threshold=0.999 * float(values[values > 0].min()),
            symmetric_cmap=False,
            cmap="inferno_r",
            vmin=0,
            black_bg=False,
            width_view=900,
        )
    # brainsprite, the viewer's script, cuts "0.000" to "0."; its text is altered here
    # so that it gives "0". Where a later nilearn has other text, only the test notices.
    inside = view.html.replace('replace(/0+$/,"")', 'replace(/\\.?0+$/,"")')
    return (
        f'<iframe sandbox="allow-scripts" height="{view.height + _VIEW_MARGINS}" '
        f'srcdoc="{html.escape(inside)}"></iframe>'
    )


def table(frame, formats) -> str:
    """Write a DataFrame; headings and cells are escaped.

    Parameters
    ----------
    frame : DataFrame
        Its index is left out, and so are columns without any value. Headings may
        break after underscores.
    formats : dict of str to callable
        Column to function that writes a cell, which is a number and is set right and
        never broken; a missing value stays empty.

    Returns
    -------
    html : str
        A table; where it is too wide, it scrolls by itself.
    """
    known = frame.astype(object)
    for name, write in ((n, w) for n, w in formats.items() if n in frame):
        known[name] = frame[name].astype(object).map(write, na_action="ignore")
    known = known.where(frame.notna(), "")
    known = known.loc[:, (known != "").any()]
    marks = [' class="number"' if name in formats else "" for name in known]
    head = [html.escape(str(name)).replace("_", "_<wbr>") for name in known]
    lines = [_row("th", marks, head)]
    for cells in known.itertuples(index=False, name=None):
        lines.append(_row("td", marks, [html.escape(str(cell)) for cell in cells]))
    return f'<div class="table"><table>\n{chr(10).join(lines)}\n</table></div>'


def _row(tag, marks, cells):
    written = [
        f"<{tag}{mark}>{cell}</{tag}>" for mark, cell in zip(marks, cells, strict=True)
    ]
    return f"<tr>{''.join(written)}</tr>"


def provenance(**facts) -> str:
    """Write when a page was made, by what, and, folded, all other facts.

    Each fact is a row; those inside others are named by their path. Versions that are
    those of the page are not written again.
    """
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    versions = library_versions()
    facts = {"made": made, "versions": versions, **_without(facts, versions)}
    rows = [
        f'<tr><th scope="row">{html.escape(" › ".join(path))}</th>'
        f"<td>{html.escape(value)}</td></tr>"
        for path, value in _leaves(facts, ())
    ]
    return (
        f"<p>Made on {made} with sklearn_neurocontext "
        f"{html.escape(versions['sklearn_neurocontext'])}.</p>\n"
        f"<details><summary>All {len(rows)} facts</summary>\n"
        f'<table class="facts">\n{chr(10).join(rows)}\n</table>\n</details>'
    )


def _without(value, versions):
    """Put words in the place of versions that have been written."""
    if isinstance(value, Mapping):
        return {
            name: "as above" if inside == versions else _without(inside, versions)
            for name, inside in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without(inside, versions) for inside in value]
    return value


def caveat(words: str) -> str:
    """Write what a reader must know, escaped; nothing where there is nothing."""
    return f'<p class="caveat">{html.escape(words)}</p>\n' if words else ""


def _leaves(value, path):
    """Give the path and the words of each value inside dictionaries and lists."""
    if value is None or (isinstance(value, Sized) and not len(value)):
        yield path, "–"
    elif isinstance(value, Mapping):
        for name, inside in value.items():
            yield from _leaves(inside, (*path, str(name)))
    elif isinstance(value, list | tuple) and any(
        isinstance(one, Mapping | list | tuple) for one in value
    ):
        for place, inside in enumerate(value, 1):
            yield from _leaves(inside, (*path, str(place)))
    elif isinstance(value, list | tuple):
        yield path, ", ".join(map(str, value))
    else:
        yield path, f"{value:.10g}" if isinstance(value, float) else str(value)
