"""Parse HTML pages, and a hostile text."""

from html.parser import HTMLParser

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> & pain"


class Elements(HTMLParser):
    """Gather start tags, texts, scripts, and the documents inside frames."""

    def __init__(self):
        super().__init__()
        self.tags, self.frames, self.words = [], [], []
        self.scripts = []
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "iframe":
            self.frames.append(dict(attrs)["srcdoc"])

        self._in_script = tag == "script"

    def handle_data(self, data):
        (self.scripts if self._in_script else self.words).append(data)
        self._in_script = False


def parse(text):
    parser = Elements()
    parser.feed(text)
    parser.close()
    return parser


def metadata(page) -> dict:
    """Return the metadata at the end of a page, by path."""
    words = [word.strip() for word in page.words if word.strip()]
    place = words.index("Provenance")
    assert words[place + 1].startswith("Made on 2")
    assert words[place + 2].startswith("All metadata (")
    words = words[place + 3 :]
    return dict(zip(words[::2], words[1::2], strict=True))
