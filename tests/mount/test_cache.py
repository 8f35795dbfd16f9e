# SPDX-License-Identifier: MIT
"""The API is asked once; what it said survives."""

import contextlib
import errno
import os
import pathlib
import signal
import sqlite3
import stat

import pytest

import harness
from api import customer
from expected import mounted_tree


def everything(mount):
    """(number, size, times) of every file and directory of customers, by path."""
    found = {}
    for path, directories, files in os.walk(mount.path):
        directories[:] = [name for name in directories if name not in ('.kapturefs', 'export')]
        for name in directories + files:
            full = os.path.join(path, name)
            status = os.lstat(full)
            found[os.path.relpath(full, mount.path)] = (
                status.st_ino, stat.S_IFMT(status.st_mode), status.st_size, status.st_mtime_ns)
    return found


def test_customer_is_asked_for_once_whatever_is_read_of_it(mounts, sandbox):
    mount = mounts(sandbox.url)
    row = next(row for row in sandbox.customers() if row['phone'] and row['email'])
    sandbox.reset()
    directory = mount / 'by-id' / row['id']
    mounted_tree(directory)
    mounted_tree(directory)
    (mount / 'by-id' / f"{row['id']}.json").read_bytes()
    (mount / 'by-id' / f"{row['id']}.meta").read_bytes()
    assert harness.errno_of(os.stat, directory / 'nothing') == errno.ENOENT
    assert sandbox.requests() == 1


