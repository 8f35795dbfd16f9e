# SPDX-License-Identifier: MIT
"""What the daemon may do once it has mounted: nothing that it does not need."""

import contextlib
import ctypes
import errno
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

import harness
import users

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason='needs root, and plays a user as well')

libc = ctypes.CDLL(None, use_errno=True)

PIDFD_GETFD = 438
CAP_SYS_ADMIN = 1 << 21
NONE = {'CapInh': 0, 'CapPrm': 0, 'CapEff': 0, 'CapBnd': 0, 'CapAmb': 0, 'NoNewPrivs': 1}


def threads(pid):
    return [int(path.name) for path in pathlib.Path(f'/proc/{pid}/task').iterdir()]


def children(pid):
    return [int(word) for task in pathlib.Path(f'/proc/{pid}/task').iterdir()
            for word in (task / 'children').read_text().split()]


def unmounter_of(mount):
    """Of a mount of the harness, or of the process that has mounted."""
    pid, = children(getattr(mount, 'process', mount).pid)
    return pid


def await_watch(unmounter):
    harness.wait_until(lambda: 'anon_inode:[signalfd]' in files_of(unmounter).values(),
                       'the unmounter watches')


def files_of(pid):
    """What the process has open, as it is at the moment."""
    files = {}
    for path in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        with contextlib.suppress(FileNotFoundError):
            files[path.name] = os.readlink(path)
    return files


def gone(pid):
    return lambda: harness.process_state(pid) in (None, 'Z')


