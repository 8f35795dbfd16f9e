# SPDX-License-Identifier: MIT
"""What each command does to its own process before anything else."""

import fcntl
import os
import pathlib
import re
import resource
import signal
import subprocess

import pytest

import harness
import users

# What is no command's name alone.
WORDS = {'': ['acme'], '--check-config': ['--check-config', '/nonexistent'],
         'sandbox': ['sandbox', '--port', '0']}


def commands():
    """The table of commands, and what is none of it: a mount without a command, --check-config."""
    names = re.findall(r'^(?:usage:|      ) kapturefs ([a-z]+)', harness.command('--help').stdout,
                       re.MULTILINE)
    return ['mount', *names, *WORDS.keys() - names]


def unwritable():
    """(reading, writing end) of a pipe that is full."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b'x' * fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ))
    os.set_blocking(writing, True)
    return reading, writing


@pytest.fixture
def held():
    """Starts a command that comes to wait in its first output, for nobody reads that."""
    reading, writing = unwritable()
    processes = []

    def hold(words, **more):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing,
                                   **more)
        processes.append(process)
        harness.wait_until(lambda: waits_in_write(process), f'{words} writes')
        return process

    yield hold
    for process in processes:
        process.kill()
        process.wait()
    os.close(reading)
    os.close(writing)


def waits_in_write(process):
    assert process.poll() is None, process.args
    words = pathlib.Path(f'/proc/{process.pid}/syscall').read_text().split()
    return words[0] in WRITE and words[1] in ('0x1', '0x2')


# The numbers of write() and writev(), as /proc/PID/syscall has them.
WRITE = {'x86_64': ('1', '20'), 'aarch64': ('64', '66')}.get(os.uname().machine, ())

needs_root = pytest.mark.skipif(os.getuid() != 0 or not WRITE,
                                reason='looks at a process as root only can')


# Cores

def allow_cores():
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def leaves_core(process):
    # Not SIGSEGV: a sanitizer would have a lot to say about it, and nobody would read that.
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


@needs_root
def test_the_table_of_commands_has_been_read():
    assert {'mount', 'get', 'export', 'warm', 'status', 'version'} <= set(commands())


@needs_root
@pytest.mark.parametrize('name', sorted(commands()))
def test_no_command_leaves_a_core_or_lets_others_look_in(held, scratch, name):
    words = WORDS.get(name, [name])
    with users.home() as home:
        process = held(users.as_user(home / 'kapturefs', *words), cwd=scratch,
                       preexec_fn=allow_cores)
        limits = pathlib.Path(f'/proc/{process.pid}/limits').read_text()
        assert re.search(r'^Max core file size +0 +0 ', limits, re.MULTILINE), limits
        # The files of a process that may not be looked at are root's.
        assert os.stat(f'/proc/{process.pid}/environ').st_uid == 0
        assert not leaves_core(process)


@needs_root
def test_a_program_that_does_nothing_against_it_leaves_one(held, scratch):
    """Otherwise nothing above would prove anything."""
    os.chown(scratch, users.UID, users.GID)
    process = held(users.as_user('echo', 'words'), cwd=scratch, preexec_fn=allow_cores)
    limits = pathlib.Path(f'/proc/{process.pid}/limits').read_text()
    assert not re.search(r'^Max core file size +0 +0 ', limits, re.MULTILINE), limits
    assert os.stat(f'/proc/{process.pid}/environ').st_uid == users.UID


# Files of whoever has started it

def descriptors(pid):
    """{number: (what is open, whether a program that is executed gets it)}"""
    found = {}
    for path in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        flags = re.search(r'^flags:\s+(\d+)$', pathlib.Path(
            f'/proc/{pid}/fdinfo/{path.name}').read_text(), re.MULTILINE)[1]
        found[int(path.name)] = os.readlink(path), not int(flags, 8) & os.O_CLOEXEC
    return found


@pytest.fixture
def left_open(tmp_path):
    """A secret of somebody else's that whoever starts us forgot to close, high and low."""
    path = tmp_path / 'left-open'
    path.touch()
    low = os.open(path, os.O_WRONLY)
    high = fcntl.fcntl(low, fcntl.F_DUPFD, 500)
    yield path, (low, high)
    os.close(low)
    os.close(high)


