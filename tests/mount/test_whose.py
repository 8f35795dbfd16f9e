# SPDX-License-Identifier: MIT
"""Whose mount is believed: one's own and root's, no file system that somebody else has forged."""

import json
import os
import re
import subprocess

import pytest

import foreign
from foreign import ALICE, KAPTUREFS, MALLORY

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason='needs root, and plays users as well')


@pytest.fixture
def world(api):
    api.add_numbers([7, 8])
    with foreign.world(api.url) as made:
        yield made


@pytest.fixture(params=[0, ALICE], ids=['root', 'user'])
def victim(request):
    return request.param


def assert_not_believed(result):
    assert 'orged' not in result.stdout + result.stderr, result


def get(world, uid, place, *words):
    return world.run(uid, 'kapturefs', 'get', '-o',
                     f'token_file={place}/token,cache={place}/cache.db', *words)


@pytest.mark.parametrize('key', ['id:7', 'phone:9800000007', 'email:c7@example.com'])
def test_get_shows_no_answer_of_a_forged_mount(world, victim, key):
    world.forge()
    place = world.mount('own', victim)
    result = get(world, victim, place, world.source, key)
    assert_not_believed(result)
    assert (result.returncode, json.loads(result.stdout)['name']) == (0, 'Customer 7')


def test_get_without_a_token_believes_no_forged_mount_either(world, victim):
    world.forge()
    place = world.mount('own', victim)
    (place / 'token').unlink()
    result = get(world, victim, place, world.source, 'id:7')
    assert_not_believed(result)
    assert (result.returncode, json.loads(result.stdout)['name']) == (0, 'Customer 7')


def test_get_asks_the_api_where_only_a_forged_mount_can_be_seen(world, api, victim):
    """Root's mount has the cache, and may not be entered by anybody else."""
    world.forge()
    place = world.mount('own', victim)
    world.run(0, 'mount', '--bind', place / 'mnt', place / 'mnt')
    world.run(0, 'umount', '-l', place / 'mnt')
    world.run(0, 'mount', '-t', 'tmpfs', 'none', place / 'mnt')
    result = get(world, victim, place, world.source, 'id:8')
    world.run(0, 'umount', place / 'mnt')
    assert_not_believed(result)
    assert json.loads(result.stdout)['name'] == 'Customer 8'


@pytest.mark.parametrize('key, other', [
    ('id:8', 'id:7')])
def test_answer_of_another_customer_is_none(world, key, other):
    """Customer 7 is what this mount has for every key, and root has made it."""
    world.forge(uid=0)
    place = world.mount('own', 0)
    result = get(world, 0, place, world.source, key)
    assert (result.returncode, result.stdout, result.stderr) == (
        3, '', f"kapturefs: get: {key}: the mount's answer is another customer's\n")
    result = get(world, 0, place, world.source, other)
    assert (result.returncode, json.loads(result.stdout)['name']) == (0, 'Forged')


def test_status_of_all_leaves_out_what_another_user_has_mounted(world, victim):
    forged = world.forge()
    result = world.run(victim, 'kapturefs', 'status')
    assert (result.returncode, result.stdout, result.stderr) == (
        5, '', 'kapturefs: status: no kapturefs is mounted; 1 mount of other users is left out, '
               'see kapturefs status MOUNTPOINT\n')
    place = world.mount('own', victim)
    result = world.run(victim, 'kapturefs', 'status')
    assert_not_believed(result)
    assert result.returncode == 0 and str(place / 'mnt') in result.stdout
    assert str(forged) not in result.stdout
    assert result.stderr == ('kapturefs: status: 1 mount of other users is left out, see kapturefs '
                             'status MOUNTPOINT\n')
    result = world.run(victim, 'kapturefs', 'status', '--json')
    assert [page['mountpoint'] for page in json.loads(result.stdout)] == [str(place / 'mnt')]


