# SPDX-License-Identifier: MIT
"""Whoever takes over the daemon can do little with it, and yet it works.

The attacks are tried by the daemon itself, from a control file that a variant of the program has.
Another variant has them and no confinement: there they succeed.
"""

import ctypes
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys

import pytest

import api as api_module
import harness
import users

ATTACKED = os.environ.get('KAPTUREFS_ATTACKED')
UNCONFINED = os.environ.get('KAPTUREFS_UNCONFINED')
LOCAL = pathlib.Path(__file__).resolve().parent
LANDLOCK = harness.landlock_version()

needs_variants = pytest.mark.skipif(not ATTACKED or not UNCONFINED,
                                    reason='needs the variants that meson builds')
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason='needs a kernel with Landlock')
needs_root = pytest.mark.skipif(os.getuid() != 0, reason='needs root, and plays a user as well')

# What root could do before, and what it takes a later version of Landlock to refuse.
DONE = {'make /etc', 'mkdir /tmp', 'symlink /root', 'make /usr/bin', 'write /etc/passwd',
        'write /etc/shadow', 'write /proc/self/mem', 'list /root', 'execve', 'execveat',
        'process_vm_readv', 'bind', 'kill', 'tgkill'}
LATER = {'bind': 4}
REFUSED = {'EACCES', 'EPERM'}
# A sanitizer stops the other threads to look for leaks; libuv has a ring since 1.45.
ALLOWED = {'io_uring_enter'} if ctypes.CDLL('libuv.so.1').uv_version() >= 0x012d00 else set()
ALLOWED |= {'ptrace', 'kill', 'tgkill'} if harness.HAS_SANITIZER else set()


def outcomes(text):
    """[(what was tried, what came of it)], for each of two threads."""
    return [tuple(line.rsplit(': ', 1)) for line in text.splitlines()]


def through(text):
    """What was let through, or failed for another reason than that it is forbidden."""
    return {what for what, outcome in outcomes(text)
            if outcome not in REFUSED and LATER.get(what, 0) <= LANDLOCK} - ALLOWED


def absent(text):
    """What this machine does not have."""
    return {what for what, outcome in outcomes(text)
            if outcome == 'ENOENT' and what.startswith(('write /', 'list /', 'make /', 'mkdir /',
                                                        'symlink /'))}


@needs_root
@needs_variants
@needs_landlock
def test_what_is_tried_below_is_let_through_without_confinement(mounts, api, monkeypatch):
    monkeypatch.setattr(harness, 'BINARY', UNCONFINED)
    mount = mounts(api.url)
    attack = (mount / '.kapturefs/attack').read_text()
    assert {what for what, outcome in outcomes(attack) if outcome == '0'} >= DONE


@needs_root
@needs_variants
@needs_landlock
def test_roots_daemon_can_write_run_and_look_nowhere(mounts, api, monkeypatch):
    monkeypatch.setattr(harness, 'BINARY', ATTACKED)
    api.add_numbers([7])
    mount = mounts(api.url, log_file=f'{mounts.directory}/log')
    attack = (mount / '.kapturefs/attack').read_text()
    assert len(outcomes(attack)) > 100 and {what for what, _ in outcomes(attack)} >= DONE
    assert through(attack) - absent(attack) == set()
    # It goes on as if nothing had been.
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


@pytest.fixture
def user_mount(api, monkeypatch):
    """A mount of an ordinary user's, of the variant that attacks."""
    monkeypatch.setattr(harness, 'BINARY', ATTACKED)
    with users.fuse_for_all(), users.home() as home:
        process = subprocess.Popen(
            users.as_user(home / 'kapturefs', '-f', '-o', f'token_file={home}/token,'
                          f'cache={home}/cache.db', api.url, home / 'mnt'),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd='/',
            env={'HOME': str(home)})
        process.log = harness.Lines(process.stderr)
        process.path = home / 'mnt'
        try:
            assert process.log.wait_for('session: mounted'), process.log.text()
            yield process
        finally:
            process.kill()
            process.wait()


@needs_root
@needs_variants
@needs_landlock
def test_a_users_daemon_can_write_run_and_look_nowhere(user_mount):
    result = users.run('cat', user_mount.path / '.kapturefs/attack')
    assert through(result.stdout) - absent(result.stdout) == set(), result.stderr
    assert 'execve: EPERM' in result.stdout
    user_mount.terminate()
    assert user_mount.wait(harness.END_SECONDS) == 0
    assert harness.mount_entry(user_mount.path) is None


