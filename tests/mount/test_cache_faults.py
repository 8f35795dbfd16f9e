# SPDX-License-Identifier: MIT
"""A cache whose file fails: the mount works, and says what happened once."""

import concurrent.futures
import contextlib
import errno
import json
import os
import random
import re
import subprocess
import threading

import pytest

import harness
from api import customer
from metrics import Metrics

root_only = pytest.mark.skipif(os.getuid() != 0, reason='mounts a file system, which only root can')


@contextlib.contextmanager
def tmpfs(directory, size='1m'):
    """A small disk."""
    directory.mkdir(parents=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=700', 'tmpfs', str(directory)],
                   check=True)
    try:
        yield directory
    finally:
        subprocess.run(['umount', '-l', str(directory)], check=False)


def fill_up(directory):
    """Take all the room that is left on the disk."""
    path = directory / 'ballast'
    with open(path, 'wb', buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b'x' * 4096)
    return path


def damage(path, start=200):
    size = path.stat().st_size
    with open(path, 'r+b') as file:
        file.seek(start)
        file.write(os.urandom(size - start))


def names(mount):
    return sorted(path.name for path in mount.path.parent.iterdir())


def aside(mount):
    return [name for name in names(mount) if name.startswith('cache.db.damaged-')]


def test_damaged_file_is_set_aside_and_the_mount_works(mounts, api):
    api.add_numbers([7, 8])
    first = mounts(api.url)
    (first / 'by-id/7/name').read_text()
    first.close()
    damage(first.path.parent / 'cache.db')

    second = mounts(api.url)
    assert second.log.text().count('damaged file set aside') == 1
    assert len(aside(second)) == 1
    assert os.listdir(second / 'by-id') == []
    assert (second / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert Metrics(second)('cache_damaged_files_total') == 1
    second.close()

    # The new one is as good as any.
    count = len(api.requests)
    third = mounts(api.url)
    assert (third / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == count


def test_flipped_bit_in_a_customer_is_a_miss_and_not_a_wrong_byte(mounts, api):
    import sqlite3
    api.add_numbers([7, 8])
    first = mounts(api.url)
    for number in (7, 8):
        (first / f'by-id/{number}/name').read_text()
    first.close()
    with contextlib.closing(sqlite3.connect(first.path.parent / 'cache.db')) as database:
        slot, blob = database.execute('SELECT slot, json FROM customer ORDER BY slot').fetchone()
        flipped = bytearray(blob)
        flipped[len(blob) // 2] ^= 4
        database.execute('UPDATE customer SET json = ? WHERE slot = ?', (bytes(flipped), slot))
        database.commit()
        assert database.execute('PRAGMA integrity_check').fetchone() == ('ok',)

    second = mounts(api.url)
    count = len(api.requests)
    assert (second / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert len(api.requests) == count
    assert (second / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == count + 1
    assert second.log.text().count('damaged row') == 1
    assert Metrics(second)('cache_damaged_rows_total') >= 1
    assert aside(second) == []


@root_only
def test_full_disk_neither_fails_a_read_nor_loses_what_was_there(mounts, api, tmp_path):
    api.add_numbers(range(1, 60))
    with tmpfs(tmp_path / 'small') as disk:
        mount = mounts(api.url, cache=disk / 'cache.db')
        (mount / 'by-id/1/name').read_text()
        ballast = fill_up(disk)
        for number in range(2, 60):
            assert (mount / f'by-id/{number}/name').read_text() == f'Customer {number}\n'
        assert 'cannot be written to' in mount.log.text()
        assert mount.log.text().count('cannot be written to') == 1
        assert Metrics(mount)('cache_on_disk') == 0
        assert (mount / 'by-id/1/name').read_text() == 'Customer 1\n'
        assert len(os.listdir(mount / 'by-id')) == 59
        assert len(api.requests) == 59

        # Unmounting with room again writes it all down.
        ballast.unlink()
        mount.close()
        again = mounts(api.url, name='2', cache=disk / 'cache.db')
        for number in range(1, 60):
            assert (again / f'by-id/{number}/name').read_text() == f'Customer {number}\n'
        assert len(api.requests) == 59
        again.close()


@root_only
def test_forget_on_a_full_disk_forgets_nothing_and_says_why(mounts, api, tmp_path):
    api.add_numbers(range(1, 60))
    with tmpfs(tmp_path / 'small') as disk:
        mount = mounts(api.url, cache=disk / 'cache.db')
        (mount / 'by-id/1/name').read_text()
        ballast = fill_up(disk)
        for number in range(2, 60):
            (mount / f'by-id/{number}/name').read_text()
        assert Metrics(mount)('cache_on_disk') == 0
        result = harness.command('forget', mount / 'by-id/1')
        assert result.returncode == 5
        assert 'not forgotten: the cache\'s disk is full' in result.stderr
        assert '1' in os.listdir(mount / 'by-id')
        ballast.unlink()
        assert harness.command('forget', mount / 'by-id/1').returncode == 0
        assert '1' not in os.listdir(mount / 'by-id')
        mount.close()


@root_only
def test_disk_that_is_full_from_the_start_leaves_a_mount_without_a_cache(mounts, api, tmp_path):
    api.add_numbers([7])
    with tmpfs(tmp_path / 'small') as disk:
        fill_up(disk)
        mount = mounts(api.url, cache=disk / 'cache.db')
        assert 'kept in memory only' in mount.log.text()
        status = (mount / '.kapturefs/status').read_text()
        assert re.search(r'health +limited\n.*nothing is kept on disk since [^,]+, as '
                         + re.escape(str(disk / 'cache.db')) + ' cannot be written', status), status
        told = json.loads((mount / '.kapturefs/status.json').read_text())['cache']
        assert (told['on_disk'], 'off_disk_since' in told) == (False, True)
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
        assert len(api.requests) == 1
        mount.close()


@root_only
def test_read_only_disk_leaves_a_mount_without_a_cache(mounts, api, tmp_path):
    api.add_numbers([7])
    with tmpfs(tmp_path / 'small') as disk:
        subprocess.run(['mount', '-o', 'remount,ro', str(disk)], check=True)
        mount = mounts(api.url, cache=disk / 'cache.db')
        assert 'kept in memory only' in mount.log.text()
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
        assert os.listdir(disk) == []
        mount.close()


def test_file_deleted_under_the_daemon_is_begun_anew(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    (mount / 'by-id/7/name').read_text()
    (mount.path.parent / 'cache.db').unlink()
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert mount.log.text().count('not there any more') == 1
    assert (mount.path.parent / 'cache.db').exists()
    # It holds what was asked for since, and the listing says so.
    assert os.listdir(mount / 'by-id') == ['8']
    mount.close()
    count = len(api.requests)
    again = mounts(api.url)
    assert os.listdir(again / 'by-id') == ['8']
    assert (again / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert len(api.requests) == count
    assert (again / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == count + 1


def test_numbers_are_not_used_again_after_the_file_is_gone(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    before = (mount / 'by-id/7').stat().st_ino, (mount / 'by-id/7/name').stat().st_ino
    (mount.path.parent / 'cache.db').unlink()
    after = (mount / 'by-id/8').stat().st_ino, (mount / 'by-id/8/name').stat().st_ino
    assert not set(before) & set(after)


def test_cache_stays_within_its_size(mounts, sandboxes):
    sandbox = sandboxes(customers=1500)
    mount = mounts(sandbox.url, cache_size='1M', max_connections='8')
    rows = sandbox.customers(1500)
    for row in rows:
        os.stat(mount / 'by-id' / row['id'])
    metrics = Metrics(mount)
    assert metrics('cache_evictions_total') > 100
    size = sum(path.stat().st_size for path in mount.path.parent.glob('cache.db*'))
    assert size <= 1 << 20
    # The last ones are there, the first ones are asked for again and counted as evicted.
    sandbox.reset()
    os.stat(mount / 'by-id' / rows[-1]['id'] / 'name')
    assert sandbox.requests() == 0
    # What was evicted is remembered by hashes that others may have taken the place of.
    for row in rows[:10]:
        os.stat(mount / 'by-id' / row['id'] / 'name')
    assert sandbox.requests() == 10
    assert Metrics(mount)('cache_misses_total', reason='evicted') >= 1


class Sizes(threading.Thread):
    """Watches how much the files of a cache take together, until it is ended."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.largest = 0
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            self.largest = max(self.largest, self.now())

    def now(self):
        size = 0
        for path in self.path.parent.glob(self.path.name + '*'):
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def end(self):
        self.ended.set()
        self.join()
        return max(self.largest, self.now())


def read_all(mount, rows, readers=8):
    """Look all of them up, many at once."""
    def read(some):
        for row in some:
            assert (mount / 'by-id' / row['id'] / 'id').read_text() == row['id'] + '\n'
    with concurrent.futures.ThreadPoolExecutor(readers) as pool:
        list(pool.map(read, [rows[first::readers] for first in range(readers)]))


@pytest.mark.parametrize('place', [pytest.param('tmpfs', marks=root_only), 'disk'])
def test_cache_size_holds_at_every_moment(mounts, sandboxes, tmp_path, place):
    sandbox = sandboxes(customers=1500)
    rows = sandbox.customers(1500)
    with tmpfs(tmp_path / 'fast', '64m') if place == 'tmpfs' else contextlib.nullcontext(
            tmp_path) as disk:
        mount = mounts(sandbox.url, cache=disk / 'cache.db', cache_size='1M', max_connections='32')
        sizes = Sizes(disk / 'cache.db')
        read_all(mount, rows)
        largest = sizes.end()
        assert 512 << 10 < largest <= 1 << 20
        assert Metrics(mount)('cache_evictions_total') > 600
        assert Metrics(mount)('cache_on_disk') == 1
        mount.close()


def test_cache_size_holds_when_it_is_full_of_large_customers(mounts, api, tmp_path):
    rng = random.Random(1)
    names = [f'text{number}' for number in range(30)]
    for number in range(1, 120):
        api.add(customer(number, **{name: rng.randbytes(600).hex() for name in names}),
                ('id', str(number)))
    mount = mounts(api.url, cache_size='1M')
    sizes = Sizes(mount.path.parent / 'cache.db')
    read_all(mount, [{'id': str(number)} for number in range(1, 120)])
    assert sizes.end() <= 1 << 20
    assert Metrics(mount)('cache_evictions_total') > 50


def test_customer_larger_than_the_cache_may_be_is_an_error_and_evicts_nobody(mounts, api):
    rng = random.Random(2)
    api.add_numbers([7, 8])
    api.add(customer(9, **{f'text{number}': rng.randbytes(1000).hex() for number in range(400)}),
            ('id', '9'))
    mount = mounts(api.url, cache_size='1M')
    sizes = Sizes(mount.path.parent / 'cache.db')
    for number in (7, 8):
        (mount / f'by-id/{number}/name').read_text()
    assert harness.errno_of(os.stat, mount / 'by-id/9/name') == errno.EFBIG
    assert sizes.end() <= 1 << 20
    for number in (7, 8):
        assert (mount / f'by-id/{number}/name').read_text() == f'Customer {number}\n'
    assert Metrics(mount)('cache_evictions_total') == 0
