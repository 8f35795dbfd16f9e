# SPDX-License-Identifier: MIT
"""A warm tree never leaves the kernel, and yet nobody sees yesterday's value.

What the kernel asked is read from the mount's own counters. Reading them asks the kernel's
questions, too, so a test first looks twice in a row: what lies between two looks without any work
is the price of looking.
"""

import errno
import fcntl
import mmap
import os
import select
import subprocess
import threading

import pytest

import harness
from api import customer, found
from expected import mounted_tree
from metrics import Metrics

SILENT = ('open', 'opendir', 'flush', 'release', 'releasedir', 'getxattr', 'listxattr')
ASKED = ('lookup', 'getattr', 'read', 'readdir', 'readdirplus', 'readlink', *SILENT)


def drop_kernel_caches():
    subprocess.run(['sync'], check=True)
    with open('/proc/sys/vm/drop_caches', 'w', encoding='ascii') as file:
        file.write('3')


def grep(directory):
    """Read every file below a directory, as a user would."""
    result = subprocess.run(['grep', '-r', 'no such text', directory], capture_output=True,
                            check=False, timeout=harness.END_SECONDS * 4)
    assert (result.returncode, result.stdout, result.stderr) == (1, b'', b'')


class Looks:
    """The requests of the kernel between two looks, without those that looking costs."""

    def __init__(self, mount):
        self.mount = mount
        first, second = Metrics(mount), Metrics(mount)
        self.price = {name: second.fuse(name) - first.fuse(name) for name in ASKED}
        self.last = second

    def since(self):
        now = Metrics(self.mount)
        asked = {name: now.fuse(name) - self.last.fuse(name) - self.price[name] for name in ASKED}
        self.last = now
        return {name: count for name, count in asked.items() if count}


def fill(mount, sandbox, count):
    rows = sandbox.customers(count)
    for row in rows:
        os.stat(mount / 'by-id' / row['id'])
    return rows


def test_warm_pass_over_500_customers_asks_nothing(mounts, sandboxes):
    sandbox = sandboxes(customers=500)
    mount = mounts(sandbox.url)
    fill(mount, sandbox, 500)
    grep(mount / 'by-id')
    looks = Looks(mount)

    def pass_asks_nothing():
        """What the kernel has given up for want of memory, it must read again; nothing else."""
        grep(mount / 'by-id')
        asked = looks.since()
        assert set(asked) <= {'read', 'readdir', 'readdirplus'}
        return asked == {}
    assert any(pass_asks_nothing() for _ in range(10))


def test_nothing_is_opened_flushed_or_released_after_the_first_time(mounts, sandbox):
    mount = mounts(sandbox.url)
    rows = fill(mount, sandbox, 20)
    grep(mount / 'by-id')
    for row in rows:
        subprocess.run(['ls', '-l', mount / 'by-id' / row['id']], check=True, capture_output=True)
    counts = Metrics(mount)
    assert {name: counts.fuse(name) for name in SILENT if counts.fuse(name) > 1} == {}
    assert [counts.fuse('open'), counts.fuse('opendir')] == [1, 1]


def test_no_other_operation_is_unknown(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    path = mount / 'by-id/7/name'
    descriptor = os.open(path, os.O_RDONLY)
    directory = os.open(mount / 'by-id/7', os.O_RDONLY)
    try:
        assert os.lseek(descriptor, 0, os.SEEK_DATA) == 0
        assert os.lseek(descriptor, 3, os.SEEK_HOLE) == len('Customer 7\n')
        assert harness.errno_of(os.lseek, descriptor, 11, os.SEEK_DATA) == errno.ENXIO
        assert harness.errno_of(fcntl.ioctl, descriptor, 0x5401) == errno.ENOTTY
        os.fsync(descriptor)
        os.fsync(directory)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(10000) == [(descriptor, select.POLLIN)]
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        fcntl.lockf(descriptor, fcntl.LOCK_SH)
        assert os.statvfs(mount.path).f_namemax >= 255
        assert os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED) is None
        assert harness.errno_of(os.getxattr, path, 'user.any') == errno.EOPNOTSUPP
        assert path.read_text() == 'Customer 7\n'
    finally:
        os.close(descriptor)
        os.close(directory)


