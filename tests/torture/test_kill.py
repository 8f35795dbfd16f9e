# SPDX-License-Identifier: MIT
"""What was answered is still there after kill -9, and SIGTERM ends a daemon whatever hangs.

KILL_CYCLES and TERM_CYCLES say how often; KILL_SEED where the dice begin.
"""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
import urllib.request

import pytest

import api as api_module
import harness
import values
from killing import Broken, Loop

KILL_CYCLES = int(os.environ.get('KILL_CYCLES', '4'))
TERM_CYCLES = int(os.environ.get('TERM_CYCLES', '3'))
SEED = int(os.environ.get('KILL_SEED', '1'))
HUNG = 64
END_SECONDS = 5     # of the promise


def test_what_was_answered_before_kill_9_is_served_afterwards(api, tmp_path):
    loop = Loop(api, tmp_path, SEED)
    for cycle in range(KILL_CYCLES):
        loop.cycle(cycle)
    print(f'{KILL_CYCLES} kills, {loop.seen.reads} reads before, {loop.compared} after')
    # A daemon that dies before anybody has seen anything proves nothing.
    assert loop.seen.reads >= KILL_CYCLES and loop.compared >= KILL_CYCLES
    assert len(loop.seen.versions) >= min(KILL_CYCLES, 100)


def rolled_back(tmp_path):
    """A defect: the cache of an earlier death comes back."""
    def between(cycle):
        for path in tmp_path.glob('cache.db*'):
            if cycle == 0:
                shutil.copy(path, tmp_path / f'old-{path.name}')
            else:
                path.unlink()
        for path in tmp_path.glob('old-cache.db*'):
            shutil.copy(path, tmp_path / path.name.removeprefix('old-'))
    return between


def test_planted_loss_is_found(api, tmp_path):
    loop = Loop(api, tmp_path, SEED, rolled_back(tmp_path))
    with pytest.raises(Broken, match='not listed|seen was'):
        for cycle in range(4):
            loop.cycle(cycle)


def test_version_older_than_what_was_seen_is_found(api, tmp_path):
    loop = Loop(api, tmp_path, SEED)
    loop.kill_under_readers(0)
    number = next(iter(loop.seen.versions))
    newer = loop.versions.last[number] + 1
    loop.seen.versions[number] = newer
    loop.versions.times[number, newer] = time.monotonic() + values.LATE
    with pytest.raises(Broken, match='seen was'):
        loop.compare()


class LateLoop(Loop):
    """What the dead daemon sent is taken up when the next one is there."""

    def mount(self, **options):
        mount = super().mount(**options)
        if 'offline' in options:
            body = json.dumps([{'kapture_customer_id': '1'}]).encode()
            urllib.request.urlopen(self.api.url + api_module.PATH, body).close()
        return mount


class AskingLoop(Loop):
    """A defect: a daemon that asks although it is offline."""

    def mount(self, **options):
        mount = super().mount(**{**options, 'offline': None})
        if 'offline' in options:
            os.stat(mount / 'by-id/999999')
        return mount


def test_what_the_dead_daemon_sent_is_not_the_next_ones(api, tmp_path):
    loop = LateLoop(api, tmp_path, SEED)
    loop.cycle(0)
    assert loop.compared


def test_asking_while_offline_is_found(api, tmp_path):
    loop = AskingLoop(api, tmp_path, SEED)
    with pytest.raises(Broken, match='offline, and the API was asked'):
        loop.cycle(0)


def end_with_hung_transfers(api, directory, cycle):
    """SIGTERM while lookups hang and a file is open; the seconds until the daemon has ended."""
    known, *hung = range(cycle * 1000 + 1, cycle * 1000 + HUNG + 2)
    with contextlib.ExitStack() as stack:
        mount = harness.Mount(api.url, directory, max_connections='64', cache=':memory:')
        stack.callback(mount.close)
        file = os.open(mount / f'by-id/{known}/name', os.O_RDONLY)
        # Closing it flushes, which a dead mount refuses.
        stack.callback(harness.errno_of, os.close, file)
        came = len(api.requests)
        api.held = api.gate()
        stack.callback(api.held.set)
        errors = []
        threads = [threading.Thread(target=lambda number=number: errors.append(
            harness.errno_of(os.stat, mount / f'by-id/{number}'))) for number in hung]
        for thread in threads:
            thread.start()
        api.wait_for(came + HUNG)
        before = time.monotonic()
        mount.process.send_signal(signal.SIGTERM)
        assert mount.wait() == 0
        seconds = time.monotonic() - before
        assert harness.mount_entry(mount.path) is None
        for thread in threads:
            thread.join(harness.END_SECONDS)
        assert len(errors) == HUNG and 0 not in errors
        api.held = None
    return seconds


def test_sigterm_ends_the_daemon_while_64_transfers_hang(api, tmp_path):
    api.held = None
    versions = values.Versions(api)

    def respond(request):
        reply = versions.respond(request)
        reply.gate = api.held
        return reply
    api.respond = respond
    seconds = [end_with_hung_transfers(api, tmp_path, cycle) for cycle in range(TERM_CYCLES)]
    print(f'{TERM_CYCLES} ends, the slowest {max(seconds):.2f} s')
    assert max(seconds) < END_SECONDS
