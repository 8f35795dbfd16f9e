# SPDX-License-Identifier: MIT
"""export/customers.ndjson: all that is cached in one file, which stays what it is while read."""

import errno
import json
import os
import shutil
import subprocess

import harness
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
            answer = harness.command('forget', mount / 'by-id' / str(number))
            assert answer.returncode == 0, answer.stderr
        rest = b''.join(iter(lambda: file.read(65536), b''))
    assert first + rest == expected
    now = ids_of(export_of(mount).read_text())
    assert now == [number for number in [*range(100, 400), 500] if number not in (101, 250, 399)]


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
