# SPDX-License-Identifier: MIT
"""A file system of a few nodes that speaks <linux/fuse.h> itself, and notes what it is asked.

With it a test sees what the kernel does with an answer, whatever kapturefs makes of it. It promises
the kernel what kapturefs does: no opens, links and listings that are kept, pages that go when the
time of a file has moved.
"""

import collections
import contextlib
import dataclasses
import errno
import os
import select
import socket
import stat
import struct
import subprocess
import threading

import harness

# <linux/fuse.h>
IN_HEADER = struct.Struct('<IIQQIIIHH')
OUT_HEADER = struct.Struct('<IiQ')
INIT_OUT = struct.Struct('<IIIIHHIIHHI28x')
ATTRIBUTES = struct.Struct('<QQQQQQIIIIIIIIII')
ATTR_OUT = struct.Struct('<QII')
ENTRY_OUT = struct.Struct('<QQQQII')
DIRENT = struct.Struct('<QQII')
INVAL_INODE, INVAL_ENTRY = 2, 3
GETATTR_FH = 1
FLAGS = (1 << 0        # FUSE_ASYNC_READ
         | 1 << 12     # FUSE_AUTO_INVAL_DATA
         | 1 << 11     # FUSE_IOCTL_DIR
         | 1 << 13     # FUSE_DO_READDIRPLUS: no listing without attributes
         | 1 << 18     # FUSE_PARALLEL_DIROPS
         | 1 << 23)    # FUSE_CACHE_SYMLINKS
OPERATIONS = {1: 'lookup', 2: 'forget', 3: 'getattr', 5: 'readlink', 15: 'read', 26: 'init',
              36: 'interrupt', 38: 'destroy', 39: 'ioctl', 42: 'batch_forget', 44: 'readdir'}
UNANSWERED = ('forget', 'batch_forget', 'interrupt', 'destroy')
ROOT = 1
LONG = 3600     # seconds

Asked = collections.namedtuple('Asked', 'operation node name by_read', defaults=('', False))


@dataclasses.dataclass
class Node:
    """What is told of a node, and for how long the kernel may believe it."""
    content: bytes = b''            # of a file; where a link leads
    kind: int = stat.S_IFREG
    mtime: int = 1000000000
    generation: int = 0
    entry_valid: int = LONG
    attributes_valid: int = LONG
    error: int = 0                  # in place of the attributes
    read_error: int | None = None   # ... where a READ needs them, if that is another
    read_valid: int | None = None   # for how long those that a READ needs are believed, likewise


def directory(**more):
    return Node(kind=stat.S_IFDIR, **more)


def link(target, **more):
    return Node(content=target, kind=stat.S_IFLNK, **more)


def mount(path, options):
    """The descriptor of a new mount, by fusermount3, which needs no privilege."""
    ours, its = socket.socketpair()
    with ours, its:
        subprocess.run(['fusermount3', '-o', f'ro,{options}', '--', path],
                       check=True, pass_fds=[its.fileno()],
                       env={**os.environ, '_FUSE_COMMFD': str(its.fileno())})
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    return descriptors[0]


