# SPDX-License-Identifier: MIT
"""Every example of the manual pages does what it says."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile

import pytest

import harness
import users

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / 'man' / 'kapturefs.1'
INSTALL = ROOT / 'src' / 'install'
NAME = 'Kovalenko \\ Partners'      # a customer of the README, too

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason='the examples are for root and for users')

# Knows our units and nothing else.
SYSTEMCTL = r'''#!/bin/sh
kind=system
[ "$1" != --user ] || { kind=user; shift; }
for unit; do :; done
case $unit in kapturefs@?*) ;; *) exit 5 ;; esac
case $kind-$1 in
system-*) file=kapturefs@.service.in ;;
user-*) file=kapturefs-user@.service.in ;;
esac
case $1 in
enable) grep -q '^WantedBy=' "$UNITS/$file" ;;
reload) grep -q '^ExecReload=' "$UNITS/$file" ;;
*) exit 4 ;;
esac
'''


def blocks(page):
    """The literal blocks of the page's examples."""
    text = page.read_text().split('\n.Sh EXAMPLES\n')[1].split('\n.Sh ')[0]
    return re.findall(r'^\.Bd -literal.*?\n(.*?)^\.Ed', text, re.MULTILINE | re.DOTALL)


def commands(block):
    lines = block.replace('\\e\n', ' ').splitlines()
    return [line[2:] for line in lines if line[:2] in ('$ ', '# ')]


@pytest.fixture
def world(sandbox):
    """The manual's world within reach: its account, its places, its programs."""
    with tempfile.TemporaryDirectory(prefix='kapturefs-manual-') as name:
        os.chmod(name, 0o755)
        run = make_world(pathlib.Path(name), sandbox)
        try:
            yield run
        finally:
            harness.unmount_whatever_it_takes(run.mountpoint)


def make_world(tmp_path, sandbox):
    mountpoint = tmp_path / 'mnt'
    home = tmp_path / 'home'
    programs = tmp_path / 'bin'
    for path in (mountpoint, home, programs, home / 'etc' / 'kapturefs'):
        path.mkdir(parents=True)
    (programs / 'kapturefs').symlink_to(os.path.abspath(harness.BINARY))
    (programs / 'systemctl').write_text(SYSTEMCTL)
    (programs / 'systemctl').chmod(0o755)
    for name in ('.kapture-token', 'acme.token', 'etc/kapturefs/acme.token', 'etc/kapturefs.token'):
        harness.write_token(home).rename(home / name)

    def place(text):
        for old, new in {'/mnt/kapture': str(mountpoint),
                         '/root/': f'{home}/', '/etc/': f'{home}/etc/',
                         'setuid=kapturefs': 'setuid=nobody',
                         'token_file=': f'cache={home}/cache.db,token_file='
                         if 'cache=' not in text else 'token_file='}.items():
            text = text.replace(old, new)
        return re.sub(r'(?<![^ ])acme(?![^ ])', sandbox.url, text)

    def run(text):
        return subprocess.run(
            ['bash', '-c', place(text)],
            capture_output=True, text=True, timeout=60, check=False, cwd=home,
            stdin=subprocess.DEVNULL,
            env={**os.environ, 'HOME': str(home), 'UNITS': str(INSTALL),
                 'PATH': f'{programs}:{os.environ["PATH"]}'})
    run.place, run.mountpoint, run.home = place, mountpoint, home
    run.programs = programs
    return run


@pytest.fixture
def sandbox(sandboxes):
    """The one of the README: its customers are the manual's."""
    return sandboxes(customers=1000, seed=1)


def test_every_example_is_tested_below():
    kinds = [commands(block)[0].split()[0] if commands(block) else block.split()[2]
             for block in blocks(PAGE)]
    assert kinds == ['kapturefs', 'kapturefs', 'mount', 'fuse.kapturefs', 'install', 'install']


def test_mounting_and_reading(world):
    mounting, name, emails, unmounting = commands(blocks(PAGE)[0])
    assert (world(mounting).returncode, world(name).stdout) == (0, f'{NAME}\n')
    assert '@' in world(emails).stdout
    result = world(unmounting)
    assert (result.returncode, result.stderr) == (0, '')


def test_commands(world):
    (world.home / 'phones.txt').write_text('830009600007\n')
    assert world(commands(blocks(PAGE)[0])[0]).returncode == 0
    *others, get = commands(blocks(PAGE)[1])
    for line in others:
        result = world(line)
        assert (result.returncode, result.stderr) == (0, ''), line
    assert world(get).stdout == f'{json.dumps(NAME)}\n'


def in_the_system(world, script):
    """mount(8) looks for programs in the system's folders only: there, but for nobody else."""
    script = f'mount --bind {world.programs} /usr/local/bin && {script}'
    return world(f'{shlex.quote(harness.APART)} bash -c {shlex.quote(script)}')


def test_mounting_by_mount(world):
    mounting, unmounting = commands(blocks(PAGE)[2])
    result = in_the_system(world, f'{mounting} && cat /mnt/kapture/by-phone/830009600007/name && '
                           f'{unmounting}')
    assert (result.stdout, result.stderr) == (f'{NAME}\n', '')


@pytest.mark.parametrize('number', [0, 1])
def test_line_of_fstab(world, number):
    line = blocks(PAGE)[3].splitlines()[number]
    fields = line.split()
    assert len(fields) == 6
    # Who unmounts a daemon's mount for good is whoever mounted it.
    assert 'noauto' in fields[3]
    if 'setuid=' in line:
        os.chown(world.home / 'etc/kapturefs.token', users.UID, users.GID)
        world.home.chmod(0o755)
    fstab = world.home / 'fstab'
    fstab.write_text(world.place(line) + '\n')
    result = in_the_system(world, f'mount --fstab {fstab} /mnt/kapture && '
                           'grep /mnt/kapture /proc/self/mounts && umount /mnt/kapture')
    assert (result.returncode, result.stderr) == (0, '')
    assert ' fuse.kapturefs ro,' in result.stdout


@pytest.mark.parametrize('number', [4, 5])
def test_services(world, number):
    for line in commands(blocks(PAGE)[number]):
        result = world(line)
        assert (result.returncode, result.stderr) == (0, ''), line
    token = world.home / ('etc/kapturefs/acme.token' if number == 4 else
                          '.config/kapturefs/acme.token')
    assert token.stat().st_mode & 0o777 == 0o600
    unit = (INSTALL / ('kapturefs@.service.in' if number == 4 else
                       'kapturefs-user@.service.in')).read_text()
    assert '/kapturefs/%i.token' in unit


def test_a_unit_that_is_not_ours_is_unknown(world):
    assert world('systemctl enable --now other@acme').returncode == 5
