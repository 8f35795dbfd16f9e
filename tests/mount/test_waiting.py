# SPDX-License-Identifier: MIT
"""Many wait at once; none delays another; whoever waits can be killed."""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

import harness


def pending(pid, number):
    """Whether the signal is waiting to be delivered to the process."""
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(('SigPnd', 'ShdPnd'))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def round_trip(mount, number):
    """One more question through the daemon: what it was told before, it has read by then."""
    assert harness.errno_of(os.stat, mount / 'by-email' / f'{number}@round.trip') == errno.ENOENT


@pytest.mark.parametrize('directory, held, other', [
    ('by-id', '7', '8'), ('by-phone', '9800000007', '9800000008'),
    ('by-email', 'c7@example.com', 'c8@example.com')])
def test_lookup_that_hangs_delays_no_other_in_its_directory(
        mounts, api, directory, held, other):
    api.add_numbers([7, 8, 9])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/9')
    gate = api.hold(('id', '7'), ('phone', '9800000007'), ('email', 'c7@example.com'))
    waiting = harness.start('cat', mount / directory / held / 'name')
    api.wait_for(2)

    # Not cached, cached, absent, impossible, another spelling, a listing.
    assert harness.finish(harness.start('cat', mount / directory / other / 'name'))[1] \
        == b'Customer 8\n'
    assert harness.finish(harness.start('cat', mount / 'by-id/9/name'))[1] == b'Customer 9\n'
    assert harness.finish(harness.start('stat', mount / directory / 'a@b' / 'x'))[0] == 1
    assert harness.finish(harness.start('stat', mount / directory / '123450'))[0] == 1
    assert harness.finish(harness.start('ls', mount / directory))[1].decode().split() != []
    assert waiting.poll() is None
    gate.set()
    assert harness.finish(waiting)[:2] == (0, b'Customer 7\n')


def test_lookups_in_one_directory_reach_the_api_at_the_same_time(mounts, api):
    together = 32
    numbers = range(1, together + 1)
    api.add_numbers(numbers)
    barrier = threading.Barrier(together)

    def respond(request):
        barrier.wait(harness.END_SECONDS)     # nobody is answered before all have come
        return api.honest(request)
    api.respond = respond
    mount = mounts(api.url, max_connections=str(together))
    readers = [harness.start('cat', mount / 'by-id' / str(number) / 'name')
               for number in numbers]
    assert [harness.finish(reader)[1] for reader in readers] == [
        f'Customer {number}\n'.encode() for number in numbers]


def test_no_more_connections_than_allowed(mounts, api):
    api.add_numbers(range(1, 13))
    gate = api.hold(*[('id', str(number)) for number in range(1, 13)])
    mount = mounts(api.url, max_connections='3')
    readers = [harness.start('stat', mount / 'by-id' / str(number)) for number in range(1, 13)]
    api.wait_for(3)
    for reader in readers:
        harness.wait_until(lambda: harness.process_state(reader.pid) in ('D', 'S'), 'it waits')
    gate.set()
    assert [harness.finish(reader)[0] for reader in readers] == [0] * 12
    assert api.connections <= 3


def test_cached_files_are_there_while_a_hundred_lookups_hang(mounts, api):
    api.add_numbers(range(100, 200))
    api.add_numbers([7])
    mount = mounts(api.url, max_connections='4')
    (mount / 'by-id/7/name').read_text()
    gate = api.hold(*[('id', str(number)) for number in range(100, 200)])
    waiting = [harness.start('stat', mount / 'by-id' / str(number)) for number in range(100, 200)]
    api.wait_for(1 + 4)

    # `diff` reads everything, `ls` asks for every attribute; nothing of it is asked of the API.
    assert harness.finish(harness.start('grep', '-r', '', mount / 'by-id/7'))[0] == 0
    assert harness.finish(harness.start('ls', '-lR', mount / 'by-id/7'))[0] == 0
    assert harness.finish(harness.start('ls', mount / 'by-id'))[1] == b'7\n'
    gate.set()
    assert [harness.finish(process)[0] for process in waiting] == [0] * 100


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_waiting_process_can_be_killed(mounts, api, number):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start('stat', mount / 'by-id/7')
    api.wait_for(1)
    waiting.send_signal(number)
    # Far below the limit of a lookup (20 s) and far above what it takes.
    assert harness.finish(waiting, 5)[0] == -number

    gate.set()
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 1