def test_customer_found_by_phone_or_email_is_known_by_id(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    (mount / 'by-phone/9800000007/name').read_text()
    (mount / 'by-email/c8@example.com/name').read_text()
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert len(api.requests) == 2


def test_after_a_remount_nothing_is_asked_and_nothing_has_moved(mounts, sandbox):
    first = mounts(sandbox.url)
    for row in sandbox.customers(8):
        os.stat(first / 'by-id' / row['id'])
        if row['phone']:
            os.stat(first / 'by-phone' / row['phone'])
    before = everything(first)
    first.close()

    sandbox.reset()
    second = mounts(sandbox.url)
    assert everything(second) == before
    assert len(before) > 200
    assert sandbox.requests() == 0


def test_meta_tells_an_answer_of_the_cache(mounts, api):
    api.add_numbers([7])
    first = mounts(api.url)
    assert 'source=api\n' in (first / 'by-id/7.meta').read_text()
    first.close()
    assert 'source=cache\n' in (mounts(api.url) / 'by-id/7.meta').read_text()


def test_what_was_answered_survives_kill_minus_nine(mounts, api):
    api.add_numbers([7])
    first = mounts(api.url)
    before = mounted_tree(first / 'by-id/7')
    first.process.send_signal(signal.SIGKILL)
    first.wait()
    first.kill()
    first.expected_status = -signal.SIGKILL

    assert mounted_tree(mounts(api.url) / 'by-id/7') == before
    assert len(api.requests) == 1


def test_absent_customer_is_enoent_and_asked_once(mounts, api):
    mount = mounts(api.url)
    for _ in range(5):
        assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.ENOENT
        assert harness.errno_of(os.stat, mount / 'by-id/8/name') == errno.ENOENT
        assert harness.finish(harness.start('cat', mount / 'by-id/8/name'))[0] == 1
    assert len(api.requests) == 1


def test_absent_customer_is_remembered_over_a_remount(mounts, api):
    first = mounts(api.url)
    assert harness.errno_of(os.stat, first / 'by-id/8') == errno.ENOENT
    first.close()
    assert harness.errno_of(os.stat, mounts(api.url) / 'by-id/8') == errno.ENOENT
    assert len(api.requests) == 1


def test_absent_customer_is_asked_for_again_when_negative_ttl_is_over(mounts, api):
    mount = mounts(api.url, negative_ttl='0')
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.ENOENT
    api.add_numbers([8])
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'


def test_absence_that_is_over_leaves_the_file(mounts, api):
    """The number of rows is what shows from outside."""
    mount = mounts(api.url, negative_ttl='1')
    path = mount.path.parent / 'cache.db'

    def count():
        for part in ('', '-wal'):
            pathlib.Path(f'{path.parent}/copy.db{part}').write_bytes(
                pathlib.Path(f'{path}{part}').read_bytes())
        with contextlib.closing(sqlite3.connect(path.parent / 'copy.db')) as copy:
            return copy.execute('SELECT count(*) FROM absent').fetchone()[0]
    for number in range(8, 12):
        assert harness.errno_of(os.stat, mount / f'by-id/{number}') == errno.ENOENT
    assert count() == 4
    harness.wait_until(lambda: count() == 0, 'they are gone')
    harness.wait_until(lambda: not pathlib.Path(f'{path}-wal').stat().st_size, 'the log is cut')


DIGITS = '123456789012345678901'
IMPOSSIBLE = {
    'by-id': ['.git', '.Trash', '.Trash-1000', 'autorun.inf', 'desktop.ini', 'HEAD', 'x', '12a',
              '-1', '+1', '1 2', ' 1', '1.5', '1e3', '0x10', '①', '१२', DIGITS, '1' * 255,
              'n' * 255, '.json', '.meta', 'x.json', 'x.meta', '1.jsn', '1.json.json', '1.xml',
              '%31', '*', '1,2', '1\n', '\x01'],
    'by-phone': ['.git', 'autorun.inf', '+', '++91', '91+', '-', '()', ' ', 'tel:', 'x', DIGITS,
                 '+' + DIGITS, '91a', '91#1', '9,1', '91.0'],
    'by-email': ['.git', 'desktop.ini', 'plain', '@', 'a@', '@b', 'a@b@c', 'a b@c', 'a@b c',
                 'a@b\n', 'a' * 250 + '@b.cd', '\x7f@b'],
}


@pytest.mark.parametrize('directory', IMPOSSIBLE)
def test_names_that_cannot_be_a_key_do_not_exist_and_are_not_asked_for(mounts, api, directory):
    mount = mounts(api.url)
    got = {name: errno.errorcode.get(harness.errno_of(os.lstat, mount / directory / name))
           for name in IMPOSSIBLE[directory]}
    assert got == dict.fromkeys(IMPOSSIBLE[directory], 'ENOENT')
    assert api.requests == []


def test_names_longer_than_a_file_name_are_refused_without_a_request(mounts, api):
    mount = mounts(api.url)
    for length in (256, 1000, 3000):
        assert harness.errno_of(os.stat, mount / 'by-email' / ('a' * length + '@b')) in (
            errno.ENAMETOOLONG, errno.ENOENT)
        assert harness.errno_of(os.stat, mount / 'by-id' / ('1' * length)) in (
            errno.ENAMETOOLONG, errno.ENOENT)
    assert api.requests == []


def test_names_that_are_not_utf8_are_refused_without_a_request(mounts, api):
    mount = mounts(api.url)
    for name in (b'\xff', b'\xff@b.c', b'a@\xc3', b'1\x80'):
        path = os.fsencode(mount / 'by-email') + b'/' + name
        assert harness.errno_of(os.stat, path) == errno.ENOENT or b'@' in name
        path = os.fsencode(mount / 'by-id') + b'/' + name
        assert harness.errno_of(os.stat, path) == errno.ENOENT


LONGEST = {'by-id': '18446744073709551615', 'by-phone': '1' * 20,
           'by-email': 'a' * 248 + '@b.org'}


@pytest.mark.parametrize('directory', LONGEST)
def test_longest_key_is_still_asked_for(mounts, api, directory):
    mount = mounts(api.url)
    assert harness.errno_of(os.stat, mount / directory / LONGEST[directory]) == errno.ENOENT
    assert [request.key[1] for request in api.requests] == [LONGEST[directory]]


def test_many_readers_of_one_customer_ask_once(mounts, api):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    fields = ['name', 'id', 'cmId', 'maxCreditAmt', 'contacts/500007/phone'] * 4
    readers = [harness.start('cat', mount / 'by-id/7' / field) for field in fields]
    api.wait_for(1)
    for reader in readers:
        harness.wait_until(lambda: waits(reader.pid), 'the reader waits')
    gate.set()
    assert [harness.finish(reader)[0] for reader in readers] == [0] * len(readers)
    assert len(api.requests) == 1


def waits(pid):
    """Whether the process sleeps in the kernel for the file system (or for who asks it already)."""
    try:
        where = pathlib.Path(f'/proc/{pid}/wchan').read_text()
    except OSError:
        return False
    return any(word in where for word in ('request_wait', 'fuse', 'd_alloc', 'd_wait', 'lookup'))


def test_cache_files_are_for_their_owner_only(mounts, api):
    api.add_numbers([7])
    (mounts.directory / '1').mkdir()
    mask = os.umask(0)
    try:
        mount = mounts(api.url)
    finally:
        os.umask(mask)
    (mount / 'by-id/7/name').read_text()
    files = list(mount.path.parent.glob('cache.db*'))
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == {'0o600'}
    assert mount.path.parent / 'cache.db' in files


def test_cache_in_memory_leaves_no_file(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, cache=':memory:')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    mount.close()
    assert sorted(path.name for path in mount.path.parent.iterdir()) == ['mnt', 'token']


def test_what_was_looked_up_is_read_and_listed_although_nothing_may_be_kept(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, ttl='0', max_stale='0', rate='1000/s', burst='1000')
    for _ in range(5):
        assert 'name' in os.listdir(mount / 'by-id/7')
        assert sorted(os.listdir(mount / 'by-id/7/contacts')) == ['500007', 'primary']
        assert os.readlink(mount / 'by-id/7/contacts/primary') == '500007'
        assert 'id=7\n' in (mount / 'by-id/7.meta').read_text()
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_refresh_moves_the_times_of_what_changed_and_nothing_else(mounts, api):
    api.add(customer(7, city='Pune', zone=3), ('id', '7'))
    first = mounts(api.url)
    mounted_tree(first / 'by-id/7')
    before = everything(first)
    first.close()

    api.add(customer(7, city='Delhi', zone=3), ('id', '7'))
    second = mounts(api.url, ttl='0', patience='20')
    assert (second / 'by-id/7/city').read_text() == 'Delhi\n'
    after = everything(second)
    assert set(after) == set(before)
    moved = {path for path in after if after[path][3] != before[path][3]}
    assert moved - {'by-id'} == {'by-id/7', 'by-id/7/city'}
    assert {path: row[0] for path, row in after.items()} == {
        path: row[0] for path, row in before.items()}


def test_times_are_those_of_the_first_sight(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    # A file made now is the clock that the kernel and the daemon have in common.
    start = harness.write_token(mount.path.parent).stat().st_mtime_ns
    seen = os.stat(mount / 'by-id/7/name').st_mtime_ns
    end_path = mount.path.parent / 'after'
    end_path.write_text('')
    assert start - 10 ** 9 <= seen <= end_path.stat().st_mtime_ns + 10 ** 9
