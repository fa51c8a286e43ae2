"""A hostile text, and how pages are read."""

from html.parser import HTMLParser

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> & pain"


class Elements(HTMLParser):
    """Gathers start tags, words, cells, and the documents inside frames."""

    def __init__(self):
        super().__init__()
        self.tags, self.frames, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "iframe":
            self.frames.append(dict(attrs)["srcdoc"])

    def handle_data(self, data):
        self.words.append(data)


def parse(text):
    parser = Elements()
    parser.feed(text)
    parser.close()
    return parser


def facts(page) -> dict:
    """What the last table says: where a page comes from, by path."""
    words = [word.strip() for word in page.words if word.strip()]
    place = words.index("Where this comes from")
    assert words[place + 1].startswith("Made on 2")
    n_facts = int(words[place + 2].removeprefix("All ").removesuffix(" facts"))
    words = words[place + 3 :]
    assert len(words) == 2 * n_facts
    return dict(zip(words[::2], words[1::2], strict=True))
