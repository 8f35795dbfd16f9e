# SPDX-License-Identifier: MIT
"""One user cannot make another wait, whatever he starts: users share first, then their sessions."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time

import pytest

import harness
import users

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason='plays two users')

ATTACKER = users.UID
OTHER = users.UID - 1
CROWD = 300
# The flood takes half a minute of the rate; who is next waits for a few requests of others.
WAIT_MAX = 3

# Each is of a session of its own, and ends with the first.
FLOOD = '''
import ctypes, os, sys
kind, path, program = sys.argv[1:4]
for number in range(int(sys.argv[4]), int(sys.argv[5])):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 9)
        os.setsid()
        if kind == 'refresh':
            os.execv(program, [program, 'refresh', f'{path}/by-id/{number}'])
        os.stat(f'{path}/by-id/{number}')
        os._exit(0)
print('begun', flush=True)
while True:
    os.wait()
'''


def as_uid(uid, *words):
    return ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups', '--',
            *map(str, words)]


@contextlib.contextmanager
def flood(mount, kind='look', first=1000):
    """What the attacker wants, each by a process in a session of its own."""
    words = as_uid(ATTACKER, sys.executable, '-c', FLOOD, kind, mount.path, harness.BINARY, first,
                   first + CROWD)
    process = subprocess.Popen(words, start_new_session=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout.readline() == 'begun\n'
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.read()       # it ends with the last of them


def wait_of(uid, path):
    """How long a look-up of the user takes that finds the customer."""
    began = time.monotonic()
    result = subprocess.run(as_uid(uid, 'stat', path), stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stderr
    return time.monotonic() - began


@pytest.fixture
def shared(api):
    """Makes a mount that every user of this machine can come to."""
    api.add_numbers([*range(1, 20), *range(1000, 1000 + CROWD)])
    with tempfile.TemporaryDirectory(prefix='kapturefs-fair-') as directory:
        os.chmod(directory, 0o755)
        made = []

        def make(**options):
            made.append(harness.Mount(api.url, directory, allow_other=True, umask='0222',
                                      timeout='60', rate='10/s', burst='20', **options))
            return made[0]
        try:
            yield make
            for mount in made:
                mount.close()
        finally:
            for mount in made:
                mount.kill()


def test_flood_of_sessions_does_not_make_another_user_wait(shared, api):
    mount = shared()
    with flood(mount):
        api.wait_for(20)
        waits = [wait_of(OTHER, mount / f'by-id/{number}') for number in range(1, 6)]
        assert max(waits) < WAIT_MAX, waits
        waits = [wait_of(0, mount / f'by-id/{number}') for number in range(6, 11)]
        assert max(waits) < WAIT_MAX, waits
        assert len(api.requests) < CROWD / 2, 'the flood was over too soon for the test'


def test_who_wants_what_waits_in_a_flood_does_not_wait_for_the_flood(shared, api):
    """By another spelling: of one name at a time the kernel sends one look-up, whoever wants it."""
    mount = shared()
    with flood(mount):
        api.wait_for(20)
        asked = {request.key[1] for request in list(api.requests)}
        numbers = [number for number in range(1000, 1000 + CROWD) if str(number) not in asked]
        waits = [wait_of(OTHER, mount / f'by-id/0{number}') for number in numbers[-3:]]
        assert max(waits) < WAIT_MAX, waits


def test_flood_of_refreshes_does_not_make_another_user_wait(shared, api):
    mount = shared(uid=str(ATTACKER))
    with flood(mount, 'refresh'):
        api.wait_for(20)
        waits = [wait_of(OTHER, mount / f'by-id/{number}') for number in range(1, 6)]
        assert max(waits) < WAIT_MAX, waits
        assert len(api.requests) < CROWD / 2, 'the flood was over too soon for the test'


def test_sessions_of_one_user_share_his_turns(shared, api):
    """A shell of the attacker's own does not wait for his flood, either."""
    mount = shared()
    with flood(mount):
        api.wait_for(20)
        assert wait_of(OTHER, mount / 'by-id/1') < WAIT_MAX
