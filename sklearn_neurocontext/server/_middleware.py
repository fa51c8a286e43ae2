"""Limit the size of requests and add security headers to answers."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

# The page loads scripts, styles and images from this server only. Browsers do not run
# inline scripts, not even if a text that the page displays contains a script.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class SecurityHeaders:
    """Middleware that adds security headers to answers that do not have them."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        """Pass a request to the application, and add the headers to its answer."""

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class SizeLimit:
    """Middleware that refuses requests with more than `max_bytes` bytes."""

    def __init__(self, app, *, max_bytes, message):
        self._app = app
        self._max_bytes = max_bytes
        self._message = message

    async def __call__(self, scope, receive, send):
        """Count the bytes of a request; refuse the request if it has too many."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        n_announced = int(length[:18]) if length.isdecimal() else 0
        n_bytes = 0

        async def receive_limited():
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if max(n_bytes, n_announced) > self._max_bytes:
                # The rest of the request is read, because browsers display the answer
                # only after they have sent the whole request.
                while message.get("more_body"):
                    message = await receive()
                raise HTTPException(413, self._message)
            return message

        await self._app(scope, receive_limited, send)