def test_status_says_what_is_in_force(mounts, api):
    mount = mounts(api.url)
    words = f'Landlock {LANDLOCK}, seccomp, no new privileges' if LANDLOCK else \
        'seccomp, no new privileges'
    status = harness.command('status', mount.path).stdout
    assert re.search(r'^confined +(.*)$', status, re.MULTILINE)[1] == words
    facts = json.loads(harness.command('status', '--json', mount.path).stdout)
    assert facts['confinement'] == {'landlock': LANDLOCK, 'seccomp': True,
                                    'no_new_privileges': True}
    for task in pathlib.Path(f'/proc/{mount.process.pid}/task').iterdir():
        fields = dict(line.split(':\t', 1) for line in (task / 'status').read_text().splitlines()
                      if ':\t' in line)
        assert (fields['Seccomp'], fields['NoNewPrivs']) == ('2', '1')


def status_of(pid):
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    return dict(line.split(':\t', 1) for line in lines if ':\t' in line)


def test_who_asks_before_a_strict_mount_is_confined_too(scratch, api):
    api.sees_mounting = True
    gate = api.hold(api_module.MOUNT_KEY)
    token = harness.write_token(scratch)
    mounting = harness.start(harness.BINARY, '-o', f'token_file={token},cache=:memory:,strict',
                             api.url, scratch / 'mnt')
    api.wait_for(1)
    children = pathlib.Path(f'/proc/{mounting.pid}/task/{mounting.pid}/children')
    asking, = children.read_text().split()
    assert (status_of(asking)['Seccomp'], status_of(asking)['NoNewPrivs']) == ('2', '1')
    gate.set()
    assert harness.finish(mounting)[0] == 0
    subprocess.run(['umount', scratch / 'mnt'], check=True, timeout=30)


@pytest.mark.skipif(harness.SANITIZER_THREADS, reason='has a thread of its own')
def test_no_thread_is_there_before(mounts, api):
    mount = mounts(api.url)
    assert 'confinement: ' not in mount.log.text()


class Filter(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('steps', ctypes.c_char_p)]


