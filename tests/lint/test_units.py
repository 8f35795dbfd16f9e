# SPDX-License-Identifier: MIT
"""The units are what systemd understands, and the system's is a sandbox."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
import sources

INSTALL = sources.ROOT / 'src' / 'install'
UNITS = {'system': 'kapturefs@.service.in', 'user': 'kapturefs-user@.service.in'}
EXPOSURE_MAX = 2.0


def make(directory, manager, change=lambda text: text):
    """The unit as it is installed, with the program of this build."""
    (directory / 'bin').mkdir(exist_ok=True)
    shutil.copy(os.environ['KAPTUREFS'], directory / 'bin' / 'kapturefs')
    text = (INSTALL / UNITS[manager]).read_text().replace('@bindir@', str(directory / 'bin'))
    return sources.plant(directory, 'kapturefs@.service', change(text))


def verify(path, manager):
    """What systemd has against the unit."""
    result = subprocess.run(['systemd-analyze', f'--{manager}', 'verify', '--man=no', str(path)],
                            capture_output=True, text=True, timeout=60, check=False,
                            env={**os.environ, 'XDG_RUNTIME_DIR': str(path.parent)})
    # What other units on this machine are told is not ours.
    return [line for line in result.stderr.splitlines() if 'kapturefs' in line]


def exposure(path):
    result = subprocess.run(['systemd-analyze', 'security', '--offline=yes', str(path)],
                            capture_output=True, text=True, timeout=60, check=False)
    return float(re.search(r'Overall exposure level .*: ([\d.]+)', result.stdout)[1])


@pytest.mark.parametrize('manager', UNITS)
def test_systemd_has_nothing_against_the_unit(tmp_path, manager):
    assert verify(make(tmp_path, manager), manager) == []


@pytest.mark.parametrize('manager', UNITS)
def test_a_mistake_in_the_unit_is_found(tmp_path, manager):
    path = make(tmp_path, manager, lambda text: text.replace('[Service]', '[Service]\nPrivate=x'))
    assert verify(path, manager) != []


def test_system_unit_is_a_sandbox(tmp_path):
    assert exposure(make(tmp_path, 'system')) <= EXPOSURE_MAX


def test_a_unit_without_its_sandbox_is_found(tmp_path):
    def strip(text):
        return re.sub(r'^(Protect|Private|Restrict|Capability|SystemCall)\w*=.*\n', '', text,
                      flags=re.MULTILINE)
    assert exposure(make(tmp_path, 'system', strip)) > EXPOSURE_MAX


def test_only_what_mounts_and_unmounts_is_outside_of_the_sandbox():
    text = (INSTALL / UNITS['system']).read_text()
    outside = re.findall(r'^Exec\w+=[+-]*\+[+-]*(.*)', text, re.MULTILINE)
    assert [pathlib.PurePath(line.split()[0]).name for line in outside] == [
        'mkdir', 'kapturefs', 'umount', 'umount']
    assert 'ExecStart=@bindir@/kapturefs -f' in text


def test_token_comes_as_a_credential():
    for name in UNITS.values():
        text = (INSTALL / name).read_text()
        assert re.search(r'^LoadCredential=kapture-token:.*/%i\.token$', text, re.MULTILINE)


def mebibytes(text):
    number, unit = re.fullmatch(r'(\d+)([MG]?)', text).groups()
    return int(number) * {'G': 1024, 'M': 1, '': 1 / (1 << 20)}[unit]


def needed_mebibytes():
    """What the comment in the units says, by the defaults of this build."""
    text = subprocess.run([os.environ['KAPTUREFS'], '--help'], capture_output=True, text=True,
                          timeout=60, check=True).stdout
    memory, = re.findall(r'\bmemory=SIZE .*?\(default: (\w+)\)', text, re.DOTALL)
    connections, = re.findall(r'\bmax_connections=N .*?\(default: (\d+)\)', text, re.DOTALL)
    reply, = re.findall(r'REPLY_SIZE_MAX = (\d+) << 20',
                        (sources.ROOT / 'src/command/settings.c').read_text())
    return 24 + 2 * mebibytes(memory) + 2 * int(reply) * int(connections) + 64


@pytest.mark.parametrize('manager', UNITS)
def test_no_customer_is_swapped_out(manager):
    assert re.findall(r'^MemorySwapMax=(\w+)$', (INSTALL / UNITS[manager]).read_text(),
                      re.MULTILINE) == ['0']


@pytest.mark.parametrize('manager', UNITS)
def test_memory_of_the_unit_is_what_the_defaults_can_take(manager):
    text = (INSTALL / UNITS[manager]).read_text()
    maximum, = re.findall(r'^MemoryMax=(\w+)$', text, re.MULTILINE)
    assert f': {needed_mebibytes():.0f}M.' in text
    assert needed_mebibytes() < mebibytes(maximum) <= 2 * needed_mebibytes()


def test_users_and_directories_are_what_systemd_understands(tmp_path):
    sources.plant(tmp_path, 'etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n')
    sources.plant(tmp_path, 'etc/group', 'root:x:0:\n')
    for name, *arguments in (('sysusers',), ('tmpfiles', '--create')):
        sources.plant(tmp_path, f'usr/lib/{name}.d/kapturefs.conf',
                      (INSTALL / f'kapturefs.{name}').read_text())
        result = subprocess.run([f'systemd-{name}', *arguments, f'--root={tmp_path}'],
                                capture_output=True, text=True, timeout=60, check=False)
        assert (result.returncode, result.stderr.count('kapturefs.conf')) == (0, 0), result.stderr
    assert '\nkapturefs:x:' in (tmp_path / 'etc/passwd').read_text()
    assert (tmp_path / 'etc/kapturefs').stat().st_mode & 0o777 == 0o700
    assert (tmp_path / 'var/cache/kapturefs').stat().st_mode & 0o777 == 0o755
