"""Answer requests that are not valid HTTP, or too long, with a sentence."""

from uvicorn.protocols.http.h11_impl import H11Protocol

from ._answers import MAX_TEXT
from ._middleware import SECURITY_HEADERS

# Maximum number of bytes of an address with its headers. An address contains at most
# two texts, and a character of a text takes at most 12 bytes in an address.
MAX_ADDRESS_BYTES = 2 * 12 * MAX_TEXT + 10_000
_PAGE = (
    '<!DOCTYPE html><html lang="en"><title>Wrong request</title>'
    "<p>The address is too long, or the request is not valid. A text must have at most "
    f"{MAX_TEXT:,} characters. Shorten the text.</p></html>"
)


class Protocol(H11Protocol):
    """HTTP protocol whose answers with status 400 are HTML pages."""

    def send_400_response(self, msg: str) -> None:
        """Send an HTML page with status 400, and close the connection."""
        headers = {
            **SECURITY_HEADERS,
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": len(_PAGE),
            "Connection": "close",
        }
        lines = [f"{name}: {value}" for name, value in headers.items()]
        answer = ["HTTP/1.1 400 Bad Request", *lines, "", _PAGE]
        self.transport.write("\r\n".join(answer).encode("ascii"))
        self.transport.close()
