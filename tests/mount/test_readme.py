# SPDX-License-Identifier: MIT
"""The terminal session of the README is true to the letter."""

import os
import pathlib
import re
import signal
import subprocess

import harness

README = pathlib.Path(__file__).resolve().parents[2] / 'README.md'


def session():
    """[(command, output)] of the README's console blocks."""
    text = ''.join(re.findall(r'```console\n(.*?)```', README.read_text(), re.DOTALL))
    steps = re.split(r'^\$ ', text, flags=re.MULTILINE)[1:]
    return [step.split('\n', 1) for step in steps]


def test_every_command_is_named():
    text = harness.command('--help').stdout
    commands = set(re.findall(r'^       kapturefs ([a-z]+) ', text, re.MULTILINE)) - {'attach'}
    named = re.findall(r'^\| `kapturefs (\w+)', README.read_text(), re.MULTILINE)
    assert commands <= set(named)


def test_session_of_the_readme_is_true(tmp_path):
    mountpoint = tmp_path / 'kapture-demo'
    mountpoint.mkdir()
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin/kapturefs').symlink_to(os.path.abspath(harness.BINARY))
    environment = {**os.environ, 'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}'}
    demo = subprocess.Popen([harness.BINARY, 'demo', str(mountpoint)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert harness.Lines(demo.stdout).wait_for('Ctrl-C')
        steps = session()
        assert len(steps) > 5
        directory = tmp_path
        for command, expected in steps:
            if command.startswith('cd '):
                directory = pathlib.Path(command[3:].replace('~', str(tmp_path)))
                continue
            result = subprocess.run(['bash', '-c', command], cwd=directory, text=True, timeout=30,
                                    env=environment, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, check=False)
            assert (command, result.stdout) == (command, expected)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(harness.END_SECONDS) == 0
    finally:
        demo.kill()
        demo.wait()
        harness.unmount_whatever_it_takes(mountpoint)
