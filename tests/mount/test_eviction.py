# SPDX-License-Identifier: MIT
"""Whom the cache has no room for: their directories stay where somebody is, and are asked for."""

import errno
import os
import random

import harness
from api import customer

KEYS = harness.keys_of(7)


def crowd(mount, api):
    """So many others that nobody who was there before is left; what was asked for is not told."""
    dice = random.Random(1)
    first = 1000 + len(api.customers)
    for number in range(first, first + 100):
        api.add(customer(number, remarks=dice.randbytes(6000).hex()), ('id', str(number)))
        os.stat(mount / f'by-id/{number}')
    api.requests.clear()


def begin(mounts, api, **options):
    api.add_numbers([7])
    mount = mounts(api.url, cache_size='1M', **options)
    for key in KEYS:
        os.listdir(mount / key)
        os.listdir(mount / key / 'contacts')
    return mount


def asked(api):
    keys = [request.key for request in list(api.requests)]
    api.requests.clear()
    return keys


def test_directory_of_who_was_evicted_is_there_unasked_and_is_asked_for_when_gone_into(mounts, api):
    mount = begin(mounts, api)
    before = [os.stat(mount / key) for key in KEYS]
    descriptors = [os.open(mount / key, os.O_RDONLY) for key in KEYS]
    crowd(mount, api)
    for key, descriptor, status in zip(KEYS, descriptors, before):
        assert os.path.basename(key) not in os.listdir(mount / key / '..')
        for seen in (os.fstat(descriptor), os.stat(mount / key), os.stat('.', dir_fd=descriptor)):
            assert (seen.st_ino, seen.st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert os.readlink(mount / 'by-id/007') == '7'
    assert asked(api) == []

    for key, kind, descriptor, status in zip(KEYS, ('id', 'phone', 'email'), descriptors, before):
        assert 'name' in os.listdir(descriptor)
        assert asked(api) == [(kind, os.path.basename(key))]
        assert os.stat(mount / key).st_ino == os.fstat(descriptor).st_ino == status.st_ino
        assert os.path.basename(key) in os.listdir(mount / key / '..')
        assert (mount / key / 'name').read_text() == 'Customer 7\n'
        os.close(descriptor)
    assert asked(api) == []


def test_who_stands_in_a_directory_of_an_evicted_customer_goes_on(mounts, api):
    mount = begin(mounts, api)
    os.mkfifo(mount.path.parent / 'gate')
    shell = harness.start('sh', '-c', f'cd {mount / KEYS[1]} && read line <{mount.path}/../gate; '
                          'cat name && ls contacts && cd contacts && ls')
    with open(mount.path.parent / 'gate', 'w', encoding='ascii') as gate:
        crowd(mount, api)
        gate.write('on\n')
    status, output, errors = harness.finish(shell)
    assert (status, errors) == (0, b'')
    assert output == b'Customer 7\n' + 2 * b'500007\nprimary\n'


def test_who_has_begun_to_read_of_a_customer_who_is_evicted_comes_to_the_end(mounts, api):
    value = random.Random(2).randbytes(1 << 17).hex()
    api.add_numbers([7], remarks=value)
    mount = mounts(api.url, cache_size='4M')
    descriptor = os.open(mount / 'by-id/7/remarks', os.O_RDONLY)
    assert os.read(descriptor, 10) == value[:10].encode()
    while '7' in os.listdir(mount / 'by-id'):
        crowd(mount, api)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.read(descriptor, 1 << 20) == value[10:].encode() + b'\n'
    os.close(descriptor)


def test_no_number_of_a_directory_is_anothers_when_its_customer_comes_back(mounts, api):
    """The kernel may know one for as long as it likes."""
    objects = {f'object{number}': {'value': number} for number in range(5)}
    api.add_numbers([7], **objects)
    mount = mounts(api.url, cache_size='1M')
    numbers = {}
    for name in objects:
        numbers[os.stat(mount / 'by-id/7' / name).st_ino] = name
    descriptors = {name: os.open(mount / 'by-id/7' / name, os.O_RDONLY) for name in objects}
    crowd(mount, api)
    api.add_numbers([7], **dict(reversed(objects.items())))
    for name, descriptor in descriptors.items():
        assert harness.errno_of(os.listdir, descriptor) == errno.ESTALE
    assert asked(api) == []
    for number, name in enumerate(objects):
        assert (mount / 'by-id/7' / name / 'value').read_text() == f'{number}\n'
        assert numbers.get(os.stat(mount / 'by-id/7' / name).st_ino, name) == name
        assert harness.errno_of(os.listdir, descriptors[name]) == errno.ESTALE
        os.close(descriptors[name])
    assert asked(api) == [('id', '7')]


def test_who_was_evicted_twice_keeps_the_directory_and_no_number_below(mounts, api):
    api.add_numbers([7], one={'value': 1}, two={'value': 2})
    mount = mounts(api.url, cache_size='1M')
    seen = {}
    number = os.stat(mount / 'by-id/7').st_ino
    for _ in range(3):
        for name in ('one', 'two'):
            inode = os.stat(mount / 'by-id/7' / name).st_ino
            assert seen.setdefault(inode, name) == name
        assert os.stat(mount / 'by-id/7').st_ino == number
        crowd(mount, api)
        api.add_numbers([7], **({'two': {'value': 2}, 'one': {'value': 1}}))
    assert len(seen) == 6


def test_an_evicted_customer_who_turns_out_to_be_gone_is_gone(mounts, api):
    mount = begin(mounts, api)
    descriptor = os.open(mount / KEYS[0], os.O_RDONLY)
    crowd(mount, api)
    api.customers.clear()
    assert harness.errno_of(os.listdir, descriptor) == errno.ESTALE
    assert asked(api) == [('id', '7')]
    assert harness.errno_of(os.stat, mount / KEYS[0]) == errno.ENOENT
    assert asked(api) == []
    # Under the other keys, too, there is nobody any more.
    assert harness.errno_of(os.stat, mount / KEYS[1]) == errno.ENOENT
    assert asked(api) == [('phone', '9800000007')]
    os.close(descriptor)


def test_a_key_that_leads_to_another_customer_meanwhile_is_another_directory(mounts, api):
    mount = begin(mounts, api)
    before = os.stat(mount / KEYS[1])
    descriptor = os.open(mount / KEYS[1], os.O_RDONLY)
    crowd(mount, api)
    api.add(customer(8, phone='9800000007'), ('id', '8'), ('phone', '9800000007'))
    assert harness.errno_of(os.listdir, descriptor) == errno.ESTALE
    after = os.stat(mount / KEYS[1])
    assert after.st_ino != before.st_ino and after.st_mtime_ns > before.st_mtime_ns
    assert (mount / KEYS[1] / 'name').read_text() == 'Customer 8\n'
    os.close(descriptor)


def test_forget_leaves_no_directory_of_who_was_evicted_under_any_key(mounts, api):
    mount = begin(mounts, api)
    descriptor = os.open(mount / KEYS[0], os.O_RDONLY)
    crowd(mount, api)
    assert harness.command('forget', mount / KEYS[1]).returncode == 0
    assert harness.errno_of(os.fstat, descriptor) == errno.ESTALE
    assert asked(api) == []
    api.customers.clear()
    for key in KEYS:
        assert harness.errno_of(os.stat, mount / key) == errno.ENOENT
    assert len(asked(api)) == 3
    os.close(descriptor)


def test_forget_of_who_came_back_leaves_none_of_the_other_keys(mounts, api):
    mount = begin(mounts, api)
    crowd(mount, api)
    os.stat(mount / KEYS[0] / 'name')
    assert harness.command('forget', mount / KEYS[0]).returncode == 0
    api.customers.clear()
    api.requests.clear()
    assert harness.errno_of(os.stat, mount / KEYS[1]) == errno.ENOENT
    assert asked(api) == [('phone', '9800000007')]


def test_refresh_and_offline_reach_who_was_evicted(mounts, api):
    mount = begin(mounts, api)
    number = os.stat(mount / KEYS[0]).st_ino
    crowd(mount, api)
    assert harness.command('refresh', mount / KEYS[0]).returncode == 0
    assert asked(api) == [('id', '7')]
    assert os.stat(mount / KEYS[0]).st_ino == number
    assert '7' in os.listdir(mount / 'by-id')
