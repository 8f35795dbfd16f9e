# SPDX-License-Identifier: MIT
"""What an ordinary user is told who may not, has not or did not: one line, cause and fix."""

import os
import signal
import subprocess

import pytest

import harness
import users

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason='plays a user, and makes what is missing')

# Another file in the place of one of the machine's, for one command.
INSTEAD = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


@pytest.fixture
def user(api):
    """Runs the program as a user in a home directory: (status, the line on standard error)."""
    with users.home() as home, users.fuse_for_all():
        def run(*words, instead=(), options=(), mountpoint='mnt'):
            if not words:
                given = ','.join(['token_file=token', 'cache=c.db', *options])
                words = ('-o', given, api.url, mountpoint)
            command = users.as_user(home / 'kapturefs', *words)
            if instead:
                command = [harness.APART, 'sh', '-c', INSTEAD, 'sh', *map(str, instead), *command]
            result = subprocess.run(
                command, capture_output=True, text=True, timeout=30, check=False, cwd=home,
                stdin=subprocess.DEVNULL,
                env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': str(home)})
            assert result.stdout == '' and len(result.stderr.splitlines()) <= 1, result
            return result.returncode, result.stderr.removeprefix('kapturefs: ').rstrip('\n')
        run.home = home
        yield run


def make(user, name, text=None, mode=None, owner=users.UID):
    path = user.home / name
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    os.chown(path, owner, owner)
    if mode is not None:
        path.chmod(mode)
    return path


def test_user_can_mount_and_unmount(user):
    assert user() == (0, '')
    assert user('umount', 'mnt') == (0, '')


def test_device_without_permission_names_its_mode(user):
    device = user.home / 'fuse'
    os.mknod(device, 0o600 | 0o020000, os.makedev(10, 229))
    device.chmod(0o600)
    assert user(instead=(device, '/dev/fuse')) == (
        1, "/dev/fuse: Permission denied: its mode is 0600; as root, run chmod 666 /dev/fuse "
           "(udev and Debian's fuse3 do)")


def test_device_that_is_none_is_told_with_the_module(user):
    device = make(user, 'fuse', '')
    os.remove(device)
    os.mknod(device, 0o666 | 0o020000, os.makedev(10, 254))
    device.chmod(0o666)
    status, line = user(instead=(device, '/dev/fuse'))
    assert status == 1 and line.startswith('/dev/fuse: No such ') and 'modprobe fuse' in line


@pytest.mark.parametrize('option', ['allow_other', 'allow_root'])
def test_sharing_that_is_not_for_users_names_the_line(user, option):
    conf = make(user, 'fuse.conf', '# user_allow_other\n')
    assert user(options=[option], instead=(conf, '/etc/fuse.conf')) == (
        1, f'option {option}: not for users here; as root, add the line user_allow_other to '
           '/etc/fuse.conf')
    assert not (user.home / 'c.db').exists()


def test_place_that_the_user_may_not_write_to(user):
    make(user, 'theirs', mode=0o755, owner=0)
    for place in ('theirs', '/proc'):
        assert user(mountpoint=place) == (
            2, f'{place}: Permission denied: to mount on a directory you must be able to write to '
               'it; give one of your own')


def test_sticky_place_of_another_is_told_by_the_helper_in_our_line(user):
    make(user, 'sticky', mode=0o1777, owner=0)
    status, line = user(mountpoint='sticky')
    assert status == 1
    assert line.startswith('cannot mount: mountpoint ') and 'not owned by user' in line
    assert line.endswith('; give a directory of your own')


@pytest.mark.parametrize('name, said', [
    ('none', 'none: no such directory; run mkdir none'),
    ('file', 'file: not a directory; give an empty one')])
def test_place_that_is_no_directory(user, name, said):
    make(user, 'file', '')
    assert user(mountpoint=name) == (2, said)


def test_place_that_is_mounted_already(user):
    assert user() == (0, '')
    assert user() == (2, 'mnt: kapturefs is already mounted there; run kapturefs umount mnt first')


def test_place_whose_daemon_died_is_not_called_mounted_whoever_remembers_it(user):
    assert user() == (0, '')
    # The kernel remembers what the directory looks like for longer than the daemon lives.
    assert users.run('stat', user.home / 'mnt').returncode == 0
    # ... and opens directories by itself as soon as it has been let.
    assert users.run('ls', user.home / 'mnt').returncode == 0
    status = users.run('cat', user.home / 'mnt/.kapturefs/status.json').stdout
    daemon = int(status.split('"pid": ')[1].split(',')[0])
    os.kill(daemon, signal.SIGKILL)
    harness.wait_until(lambda: harness.process_state(daemon) in (None, 'Z'), 'the daemon is dead')
    assert user() == (2, 'mnt: Transport endpoint is not connected: a mount whose daemon died; run '
                         'kapturefs umount mnt (or fusermount3 -uz mnt)')
    assert user('umount', 'mnt') == (0, '')
    assert user() == (0, '')


@pytest.mark.parametrize('change, words', [
    (lambda path: path.unlink(), 'No such file or directory; write the API token into it, as '
     'Kapture issued it, and run chmod 600 on it'),
    (lambda path: path.chmod(0), 'may not be read; run chmod 600 on it'),
    (lambda path: os.chown(path, 0, 0), 'belongs to another user; put a copy into a file of your '
     'own, and run chmod 600 on it'),
    (lambda path: path.write_text('of two words\n'), 'a blank in it, which no token has; write the '
     'token alone')], ids=['missing', 'closed', 'of another user', 'with a blank'])
def test_token_file_that_is_wrong_is_told_with_the_fix(user, change, words):
    change(user.home / 'token')
    assert user() == (2, f'token_file={user.home}/token: {words}')
    result = users.run(user.home / 'kapturefs', 'doctor', '-o',
                       f'token_file={user.home}/token,cache=:memory:', 'http://127.0.0.1:9',
                       env={**os.environ, 'HOME': str(user.home)})
    assert f'token_file={user.home}/token: {words}' in result.stdout


def test_mistyped_cache_makes_no_directory(user):
    place = user.home / 'cahce/kapturefs'
    assert user(options=['cache=cahce/kapturefs/c.db']) == (
        1, f'cache {place}/c.db: no such directory; make it, or give another cache=PATH')
    assert not place.parent.exists()
    result = users.run(user.home / 'kapturefs', 'doctor', '-o',
                       f'token_file={user.home}/token,cache={place}/c.db', 'http://127.0.0.1:9',
                       env={**os.environ, 'HOME': str(user.home)})
    assert f'{place}: no such directory' in result.stdout


def test_directories_of_the_default_cache_are_made(user):
    assert user('-o', 'token_file=token,offline', 'http://127.0.0.1:9', 'mnt') == (0, '')
    assert (user.home / '.cache/kapturefs/127.0.0.1:9.db').exists()
    assert (user.home / '.cache/kapturefs').stat().st_mode & 0o777 == 0o700