@pytest.mark.parametrize('command', ['status', 'export', 'warm'])
def test_a_foreign_mount_that_is_named_is_refused_with_its_owner(world, victim, command):
    forged = world.forge()
    result = world.run(victim, 'kapturefs', command, forged)
    assert_not_believed(subprocess.CompletedProcess([], 0, result.stdout,
                                                    result.stderr.replace(str(forged), '')))
    assert (result.returncode, result.stdout) == (5, '')
    assert re.fullmatch(rf'kapturefs: ({command}: )?{forged}: user mallory has mounted it, and '
                        r'decides what it says; run this as that user\n', result.stderr)
    # To mallory it is his own.
    assert world.run(MALLORY, 'kapturefs', 'status', forged).returncode == 0


def test_a_foreign_mount_that_is_named_is_unmounted_by_root(world):
    """... who waits for no process that another user's page names."""
    other = world.start_with(['sh', '-c', 'cp "$(command -v cat)" kapturefs-cat && echo ready && '
                              'exec ./kapturefs-cat'], cwd=world.home)
    forged = world.forge(pid=other.pid)
    result = world.run(0, 'kapturefs', 'umount', forged)
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    assert other.poll() is None
    assert world.run(0, 'kapturefs', 'umount', forged).returncode == 5


def test_root_waits_for_the_daemon_of_a_user(world, api):
    place = world.mount('own', ALICE, 'allow_other')
    page = world.run(0, 'cat', place / 'mnt/.kapturefs/status.json')
    result = world.run(0, 'kapturefs', 'umount', place / 'mnt')
    assert (result.returncode, result.stderr) == (0, '')
    assert not os.path.exists(f'/proc/{json.loads(page.stdout)["pid"]}/cwd')
    assert sorted(os.listdir(place)) == ['cache.db', 'mnt', 'token']


def test_a_key_means_no_foreign_mount(world, victim, api):
    forged = world.forge()
    result = world.run(victim, 'kapturefs', 'refresh', 'id:7')
    assert (result.returncode, result.stderr) == (
        5, 'kapturefs: refresh: id:7: no kapturefs is mounted by you or by root\n')
    world.mount('own', victim)
    for words in (['refresh', 'id:7'], ['forget', 'id:7'], ['refresh', 'id:7'],
                  ['forget', '-a', 'id:7']):
        result = world.run(victim, 'kapturefs', *words)
        assert (result.returncode, result.stdout + result.stderr) == (0, ''), words
    # Not even where one stands.
    result = world.run(victim, 'sh', '-c', f'cd {forged} && exec "$0" refresh id:7',
                       world.home / 'kapturefs')
    assert (result.returncode, result.stderr) == (
        5, 'kapturefs: refresh: id:7: user mallory has mounted what you are in, and decides what '
           'it says; give -m MOUNTPOINT\n')


def test_roots_mount_is_everybodys(world):
    """As kapturefs@.service has it mounted: by root, for a daemon of another user."""
    place = world.mount('shared', 0, 'allow_other', 'umask=0222')
    assert f' - fuse.kapturefs {world.source} ro,user_id=0,' in world.run(
        0, 'cat', '/proc/self/mountinfo').stdout
    own = world.place('alice', ALICE)
    result = world.run(ALICE, 'kapturefs', 'status')
    assert result.returncode == 0 and str(place / 'mnt') in result.stdout
    result = world.run(ALICE, 'kapturefs', 'export', place / 'mnt')
    assert (result.returncode, result.stderr) == (0, '')
    assert os.listdir(own)


@pytest.mark.parametrize('uid, is_believed', [(KAPTUREFS, True), (1999, False)])
def test_account_of_the_package_is_believed(world, uid, is_believed):
    """fstab's `setuid=kapturefs`. The name alone is not enough: users may choose theirs."""
    passwd = world.home / 'passwd'
    passwd.write_text(re.sub(rf':{KAPTUREFS}:{KAPTUREFS}:', f':{uid}:{uid}:', passwd.read_text()))
    forged = world.forge(uid=uid)
    result = world.run(ALICE, 'kapturefs', 'status', forged)
    assert (result.returncode == 0) == is_believed, result
