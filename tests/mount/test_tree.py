# SPDX-License-Identifier: MIT
"""The tree: whole customers as the API sent them, names, modes, and nothing that can be changed."""

import errno
import os
import re
import stat
import subprocess
import tempfile

import pytest

import harness
from expected import customer_tree, details_of, mounted_tree

KEYS = [('kapture_customer_id', 'by-id', 'id'), ('phone', 'by-phone', 'phone'),
        ('email_id', 'by-email', 'email')]


@pytest.mark.parametrize('member, directory, kind', KEYS, ids=[key[1] for key in KEYS])
def test_every_byte_of_every_generated_customer_is_what_the_api_sent(
        mounts, sandbox, member, directory, kind):
    mount = mounts(sandbox.url)
    compared = 0
    for customer in sandbox.customers():
        if not customer[kind]:
            continue
        status, reply = sandbox.ask(**{member: customer[kind]})
        assert status == 200
        assert mounted_tree(mount / directory / customer[kind]) == customer_tree(details_of(reply))
        compared += 1
    assert compared >= 10


def test_json_is_the_object_as_the_api_sent_it(mounts, sandbox):
    mount = mounts(sandbox.url)
    for customer in sandbox.customers(5):
        _, reply = sandbox.ask(kapture_customer_id=customer['id'])
        path = mount / 'by-id' / f"{customer['id']}.json"
        assert path.read_bytes() == details_of(reply) + b'\n'
        assert path.stat().st_size == len(path.read_bytes())