def test_listing_shows_a_customer_straight_after_the_first_look(mounts, api):
    api.add_numbers(range(1, 41))
    mount = mounts(api.url)
    seen = []
    for number in range(1, 41):
        assert sorted(os.listdir(mount / 'by-id'), key=int) == seen
        os.stat(mount / 'by-phone' / f'98{number:08}')
        seen.append(str(number))
        assert sorted(os.listdir(mount / 'by-id'), key=int) == seen
        assert len(os.listdir(mount / 'by-phone')) == number


def test_listing_loses_a_customer_who_is_gone(mounts, api):
    api.add_numbers([1, 2])
    mount = mounts(api.url, ttl='0')
    os.stat(mount / 'by-id/1')
    os.stat(mount / 'by-id/2')
    assert sorted(os.listdir(mount / 'by-id')) == ['1', '2']
    api.customers.clear()
    assert harness.errno_of(os.stat, mount / 'by-id/1/name') == errno.ENOENT
    assert os.listdir(mount / 'by-id') == ['2']


def whole(read, stat_size, versions):
    """What was read, which must be one of the versions, whole, if the size was the same all along.

    Reading and asking for the size are two calls, and a change may come between them."""
    before, content, after = stat_size(), read(), stat_size()
    if before == after:
        assert content in versions, content
        assert len(content) == after
    return content


class Cat:
    def __init__(self, path):
        self.path = path

    def size(self):
        return os.stat(self.path).st_size

    def read(self):
        return subprocess.run(['cat', self.path], check=True, capture_output=True).stdout

    def close(self):
        pass


class Descriptor(Cat):
    def __init__(self, path):
        super().__init__(path)
        self.descriptor = os.open(path, os.O_RDONLY)

    def size(self):
        return os.fstat(self.descriptor).st_size

    def read(self):
        return os.pread(self.descriptor, 1 << 20, 0)

    def close(self):
        os.close(self.descriptor)


class Mapping(Descriptor):
    """A page mapped once and for all; the size is the descriptor's."""

    def __init__(self, path):
        super().__init__(path)
        self.map = mmap.mmap(self.descriptor, self.size(), mmap.MAP_SHARED, mmap.PROT_READ)

    def read(self):
        return self.map[:]

    def close(self):
        self.map.close()
        super().close()


NAMES = ['Asha', 'Bela-Catarina Drummond']
VERSIONS = [f'{name}\n'.encode() for name in NAMES]


def rename(api, name):
    api.add(customer(7).replace(b'Customer 7', name.encode()), ('id', '7'))


def test_content_and_size_change_together_when_an_answer_expires(mounts, api):
    rename(api, NAMES[0])
    mount = mounts(api.url, ttl='1')
    opened = Cat(mount / 'by-id/7/name')
    assert whole(opened.read, opened.size, VERSIONS[:1]) == VERSIONS[0]
    rename(api, NAMES[1])
    harness.wait_until(
        lambda: whole(opened.read, opened.size, VERSIONS) == VERSIONS[1], 'the new value')


@pytest.mark.parametrize('reader', [Descriptor, Mapping])
def test_what_is_open_stays_what_it_was_when_an_answer_expires(mounts, api, reader):
    rename(api, NAMES[0])
    mount = mounts(api.url, ttl='1')
    opened = reader(mount / 'by-id/7/name')
    try:
        assert whole(opened.read, opened.size, VERSIONS[:1]) == VERSIONS[0]
        rename(api, NAMES[1])
        harness.wait_until(
            lambda: (mount / 'by-id/7/name').read_bytes() == VERSIONS[1], 'the new value')
        assert opened.read() == VERSIONS[0]
        # Its size may not be known any more, but is no other's.
        assert harness.errno_of(opened.size) == errno.ESTALE or opened.size() == len(VERSIONS[0])
    finally:
        opened.close()


def test_change_moves_the_time_of_what_changed_and_of_nothing_else(mounts, api):
    api.add(customer(7, city='Pune'), ('id', '7'))
    mount = mounts(api.url, ttl='0')
    before = {name: os.stat(mount / 'by-id/7' / name).st_mtime_ns for name in ('name', 'city', '')}
    api.add(customer(7, city='Agra'), ('id', '7'))
    assert (mount / 'by-id/7/city').read_text() == 'Agra\n'
    after = {name: os.stat(mount / 'by-id/7' / name).st_mtime_ns for name in ('name', 'city', '')}
    assert [name for name in before if before[name] != after[name]] == ['city', '']


