# SPDX-License-Identifier: MIT
"""Descriptors that somebody holds while what they stand for changes."""

import contextlib
import errno
import os

import expected
import views
from people import place
from values import Broken
from views import Complaint

PART = 1 << 16      # of a file that is read on


def values_of(text, name):
    """What a name below a customer's key may hold, by the text of it."""
    return text + b'\n' if name == b'.json' else expected.customer_tree(text).get(name)


@contextlib.contextmanager
def opened(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class HeldFile:
    """Read on, a part at a time: it ends as it began, or with ESTALE."""

    def __init__(self, mount, key, name):
        self.key, self.name = key, name
        base = os.fsencode(mount / place(key))
        self.path = base + name if name == b'.json' else base + b'/' + name
        if os.path.isdir(self.path):
            raise IsADirectoryError(self.path)
        self.descriptor = os.open(self.path, os.O_RDONLY)
        self.data = b''
        self.whole = None
        self.forgotten = set()

    def close(self):
        try:
            os.close(self.descriptor)
        except OSError:
            pass

    def forget(self, texts):
        """None of these may be read any more."""
        self.forgotten |= {value for text in texts if (value := values_of(text, self.name))}

    def read_on(self, people):
        """Whether it can be read on."""
        try:
            part = os.pread(self.descriptor, PART, len(self.data))
        except OSError as error:
            if error.errno == errno.ESTALE:
                return False
            raise Broken(f'{self.path}: {error} after {len(self.data)} bytes') from error
        self.data += part
        values = {value for texts in people.texts.values() for text in texts
                  if isinstance(value := values_of(text, self.name), bytes)}
        fitting = {value for value in values if value.startswith(self.data)}
        if self.whole is not None:
            fitting &= {self.whole}
        if not fitting:
            raise Broken(f'{self.path}: begins as {self.data[:40]}, ends as {part[-40:]}, '
                         f'{len(self.data)} bytes: never a value, or not that of before')
        if part and fitting <= self.forgotten:
            raise Broken(f'{self.path}: what was forgotten is read on')
        if not part:
            if self.data not in fitting:
                raise Broken(f'{self.path}: ends after {len(self.data)} bytes')
            self.whole, self.data = self.data, b''
        return True

    def complaints(self, _scene):
        return []


class HeldExport:
    """Nobody reads of somebody in it who was forgotten."""

    def __init__(self, mount):
        self.descriptor = os.open(mount / 'export/customers.ndjson', os.O_RDONLY)
        self.forgotten = []
        self.offset = 0

    def close(self):
        os.close(self.descriptor)

    def forget(self, texts):
        self.forgotten += texts

    def read_on(self, _people):
        try:
            part = os.pread(self.descriptor, PART, self.offset)
            whole = views.read_on(self.descriptor, 0) if self.forgotten else b''
        except OSError as error:
            if error.errno == errno.ESTALE:
                return False
            raise Broken(f'export/: {error} after {self.offset} bytes') from error
        self.offset += len(part)
        if any(text in whole for text in self.forgotten):
            raise Broken('export/ goes on with somebody who was forgotten')
        return True

    def complaints(self, _scene):
        return []


class HeldDirectory:
    """Somebody's working directory. It is what its name shows, or nothing any more."""

    def __init__(self, mount, key, name):
        self.key, self.name = key, name
        self.path = os.fsencode(mount / place(key)) + b'/' + name
        self.descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        self.inode = os.fstat(self.descriptor).st_ino

    def close(self):
        os.close(self.descriptor)

    def forget(self, _texts):
        pass

    def read_on(self, _people):
        return True

    def listed(self):
        try:
            return tuple(sorted(os.listdir(self.descriptor)))
        except OSError as error:
            return error.errno

    def value(self, name):
        try:
            return views.read(name, dir_fd=self.descriptor)
        except OSError as error:
            return error.errno

    def complaints(self, scene):
        """Compared with the scene, where its customer is in it."""
        view = next((view for view in scene.views if view.key == self.key), None)
        if not view or not scene.with_lists:
            return []
        listed = self.listed()
        entry = view.entries.get(self.name)
        is_the_same = entry and entry.content is None and entry.inode == self.inode
        if not is_the_same:
            return [] if isinstance(listed, int) else [
                Complaint(frozenset(), f'{self.path} is no more, and is held and lists {listed}')]
        found = [] if listed == entry.names else [
            Complaint(frozenset(), f'{self.path} lists {entry.names}, held {listed}')]
        head = self.name + b'/' if self.name else b''
        for name, other in view.entries.items():
            if isinstance(other.content, bytes) and name.startswith(head):
                held = self.value(name[len(head):])
                if held != other.content:
                    found.append(Complaint(frozenset(), f'{name} is {other.content[:60]}, by a '
                                           f'held directory {held!r:.60}'))
        return found
