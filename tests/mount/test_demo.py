# SPDX-License-Identifier: MIT
"""`kapturefs demo`: nothing to configure, commands that work, and a clean end."""

import os
import pathlib
import signal
import subprocess

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


def children(pid):
    return [int(word) for task in pathlib.Path(f'/proc/{pid}/task').iterdir()
            for word in (task / 'children').read_text().split()]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_cleanly_and_leaves_nothing(demo, tmp_path, number):
    commands(demo)
    below = children(demo.pid)
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