WAITER = '''
import os, signal, sys
for number in (signal.SIGALRM, signal.SIGURG, signal.SIGCHLD, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: None)
    signal.siginterrupt(number, True)
print('ready', flush=True)
try:
    os.stat(sys.argv[1])
    print('found', flush=True)
except OSError as error:
    print(error.strerror, flush=True)
'''


@pytest.mark.parametrize('number', [signal.SIGALRM, signal.SIGURG, signal.SIGCHLD, signal.SIGUSR1])
def test_signal_that_is_handled_does_not_break_a_waiting_call(mounts, api, number):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start(sys.executable, '-c', WAITER, mount / 'by-id/7')
    api.wait_for(1)
    waiting.send_signal(number)
    harness.wait_until(lambda: pending(waiting.pid, number), 'the signal is pending')
    round_trip(mount, 1)
    round_trip(mount, 2)
    gate.set()
    assert harness.finish(waiting)[1] == b'ready\nfound\n'


def test_process_that_had_a_harmless_signal_can_still_be_killed(mounts, api):
    api.add_numbers([7])
    api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start(sys.executable, '-c', WAITER, mount / 'by-id/7')
    api.wait_for(1)
    waiting.send_signal(signal.SIGALRM)
    harness.wait_until(lambda: pending(waiting.pid, signal.SIGALRM), 'the signal is pending')
    round_trip(mount, 1)
    # The kernel tells the daemon of an interrupt only once, and that was the harmless one.
    waiting.send_signal(signal.SIGKILL)
    assert harness.finish(waiting, 5)[0] == -signal.SIGKILL


def test_one_of_two_who_wait_for_a_customer_is_killed_and_the_other_gets_it(mounts, api):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    first = harness.start('cat', mount / 'by-id/7/name')
    api.wait_for(1)
    second = harness.start('cat', mount / 'by-id/7.json')
    harness.wait_until(lambda: harness.process_state(second.pid) in ('D', 'S'), 'it waits')
    first.kill()
    assert harness.finish(first, 5)[0] == -signal.SIGKILL
    gate.set()
    assert harness.finish(second)[0] == 0
    assert len(api.requests) == 1


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_daemon_cleanly(mounts, api, number):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    mount.process.send_signal(number)
    assert mount.wait() == 0
    assert harness.mount_entry(mount.path) is None
    assert os.listdir(mount.path) == []


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_daemon_while_a_transfer_hangs(mounts, api, number):
    api.add_numbers([7])
    api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start('stat', mount / 'by-id/7')
    api.wait_for(1)
    mount.process.send_signal(number)
    assert mount.wait() == 0
    assert harness.mount_entry(mount.path) is None
    assert harness.finish(waiting)[0] == 1


def test_signal_ends_the_daemon_while_a_file_is_open(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    reader = subprocess.Popen(['sh', '-c', 'exec 3<"$1"; echo open; read x', 'sh',
                               mount / 'by-id/7/name'], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    assert reader.stdout.readline() == b'open\n'
    mount.process.send_signal(signal.SIGTERM)
    assert mount.wait() == 0
    assert harness.mount_entry(mount.path) is None
    reader.communicate(b'\n', timeout=harness.END_SECONDS)


def test_busy_mount_is_not_unmounted_and_goes_on(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    with open(mount / 'by-id/7/name', 'rb') as file:
        result = subprocess.run(['fusermount3', '-u', str(mount.path)], capture_output=True,
                                timeout=harness.END_SECONDS, check=False)
        assert result.returncode != 0
        assert file.read() == b'Customer 7\n'


def test_mount_that_is_aborted_ends_its_daemon(mounts, api):
    api.add_numbers([7])
    api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start('stat', mount / 'by-id/7')
    api.wait_for(1)
    mount.abort()
    assert harness.finish(waiting)[0] == 1
    mount.expected_status = mount.wait()
    assert mount.expected_status in (0, 1)


def test_answer_that_nobody_waits_for_any_more_is_kept(mounts, api):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start('stat', mount / 'by-id/7')
    api.wait_for(1)
    waiting.kill()
    harness.finish(waiting, 5)
    gate.set()
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 0
    assert len(api.requests) == 1
