# SPDX-License-Identifier: MIT
"""As much of a service manager as sd_notify(3) shows of one, and what a unit of ours says."""

import array
import os
import pathlib
import re
import shlex
import socket
import threading

INSTALL = pathlib.Path(__file__).resolve().parents[2] / 'src' / 'install'


class Manager:
    """Receives notifications, keeps descriptors, answers barriers. Close it."""

    def __init__(self, directory):
        self.path = str(pathlib.Path(directory) / 'notify')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.messages = []
        self.stored = {}
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            text, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4 * 8))
            if text == b'close':
                return
            descriptors = array.array('i')
            for level, kind, data in ancillary:
                assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                descriptors.frombytes(data)
            with self.changed:
                self.take(dict(line.split('=', 1) for line in text.decode().splitlines()),
                          list(descriptors))
                self.changed.notify_all()

    def take(self, message, descriptors):
        self.messages.append(message)
        name = message.get('FDNAME')
        if 'FDSTOREREMOVE' in message and name in self.stored:
            os.close(self.stored.pop(name))
        if 'FDSTORE' in message:
            self.stored[name], = descriptors
        else:
            # What comes with BARRIER=1 is closed when everything before it has been seen.
            for descriptor in descriptors:
                os.close(descriptor)

    def wait_for(self, variable, count=1, seconds=30):
        """The values that came for a variable, when there are as many."""
        def values():
            return [message[variable] for message in self.messages if variable in message]
        with self.changed:
            assert self.changed.wait_for(lambda: len(values()) >= count, seconds), self.messages
            return values()

    def environment(self):
        return {'NOTIFY_SOCKET': self.path}

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stop:
            stop.sendto(b'close', self.path)
        self.thread.join(30)
        self.socket.close()
        for descriptor in self.stored.values():
            os.close(descriptor)


def unit(name):
    """The settings of a unit in the order of its lines: [(name, value)]."""
    text = (INSTALL / name).read_text()
    return re.findall(r'^(\w+)=(.*)$', text, re.MULTILINE)


def commands(name, setting, specifiers, variables):
    """The unit's commands for a setting: (prefix, words), specifiers and variables replaced."""
    found = []
    for line in (value for key, value in unit(name) if key == setting):
        for specifier, value in specifiers.items():
            line = line.replace(specifier, value)
        prefix, line = re.fullmatch(r'([+-]*)(.*)', line).groups()
        words = [re.sub(r'\$\{(\w+)\}', lambda match: variables[match[1]], word)
                 for word in shlex.split(line)]
        found.append((prefix, words))
    return found
