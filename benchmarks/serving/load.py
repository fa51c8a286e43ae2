"""Send many simultaneous and malformed requests to the local web page.

    python -m benchmarks.serving.load --output FOLDER

starts ``neurocontext serve`` with the shipped model. First, one client asks for the
maps and terms of 100 texts and decodes an image; these answers are the reference. Then
50 clients send 2,000 requests in random order, and every answer is compared with the
reference. Last, 200 malformed requests are sent. The script writes ``load.json`` with
errors, mixed answers, latencies, the growth of the memory of the server after the first
200 requests, and the status codes of the malformed requests. Linux only.
"""

import argparse
import gzip
import http.client
import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import nibabel as nib
import numpy as np

_WORDS = (
    "fear pain reading memory tapping faces reward language attention music speech "
    "touch smell taste motion color numbers stress sleep anxiety depression autism "
    "hippocampus amygdala insula cerebellum thalamus striatum cingulate parietal"
)
_N_TEXTS, _N_CLIENTS, _N_REQUESTS, _N_MALFORMED = 100, 50, 2000, 200
_N_WARM = 200  # Requests before the memory is measured for the first time.
_TIMEOUT = 600


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args(arguments).output
    output.mkdir(parents=True, exist_ok=True)
    program = "from sklearn_neurocontext.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = int(re.search(r":(\d+)/", server.stdout.readline())[1])
        try:
            results = measure(port, server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
    results["exit_code"] = server.returncode
    (output / "load.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


def measure(port, pid) -> dict:
    """Run all requests and return the figures."""
    requests = list(make_requests())
    reference = [send(port, request) for request in requests]
    assert all(status == 200 for status, _ in reference)
    rng = random.Random(0)
    order = rng.choices(range(len(requests)), k=_N_REQUESTS)
    memory, lock, n_done = {}, threading.Lock(), 0

    def run(index):
        nonlocal n_done
        start = time.perf_counter()
        status, body = send(port, requests[index])
        seconds = time.perf_counter() - start
        with lock:
            n_done += 1
            if n_done in (_N_WARM, _N_REQUESTS):
                memory[n_done] = read_memory(pid)
        return status, (status, body) == reference[index], seconds

    start = time.perf_counter()
    with ThreadPoolExecutor(_N_CLIENTS) as pool:
        answers = list(pool.map(run, order))
    wall_time = time.perf_counter() - start
    seconds = [answer[2] for answer in answers]
    statuses = [malformed(port, rng) for _ in range(_N_MALFORMED)]
    return {
        "n_clients": _N_CLIENTS,
        "n_requests": _N_REQUESTS,
        "n_errors": sum(status != 200 for status, *_ in answers),
        "n_mixed": sum(status == 200 and not same for status, same, _ in answers),
        "median_s": round(float(np.median(seconds)), 2),
        "percentile_95_s": round(float(np.quantile(seconds, 0.95)), 2),
        "wall_time_s": round(wall_time, 1),
        "memory_mb": {n: round(value) for n, value in sorted(memory.items())},
        "memory_growth_mb": round(memory[_N_REQUESTS] - memory[_N_WARM], 1),
        "malformed": {str(one): statuses.count(one) for one in sorted(set(statuses))},
        "answers_after_all": send(port, requests[0]) == reference[0],
    }


def make_requests():
    """Yield method, path and body of the requests."""
    rng = random.Random(1)
    for _ in range(_N_TEXTS):
        text = quote(" ".join(rng.sample(_WORDS.split(), 3)))
        yield "GET", f"/api/map?text={text}", None
        yield "GET", f"/api/map.nii.gz?text={text}&map=brain_map", None
    yield "GET", "/", None
    yield "GET", "/static/page.js", None
    values = np.zeros((45, 54, 45), dtype=np.float32)
    values[8:14, 25:31, 28:34] = 3
    affine = np.array([[4.0, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
    content = gzip.compress(nib.Nifti1Image(values, affine).to_bytes())
    for _ in range(10):
        yield "POST", "/api/decode", content


def send(port, request) -> tuple:
    """Send a request; return the status and the body without the random key."""
    method, path, content = request
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    headers = {}
    if content is not None:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
        content = head + b"\r\n" + content + b"\r\n--x--\r\n"
        headers["Content-Type"] = "multipart/form-data; boundary=x"
    try:
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        body = re.sub(rb'"upload":"[^"]*"', b"", response.read())
        return response.status, body
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__, b""
    finally:
        connection.close()


def malformed(port, rng) -> str:
    """Send random bytes in a part of a request; return the kind of the answer."""
    noise = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400)))
    length = str(len(noise)).encode()
    host = b"Host: 127.0.0.1\r\nConnection: close\r\n"
    multipart = b"Content-Type: multipart/form-data; boundary=x\r\n"
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = form + noise + b"\r\n--x--\r\n"
    size = b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    request = rng.choice(
        [
            noise,
            b"GET /" + noise + b" HTTP/1.1\r\n" + host + b"\r\n",
            b"GET /api/map?text=%00" + quote(noise).encode() + b" HTTP/1.1\r\n"
            + host + b"\r\n",
            b"GET /api/map?" + quote(noise).encode() + b" HTTP/1.1\r\n"
            + host + b"\r\n",
            b"GET /api/status HTTP/1.1\r\nHost: " + noise.hex().encode() + b"\r\n"
            b"Connection: close\r\n\r\n",
            b"POST /api/decode HTTP/1.1\r\n" + host + b"Content-Length: " + length
            + b"\r\n\r\n" + noise,
            b"POST /api/decode HTTP/1.1\r\n" + host + multipart + size + body,
        ]
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while block := connection.recv(65536):
                answer += block
        except ConnectionResetError:
            pass
    assert b"Traceback" not in answer
    status = re.match(rb"HTTP/1.1 (\d)", answer)
    return status[1].decode() + "xx" if status else "closed"


def read_memory(pid) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


if __name__ == "__main__":
    main()
