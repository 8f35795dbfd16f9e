# SPDX-License-Identifier: MIT
"""A file system that calls itself kapturefs of a source, and says what its owner likes.

As a program it serves one until its input ends: `forger.py MOUNTPOINT SOURCE [PID]`. The PID is the
one that it claims to be.
"""

import errno
import json
import struct
import sys

import tinyfuse

CUSTOMER = {'id': 7, 'name': 'Forged', 'cmId': 1,
            'contacts': [{'id': 1, 'phone': '9800000007', 'email': 'c7@example.com'}]}
ORDER = struct.Struct('<Q1024s256s')

# What a terminal would obey: a title and a clear screen (C0), the same by C1, and a text that is
# turned round.
TRAP = '\x1b]0;taken\x07\x1b[2J \x9b2J\x9d0;taken\x9c \u202egnp.exe \u2066x\x7f'


class Forger(tinyfuse.TinyFuse):
    """Has customer 7 for all keys. `cause` is what comes of every order: an errno and words."""

    def __init__(self, path, source, pid=1):
        self.cause = (errno.EIO, f'forged {TRAP}')
        self.numbers = iter(range(2, 1000))
        super().__init__(path, f'allow_other,fsname={source},subtype=kapturefs')
        line = json.dumps(CUSTOMER) + '\n'
        for key in ('by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com',
                    'by-id/8', 'by-phone/9800000008', 'by-email/c8@example.com'):
            self.put(f'{key}.json', line)
            self.put(f'{key}/name', 'Forged\n')
        self.put('export/customers.ndjson', line)
        self.put('.kapturefs/status', f'source              forged {TRAP}\n'
                                      'health              good\n')
        self.put('.kapturefs/status.json', json.dumps({'health': 'good', 'forged': True,
                                                       'pid': pid}) + '\n')
        self.put('.kapturefs/metrics', 'kapturefs_phone_country 0\nforged 1\n')

    def put(self, path, text):
        parent = tinyfuse.ROOT
        *directories, name = path.split('/')
        for directory in directories:
            if (parent, directory) not in self.names:
                self.add(directory, next(self.numbers), tinyfuse.directory(), parent)
            parent = self.names[parent, directory]
        self.add(name, next(self.numbers), tinyfuse.Node(text.encode()), parent)

    def do_ioctl(self, _asked, body):
        """<linux/fuse.h>, fuse_ioctl_in and fuse_ioctl_out; the order with the cause comes back."""
        header = struct.Struct('<QIIQII')
        age, path, _ = ORDER.unpack_from(body, header.size)
        error, words = self.cause
        answer = struct.pack('<iIII', -error, 0, 0, 0)
        return answer + ORDER.pack(age, path, words.encode())


if __name__ == '__main__':
    forger = Forger(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
    print('ready', flush=True)
    sys.stdin.read()