@needs_root
@pytest.mark.parametrize('name', sorted(commands()))
def test_no_command_hands_on_what_was_left_open(held, left_open, name):
    path, numbers = left_open
    process = held([harness.BINARY, *WORDS.get(name, [name])], pass_fds=numbers)
    found = [is_handed_on for what, is_handed_on in descriptors(process.pid).values()
             if what == str(path)]
    # Whether the configuration names it is not known yet where there is one.
    has_configuration = name in ('', 'mount', 'attach', 'get', 'doctor', '--check-config')
    assert found == ([False, False] if has_configuration else [])


@needs_root
def test_a_daemon_holds_nothing_that_was_left_open(mounts, api, left_open, monkeypatch):
    path, numbers = left_open
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, 'Popen', lambda *words, **more: start(
        *words, **{'pass_fds': numbers, **more}))
    mount = mounts(api.url)
    for pid in (mount.process.pid, *children_of(mount.process.pid)):
        assert str(path) not in [what for what, _ in descriptors(pid).values()]


def children_of(pid):
    return pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()


def test_what_is_named_is_kept(tmp_path, mounts, api, monkeypatch):
    """As the configuration, in it, and as an operand."""
    log = os.open(tmp_path / 'log', os.O_RDWR | os.O_CREAT, 0o600)
    config = os.memfd_create('config', 0)
    os.fchmod(config, 0o600)
    os.write(config, f'[{api.url}]\nlog_file = /dev/fd/{log}\n'.encode())
    os.lseek(config, 0, os.SEEK_SET)
    start = subprocess.Popen
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, 'Popen', lambda *words, **more: start(
            *words, **{'pass_fds': (log, config), **more}))
        mount = mounts(api.url, config=f'/proc/self/fd/{config}')
    assert 'session: mounted' in (tmp_path / 'log').read_text()
    os.close(log)
    os.close(config)
    api.add_numbers([7])
    result = subprocess.run(
        ['bash', '-c', '"$0" warm "$1" <(echo id:7)', harness.BINARY, mount.path],
        capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
    assert os.listdir(mount / 'by-id') == ['7']


# The environment of whoever has started it

KEPT = {'HOME': '/nonexistent', 'TZ': 'UTC', 'LANG': 'C.UTF-8', 'TERM': 'vt100', 'NO_COLOR': '1'}
TAKEN = {'HOSTALIASES': '/nonexistent', 'GCONV_PATH': '/nonexistent', 'OPENSSL_CONF': '/dev/null',
         'SSL_CERT_FILE': '/nonexistent', 'SSLKEYLOGFILE': '/nonexistent', 'RES_OPTIONS': 'debug',
         'http_proxy': 'http://127.0.0.1:9', 'SQLITE_TMPDIR': '/nonexistent', 'PASSWORD': 'secret'}


@needs_root
@pytest.mark.parametrize('name', sorted(commands()))
def test_no_command_keeps_more_of_the_environment_than_it_reads(held, name):
    process = held([harness.BINARY, *WORDS.get(name, [name])],
                   env={**TAKEN, **KEPT, 'PATH': '/tmp/x'})
    words = pathlib.Path(f'/proc/{process.pid}/environ').read_bytes().split(b'\0')
    variables = dict(word.decode().split('=', 1) for word in words if word)
    # What setenv() has put in the place of PATH is elsewhere.
    assert variables == KEPT


@pytest.mark.skipif(os.getuid() != 0, reason='plays another user')
def test_fusermount_is_not_whatever_path_has_first(api, scratch):
    """Who chooses PATH does not choose the program that unmounts."""
    with users.fuse_for_all(), users.home() as home:
        marker = home / 'ran'
        (home / 'fusermount3').write_text(f'#!/bin/sh\ntouch {marker}\nexit 1\n')
        (home / 'fusermount3').chmod(0o755)
        environment = {'HOME': str(home), 'PATH': f'{home}:{os.environ["PATH"]}'}
        options = f'token_file={home}/token,cache=:memory:'
        for words in (['-o', options, api.url, home / 'mnt'], ['umount', home / 'mnt']):
            result = users.run(home / 'kapturefs', *words, env=environment, cwd='/')
            assert (result.returncode, result.stderr, marker.exists()) == (0, '', False), words
