# SPDX-License-Identifier: MIT
"""Directories of many customers, read while customers come and go, and from any place in them."""

import contextlib
import ctypes
import os
import random
import threading

import pytest

CUSTOMERS = 1500


class Entry(ctypes.Structure):
    """struct dirent of readdir(3)."""

    _fields_ = [('ino', ctypes.c_uint64), ('off', ctypes.c_int64), ('length', ctypes.c_ushort),
                ('type', ctypes.c_ubyte), ('name', ctypes.c_char * 256)]


class Stream:
    """A directory as C programs read it."""

    def __init__(self, path):
        self.libc = ctypes.CDLL(None, use_errno=True)
        for name, result, *arguments in (
                ('opendir', ctypes.c_void_p, ctypes.c_char_p),
                ('readdir', ctypes.POINTER(Entry), ctypes.c_void_p),
                ('telldir', ctypes.c_long, ctypes.c_void_p),
                ('seekdir', None, ctypes.c_void_p, ctypes.c_long),
                ('rewinddir', None, ctypes.c_void_p),
                ('closedir', ctypes.c_int, ctypes.c_void_p)):
            function = getattr(self.libc, name)
            function.restype, function.argtypes = result, arguments
        self.stream = self.libc.opendir(os.fsencode(path))
        assert self.stream

    def next(self):
        entry = self.libc.readdir(self.stream)
        return entry.contents.name if entry else None

    def rest(self):
        return list(iter(self.next, None))

    def place(self):
        return self.libc.telldir(self.stream)

    def go(self, place):
        self.libc.seekdir(self.stream, place)

    def rewind(self):
        self.libc.rewinddir(self.stream)

    def close(self):
        self.libc.closedir(self.stream)


@pytest.fixture
def filling(mounts, sandboxes):
    """Begin to look customers up, one after the other; and their ids."""
    sandbox = sandboxes(customers=CUSTOMERS)
    rows = sandbox.customers(CUSTOMERS)
    with contextlib.ExitStack() as stack:
        def fill(rows, **options):
            mount = mounts(sandbox.url, max_connections='8', **options)
            thread = threading.Thread(target=lambda: [
                os.stat(mount / 'by-id' / row['id']) for row in rows])
            thread.start()
            stack.callback(thread.join)
            return mount, thread
        yield fill, rows


@pytest.mark.parametrize('size, some_go', [('1G', False), ('1M', True)])
def test_listing_is_right_while_customers_come_and_go(filling, size, some_go):
    """Nobody comes twice here, so who is listed before and after is there in between."""
    fill, rows = filling
    mount, thread = fill(rows, cache_size=size)
    passes = []
    while thread.is_alive():
        passes.append(os.listdir(mount / 'by-id'))
    passes.append(os.listdir(mount / 'by-id'))
    for listed in passes:
        assert len(listed) == len(set(listed))
    for before, now, after in zip(passes, passes[1:], passes[2:]):
        assert set(before) & set(after) <= set(now)
    assert len(passes) > 10 and any(len(set(before) ^ set(after)) > 1
                                    for before, after in zip(passes, passes[1:]))
    assert (set(passes[-1]) < {row['id'] for row in rows}) == some_go


def test_reading_goes_on_from_any_place_whoever_has_come_since(filling):
    fill, rows = filling
    mount, thread = fill(rows[:1300])
    thread.join()
    with contextlib.closing(Stream(mount / 'by-id')) as stream:
        places, names = [], []
        while True:
            places.append(stream.place())
            name = stream.next()
            if name is None:
                break
            names.append(name)
        assert {os.fsencode(row['id']) for row in rows[:1300]} | {b'.', b'..'} == set(names)

        for row in rows[1300:1400]:
            os.stat(mount / 'by-id' / row['id'])
        for index in random.Random(1).sample(range(len(names)), 50):
            stream.go(places[index])
            assert stream.next() == names[index]
        stream.go(places[1200])
        rest = stream.rest()
        assert rest[:len(names) - 1200] == names[1200:]
        stream.rewind()
        assert stream.rest() == names + [os.fsencode(row['id']) for row in rows[1300:1400]]