def test_every_change_that_comes_by_another_key_is_seen_soon(mounts, api):
    """The second one, too, by a name whose node is that of the first value."""
    mount = mounts(api.url, ttl='300')
    path = mount / 'by-id/7/name'
    for value, other in (('first', 'by-id/7'), ('second', 'by-email/c7@example.com'),
                         ('a third', 'by-phone/9800000007')):
        api.add_numbers([7], name=value)
        os.stat(mount / other)
        harness.wait_until(lambda value=value: path.read_text() == f'{value}\n', f'{value} is seen')
        assert path.stat().st_size == len(value) + 1


def test_values_are_pushed_while_a_directory_is_read_file_by_file(mounts, sandbox):
    mount = mounts(sandbox.url)
    row = fill(mount, sandbox, 1)[0]
    directory = mount / 'by-id' / row['id']
    names = [name for name in os.listdir(directory) if os.path.isfile(directory / name)
             and os.stat(directory / name).st_size]
    before = Metrics(mount)
    (directory / names[0]).read_bytes()
    harness.wait_until(lambda: Metrics(mount)('pushed_pages_total') >= len(names),
                       'all values of the directory are pushed')
    looks = Looks(mount)
    for name in names:
        (directory / name).read_bytes()
    assert 'read' not in looks.since()
    assert Metrics(mount)('pushed_pages_total') - before('pushed_pages_total') == len(names)


def test_pushed_values_are_the_right_ones(mounts, sandbox):
    """The same tree with the kernel's caches filled by reading and by pushing."""
    mount = mounts(sandbox.url)
    rows = fill(mount, sandbox, 20)
    grep(mount / 'by-id')
    pushed = {row['id']: mounted_tree(mount / 'by-id' / row['id']) for row in rows}
    assert Metrics(mount)('pushed_pages_total') > 0
    for row in rows:
        for name in pushed[row['id']]:
            path = os.path.join(os.fsencode(mount / 'by-id' / row['id']), name)
            if os.path.isfile(path):
                with open(path, 'rb') as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert mounted_tree(mount / 'by-id' / row['id']) == pushed[row['id']]


def test_a_bare_listing_pushes_nothing(mounts, sandbox):
    mount = mounts(sandbox.url)
    for row in fill(mount, sandbox, 20):
        subprocess.run(['ls', mount / 'by-id' / row['id']], check=True, capture_output=True)
        subprocess.run(['ls', '-lR', mount / 'by-id' / row['id']], check=True, capture_output=True)
    assert Metrics(mount)('pushed_pages_total') == 0


def test_values_over_64_kib_are_not_pushed(mounts, api):
    api.add(customer(7, remarks='x' * 70000), ('id', '7'))
    mount = mounts(api.url)
    directory = mount / 'by-id/7'
    os.listdir(directory)
    (directory / 'name').read_bytes()
    harness.wait_until(lambda: Metrics(mount)('pushed_pages_total') >= 3, 'the others are pushed')
    looks = Looks(mount)
    assert (directory / 'remarks').read_text() == 'x' * 70000 + '\n'
    assert looks.since()['read'] >= 1


def test_second_lookup_joins_the_fetch_under_way(mounts, api):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    readers = [harness.start('cat', mount / 'by-id/7' / name)
               for name in ('name', 'id', 'cmId', 'name')]
    api.wait_for(1)
    gate.set()
    assert [harness.finish(reader)[1] for reader in readers] == [
        b'Customer 7\n', b'7\n', b'1000298\n', b'Customer 7\n']
    assert len(api.requests) == 1


