"""Run the web application with uvicorn."""

import signal
import socket
import webbrowser
from contextlib import suppress

import uvicorn

from ._app import LOCAL_HOSTS, create_app
from ._protocol import MAX_ADDRESS_BYTES, Protocol

# When the server is stopped, open connections are closed after this number of seconds.
_STOP_TIMEOUT = 5


def run_server(
    load_model,
    *,
    load_ontology=None,
    host="127.0.0.1",
    port=8000,
    open_browser=False,
    on_start=None,
):
    """Run the web application until the process receives SIGINT or SIGTERM.

    Parameters
    ----------
    load_model : callable
        Function called as ``load_model(notify)``, which returns a `NeuroContextModel`;
        see `create_app`.
    load_ontology : callable or None, default=None
        Function that returns an ontology with tasks; see `create_app`.
    host : str, default="127.0.0.1"
        Address on which the server listens. With the default, only programs on this
        machine can connect.
    port : int, default=8000
        Port on which the server listens. If it is 0, a free port is chosen.
    open_browser : bool, default=False
        Whether to open the page in a web browser.
    on_start : callable or None, default=None
        Function called with the address of the page once the port is open.

    Raises
    ------
    OSError
        If the address or the port cannot be used.
    Exception
        Any exception that ``load_model`` raised.
    """
    listener = _listen(host, port)
    with listener:
        app = create_app(
            load_model,
            load_ontology=load_ontology,
            allowed_hosts=_host_names(host),
            on_failure=lambda: setattr(server, "should_exit", True),
        )
        config = uvicorn.Config(
            app,
            http=Protocol,
            h11_max_incomplete_event_size=MAX_ADDRESS_BYTES,
            ws="none",
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_STOP_TIMEOUT,
        )
        server = uvicorn.Server(config)
        name = "127.0.0.1" if host == "0.0.0.0" else host
        address = f"http://{name}:{listener.getsockname()[1]}/"
        if on_start is not None:
            on_start(address)
        if open_browser:
            webbrowser.open(address)
        # If a signal stops uvicorn, uvicorn sends this signal to the process again.
        # Without the next line, a second SIGTERM would kill the process, and the exit
        # code would not be 0.
        signal.signal(signal.SIGTERM, lambda *_: None)
        server.run(sockets=[listener])
    if app.state.service.error is not None:
        raise app.state.service.error


def _listen(host, port) -> socket.socket:
    """Return a socket that listens on an address and a port."""
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        message = error.strerror or str(error)
        raise OSError(
            f"Port {port} of {host} cannot be used: {message}. Try another --port."
        ) from error


def _host_names(host) -> list:
    """Return the host names and addresses by which clients can reach the server."""
    if host in LOCAL_HOSTS:
        return list(LOCAL_HOSTS)
    name = socket.gethostname()
    names = {*LOCAL_HOSTS, host, name, socket.getfqdn()}
    with suppress(OSError):  # The name of this machine may have no address.
        names |= {entry[4][0] for entry in socket.getaddrinfo(name, None)}
    return sorted(names)
