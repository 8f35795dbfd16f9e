# SPDX-License-Identifier: MIT
"""With -o xattr what <key>.meta tells is also told by extended attributes."""

import ctypes
import errno
import os
import subprocess

import pytest

import harness
from api import Reply, customer
from harness import command
from metrics import Metrics

META = ['id', 'key', 'fetched', 'expires', 'changed', 'state', 'source']


@pytest.fixture
def mount(mounts, api):
    api.add(customer(7, nothing=None, yes=True, no=False, text='', list=[1, 'x']),
            ('id', '7'), ('phone', '9800000007'))
    return mounts(api.url, xattr=True)


def attributes(path):
    """All attributes of ours, without their common beginning."""
    names = os.listxattr(path)
    assert all(name.startswith('user.kapture.') for name in names)
    return {name.removeprefix('user.kapture.'): os.getxattr(path, name).decode() for name in names}


@pytest.mark.parametrize('place, key', [('by-id/7', 'id:7'), ('by-phone/9800000007',
                                                             'phone:9800000007')])
def test_directory_has_what_meta_says_and_its_type(mount, place, key):
    lines = (mount / f'{place}.meta').read_text().splitlines()
    meta = dict(line.split('=', 1) for line in lines)
    assert list(meta) == META
    assert meta['key'] == key
    assert attributes(mount / place) == {**meta, 'type': 'object'}
    assert attributes(mount / f'{place}.meta') == meta


def test_json_and_fields_have_what_meta_says_by_id(mount):
    os.stat(mount / 'by-phone/9800000007')
    lines = (mount / 'by-id/7.meta').read_text().splitlines()
    meta = dict(line.split('=', 1) for line in lines)
    assert attributes(mount / 'by-phone/9800000007.json') == meta
    assert attributes(mount / 'by-phone/9800000007/name') == {**meta, 'type': 'string'}


@pytest.mark.parametrize('field, kind', [
    ('name', 'string'), ('id', 'number'), ('maxCreditAmt', 'number'), ('nothing', 'null'),
    ('yes', 'boolean'), ('no', 'boolean'), ('text', 'string'), ('contacts', 'array'),
    ('contacts/500007', 'object'), ('contacts/500007/isPrimaryContact', 'boolean'),
    ('list', 'array'), ('list/0', 'number'), ('list/1', 'string')])
def test_type_is_that_of_the_json(mount, field, kind):
    assert os.getxattr(mount / 'by-id/7' / field, 'user.kapture.type') == kind.encode()


def test_state_is_stale_when_the_answer_is(mounts, api):
    api.add_numbers([7])
    first = mounts(api.url, xattr=True)
    assert attributes(first / 'by-id/7')['state'] == 'fresh'
    assert attributes(first / 'by-id/7')['source'] == 'api'
    first.close()
    api.respond = lambda request: Reply(status=500)
    second = mounts(api.url, xattr=True, ttl='0', timeout='5')
    assert attributes(second / 'by-id/7')['state'] == 'stale'
    assert attributes(second / 'by-id/7')['source'] == 'cache'


def test_other_attributes_and_other_places_have_none(mount):
    directory = mount / 'by-id/7'
    for name in ('user.kapture.', 'user.kapture.i', 'user.kapture.idx', 'user.kapture.type2',
                 'user.kapturex.id', 'user.id', 'security.selinux', 'security.capability'):
        assert harness.errno_of(os.getxattr, directory / 'name', name) == errno.ENODATA
    for place in (mount.path, mount / 'by-id', mount / '.kapturefs',
                  mount / '.kapturefs/version'):
        assert os.listxattr(place) == []
        assert harness.errno_of(os.getxattr, place, 'user.kapture.id') == errno.ENODATA
    assert os.listxattr(directory / 'contacts/primary', follow_symlinks=False) == []


def test_getfattr_prints_them(mount):
    result = subprocess.run(['getfattr', '-d', '--absolute-names', mount / 'by-id/7/name'],
                            capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert lines[0] == f'# file: {mount / "by-id/7/name"}'
    assert {line.split('=')[0] for line in lines[1:] if line} == \
        {f'user.kapture.{name}' for name in [*META, 'type']}
    assert 'user.kapture.type="string"' in lines


def test_sizes_are_told_and_kept_to(mount):
    """As getxattr(2) has it: a size of 0 asks for the size, and less than that is ERANGE."""
    library = ctypes.CDLL(None, use_errno=True)
    path = os.fsencode(mount / 'by-id/7/name')
    small = ctypes.create_string_buffer(3)
    assert library.getxattr(path, b'user.kapture.type', None, 0) == len('string')
    assert library.getxattr(path, b'user.kapture.type', small, 3) == -1
    assert ctypes.get_errno() == errno.ERANGE
    names = library.listxattr(path, None, 0)
    assert names == sum(len(f'user.kapture.{name}') + 1 for name in [*META, 'type'])
    assert library.listxattr(path, small, 3) == -1
    assert ctypes.get_errno() == errno.ERANGE


def test_attributes_cannot_be_changed(mount):
    path = mount / 'by-id/7/name'
    assert harness.errno_of(os.setxattr, path, 'user.kapture.id', b'8') in (errno.EROFS,
                                                                            errno.EACCES)
    assert harness.errno_of(os.removexattr, path, 'user.kapture.id') in (errno.EROFS,
                                                                         errno.EACCES)


def test_asking_for_attributes_asks_the_api_nothing(mount, api):
    os.stat(mount / 'by-id/7')
    asked = len(api.requests)
    attributes(mount / 'by-id/7')
    attributes(mount / 'by-id/7/name')
    assert len(api.requests) == asked


def test_attributes_are_new_when_refresh_is_back(mount, api):
    before = attributes(mount / 'by-id/7')
    api.add(customer(7).replace(b'Customer 7', b'Bela'), ('id', '7'))
    assert command('refresh', mount / 'by-id/7').returncode == 0
    after = attributes(mount / 'by-id/7')
    assert after['fetched'] > before['fetched'] and after['changed'] > before['changed']


def test_without_the_option_the_kernel_asks_once_and_never_again(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    for _ in range(5):
        for name in ('name', 'id'):
            path = mount / 'by-id/7' / name
            assert harness.errno_of(os.getxattr, path, 'user.kapture.type') == errno.EOPNOTSUPP
            assert harness.errno_of(os.listxattr, path) in (0, errno.EOPNOTSUPP)
    counts = Metrics(mount)
    assert counts.fuse('getxattr') == 1
    assert counts.fuse('listxattr') == 1