def test_metrics_file_is_live_and_read_whole(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    path = mount / '.kapturefs/metrics'
    first = Metrics(mount)
    os.stat(mount / 'by-id/7')
    second = Metrics(mount)
    assert second('api_requests_total', outcome='found') \
        == first('api_requests_total', outcome='found') + 1
    assert second('cache_misses_total', reason='cold') \
        == first('cache_misses_total', reason='cold') + 1
    assert second('api_request_seconds_count') == first('api_request_seconds_count') + 1
    with open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        (mount / 'by-id/7/name').read_text()
        Metrics(mount)
        assert len(file.read()) == size == os.fstat(file.fileno()).st_size
    assert subprocess.run(['cat', path], check=True, capture_output=True).stdout.endswith(b'\n')
    assert (mount / '.kapturefs/version').read_text().startswith('kapturefs ')


def test_hot_set_stays_within_its_bytes_and_the_rest_is_read_from_the_cache(mounts, sandboxes):
    sandbox = sandboxes(customers=200)
    mount = mounts(sandbox.url, memory='256K')
    rows = fill(mount, sandbox, 200)
    drop_kernel_caches()
    for row in rows:
        (mount / 'by-id' / row['id'] / 'name').read_text()
    counts = Metrics(mount)
    assert 0 < counts('hotset_bytes') <= 256 << 10
    assert counts('hotset_misses_total') > 0
    assert sandbox.requests() == 200


def test_customer_larger_than_memory_is_parsed_once_and_not_for_every_request(mounts, api):
    values = {f'value{number}': 'x' * 200 for number in range(2000)}
    api.add(customer(7, **values), ('id', '7'))
    mount = mounts(api.url, memory='64K')
    os.stat(mount / 'by-id/7/name')
    before = Metrics(mount)
    for name in values:
        assert (mount / 'by-id/7' / name).read_text() == 'x' * 200 + '\n'
    after = Metrics(mount)
    assert after.fuse('read') - before.fuse('read') > 100
    assert after('hotset_bytes') > 64 << 10
    assert after('hotset_misses_total') == before('hotset_misses_total')
    assert len(api.requests) == 1


class Watchdog(threading.Thread):
    """Looks at the states of threads that read: none may stay in one call for long."""

    LOOKS = 40          # at so many looks in a row,
    SECONDS = 0.25      # so far apart,

    def __init__(self, progress):
        super().__init__(daemon=True)
        self.progress = progress
        self.ended = threading.Event()
        self.stuck = []
        self.start()

    def run(self):
        last, same = list(self.progress), [0] * len(self.progress)
        while not self.ended.wait(self.SECONDS):
            now = list(self.progress)
            same = [count + 1 if before == after else 0
                    for count, before, after in zip(same, last, now)]
            self.stuck += [index for index, count in enumerate(same) if count == self.LOOKS]
            last = now


@pytest.mark.parametrize('seconds', [int(os.environ.get('WEDGE_SECONDS', '20'))])
def test_no_wedge_with_32_readers_refreshes_and_pushes(mounts, api, seconds):
    """Each value carries customer, version and checksum; what is read is one of them, whole."""
    numbers = range(1, 9)

    def text(number, version):
        body = f'{number}:{version}:' + 'v' * (version * 977 % 9000)
        return f'{body}:{hash_of(body)}'

    def hash_of(body):
        return sum(body.encode()) * 2654435761 % (1 << 32)

    version = [0]

    def respond(request):
        version[0] += 1
        number = int(request.key[1])
        return found(customer(number, **{f'field{index}': text(number, version[0])
                                             for index in range(12)}))
    api.respond = respond
    mount = mounts(api.url, ttl='0')
    ended = threading.Event()
    progress = [0] * 32
    stale = [0] * 32
    wrong = []

    def read(place):
        number = numbers[place % len(numbers)]
        directory = mount / 'by-id' / str(number)
        while not ended.is_set():
            try:
                for name in os.listdir(directory):
                    if not name.startswith('field'):
                        continue
                    with open(directory / name, 'rb') as file:
                        content = file.read().decode()
                    body, _, checksum = content.rstrip('\n').rpartition(':')
                    if not body.startswith(f'{number}:') or str(hash_of(body)) != checksum:
                        wrong.append((place, name, content[:40], len(content)))
                    progress[place] += 1
            except OSError as error:
                # The value was replaced while this process waited for a processor.
                if error.errno != errno.ESTALE:
                    wrong.append((place, error))
                    return
                stale[place] += 1

    readers = [threading.Thread(target=read, args=(place,), daemon=True) for place in range(32)]
    watchdog = Watchdog(progress)
    for reader in readers:
        reader.start()
    ended.wait(seconds)
    ended.set()
    for reader in readers:
        reader.join(harness.END_SECONDS)
    watchdog.ended.set()
    assert not any(reader.is_alive() for reader in readers)
    assert watchdog.stuck == []
    assert wrong[:5] == []
    assert min(progress) > 0
    assert sum(stale) <= sum(progress) // 50
    counts = Metrics(mount)
    assert counts('pushed_pages_total') > 0
    assert counts('changed_values_total') > 0