def have_no_landlock():
    """For this process, by seccomp(2), have the kernel be one before 5.13."""
    no_new_privileges, set_filter, mode = 38, 22, 2
    steps = b''.join(struct.pack('=HBBI', *step) for step in [
        (0x20, 0, 0, 0),            # the number of the call
        (0x35, 0, 2, 444),          # below that of landlock_create_ruleset()
        (0x25, 1, 0, 446),          # above that of landlock_restrict_self()
        (0x06, 0, 0, 0x50000 | errno.ENOSYS),
        (0x06, 0, 0, 0x7fff0000)])
    libc = ctypes.CDLL(None)
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    libc.prctl(set_filter, mode, ctypes.byref(Filter(len(steps) // 8, steps)))


@needs_root
def test_a_kernel_without_landlock_is_told_of_and_does(mounts, api, monkeypatch):
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, 'Popen', lambda *words, **more: start(
        *words, **{'preexec_fn': have_no_landlock, **more}))
    api.add_numbers([7])
    mount = mounts(api.url)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert mount.log.wait_for('confinement: files are not confined')
    confinement = json.loads((mount / '.kapturefs/status.json').read_text())['confinement']
    assert confinement == {'landlock': 0, 'seccomp': True, 'no_new_privileges': True}
    rows = json.loads(harness.command('doctor', '--json').stdout)['checks']
    row = next(row for row in rows if row['name'] == 'confinement')
    assert (row['verdict'], 'lsm=' in row['fix']) == ('note', True)


def test_doctor_says_what_the_kernel_has():
    rows = json.loads(harness.command('doctor', '--json').stdout)['checks']
    row = next(row for row in rows if row['name'] == 'confinement')
    assert (f'Landlock {LANDLOCK}' in row['text']) == bool(LANDLOCK)
    assert 'seccomp' in row['text']


# What it must still be able to do

def test_a_log_that_is_rotated_by_renaming_is_made_anew(mounts, api, tmp_path):
    log = tmp_path / 'log'
    mount = mounts(api.url, log_file=str(log))
    log.rename(tmp_path / 'log.1')
    mount.process.send_signal(signal.SIGHUP)
    harness.wait_until(lambda: log.exists() and 'config: read again' in log.read_text(),
                       'the new log is written to')


def test_a_token_and_headers_that_are_renamed_into_place_are_taken_up(mounts, api, tmp_path):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    api.token = 'YW5vdGhlci10b2tlbg=='
    assert harness.errno_of(os.stat, mount / 'by-id/9') != 0
    new = tmp_path / 'new'
    new.mkdir()
    os.replace(harness.write_token(new, api.token), mount.options['token_file'])
    mount.secrets.append(api.token)
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'


@needs_landlock
def test_a_token_that_the_configuration_comes_to_name_elsewhere_is_said_to_be_out_of_reach(
        mounts, api, tmp_path):
    here, there = tmp_path / 'here', tmp_path / 'there'
    here.mkdir()
    there.mkdir()
    config = here / 'config'
    config.write_text(f'[{api.url}]\ntoken_file = {harness.write_token(here)}\n')
    # Where it is alone: the daemon may also reach what is beside the cache's directory.
    (tmp_path / 'caches').mkdir()
    (tmp_path / 'caches/own').mkdir()
    mount = mounts(api.url, config=config, token_file=None, cache=f'{tmp_path}/caches/own/cache.db')
    config.write_text(f'[{api.url}]\ntoken_file = {harness.write_token(there)}\n')
    mount.process.send_signal(signal.SIGHUP)
    line = mount.log.wait_for('token: the old one is kept')
    assert f'{there}/token' in line and 'confined itself' in line and 'mount again' in line


def test_a_cache_below_a_link_is_written_and_made_anew(mounts, api, tmp_path):
    api.add_numbers([7, 8])
    (tmp_path / 'place').mkdir()
    (tmp_path / 'link').symlink_to('place')
    mount = mounts(api.url, cache=f'{tmp_path}/link/cache.db')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    for path in (tmp_path / 'place').iterdir():
        path.unlink()
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    mount.process.terminate()
    assert mount.wait() == 0
    assert (tmp_path / 'place/cache.db').stat().st_size > 0


def test_a_caches_directory_that_is_removed_and_made_again_is_taken_up(mounts, api, tmp_path):
    """The place that it is in is ours alone."""
    api.add_numbers([7, 8])
    place = tmp_path / 'place'
    folder = place / 'folder'
    place.mkdir(mode=0o700)
    folder.mkdir(mode=0o700)
    mount = mounts(api.url, cache=f'{folder}/cache.db')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    mount.process.terminate()
    assert mount.wait() == 0
    assert [path.name for path in folder.iterdir()] == ['cache.db']


@needs_root
def test_a_users_caches_that_are_removed_whole_are_made_anew_for_the_daemon(api):
    """Whoever empties ~/.cache and has the directory again has the cache again."""
    api.add_numbers([7, 8])
    with users.fuse_for_all(), users.home() as home:
        folder = home / '.cache/kapturefs'
        process = subprocess.Popen(
            users.as_user(home / 'kapturefs', '-f', '-o', f'token_file={home}/token', api.url,
                          home / 'mnt'),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd='/',
            env={'HOME': str(home)})
        log = harness.Lines(process.stderr)
        try:
            assert log.wait_for('session: mounted'), log.text()
            assert users.run('cat', home / 'mnt/by-id/7/name').stdout == 'Customer 7\n'
            shutil.rmtree(folder)
            assert users.run('mkdir', '-m', '700', folder).returncode == 0
            assert users.run('cat', home / 'mnt/by-id/8/name').stdout == 'Customer 8\n'
            process.terminate()
            assert process.wait(harness.END_SECONDS) == 0
            assert [path.suffix for path in folder.iterdir()] == ['.db']
        finally:
            process.kill()
            process.wait()


def can_have_namespaces():
    return os.getuid() == 0 and shutil.which('unshare') and subprocess.run(
        ['unshare', '--mount', '--net', 'true'], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_have_namespaces(), reason='needs namespaces of mounts and networks')
def test_a_resolv_conf_that_is_renamed_into_place_is_taken_up(tmp_path):
    result = subprocess.run(
        ['unshare', '--mount', '--propagation', 'private', '--net', sys.executable,
         LOCAL / 'resolving.py', tmp_path],
        capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stdout) == (0, 'unknown\nCustomer 7\n'), result.stderr
