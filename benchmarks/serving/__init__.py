"""Load and malformed requests on the local web page."""
