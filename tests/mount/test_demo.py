# SPDX-License-Identifier: MIT
"""`kapturefs demo`: nothing to configure, commands that work, and a clean end."""

import os
import pathlib
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

import harness


@pytest.fixture
def demo(tmp_path):
    """A running demo: the process, where it is mounted, and what it printed."""
    mountpoint = tmp_path / 'mnt'
    mountpoint.mkdir()
    process = subprocess.Popen([harness.BINARY, 'demo', str(mountpoint)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, 'HOME': str(tmp_path / 'home'),
                                    'XDG_CACHE_HOME': str(tmp_path / 'cache')})
    process.mountpoint = mountpoint
    process.output = harness.Lines(process.stdout)
    process.log = harness.Lines(process.stderr)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(harness.END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        harness.unmount_whatever_it_takes(mountpoint)
    assert harness.suspicious_lines(process.log.text()) == []


def commands(demo):
    """The commands that the demo proposes: the indented lines with its mountpoint in them."""
    def found():
        return [line.strip().removeprefix('$ ') for line in demo.output.text().splitlines()
                if str(demo.mountpoint) in line and line.startswith((' ', '\t', '$'))]
    with demo.output.changed:
        demo.output.changed.wait_for(lambda: len(found()) >= 3 or demo.output.ended,
                                     harness.READY_SECONDS)
    assert len(found()) >= 3, demo.output.text() + demo.log.text()
    return found()[:3]


def test_proposed_commands_work(demo):
    for command in commands(demo):
        result = subprocess.run(['sh', '-c', command], capture_output=True, text=True, timeout=30,
                                check=False)
        assert (result.returncode, result.stderr) == (0, ''), command
        assert result.stdout.strip(), command


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_cleanly_and_leaves_nothing(demo, tmp_path, number):
    commands(demo)
    below = harness.children(demo.pid)
    demo.send_signal(number)
    assert demo.wait(harness.END_SECONDS) == 0
    assert harness.mount_entry(demo.mountpoint) is None
    for pid in below:
        assert harness.process_state(pid) in (None, 'Z')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['mnt']
    assert list(demo.mountpoint.iterdir()) == []


def test_ctrl_c_reaches_the_whole_group_and_still_ends_cleanly(tmp_path):
    mountpoint = tmp_path / 'mnt'
    mountpoint.mkdir()
    process = subprocess.Popen([harness.BINARY, 'demo', str(mountpoint)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    output, log = harness.Lines(process.stdout), harness.Lines(process.stderr)
    try:
        assert output.wait_for(str(mountpoint)), log.text()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(harness.END_SECONDS) == 0, log.text()
        assert harness.mount_entry(mountpoint) is None
    finally:
        process.kill()
        harness.unmount_whatever_it_takes(mountpoint)


def test_demo_that_ends_when_unmounted(demo):
    commands(demo)
    subprocess.run(['fusermount3', '-u', str(demo.mountpoint)], check=True, timeout=30)
    assert demo.wait(harness.END_SECONDS) == 0


def test_two_demos_do_not_disturb_each_other(demo, tmp_path):
    commands(demo)
    other = tmp_path / 'other'
    other.mkdir()
    process = subprocess.Popen([harness.BINARY, 'demo', str(other)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert harness.Lines(process.stdout).wait_for(str(other))
        assert harness.mount_entry(other) and harness.mount_entry(demo.mountpoint)
        process.send_signal(signal.SIGINT)
        assert process.wait(harness.END_SECONDS) == 0
    finally:
        process.kill()
        harness.unmount_whatever_it_takes(other)


def test_mountpoint_that_is_missing_is_one_line(tmp_path):
    result = harness.command('demo', tmp_path / 'none')
    assert result.returncode in (1, 2)
    line, = result.stderr.splitlines()
    assert str(tmp_path / 'none') in line


# The server is a process of its own; see test_sandbox_program.py.

def server_of(demo):
    server, = [pid for pid in harness.children(demo.pid)
               if harness.program_of(pid) == 'kapturefs-sandbox']
    return server


def test_the_demo_has_no_server_in_it(demo):
    commands(demo)
    server = server_of(demo)
    assert harness.ports_of(demo.pid) == [] and len(harness.ports_of(server)) == 1


def test_the_server_of_a_demo_ends_with_it_however_it_ends(demo):
    commands(demo)
    server = server_of(demo)
    demo.kill()
    demo.wait()
    harness.wait_until(lambda: harness.process_state(server) in (None, 'Z'), 'the server ended')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_what_a_terminal_sends_is_for_the_demo_alone(demo, number):
    """The whole group gets it. The demo still reads while it ends, or does not end at all."""
    first = commands(demo)[0]
    server = server_of(demo)
    os.kill(server, number)
    subprocess.run(['sh', '-c', first], check=True, stdout=subprocess.DEVNULL, timeout=30)
    assert harness.process_state(server) not in (None, 'Z')


def test_a_demo_whose_server_was_killed_still_ends_cleanly(demo):
    commands(demo)
    server = server_of(demo)
    os.kill(server, signal.SIGKILL)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(harness.END_SECONDS) == 0
    assert harness.mount_entry(demo.mountpoint) is None


def test_the_token_of_a_demo_is_known_to_nobody_else(demo):
    commands(demo)
    server = server_of(demo)
    port, = harness.ports_of(server)
    url = f'http://127.0.0.1:{port}/sandbox/statistics'
    words = pathlib.Path(f'/proc/{server}/cmdline').read_bytes().split(b'\0')
    for token in ('demo', 'sandbox', *(word.decode() for word in words if word)):
        request = urllib.request.Request(url, headers={'Authorization': f'Basic {token}'})
        with pytest.raises(urllib.error.HTTPError, match='401'):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
    assert b'--token' not in words
