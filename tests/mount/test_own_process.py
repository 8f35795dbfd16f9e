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