class TinyFuse:
    def __init__(self, path, options='default_permissions,fsname=tiny'):
        self.path = path
        self.nodes = {ROOT: directory()}
        self.names = {}         # (parent, name): node; None: not there, and believed for long
        self.gates = {}         # (operation, node, name): what its answer waits for
        self.asked = []
        self.changed = threading.Condition()
        self.descriptor = mount(path, options)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def add(self, name, number, node, parent=ROOT):
        self.nodes[number] = node
        self.names[parent, name] = number

    def close(self):
        for gate in self.gates.values():
            gate.set()
        harness.unmount_whatever_it_takes(self.path)
        self.thread.join(harness.END_SECONDS)
        os.close(self.descriptor)

    def __truediv__(self, name):
        return f'{self.path}/{name}'

    # What was asked

    def take(self):
        """What was asked since the last time."""
        with self.changed:
            asked, self.asked = self.asked, []
        return asked

    def wait_for(self, asked):
        with self.changed:
            assert self.changed.wait_for(lambda: asked in self.asked, harness.END_SECONDS), asked

    # What the kernel is told unasked

    def notify(self, code, body):
        os.write(self.descriptor, OUT_HEADER.pack(OUT_HEADER.size + len(body), code, 0) + body)

    def expire(self, number):
        """Its attributes are to be asked for again; its pages stay."""
        self.notify(INVAL_INODE, struct.pack('<Qqq', number, -1, 0))

    def drop_name(self, parent, name):
        name = os.fsencode(name)
        with contextlib.suppress(FileNotFoundError):
            self.notify(INVAL_ENTRY, struct.pack('<QII', parent, len(name), 0) + name + b'\0')

    # Serving

    def serve(self):
        """A look-up may be held back, and no other request waits for it."""
        while True:
            try:
                select.select([self.descriptor], [], [])
                request = os.read(self.descriptor, 1 << 17)
            except OSError as error:
                if error.errno in (errno.ENODEV, errno.ECONNABORTED):
                    return
                continue
            self.take_in(request)

    def take_in(self, request):
        _, code, unique, number, *_ = IN_HEADER.unpack_from(request)
        body = request[IN_HEADER.size:]
        operation = OPERATIONS.get(code, f'operation {code}')
        if operation in UNANSWERED:
            return
        name = os.fsdecode(body.rstrip(b'\0')) if operation == 'lookup' else ''
        by_read = operation == 'getattr' and bool(struct.unpack_from('<I', body)[0] & GETATTR_FH)
        asked = Asked(operation, number, name, by_read)
        if operation in ('lookup', 'getattr', 'read', 'readlink', 'readdir'):
            with self.changed:
                self.asked.append(asked)
                self.changed.notify_all()
        gate = self.gates.get(asked[:3])
        if gate:
            threading.Thread(target=self.reply, args=(unique, asked, body, gate),
                             daemon=True).start()
        else:
            self.reply(unique, asked, body)

    def reply(self, unique, asked, body, gate=None):
        if gate:
            gate.wait()
        answer = getattr(self, 'do_' + asked.operation, lambda *_: errno.ENOSYS)(asked, body)
        error, content = (-answer, b'') if isinstance(answer, int) else (0, answer)
        # The caller may have been killed.
        with contextlib.suppress(OSError):
            os.write(self.descriptor,
                     OUT_HEADER.pack(OUT_HEADER.size + len(content), error, unique) + content)

    def do_init(self, _asked, body):
        _, _, readahead, flags = struct.unpack_from('<IIII', body)
        return INIT_OUT.pack(7, 38, readahead, flags & FLAGS, 16, 12, 4096, 1, 0, 0, 0)

    def attributes(self, number):
        node = self.nodes[number]
        size = len(node.content)
        mode = node.kind | (0o500 if node.kind == stat.S_IFDIR else 0o400)
        return ATTRIBUTES.pack(number, size, 1, node.mtime, node.mtime, node.mtime, 0, 0, 0,
                               mode, 1, os.getuid(), os.getgid(), 0, 4096, 0)

    def do_lookup(self, asked, _body):
        """A name that is not known is answered with nothing but an error."""
        if (asked.node, asked.name) not in self.names:
            return errno.ENOENT
        number = self.names[asked.node, asked.name]
        if number is None:
            return ENTRY_OUT.pack(0, 0, LONG, 0, 0, 0) + bytes(ATTRIBUTES.size)
        return self.entry(number)

    def entry(self, number):
        node = self.nodes[number]
        return ENTRY_OUT.pack(number, node.generation, node.entry_valid, node.attributes_valid,
                              0, 0) + self.attributes(number)

    def do_getattr(self, asked, _body):
        node = self.nodes[asked.node]
        error, valid = node.error, node.attributes_valid
        if asked.by_read:
            error = error if node.read_error is None else node.read_error
            valid = valid if node.read_valid is None else node.read_valid
        return error or ATTR_OUT.pack(valid, 0, 0) + self.attributes(asked.node)

    def do_readlink(self, asked, _body):
        return self.nodes[asked.node].content

    def do_read(self, asked, body):
        _, offset, size = struct.unpack_from('<QQI', body)
        return self.nodes[asked.node].content[offset:offset + size]

    def do_readdir(self, asked, body):
        _, start, _ = struct.unpack_from('<QQI', body)
        entries = sorted((name, number) for (parent, name), number in self.names.items()
                         if parent == asked.node and number is not None)
        reply = b''
        for place, (name, number) in list(enumerate(entries, 1))[start:]:
            text = os.fsencode(name)
            entry = DIRENT.pack(number, place, len(text), self.nodes[number].kind >> 12) + text
            reply += self.entry(number) + entry + bytes(-len(entry) % 8)
        return reply
