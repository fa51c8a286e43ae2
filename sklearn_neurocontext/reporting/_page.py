"""Parts of an HTML page that opens without network: everything is inside, escaped."""

import base64
import html
import io
import json
import warnings
from datetime import UTC, datetime

from .._versions import library_versions

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
img { max-width: 100%; } iframe { width: 100%; height: 28rem; border: 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ddd;
         vertical-align: top; overflow-wrap: anywhere; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: .85rem; }
"""


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
    """Write a matplotlib figure as an image inside the page."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return f'<img alt="{html.escape(words)}" src="data:image/png;base64,{data}">'


def viewer(kept_img) -> str:
    """Write nilearn's interactive viewer, shut in a frame that may only run scripts.

    Voxels of `kept_img` that are zero are not shown.
    """
    from nilearn.plotting import view_img

    values = kept_img.get_fdata()
    with warnings.catch_warnings():
        # nilearn takes the median of a masked array that masks nothing.
        warnings.filterwarnings("ignore", ".*'partition' will ignore the 'mask'")
        view = view_img(
            kept_img,
            threshold=0.999 * float(values[values > 0].min()),
            symmetric_cmap=False,
            cmap="inferno_r",
            vmin=0,
            black_bg=False,
            width_view=900,
        )
    inside = view.html
    return f'<iframe sandbox="allow-scripts" srcdoc="{html.escape(inside)}"></iframe>'


def table(frame, formats) -> str:
    """Write a DataFrame; cells are escaped.

    Parameters
    ----------
    frame : DataFrame
        Its index is left out, and so are columns without any value.
    formats : dict of str to callable
        Column to function that writes a cell; a missing value stays empty.

    Returns
    -------
    html : str
        A table.
    """
    known = frame.astype(object)
    for name, write in ((n, w) for n, w in formats.items() if n in frame):
        known[name] = frame[name].astype(object).map(write, na_action="ignore")
    known = known.where(frame.notna(), "")
    known = known.loc[:, (known != "").any()]
    return known.to_html(index=False, escape=True, border=0)


def provenance(**facts) -> str:
    """Write when a page was made, the versions of libraries, and other facts."""
    facts = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        **facts,
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False, default=str)
    return f"<pre>{html.escape(text)}</pre>"
