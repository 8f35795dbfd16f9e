# SPDX-License-Identifier: MIT
"""Whom an operand of `refresh` and `forget` means: a path, a link, or a key in a mount."""

import os
import subprocess

import pytest

import harness
from api import customer
from harness import command
from orders import KEYS, done, read_all, refused, serve


@pytest.fixture
def mount(mounts, api):
    serve(api, 'Asha')
    return mounts(api.url)


# Which paths

def test_path_is_found_through_links_and_from_inside(mount, tmp_path):
    read_all(mount)
    (tmp_path / 'link').symlink_to(mount / 'by-id')
    done(command('refresh', 'link/7/name', cwd=tmp_path))
    done(command('refresh', '.', 'name', '../../by-phone/9800000007', cwd=mount / 'by-id/7'))
    done(command('refresh', mount / 'by-id' / '..' / '..' / 'mnt' / 'by-id' / '7'))


@pytest.mark.parametrize('name', ['refresh', 'forget'])
def test_paths_that_name_no_customer_are_refused(mount, api, tmp_path, name):
    refused(command(name, tmp_path), 5, 'not in a mount of kapturefs')
    refused(command(name, mount / 'by-id' / '..' / '..'), 5, 'not in a mount of kapturefs')
    refused(command(name, tmp_path / 'none' / 'x'), 5, 'No such file')
    for place in (mount.path, mount / 'by-id', mount / '.kapturefs/metrics', mount / '.kapturefs'):
        refused(command(name, place), 1, 'names no customer')
    refused(command(name, mount / 'by-id/.git'), 1, 'no such customer')
    refused(command(name), 2, 'give a PATH')
    refused(command(name, '--nonsense', mount.path), 2, 'unknown option --nonsense')
    assert api.requests == []


def test_forget_hints_at_how_to_forget_everything(mount):
    refused(command('forget', mount / 'by-id'), 1, 'remove the cache file')


@pytest.mark.parametrize('bad', ['by-id', 'search', '.kapturefs/metrics', 'by-phone/no number'])
def test_operand_that_names_no_customer_keeps_nobody_from_the_others(mount, api, bad):
    read_all(mount)
    serve(api, 'Ravi')
    refused(command('refresh', mount / bad, mount / 'by-id/7'), 1, f'{mount / bad}: ', 'no')
    assert (mount / 'by-id/7/name').read_text() == 'Ravi\n'
    refused(command('forget', mount / 'by-phone/9800000007', mount / bad), 1, f'{mount / bad}: ')
    assert os.listdir(mount / 'by-id') == []


@pytest.mark.parametrize('name', ['refresh', 'forget'])
def test_a_mistake_of_the_command_line_is_told_with_nothing_done(
        mounts, mount, api, name):
    other = mounts(api.url, name='2')
    read_all(mount)
    del api.requests[:]
    refused(command(name, mount / 'by-id/7', 'id:7', cwd='/'), 2,
            f'{name}: id:7: in which mount? give -m MOUNTPOINT: ')
    refused(command(name, '-m', other / 'by-id', mount / 'by-id/7', 'id:7'), 2, 'below a mount')
    refused(command(name, mount / 'by-id/7', '--nonsense'), 2, 'unknown option')
    assert (api.requests, os.listdir(mount / 'by-id')) == ([], ['7'])


def test_all_paths_are_tried_and_the_worst_status_counts(mount, tmp_path):
    read_all(mount)
    result = command('refresh', tmp_path, mount / 'by-id/8', mount / 'by-id/7')
    assert result.returncode == 5
    assert len(result.stderr.splitlines()) == 2


# Keys

@pytest.mark.parametrize('word, key', [
    ('id:7', KEYS[0]), ('7', KEYS[0]), ('007', KEYS[0]), ('9800000007', KEYS[1]),
    ('phone:+98-0000 0007', KEYS[1]), ('C7@example.com', KEYS[2]),
    ('email:c7@example.com', KEYS[2])])
def test_key_means_the_mount_of_the_working_directory(mount, api, word, key):
    for place in ('.', '.kapturefs', f'by-{key[0]}'):
        del api.requests[:]
        done(command('refresh', word, cwd=mount / place))
        assert [request.key for request in api.requests] == [key]
    done(command('forget', word, cwd=mount.path))
    assert os.listdir(mount / 'by-id') == []


def test_address_is_a_key_wherever_it_is_typed(mount, api):
    read_all(mount)
    for place in ('by-id', 'by-phone', 'by-id/7', 'by-id/7/contacts', 'by-email'):
        del api.requests[:]
        done(command('refresh', 'c7@example.com', cwd=mount / place))
        assert [request.key for request in api.requests] == [KEYS[2]]


