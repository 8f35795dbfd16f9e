# SPDX-License-Identifier: MIT
"""Mounted on first use, as by x-systemd.automount: autofs, with the test as its daemon."""

import ctypes
import fcntl
import os
import struct
import subprocess

import pytest

import harness

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason='mounting autofs is for root')

# linux/auto_fs.h
AUTOFS_IOC_READY = 0x9360
AUTOFS_IOC_FAIL = 0x9361
PACKET = struct.Struct('=iiIIQIIIII256s')      # struct autofs_v5_packet

libc = ctypes.CDLL(None, use_errno=True)


class Automount:
    """A direct autofs mount. Its process group is ours, as systemd's is that of its mounts."""

    def __init__(self, path):
        self.path = str(path)
        self.pipe, theirs = os.pipe()
        options = f'fd={theirs},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct'
        if libc.mount(b'test', self.path.encode(), b'autofs', 0, options.encode()) < 0:
            pytest.skip(f'no autofs: {os.strerror(ctypes.get_errno())}')
        os.close(theirs)
        self.root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)

    def wait_for_request(self):
        """The token of the request that somebody's look has made."""
        data = b''
        while len(data) < PACKET.size:
            data += os.read(self.pipe, 304 - len(data))
        return PACKET.unpack(data[:PACKET.size])[2]

    def answer(self, token, is_ready):
        fcntl.ioctl(self.root, AUTOFS_IOC_READY if is_ready else AUTOFS_IOC_FAIL, token)

    def close(self):
        harness.unmount_whatever_it_takes(self.path)
        os.close(self.root)
        os.close(self.pipe)


@pytest.fixture
def automount(scratch):
    made = Automount(scratch / 'mnt')
    try:
        yield made
    finally:
        while harness.mount_entry(scratch / 'mnt'):
            subprocess.run(['umount', '-l', scratch / 'mnt'], check=True, timeout=30)
        made.close()


def test_first_look_mounts_and_waits_for_it(automount, scratch, api):
    api.add_numbers([7])
    token = harness.write_token(scratch)
    looking = subprocess.Popen(['cat', scratch / 'mnt/by-id/7/name'], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    request = automount.wait_for_request()
    # In a group of its own the daemon would now wait for the mount that it is to make.
    result = harness.command('-o', f'token_file={token},cache=:memory:', api.url, scratch / 'mnt')
    automount.answer(request, result.returncode == 0)
    assert (result.returncode, result.stderr) == (0, '')
    output, errors = looking.communicate(timeout=harness.END_SECONDS)
    assert (output, errors) == ('Customer 7\n', '')
    subprocess.run(['umount', scratch / 'mnt'], check=True, timeout=30)


def test_a_look_gets_an_error_when_mounting_fails(automount, scratch):
    looking = subprocess.Popen(['ls', scratch / 'mnt'], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    request = automount.wait_for_request()
    result = harness.command('-o', 'token_file=/dev/null', 'acme', scratch / 'mnt')
    automount.answer(request, False)
    assert result.returncode == 2
    assert looking.wait(harness.END_SECONDS) != 0