def test_json_is_the_same_under_every_key(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    texts = {(mount / name).read_bytes() for name in (
        'by-id/7.json', 'by-phone/9800000007.json', 'by-email/c7@example.com.json')}
    assert len(texts) == 1


def test_meta_says_what_is_known_about_the_answer(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    path = mount / 'by-phone' / '9800000007.meta'
    values = dict(line.split('=', 1) for line in path.read_text().splitlines())
    assert path.stat().st_size == len(path.read_bytes())
    assert list(values) == ['id', 'key', 'fetched', 'expires', 'changed', 'state', 'source']
    assert values['id'] == '7'
    assert '9800000007' in values['key']
    for name in ('fetched', 'expires', 'changed'):
        assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z', values[name]), name
    assert values['expires'] > values['fetched']
    assert (values['state'], values['source']) == ('fresh', 'api')


def test_json_and_meta_of_an_absent_customer_do_not_exist(mounts, api):
    mount = mounts(api.url)
    for name in ('8', '8.json', '8.meta'):
        assert harness.errno_of(os.stat, mount / 'by-id' / name) == errno.ENOENT


def test_root_has_a_directory_for_each_kind_of_key(mounts, api):
    mount = mounts(api.url)
    shown = {name for name in os.listdir(mount.path) if not name.startswith('.')}
    assert shown == {'by-id', 'by-phone', 'by-email', 'export', 'search'}


def test_listing_shows_what_is_cached_and_asks_nothing(mounts, api):
    api.add_numbers([1, 2, 3])
    mount = mounts(api.url)
    assert os.listdir(mount / 'by-id') == []
    os.stat(mount / 'by-id' / '1')
    os.stat(mount / 'by-phone' / '9800000002')
    assert sorted(os.listdir(mount / 'by-id')) == ['1', '2']
    assert os.listdir(mount / 'by-phone') == ['9800000002']
    assert os.listdir(mount / 'by-email') == []
    assert len(api.requests) == 2


def test_listing_of_many_is_complete_and_without_repetition(mounts, api):
    numbers = range(1, 301)
    api.add_numbers(numbers)
    mount = mounts(api.url, max_connections='4')
    for number in numbers:
        os.stat(mount / 'by-id' / str(number))
    listed = os.listdir(mount / 'by-id')
    assert len(listed) == len(set(listed))
    assert set(listed) == {str(number) for number in numbers}


def test_absent_customers_are_not_listed(mounts, api):
    mount = mounts(api.url)
    assert harness.errno_of(os.stat, mount / 'by-id' / '1') == errno.ENOENT
    assert os.listdir(mount / 'by-id') == []


SPELLINGS = [('by-phone', '+98 0000-0007', '9800000007'),
             ('by-phone', '98 (0000) 00.07', '9800000007'), ('by-id', '007', '7'),
             ('by-email', 'C7@Example.COM', 'c7@example.com')]


@pytest.mark.parametrize('directory, spelling, canonical', SPELLINGS)
def test_another_spelling_is_a_symbolic_link_to_the_one_directory(
        mounts, api, directory, spelling, canonical):
    api.add_numbers([7])
    mount = mounts(api.url)
    for suffix in ('', '.json', '.meta'):
        path = mount / directory / (spelling + suffix)
        assert os.path.basename(os.readlink(path)) == canonical + suffix
        assert os.stat(path).st_ino == os.stat(mount / directory / (canonical + suffix)).st_ino
    assert (mount / directory / spelling / 'name').read_text() == 'Customer 7\n'
    assert os.listdir(mount / directory) == [canonical]
    assert len(api.requests) == 1


def test_another_spelling_of_an_absent_customer_does_not_exist(mounts, api):
    mount = mounts(api.url)
    assert harness.errno_of(os.lstat, mount / 'by-id' / '0008') == errno.ENOENT


def test_modes_and_owner_are_those_of_the_mounting_user(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    directories = ['', 'by-id', 'by-id/7', 'by-id/7/contacts', 'by-id/7/contacts/500007']
    files = ['by-id/7/name', 'by-id/7/contacts/500007/phone', 'by-id/7.json', 'by-id/7.meta']
    for name, mode in [(n, stat.S_IFDIR | 0o500) for n in directories] + [
            (n, stat.S_IFREG | 0o400) for n in files]:
        status = os.lstat(mount / name)
        assert oct(status.st_mode) == oct(mode), name
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid()), name
    assert stat.S_ISLNK(os.lstat(mount / 'by-id/7/contacts/primary').st_mode)


def test_owner_and_mode_can_be_chosen(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, uid='1234', gid='2345', umask='0227')
    status = os.stat(mount / 'by-id/7/name')
    assert (status.st_uid, status.st_gid) == (1234, 2345)
    assert oct(status.st_mode) == oct(stat.S_IFREG | 0o440)
    assert oct(os.stat(mount / 'by-id/7').st_mode) == oct(stat.S_IFDIR | 0o550)


@pytest.mark.skipif(os.getuid() != 0, reason='becomes another user, which only root can')
def test_mode_bits_count_for_other_users_who_are_let_in(mounts, api):
    api.add_numbers([7])
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        mount = harness.Mount(api.url, directory, allow_other=True)
        mounts.all.append(mount)
        os.stat(mount / 'by-id/7/name')
        other = subprocess.run(['cat', mount / 'by-id/7/name'], user=65534, group=65534,
                               extra_groups=[], capture_output=True, timeout=30, check=False)
        mount.close()
    assert other.returncode == 1
    assert b'Permission denied' in other.stderr


CHANGES = {
    'mkdir': lambda m: os.mkdir(m / 'by-id/8'),
    'mkdir of an impossible name': lambda m: os.mkdir(m / 'by-id/new folder'),
    'create': lambda m: os.open(m / 'by-id/7/new', os.O_CREAT | os.O_WRONLY),
    'create in the root': lambda m: os.open(m / 'new', os.O_CREAT | os.O_WRONLY),
    'open for writing': lambda m: os.open(m / 'by-id/7/name', os.O_WRONLY),
    'open for both': lambda m: os.open(m / 'by-id/7/name', os.O_RDWR),
    'open for appending': lambda m: os.open(m / 'by-id/7/name', os.O_WRONLY | os.O_APPEND),
    'open and truncate': lambda m: os.open(m / 'by-id/7/name', os.O_RDONLY | os.O_TRUNC),
    'unlink': lambda m: os.unlink(m / 'by-id/7/name'),
    'unlink of the json': lambda m: os.unlink(m / 'by-id/7.json'),
    'rmdir': lambda m: os.rmdir(m / 'by-id/7'),
    'rename': lambda m: os.rename(m / 'by-id/7/name', m / 'by-id/7/city'),
    'rename of a customer': lambda m: os.rename(m / 'by-id/7', m / 'by-id/8'),
    'chmod': lambda m: os.chmod(m / 'by-id/7/name', 0o600),
    'chown': lambda m: os.chown(m / 'by-id/7/name', 0, 0),
    'truncate': lambda m: os.truncate(m / 'by-id/7/name', 0),
    'utime': lambda m: os.utime(m / 'by-id/7/name'),
    'symlink': lambda m: os.symlink('x', m / 'by-id/7/link'),
    'link': lambda m: os.link(m / 'by-id/7/name', m / 'by-id/7/link'),
    'mkfifo': lambda m: os.mkfifo(m / 'by-id/7/fifo'),
    'setxattr': lambda m: os.setxattr(m / 'by-id/7/name', 'user.x', b'1'),
    'removexattr': lambda m: os.removexattr(m / 'by-id/7/name', 'user.x'),
}


def test_every_change_is_refused_because_the_mount_is_read_only(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    before = mounted_tree(mount / 'by-id' / '7')
    got = {name: errno.errorcode.get(harness.errno_of(change, mount))
           for name, change in CHANGES.items()}
    assert got == dict.fromkeys(CHANGES, 'EROFS')
    assert mounted_tree(mount / 'by-id' / '7') == before


def test_mount_table_shows_a_read_only_mount_of_this_program(mounts, api):
    _, source, kind, options = harness.mount_entry(mounts(api.url).path)
    assert kind == 'fuse.kapturefs'
    assert 'ro' in options.split(',')
    assert {'nosuid', 'nodev', 'default_permissions'} <= set(options.split(','))
    assert harness.TOKEN not in source + options


def test_nothing_is_found_below_a_file_and_no_directory_is_read_as_a_file(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    assert harness.errno_of(os.stat, mount / 'by-id/7/name/x') == errno.ENOTDIR
    assert harness.errno_of(os.listdir, mount / 'by-id/7/name') == errno.ENOTDIR
    assert harness.errno_of((mount / 'by-id/7').read_bytes) == errno.EISDIR
    assert harness.errno_of(os.stat, mount / 'by-id/7/nothing') == errno.ENOENT
    assert harness.errno_of(os.stat, mount / 'by-name') == errno.ENOENT


def test_statistics_of_the_file_system_are_given(mounts, api):
    status = os.statvfs(mounts(api.url).path)
    assert status.f_namemax >= 255
    assert status.f_flag & os.ST_RDONLY