def test_number_is_a_name_where_there_is_one(mounts, api):
    """Below by-phone a short number is a phone number, in a customer's directory maybe a key."""
    api.add(customer(7, phone='777'), KEYS[0], ('phone', '777'))
    api.add_numbers([8, 777])
    mount = mounts(api.url)
    done(command('refresh', '777', cwd=mount / 'by-phone'))
    assert api.requests[-1].key == ('phone', '777')
    done(command('refresh', '777', cwd=mount.path))
    assert api.requests[-1].key == ('id', '777')
    contacts = mount / 'by-id/7/contacts'
    assert os.listdir(contacts)
    done(command('refresh', '500007', cwd=contacts))
    assert api.requests[-1].key == ('id', '7')
    done(command('refresh', '8', cwd=mount / 'by-id/7'))
    assert api.requests[-1].key == ('id', '8')


def test_key_that_nobody_can_have_is_told_and_the_others_go_on(mount, api):
    result = command('refresh', 'id:x', 'id:7', 'email:@', cwd=mount.path)
    assert (result.returncode, result.stdout) == (1, '')
    assert result.stderr.splitlines() == [
        f'kapturefs: refresh: {word}: nobody can have that key' for word in ('id:x', 'email:@')]
    assert [request.key for request in api.requests] == [KEYS[0]]


def test_mountpoint_may_be_named(mount, api, tmp_path):
    done(command('refresh', '-m', mount.path, 'id:7', '9800000007', cwd='/'))
    assert [request.key for request in api.requests] == KEYS[:2]
    refused(command('refresh', '-m', tmp_path, 'id:7'), 5, 'not a mount of kapturefs')
    refused(command('refresh', '-m', tmp_path / 'none', 'id:7'), 5, 'No such file')
    refused(command('refresh', '-m'), 2, 'a value is missing behind -m')
    refused(command('refresh', '-a', 'id:7'), 2, 'unknown option -a')
    refused(command('forget', '-a', '-m', mount.path, 'id:7'), 2, 'not both')
    refused(command('refresh', '-m', mount.path, '--', '-x'), 5, 'No such file')
    assert len(api.requests) == 2


@pytest.mark.skipif(os.getuid() != 0, reason='needs a mount namespace, which only root can make')
def test_key_means_the_only_mount_and_several_are_listed(api, tmp_path):
    api.add_numbers([7])
    options = f'token_file={harness.write_token(tmp_path)},cache=:memory:,ttl=1'
    for name in ('a', 'b c'):
        (tmp_path / name).mkdir()
    script = r"""
        try() { "$@" 2>&1; echo "status $?"; }
        try "$K" refresh id:7
        "$K" -o "$O" "$U" "$D/a" && try "$K" refresh id:7
        mount --bind "$D/a" "$D/a" && try "$K" refresh 7
        "$K" -o "$O" "$U" "$D/b c"
        try "$K" refresh id:7
        cd "$D/b c" && try "$K" refresh id:7
        cd / && try "$K" forget -a id:7; ls "$D/a/by-id" "$D/b c/by-id"
        try "$K" forget -a id:7
        umount "$D/a" "$D/a" "$D/b c"
        try "$K" forget -a id:7
        """
    result = subprocess.run(
        [harness.APART, 'sh', '-c', script], capture_output=True, text=True, timeout=60,
        check=False, cwd='/', env={**os.environ, 'K': harness.BINARY, 'O': options, 'U': api.url,
                                   'D': str(tmp_path)})
    assert result.stderr == ''
    assert result.stdout.splitlines() == [
        'kapturefs: refresh: id:7: no kapturefs is mounted', 'status 5', 'status 0', 'status 0',
        f'kapturefs: refresh: id:7: in which mount? give -m MOUNTPOINT: {tmp_path}/a, '
        f'{tmp_path}/b c', 'status 2', 'status 0', 'status 0', f'{tmp_path}/a/by-id:', '',
        f'{tmp_path}/b c/by-id:', 'kapturefs: forget: id:7: nothing was known', 'status 0',
        'kapturefs: forget: id:7: no kapturefs is mounted', 'status 5']
    assert [request.key for request in api.requests] == [KEYS[0]] * 3


def test_links_are_followed(mounts, api):
    """Those of a search and of a day, and what is below them, mean the customer."""
    serve(api, 'Asha')
    api.add_numbers([8])
    api.days['2026-07-01'] = [7, 8]
    mount = mounts(api.url, account_id=1000298)
    read_all(mount)
    assert os.listdir(mount / 'search/asha') == ['7']
    assert sorted(os.listdir(mount / 'by-date/2026-07-01')) == ['7', '8']
    del api.requests[:]
    done(command('refresh', mount / 'search/asha/7', mount / 'search/asha/7/name',
                 mount / 'by-date/2026-07-01/8', mount / 'by-date/2026-07-01/8/contacts'))
    assert [request.key for request in api.requests] == [('id', '7')] * 2 + [('id', '8')] * 2
    done(command('forget', '8', cwd=mount / 'by-date/2026-07-01'))
    assert '8' not in os.listdir(mount / 'by-id')
    done(command('forget', '7', cwd=mount / 'search/asha'))
    assert os.listdir(mount / 'by-id') == []
    refused(command('refresh', mount / 'search'), 1, 'names no customer')
    refused(command('refresh', mount / 'search/asha'), 1, 'names no customer')
    refused(command('refresh', mount / 'search/asha/x'), 1, 'no such customer')