@pytest.fixture
def public():
    """A directory through which every user can go."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


# Root

def test_root_keeps_no_capability_in_any_thread(mounts, api):
    mount = mounts(api.url)
    os.listdir(mount / 'by-id')
    assert len(threads(mount.process.pid)) > 1
    for thread in threads(mount.process.pid):
        assert users.privileges(thread) == {**NONE, 'Uid': {0}}


def test_what_root_mounts_is_as_libfuse_would_mount_it(mounts, api):
    mount = mounts(api.url)
    device, source, kind, options = harness.mount_entry(mount.path)
    assert (source, kind) == (api.url, 'fuse.kapturefs')
    assert {'ro', 'nosuid', 'nodev', 'noexec', 'default_permissions', 'user_id=0',
            'group_id=0'} <= set(options.split(','))
    assert 'allow_other' not in options


def test_allow_root_lets_nobody_else_read_what_the_kernel_has(mounts, api, public):
    api.add_numbers([7])
    mount = harness.Mount(api.url, public, allow_root=True, umask='0222')
    mounts.all.append(mount)
    (mount / 'by-id/7/name').read_text()
    os.listdir(mount / 'by-id/7')
    for command in (['cat', mount / 'by-id/7/name'], ['ls', mount / 'by-id/7'],
                    ['stat', mount / 'by-id/7/name'], ['ls', mount.path]):
        other = users.run(*command)
        assert (other.returncode != 0, other.stdout) == (True, ''), command
        assert 'Permission denied' in other.stderr
    assert os.stat(mount / 'by-id/7/name').st_mode & 0o777 == 0o400
    mount.close()


def test_allow_root_with_another_owner_is_refused(public, api):
    os.mkdir(f'{public}/mnt')
    result = subprocess.run(
        [harness.BINARY, '-f', '-o', harness.join_options(
            {'token_file': harness.write_token(public), 'cache': ':memory:', 'allow_root': True,
             'uid': users.UID}), api.url, f'{public}/mnt'],
        capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stderr) == (
        2, 'kapturefs: option uid: allow_root lets in who mounts and root, nobody else; leave out '
           'uid or take allow_other\n')


def test_unmounter_can_unmount_and_nothing_else(mounts, api):
    mount = mounts(api.url)
    pid = unmounter_of(mount)
    harness.wait_until(lambda: users.privileges(pid)['NoNewPrivs'] == 1, 'it has given up the rest')
    harness.wait_until(lambda: users.privileges(pid)['CapPrm'] == CAP_SYS_ADMIN, '... all of it')
    assert users.privileges(pid) == {
        'CapInh': 0, 'CapPrm': CAP_SYS_ADMIN, 'CapEff': CAP_SYS_ADMIN, 'CapBnd': CAP_SYS_ADMIN,
        'CapAmb': 0, 'NoNewPrivs': 1, 'Uid': {0}}
    process = pathlib.Path(f'/proc/{pid}')
    assert (process / 'environ').read_bytes() == b''
    assert (process / 'cmdline').read_bytes() == b'kapturefs-unmounter\0'
    files = files_of(pid)
    assert files.pop('0').startswith('socket:')
    assert files == {'1': '/dev/null', '2': '/dev/null', '3': 'anon_inode:[signalfd]'}
    assert os.readlink(process / 'cwd') == '/'


def test_no_signal_but_the_last_ends_the_unmounter(mounts, api):
    mount = mounts(api.url)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(unmounter_of(mount), number)
    mount.process.terminate()
    assert mount.wait() == 0
    assert harness.mount_entry(mount.path) is None


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_ending_leaves_no_mount_although_a_file_is_open(mounts, api, number):
    api.add_numbers([7])
    mount = mounts(api.url)
    pid = unmounter_of(mount)
    held = os.open(mount / 'by-id/7/name', os.O_RDONLY)
    mount.process.send_signal(number)
    assert mount.wait() == 0
    assert harness.mount_entry(mount.path) is None
    # To close what has lost its daemon tells of it, and closes.
    assert harness.errno_of(os.close, held) in (0, errno.ENOTCONN, errno.ECONNABORTED)
    assert os.listdir(mount.path) == []
    assert gone(pid)()


def test_sudden_death_leaves_an_error_no_empty_directory_and_no_process(mounts, api):
    mount = mounts(api.url)
    pid = unmounter_of(mount)
    mount.expected_status = -signal.SIGKILL
    mount.process.kill()
    mount.wait()
    harness.wait_until(gone(pid), 'the unmounter ends')
    assert harness.errno_of(os.listdir, mount.path) == errno.ENOTCONN
    subprocess.run(['umount', mount.path], check=True, timeout=30)


@pytest.fixture
def borrowed_files():
    """Keeps open what a process has open, as a thread of it does that SIGKILL cannot end."""
    borrowed = []

    def borrow(pid):
        process = os.pidfd_open(pid)
        for number, name in files_of(pid).items():
            if name.startswith(('/dev/fuse', 'socket:')):
                borrowed.append(libc.syscall(PIDFD_GETFD, process, int(number), 0))
                assert borrowed[-1] >= 0, os.strerror(ctypes.get_errno())
        os.close(process)

    yield borrow
    for descriptor in borrowed:
        os.close(descriptor)


def test_nobody_waits_for_a_dead_daemon_whose_connection_stays_open(mounts, api, borrowed_files):
    api.add_numbers([7])
    api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start('stat', mount / 'by-id/7')
    api.wait_for(1)
    await_watch(unmounter_of(mount))
    borrowed_files(mount.process.pid)
    mount.expected_status = -signal.SIGKILL
    mount.process.kill()
    mount.wait()
    status, _, errors = harness.finish(waiting)
    assert (status, b'connection abort' in errors) == (1, True)
    assert harness.errno_of(os.listdir, mount.path) == errno.ENOTCONN
    # Whoever breaks it holds the mount for the moment.
    harness.wait_until(lambda: harness.finish(harness.start('umount', mount.path))[0] == 0,
                       'it can be unmounted')


def test_a_signal_of_anybody_else_breaks_no_connection(mounts, api):
    mount = mounts(api.url)
    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        os.kill(unmounter_of(mount), number)
    time.sleep(1.5)
    assert 'by-id' in os.listdir(mount.path)


def test_auto_unmount_takes_the_mount_of_a_dead_daemon_away(mounts, api):
    mount = mounts(api.url, auto_unmount=True)
    mount.expected_status = -signal.SIGKILL
    mount.process.kill()
    mount.wait()
    harness.wait_until(lambda: harness.mount_entry(mount.path) is None, 'the mount goes')


def test_a_mount_on_top_is_not_the_unmounters(mounts, api):
    mount = mounts(api.url)
    subprocess.run(['mount', '-t', 'tmpfs', 'on-top', mount.path], check=True, timeout=30)
    mount.process.terminate()
    assert mount.wait() == 0
    assert harness.mount_entry(mount.path)[1] == 'on-top'
    subprocess.run(['umount', mount.path], check=True, timeout=30)
    assert harness.errno_of(os.listdir, mount.path) == errno.ENOTCONN
    subprocess.run(['umount', mount.path], check=True, timeout=30)


def test_a_mount_point_behind_a_symbolic_link_is_the_place_that_it_names(scratch, api):
    (scratch / 'link').symlink_to('mnt')
    token = harness.write_token(scratch)
    result = harness.command('-o', f'token_file={token},cache=:memory:', api.url, scratch / 'link')
    assert (result.returncode, result.stderr) == (0, '')
    assert harness.mount_entry(scratch / 'mnt')[1] == api.url
    subprocess.run(['umount', scratch / 'mnt'], check=True, timeout=30)


# Users

@pytest.fixture
def user_mount(api):
    """A mount in the foreground that an ordinary user has made by fusermount3."""
    api.add_numbers([7])
    with users.fuse_for_all(), users.home() as home:
        process = subprocess.Popen(
            users.as_user(home / 'kapturefs', '-f', '-o',
                          f'token_file={home}/token,cache={home}/cache.db', api.url, home / 'mnt'),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd='/',
            env={'HOME': str(home), 'PATH': os.environ['PATH']})
        process.log = harness.Lines(process.stderr)
        process.path = home / 'mnt'
        process.expected_status = 0
        try:
            assert process.log.wait_for('session: mounted'), process.log.text()
            yield process
            assert process.wait(harness.END_SECONDS) == process.expected_status
            process.log.join(harness.END_SECONDS)
            assert harness.suspicious_lines(process.log.text(), [harness.TOKEN]) == []
            assert harness.mount_entry(process.path) is None
        finally:
            process.kill()
            process.wait()


def test_a_user_mounts_and_reads_and_nobody_else_does(user_mount):
    result = users.run('cat', user_mount.path / 'by-id/7/name')
    assert (result.stdout, result.stderr) == ('Customer 7\n', '')
    assert harness.errno_of(os.listdir, user_mount.path) == errno.EACCES
    result = users.run('fusermount3', '-u', user_mount.path)
    assert (result.returncode, result.stderr) == (0, '')


def test_a_users_daemon_has_no_capability_and_its_mount_goes_with_it(user_mount):
    held = users.privileges(user_mount.pid)
    assert (held['CapPrm'], held['CapEff'], held['CapAmb'], held['Uid']) == (0, 0, 0, {users.UID})
    # fusermount3 is set-user-ID, so that who is to run it in the end is another process.
    assert held['NoNewPrivs'] == 1
    assert users.privileges(unmounter_of(user_mount))['NoNewPrivs'] == 0
    user_mount.terminate()
    assert user_mount.wait(harness.END_SECONDS) == 0
    assert harness.mount_entry(user_mount.path) is None


def test_nobody_waits_for_a_users_daemon_whose_connection_stays_open(user_mount, api,
                                                                     borrowed_files):
    subprocess.run(['mount', '-t', 'fusectl', 'fusectl', '/sys/fs/fuse/connections'],
                   capture_output=True, check=False, timeout=30)
    api.hold(('id', '7'))
    waiting = harness.start(*users.as_user('stat', user_mount.path / 'by-id/7'))
    api.wait_for(1)
    await_watch(unmounter_of(user_mount))
    borrowed_files(user_mount.pid)
    user_mount.expected_status = -signal.SIGKILL
    user_mount.kill()
    status, _, errors = harness.finish(waiting)
    assert (status, b'connection abort' in errors) == (1, True)
    harness.wait_until(lambda: users.run('fusermount3', '-u', user_mount.path).returncode == 0,
                       'it can be unmounted')


# Somebody else mounts

@pytest.mark.parametrize('options, uid', [('drop_privileges', 0),
                                          ('setuid=nobody,drop_privileges', users.UID)])
def test_mount_fuse3_mounts_for_a_daemon_without_privileges(api, options, uid):
    """As from fstab. mount(8) looks in the system's folders only, so the program is put there."""
    api.add_numbers([7])
    with users.home() as home:
        for path in (home, home / 'token'):
            os.chown(path, uid, uid)
        script = ('mount --bind "$1" /usr/local/bin && mount -t fuse.kapturefs "$2" "$1/mnt" '
                  '-o "$3" && pid=$(pgrep -nf "^kapturefs $2 ") && '
                  'grep -E "^(Cap|NoNewPrivs|Uid)" /proc/$pid/status && '
                  'cat "$1/mnt/by-id/7/name"; umount "$1/mnt"')
        result = subprocess.run(
            [harness.APART, 'sh', '-c', script, 'sh', str(home), api.url,
             f'{options},ro,allow_other,default_permissions,umask=0222,token_file={home}/token,'
             'cache=:memory:'],
            capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
        assert (result.returncode, result.stderr) == (0, '')
        *status, value = result.stdout.splitlines()
        assert value == 'Customer 7'
        words = dict(line.split(':', 1) for line in status)
        # What the bounding set would let through, no new privileges keeps out.
        assert {int(words[name], 16) for name in words
                if name.startswith('Cap') and name != 'CapBnd'} == {0}
        assert words['NoNewPrivs'].strip() == '1'
        assert set(words['Uid'].split()) == {str(uid)}


def test_all_are_let_in_only_where_the_kernel_looks_at_owner_and_mode(api):
    """mount.fuse3 asks the kernel for what it is told to, and for nothing else."""
    with users.home() as home:
        script = ('mount --bind "$1" /usr/local/bin && mount -t fuse.kapturefs "$2" "$1/mnt" '
                  '-o "$3"')
        result = subprocess.run(
            [harness.APART, 'sh', '-c', script, 'sh', str(home), api.url,
             f'setuid=nobody,drop_privileges,allow_other,token_file={home}/token,cache=:memory:'],
            capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
        assert result.returncode != 0
        assert 'allow_other without default_permissions' in result.stderr


def test_a_descriptor_that_is_no_connection_is_refused(scratch):
    token = harness.write_token(scratch)
    for number in ('0', '99'):
        result = harness.command('-o', f'token_file={token}', 'acme', f'/dev/fd/{number}')
        assert result.returncode == 2
        assert result.stderr.startswith(f'kapturefs: /dev/fd/{number}: ')
        assert len(result.stderr.splitlines()) == 1
