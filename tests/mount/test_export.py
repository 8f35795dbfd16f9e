# SPDX-License-Identifier: MIT
"""export/customers.ndjson: all that is cached in one file, which stays what it is while read."""

import errno
import json
import os
import shutil
import subprocess
import time

import harness
from api import customer
from expected import details_of


def export_of(mount):
    return mount / 'export' / 'customers.ndjson'


def cache(mount, numbers):
    for number in numbers:
        os.stat(mount / 'by-id' / str(number))


def ids_of(text):
    return [json.loads(line)['id'] for line in text.splitlines()]


def test_it_is_the_objects_as_the_api_sent_them(mounts, sandbox):
    mount = mounts(sandbox.url)
    expected = b''
    for row in sandbox.customers():
        os.stat(mount / 'by-id' / row['id'])
        expected += details_of(sandbox.ask(kapture_customer_id=row['id'])[1]) + b'\n'
    sandbox.reset()
    assert os.listdir(mount / 'export') == ['customers.ndjson']
    assert export_of(mount).read_bytes() == expected
    assert export_of(mount).stat().st_size == len(expected)
    assert sandbox.requests() == 0


def test_nothing_cached_is_an_empty_file(mounts, api):
    mount = mounts(api.url)
    assert export_of(mount).stat().st_size == 0
    assert export_of(mount).read_bytes() == b''
    assert harness.errno_of(os.stat, mount / 'export' / 'tickets.ndjson') == errno.ENOENT
    assert not api.requests


