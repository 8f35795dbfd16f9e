# SPDX-License-Identifier: MIT
"""`kapturefs umount`: the mount is gone, the daemon has ended, or it is said who is in the way."""

import os
import shutil
import signal
import subprocess

import pytest

import harness
import users
from harness import command, join_options


@pytest.fixture
def mounted(scratch, api):
    """Mounts in the background; returns the mount point."""
    api.add_numbers([7])
    options = {'token_file': harness.write_token(scratch), 'cache': scratch / 'cache.db'}

    def mount():
        result = command('-o', join_options(options), api.url, scratch / 'mnt')
        assert result.returncode == 0, result
        return scratch / 'mnt'
    yield mount
    harness.unmount_whatever_it_takes(scratch / 'mnt')


def daemon_of(mnt):
    import json
    return json.loads((mnt / '.kapturefs/status.json').read_text())['pid']


def unmounted(result):
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


@pytest.mark.parametrize('spelling', ['{}', '{}/', '{}/.', 'mnt', './mnt', '../{name}/mnt'])
def test_umount_returns_when_the_daemon_has_ended(mounted, scratch, spelling):
    mnt = mounted()
    daemon = daemon_of(mnt)
    assert (mnt / 'by-id/7/name').read_text() == 'Customer 7\n'
    unmounted(command('umount', spelling.format(mnt, name=scratch.name), cwd=scratch))
    assert harness.process_state(daemon) in (None, 'Z')
    assert harness.mount_entry(mnt) is None
    # The cache is closed: its log has been taken in.
    assert sorted(os.listdir(scratch)) == ['cache.db', 'mnt', 'token']


def test_umount_through_a_link(mounted, scratch):
    mounted()
    (scratch / 'link').symlink_to('mnt')
    unmounted(command('umount', scratch / 'link'))
    assert harness.mount_entry(scratch / 'mnt') is None


def test_mount_can_be_made_again_at_once(mounted):
    for _ in range(5):
        unmounted(command('umount', mounted()))


def test_busy_mount_stays_and_says_who_is_in_it(mounted):
    mnt = mounted()
    inside = subprocess.Popen(['sleep', '60'], cwd=mnt)
    try:
        result = command('umount', mnt)
        assert result.returncode not in (0, 2)
        assert result.stderr == (f'kapturefs: umount: {mnt}: busy: sleep ({inside.pid}) is in it; '
                                 'end it and try again\n')
        assert os.listdir(mnt / 'by-id') == []
    finally:
        inside.kill()
        inside.wait()
    unmounted(command('umount', mnt))


def test_busy_mount_says_who_has_a_file_of_it_open(mounted):
    mnt = mounted()
    with open(mnt / '.kapturefs/version', encoding='utf-8') as file:
        reader = subprocess.Popen(['sleep', '60'], stdin=file)
    try:
        assert f'sleep ({reader.pid}) has a file of it open' in command('umount', mnt).stderr
    finally:
        reader.kill()
        reader.wait()
    unmounted(command('umount', mnt))


def test_name_of_who_is_in_it_reaches_no_terminal_raw(mounted, tmp_path):
    mnt = mounted()
    program = shutil.copy(shutil.which('sleep'), tmp_path / 'a\x1b[1m\x9bb')
    inside = subprocess.Popen([program, '60'], cwd=mnt)
    try:
        assert f': busy: a?[1m?b ({inside.pid}) is in it; ' in command('umount', mnt).stderr
    finally:
        inside.kill()
        inside.wait()
    unmounted(command('umount', mnt))


@pytest.mark.parametrize('is_busy', [False, True])
def test_dead_mount_is_taken_away(mounted, is_busy):
    mnt = mounted()
    daemon = daemon_of(mnt)
    inside = subprocess.Popen(['sleep', '60'], cwd=mnt) if is_busy else None
    os.kill(daemon, signal.SIGKILL)
    harness.wait_until(lambda: harness.process_state(daemon) in (None, 'Z'), 'the daemon is dead')
    try:
        unmounted(command('umount', mnt))
        assert harness.mount_entry(mnt) is None
    finally:
        if inside:
            inside.kill()
            inside.wait()


@pytest.mark.parametrize('words, said', [
    (['{}'], 'no kapturefs is mounted there'), (['{}/none'], 'No such file'),
    (['/proc'], 'no kapturefs is mounted there'), ([], 'MOUNTPOINT'), (['{}', '{}'], 'MOUNTPOINT'),
    (['--lazy', '{}'], '--lazy: unknown option')])
def test_what_is_no_mount_is_one_line(scratch, words, said):
    result = command('umount', *(word.format(scratch / 'mnt') for word in words))
    assert result.returncode != 0 and result.stdout == ''
    line, = result.stderr.splitlines()
    assert said in line


@pytest.mark.skipif(os.getuid() != 0, reason='plays a user as well')
def test_user_unmounts_what_is_theirs(api):
    with users.home() as home, users.fuse_for_all():
        options = f'token_file={home}/token,cache={home}/cache.db'
        result = users.run(home / 'kapturefs', '-o', options, api.url, home / 'mnt',
                           env={**os.environ, 'HOME': str(home)})
        assert result.returncode == 0, result
        result = users.run(home / 'kapturefs', 'umount', home / 'mnt')
        assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
        assert not (home / 'cache.db-wal').exists()


@pytest.mark.skipif(os.getuid() != 0, reason='plays a user as well')
def test_user_may_not_unmount_what_is_anothers(mounted, scratch):
    mnt = mounted()
    with users.home() as home:
        for path in (scratch, *scratch.parents):
            if path.stat().st_uid == 0 and str(path).startswith('/tmp/'):
                path.chmod(path.stat().st_mode | 0o055)
        result = users.run(home / 'kapturefs', 'umount', mnt)
        assert result.returncode not in (0, 2)
        line, = result.stderr.splitlines()
        assert line.startswith(f'kapturefs: umount: {mnt}: ')
    assert harness.mount_entry(mnt) is not None
