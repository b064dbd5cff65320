"""Carillon's producer for Python, through ctypes: nothing to install but libcarillon.so (`make library`).

    with carillon.Producer("home=/var/lib/carillon") as producer:
        producer.append({"id": "1/failed", "source": "/slurm/a", "type": "job.failed", "workspace": "vision", "data": {}})

`append` never waits. Leaving the `with` block brings everything to disk; what could not be is in `Lost`.
"""

import ctypes
import json
import os

OK, FULL, TOO_LARGE, CLOSED, FORKED, INVALID, CONFIG, SYSTEM, TIMEOUT, ARGUMENT = range(10)
APPENDED, SPOOLED, REFUSED = range(3)

_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int)


class Counts(ctypes.Structure):
    """What a producer has done; see carillon.h."""

    _fields_ = [(name, ctypes.c_uint64)
                for name in ("accepted", "appended", "spooled", "refused", "drained", "waiting")]


class Refused(Exception):
    """The event was not taken; `result` is one of the numbers above."""

    def __init__(self, result, why):
        super().__init__(f"{_name(result)}: {why}")
        self.result = result


class Lost(Exception):
    """Some events were accepted and are not durable; `counts` says how many."""

    def __init__(self, counts):
        super().__init__(f"{counts.accepted - counts.appended - counts.spooled} events are not durable")
        self.counts = counts


def _load():
    library = ctypes.CDLL(os.environ.get("CARILLON_LIBRARY", "libcarillon.so"))
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    library.carillon_result_name.restype = text
    library.carillon_version.restype = text
    library.carillon_producer_open.argtypes = [text, _REPORT, pointer, ctypes.POINTER(pointer), text, size]
    library.carillon_producer_append.argtypes = [
        pointer, text, size, ctypes.POINTER(ctypes.c_uint64), text, size]
    library.carillon_producer_flush.argtypes = [pointer, ctypes.c_int64]
    library.carillon_producer_counts.argtypes = [pointer, ctypes.POINTER(Counts), size]
    library.carillon_producer_close.argtypes = [pointer, ctypes.c_int64, ctypes.POINTER(Counts), size]
    return library


_library = _load()


def _name(result):
    return _library.carillon_result_name(result).decode()


def version():
    """The library's version."""
    return _library.carillon_version().decode()


class Producer:
    """Puts events into the stream. Any thread may append; one closes, after the others are done."""

    def __init__(self, config="", report=None):
        """`config` as carillon.h has it; `report(first, count, fate)` is called on the producer's thread."""
        self._handle = ctypes.c_void_p()
        # Kept as long as the producer: the library calls it.
        self._report = _REPORT(lambda _, first, count, fate: report(first, count, fate)) if report else _REPORT()
        why = ctypes.create_string_buffer(512)
        result = _library.carillon_producer_open(
            config.encode(), self._report, None, ctypes.byref(self._handle), why, len(why))
        if result != OK:
            raise Refused(result, why.value.decode())

    def append(self, event):
        """Takes an event, a dict of attributes and `data`, and returns its ticket. `specversion` is filled in."""
        text = json.dumps({"specversion": "1.0", **event}, ensure_ascii=False).encode()
        ticket, why = ctypes.c_uint64(), ctypes.create_string_buffer(512)
        result = _library.carillon_producer_append(
            self._open(), text, len(text), ctypes.byref(ticket), why, len(why))
        if result != OK:
            raise Refused(result, why.value.decode())
        return ticket.value

    def flush(self, seconds):
        """Waits until all that was accepted is durable or refused; whether it was within the time."""
        return _library.carillon_producer_flush(self._open(), int(seconds * 1000)) == OK

    def counts(self):
        """What was done so far."""
        counts = Counts()
        _library.carillon_producer_counts(self._open(), ctypes.byref(counts), ctypes.sizeof(counts))
        return counts

    def close(self, seconds=10):
        """Brings everything to disk and frees the producer; raises `Lost` when not all is durable."""
        counts = Counts()
        handle, self._handle = self._open(), None
        result = _library.carillon_producer_close(handle, int(seconds * 1000), ctypes.byref(counts), ctypes.sizeof(counts))
        if result == TIMEOUT:
            raise Lost(counts)
        return counts

    def _open(self):
        if not self._handle:
            raise Refused(CLOSED, "the producer is closed")
        return self._handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._handle:
            self.close()
