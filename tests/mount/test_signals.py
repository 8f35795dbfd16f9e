# SPDX-License-Identifier: MIT
"""No signal that a process can catch leaves a dead mount: it ends cleanly, or goes on."""

import os
import signal

import pytest

import harness

REAL_TIME = [signal.SIGRTMIN, signal.SIGRTMIN + 1, signal.SIGRTMAX]
ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU, signal.SIGPWR]
STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGCONT}
SUDDEN = {signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE,
          signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
IGNORED = sorted(set(signal.Signals) - set(ENDING) - STOPPING - SUDDEN - {signal.SIGHUP}
                 - set(REAL_TIME)) + REAL_TIME


def label(number):
    return signal.Signals(number).name if number in set(signal.Signals) else str(int(number))


def mounted_in_background(scratch, url):
    """The process of a mount that the command has left behind."""
    token = harness.write_token(scratch)
    result = harness.command('-o', f'token_file={token},cache={scratch}/cache.db', url,
                             scratch / 'mnt')
    assert result.returncode == 0, result.stderr
    lines = (scratch / 'mnt/.kapturefs/status').read_text().splitlines()
    return int(next(line for line in lines if line.startswith('daemon')).rsplit(' ', 1)[1])


@pytest.mark.parametrize('number', ENDING, ids=label)
def test_signal_ends_a_mount_in_the_foreground_cleanly(mounts, api, number):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7/name')
    mount.process.send_signal(number)
    assert mount.wait() == 0
    assert harness.mount_entry(mount.path) is None
    assert 'unmounted' in mount.log.text() or 'ending' in mount.log.text()
    # What was asked for is in the cache, and its log is empty.
    assert not (mount.path.parent / 'cache.db-wal').exists()
    assert (mounts(api.url) / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 1


@pytest.mark.parametrize('number', ENDING, ids=label)
def test_signal_ends_a_mount_in_the_background_cleanly(scratch, api, number):
    pid = mounted_in_background(scratch, api.url)
    os.kill(pid, number)
    harness.wait_until(lambda: harness.process_state(pid) in (None, 'Z'), 'the daemon ends')
    assert harness.mount_entry(scratch / 'mnt') is None
    assert os.listdir(scratch / 'mnt') == []


@pytest.mark.parametrize('number', IGNORED, ids=label)
def test_signal_that_means_nothing_leaves_the_mount_as_it_is(mounts, api, number):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    mount.process.send_signal(number)
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    mount.close()


def test_signals_that_mean_nothing_leave_a_mount_in_the_background_as_it_is(scratch, api):
    api.add_numbers([7])
    pid = mounted_in_background(scratch, api.url)
    for number in IGNORED:
        os.kill(pid, number)
    assert (scratch / 'mnt/by-id/7/name').read_text() == 'Customer 7\n'
    assert harness.finish(harness.start('fusermount3', '-u', scratch / 'mnt'))[0] == 0
    harness.wait_until(lambda: harness.process_state(pid) in (None, 'Z'), 'the daemon ends')


def test_signal_while_a_look_up_waits_does_not_break_it(mounts, api):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    reader = harness.start('cat', mount / 'by-id/7/name')
    api.wait_for(1)
    for number in IGNORED:
        mount.process.send_signal(number)
    gate.set()
    assert harness.finish(reader)[:2] == (0, b'Customer 7\n')


def test_file_that_may_not_grow_is_a_full_disk(mounts, api):
    import resource
    api.add_numbers(range(1, 200))
    mount = mounts(api.url)
    resource.prlimit(mount.process.pid, resource.RLIMIT_FSIZE, (128 << 10, 128 << 10))
    for number in range(1, 200):
        assert (mount / f'by-id/{number}/name').read_text() == f'Customer {number}\n'
    assert 'cannot be written to' in mount.log.text()
    assert len(api.requests) == 199


@pytest.mark.parametrize('number', [signal.SIGALRM, signal.SIGUSR1, signal.SIGTERM], ids=label)
def test_get_ends_by_a_signal_and_leaves_a_cache_that_is_whole(scratch, api, number):
    api.add_numbers([7, 8])
    gate = api.hold(('id', '8'))
    token = harness.write_token(scratch)
    options = f'token_file={token},cache={scratch}/cache.db'
    process = harness.start(harness.BINARY, 'get', '-o', options, api.url, 'id:7', 'id:8')
    api.wait_for(2)
    process.send_signal(number)
    assert harness.finish(process)[0] == -number
    gate.set()
    result = harness.command('get', '-o', options, api.url, 'id:7')
    assert (result.returncode, 'Customer 7' in result.stdout) == (0, True), result.stderr
