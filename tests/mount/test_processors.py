# SPDX-License-Identifier: MIT
"""The kernel is told to keep processors awake while requests follow one another, and no longer.

A plain file stands where the kernel's device is, in a mount namespace of this process: so what
other programs ask for does not matter, and what was written can be read.
"""

import ctypes
import os
import pathlib
import struct
import subprocess
import time

import pytest

import harness

DEVICE = pathlib.Path('/dev/cpu_dma_latency')
CLONE_NEWNS = 0x00020000
AWAKE, MAY_SLEEP = 0, -1
MANY, MANY_AT_A_TIME, FEW = 1000, 64, 50


class Told:
    """What the kernel would have been told."""

    def __init__(self, file):
        self.file = file

    def __call__(self):
        return [value for value, in struct.iter_unpack('i', self.file.read_bytes())]


@pytest.fixture(scope='module')
def device(tmp_path_factory):
    if os.sysconf('SC_NPROCESSORS_ONLN') == 1:
        pytest.skip('with one processor nobody waits for another one')
    if not DEVICE.exists():
        pytest.skip(f'there is no {DEVICE}')
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        pytest.skip('no mount namespace can be had')
    file = tmp_path_factory.mktemp('device') / 'told'
    file.touch()
    subprocess.run(['mount', '--make-rslave', '/'], check=True)
    # The mounts of others would live for as long as they are seen here.
    subprocess.run(['umount', '--lazy', '--no-canonicalize', '--all', '--types', 'fuse.kapturefs'],
                   check=False, capture_output=True)
    subprocess.run(['mount', '--bind', file, DEVICE], check=True)
    yield file
    subprocess.run(['umount', DEVICE], check=True)


@pytest.fixture
def told(device):
    device.write_bytes(b'')
    return Told(device)


def ask(mount, count, pause_seconds=0):
    """The attributes of a live file are asked for each time."""
    for _ in range(count):
        os.stat(mount / '.kapturefs/status')
        time.sleep(pause_seconds)


def ends_in_sleep(told):
    """Told in turn that they stay awake and that they may sleep, which is the last word."""
    values = told()
    return values == [AWAKE, MAY_SLEEP] * (len(values) // 2) and values


def test_processors_stay_awake_while_many_requests_follow_one_another(mounts, sandbox, told):
    mount = mounts(sandbox.url)
    assert told() == []
    for _ in range(2):
        before = len(told())
        ask(mount, MANY)
        # On a busy machine the requests may not always be many at a time.
        assert before < len(told()) <= before + 2 * MANY / MANY_AT_A_TIME
        harness.wait_until(lambda: ends_in_sleep(told), 'processors may sleep')


def test_processors_may_sleep_while_few_ask(mounts, sandbox, told):
    ask(mounts(sandbox.url), FEW, pause_seconds=0.002)
    assert told() == []


def test_processors_may_sleep_without_a_busy_poll(mounts, sandbox, told):
    ask(mounts(sandbox.url, busy_poll='0'), MANY)
    assert told() == []
