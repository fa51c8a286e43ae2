"""Run functions one after another in a separate thread."""

import queue
import threading
from concurrent.futures import Future


class Worker:
    """Thread that calls functions in the order in which they were submitted.

    A model is not safe to use from several threads. All calls of the model therefore
    pass through one worker. The thread is a daemon, so that the program can end during
    a long call. The threads of `ThreadPoolExecutor` are not daemons.
    """

    def __init__(self):
        self._jobs = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, function, *args) -> Future:
        """Add a call to the queue and return its future."""
        future = Future()
        self._jobs.put((future, function, args))
        return future

    def stop(self, timeout: float) -> None:
        """End the thread after the queued calls; wait at most `timeout` seconds."""
        self._jobs.put(None)
        self._thread.join(timeout)

    def _run(self):
        while (job := self._jobs.get()) is not None:
            future, function, args = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function(*args)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            # The last result would otherwise stay in memory until the next call.
            del job, future, function, args
            result = None