def test_each_look_finds_what_is_cached_by_then(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    cache(mount, [7])
    assert ids_of(export_of(mount).read_text()) == [7]
    before = export_of(mount).stat()
    assert export_of(mount).stat().st_mtime_ns == before.st_mtime_ns
    cache(mount, [8])
    assert ids_of(export_of(mount).read_text()) == [7, 8]
    assert export_of(mount).stat().st_mtime_ns > before.st_mtime_ns


def test_who_has_begun_to_read_goes_on_reading_the_same(mounts, api, tmp_path):
    api.add_numbers(range(100, 400), remarks='r' * 2000)
    mount = mounts(api.url, ttl=1000, rate='10000/s')
    cache(mount, range(100, 400))
    expected = export_of(mount).read_bytes()
    with open(export_of(mount), 'rb', buffering=0) as file:
        first = file.read(1000)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        api.add_numbers([500])
        cache(mount, [500])
        for number in (101, 250, 399):
            api.customers.pop(('id', str(number)))
            answer = harness.command('refresh', mount / 'by-id' / str(number))
            assert answer.returncode == 1, answer.stderr
        rest = b''.join(iter(lambda: file.read(65536), b''))
    assert first + rest == expected
    now = ids_of(export_of(mount).read_text())
    assert now == [number for number in [*range(100, 400), 500] if number not in (101, 250, 399)]


def test_its_time_is_that_of_the_last_change_whoever_mounts(mounts, api):
    api.add_numbers([7, 8])
    first = mounts(api.url)
    cache(first, [7])
    before = export_of(first).stat().st_mtime_ns
    assert abs(before / 1e9 - time.time()) < 60
    first.close()
    second = mounts(api.url)
    assert export_of(second).stat().st_mtime_ns == before
    assert harness.command('refresh', second / 'by-id/7').returncode == 0
    assert export_of(second).stat().st_mtime_ns == before
    cache(second, [8])
    assert export_of(second).stat().st_mtime_ns > before
    before = export_of(second).stat().st_mtime_ns
    assert harness.command('forget', second / 'by-id/8').returncode == 0
    after = export_of(second).stat().st_mtime_ns
    assert after > before
    second.close()
    assert export_of(mounts(api.url)).stat().st_mtime_ns == after


def test_an_empty_one_has_a_time_that_is_kept_too(mounts, api):
    first = mounts(api.url)
    before = export_of(first).stat().st_mtime_ns
    assert abs(before / 1e9 - time.time()) < 60
    first.close()
    assert export_of(mounts(api.url)).stat().st_mtime_ns == before


def test_tools_read_it(mounts, sandbox, tmp_path):
    mount = mounts(sandbox.url)
    for row in sandbox.customers():
        os.stat(mount / 'by-id' / row['id'])
    path = export_of(mount)
    assert subprocess.run(['wc', '-l', path], capture_output=True, text=True,
                          check=True).stdout.split()[0] == '20'
    shutil.copyfile(path, tmp_path / 'copy')
    assert subprocess.run(['cmp', path, tmp_path / 'copy'], check=True).returncode == 0
    tail = subprocess.run(['tail', '-n', '1', path], capture_output=True, check=True).stdout
    assert path.read_bytes().endswith(tail) and json.loads(tail)['id']


def test_offline_it_is_still_there(mounts, api):
    api.add_numbers([7])
    first = mounts(api.url)
    cache(first, [7])
    first.close()
    second = mounts(api.url, offline=True)
    assert ids_of(export_of(second).read_text()) == [7]


def test_a_refused_token_closes_it(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    cache(mount, [7])
    api.token = 'another'
    assert harness.errno_of(os.stat, mount / 'by-id' / '8') == errno.EACCES
    assert harness.errno_of(os.stat, export_of(mount)) == errno.EACCES


def read_some(mount, count):
    """Descriptors of so many texts, each begun and each of another moment."""
    descriptors = []
    for number in range(1, count + 1):
        cache(mount, [number])
        descriptors.append(os.open(export_of(mount), os.O_RDONLY))
        assert os.read(descriptors[-1], 100)
    return descriptors


def close(descriptors):
    for descriptor in descriptors:
        os.close(descriptor)


def test_nobody_reads_of_a_customer_who_was_forgotten(mounts, api):
    api.add_numbers(range(1, 10))
    mount = mounts(api.url)
    cache(mount, [9])
    descriptors = read_some(mount, 4)
    cache(mount, [8])
    assert harness.command('forget', mount / 'by-id/9').returncode == 0
    assert 9 not in ids_of(export_of(mount).read_text())
    for descriptor in descriptors:
        assert harness.errno_of(os.pread, descriptor, 100, 0) == errno.ESTALE
    close(descriptors)


def test_nobody_reads_of_a_forgotten_customer_who_had_changed_or_gone(mounts, api):
    api.add_numbers(range(1, 10))
    mount = mounts(api.url)
    cache(mount, [7, 9])
    descriptors = read_some(mount, 2)
    api.add(customer(7, name='Somebody Else'), ('id', '7'))
    assert harness.command('refresh', mount / 'by-id/7').returncode == 0
    api.customers.pop(('id', '9'))
    assert harness.command('refresh', mount / 'by-id/9').returncode == 1
    assert os.pread(descriptors[0], 100, 0)
    assert harness.command('forget', mount / 'by-id/9').returncode == 0
    for descriptor in descriptors:
        assert harness.errno_of(os.pread, descriptor, 100, 0) == errno.ESTALE
    close(descriptors)


def test_forgetting_somebody_ends_no_text_without_them(mounts, api):
    api.add_numbers(range(1, 10))
    mount = mounts(api.url)
    descriptors = read_some(mount, 2)
    cache(mount, [9])
    assert harness.command('forget', mount / 'by-id/9').returncode == 0
    for descriptor in descriptors:
        assert os.pread(descriptor, 100, 0)
    close(descriptors)


def test_where_four_are_read_a_fifth_is_refused_rather_than_shown_what_was(mounts, api):
    api.add_numbers(range(1, 10))
    mount = mounts(api.url)
    # More than the kernel reads ahead, so that nobody comes to the end.
    api.add(customer(9, remarks='r' * (1 << 20)), ('id', '9'))
    cache(mount, [9])
    descriptors = read_some(mount, 4)
    cache(mount, [8])
    harness.wait_until(lambda: harness.errno_of(os.stat, export_of(mount)) == errno.EBUSY,
                       'the newest is too old')
    answer = harness.command('export', mount.path)
    assert (answer.returncode, answer.stdout) == (5, '')
    assert 'try again' in answer.stderr
    for descriptor in descriptors:
        os.lseek(descriptor, 0, os.SEEK_SET)
        while os.read(descriptor, 1 << 20):
            pass
    harness.wait_until(lambda: harness.errno_of(os.stat, export_of(mount)) == 0,
                       'one of them has been read to the end')
    assert 8 in ids_of(export_of(mount).read_text())
    close(descriptors)


def test_many_looks_one_after_the_other_are_never_refused(mounts, api):
    api.add_numbers(range(1, 40))
    mount = mounts(api.url)
    for number in range(1, 40):
        cache(mount, [number])
        assert number == 1 or ids_of(export_of(mount).read_text())
