# SPDX-License-Identifier: MIT
"""Every example of kapturefs.conf(5) and kapturefs-sandbox(1) does what it says."""

import json
import os
import pathlib
import shlex
import socket
import subprocess
import tempfile

import pytest

import harness
from test_manual import ROOT, blocks, commands

CONF = ROOT / 'man' / 'kapturefs.conf.5'
SANDBOX = ROOT / 'man' / 'kapturefs-sandbox.1'

# A system for one test: another /etc and /var/cache, and the program where mount(8) looks for it.
SYSTEM = '''
set -e
mount -t tmpfs tmpfs "$1/system"
mkdir "$1/system/upper" "$1/system/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$1/system/upper,workdir=$1/system/work" overlay /etc
mount -t tmpfs -o mode=755 tmpfs /var/cache
mount -t tmpfs -o mode=755 tmpfs /mnt
mount --bind "$1/bin" /usr/local/bin
mkdir /mnt/acme
cp "$1/config" /etc/kapturefs.conf
# There is no such account; that its name is none is what mounting would say.
echo 127.0.0.1 acme.kapturecrm.com >>/etc/hosts
for name in acme example; do install -m 600 "$1/token" "/etc/$name.token"; done
install -m 600 /dev/stdin /etc/example.headers <<<'x-api-key: example'
'''


@pytest.fixture
def system():
    """Runs a script as root in a system that has the configuration of the page."""
    if os.getuid() != 0:
        pytest.skip('the examples are for root')
    with tempfile.TemporaryDirectory(prefix='kapturefs-manual-') as name:
        directory = pathlib.Path(name)
        for folder in ('system', 'bin'):
            (directory / folder).mkdir()
        (directory / 'bin/kapturefs').symlink_to(os.path.abspath(harness.BINARY))
        harness.write_token(directory)
        (directory / 'config').write_text(blocks(CONF)[0])

        def run(script):
            return subprocess.run(
                [harness.APART, 'bash', '-c', SYSTEM + script, 'bash', name],
                capture_output=True, text=True, timeout=60, check=False,
                env={'PATH': '/usr/local/bin:' + os.environ['PATH'], 'HOME': name})
        yield run


def test_every_example_is_tested_below():
    assert [block.split('\n')[0].split()[0] for block in blocks(CONF)] == ['#', '#', 'acme']
    assert [block.split()[0] for block in blocks(SANDBOX)] == ['[', '$', '$']


def test_checking_and_mounting_without_an_option(system):
    checking, *expected, mounting = blocks(CONF)[1].splitlines()
    result = system(f'{checking[2:]}; {mounting[2:]}; findmnt -n -o FSTYPE,OPTIONS /mnt/acme; '
                    'umount /mnt/acme')
    assert (result.returncode, result.stderr) == (0, '')
    *printed, entry = result.stdout.splitlines()
    assert printed == expected
    # The option before any section is of the mount, too.
    assert entry.startswith('fuse.kapturefs') and 'allow_other' in entry


def test_line_of_fstab(system):
    line = blocks(CONF)[2].strip()
    result = system(f'echo {shlex.quote(line)} >/etc/fstab; mount /mnt/acme; '
                    'findmnt -n -o FSTYPE /mnt/acme; umount /mnt/acme')
    assert (result.returncode, result.stdout, result.stderr) == (0, 'fuse.kapturefs\n', '')


@pytest.fixture
def sandbox_of_the_page(tmp_path):
    """(run, statistics): the sandbox of the examples, on another port; run() runs a command."""
    (tmp_path / 'faults.json').write_text(blocks(SANDBOX)[0])
    (tmp_path / 'kapturefs').symlink_to(os.path.abspath(harness.BINARY))
    script = tmp_path / 'script'
    script.write_text('#!/bin/sh\nfor n in 1 2 3; do curl -s -o /dev/null -w "%{http_code}\\n" '
                      '-H "Authorization: Basic sandbox" -H "Content-Type: application/json" '
                      '-d \'[{"phone": "1"}]\' "$1/search-customer-by-customer-id.html"; done\n')
    script.chmod(0o755)
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = str(listener.getsockname()[1])
    environment = {**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}'}

    def place(text):
        return text.replace('8080', port)

    def run(text):
        return subprocess.run(['bash', '-c', place(text)], cwd=tmp_path, text=True, timeout=30,
                              capture_output=True, check=False, env=environment)
    starting, answer = blocks(SANDBOX)[1].splitlines()[:2]
    assert starting.endswith(' &')
    process = subprocess.Popen(['bash', '-c', f'exec {starting[2:-2]} --port {port}'], text=True,
                               cwd=tmp_path, stdout=subprocess.PIPE, env=environment)
    try:
        assert harness.Lines(process.stdout).wait_for('listening') == place(answer)
        yield run
        process.terminate()
        assert process.wait(harness.END_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def test_a_script_meets_the_faults_of_the_plan(sandbox_of_the_page):
    _, script, statistics = commands(blocks(SANDBOX)[1])
    codes = sandbox_of_the_page(script).stdout.split()
    assert '429' in codes
    rules = json.loads(sandbox_of_the_page(statistics).stdout)['rules']
    assert [rule['name'] for rule in rules] == [
        rule['name'] for rule in json.loads(blocks(SANDBOX)[0])]
    assert next(rule for rule in rules if rule['name'] == 'twice too many')['fired'] >= 1


def test_the_next_three_connections_are_reset(sandbox_of_the_page):
    command = blocks(SANDBOX)[2][2:].replace('\\e\n', '\\\n')
    result = sandbox_of_the_page(command)
    assert result.returncode == 0, result.stderr
    asking = commands(blocks(SANDBOX)[1])[-1]
    assert [sandbox_of_the_page(asking).returncode == 0 for _ in range(4)] == [
        False, False, False, True]
