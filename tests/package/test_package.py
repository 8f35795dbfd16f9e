# SPDX-License-Identifier: MIT
"""The Debian packages: lintian is content, they can be used once installed, and go without a trace.

They are installed into an overlay of the running system that only the test sees.
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The package brings its own build; a build has none.
pytestmark = pytest.mark.skipif(os.getuid() != 0 or not shutil.which('dpkg-buildpackage'),
                                reason='installs a package, which only root can')

# $1 is a folder, $2 that of the packages, $3 what is done with them, in a copy of this system.
SYSTEM = '''
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/system"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/system"
for name in dev proc sys; do mount --rbind "/$name" "$1/system/$name"; done
cp "$2"/kapturefs_*.deb "$1/system/root/package.deb"
cp "$2"/kapturefs-sandbox_*.deb "$1/system/root/sandbox.deb"
chroot "$1/system" bash -euc "$3" 2>&1
echo 'left behind:'
cd "$1/upper"
find . -path ./root -prune -o -iname '*kapturefs*' -print
'''

# Says what it is asked to do; its manager never runs here.
SYSTEMCTL = r'''
rm -f /usr/sbin/policy-rc.d
mkdir -p /run/systemd/system
printf '#!/bin/sh\necho "systemctl: $*" >&3\n' >/usr/local/sbin/systemctl
chmod +x /usr/local/sbin/systemctl
export PATH=/usr/local/sbin:$PATH
exec 3>/root/systemctl.log
'''
INSTALL = 'dpkg --path-include "/usr/share/*" --install /root/package.deb >/root/dpkg.log\n'
INSTALL_SANDBOX = INSTALL.replace('package.deb', 'sandbox.deb')
PURGE = 'dpkg --purge kapturefs kapturefs-sandbox >>/root/dpkg.log\n'


def field(package, name, which):
    """A field of a package's control file."""
    path, = package[0].glob(f'{name}_*.deb')
    return subprocess.run(['dpkg-deb', '--field', path, which], capture_output=True, text=True,
                          check=True).stdout.strip()


def in_a_system(tmp_path, package, script):
    """(output, what is left behind) of a script that has the package."""
    place = tmp_path / 'place'
    place.mkdir()
    result = subprocess.run(
        [ROOT / 'tests/apart.sh', 'bash', '-c', SYSTEM, 'bash', place, package, script],
        capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    output, left = result.stdout.split('left behind:\n')
    return output, left.split()


def test_lintian_has_nothing_against_the_package(package):
    assert re.findall(r'^[EWP]: .*', package[1], re.MULTILINE) == []


def test_lintian_finds_what_is_wrong_with_a_package(package, tmp_path):
    tree = tmp_path / 'tree'
    path, = package[0].glob('kapturefs_*.deb')
    subprocess.run(['dpkg-deb', '--raw-extract', path, tree], check=True)
    shutil.rmtree(tree / 'usr/share/man')
    subprocess.run(['dpkg-deb', '--root-owner-group', '--build', tree, tmp_path / 'bad.deb'],
                   check=True, stdout=subprocess.DEVNULL)
    words = ['lintian', '--allow-root', '--fail-on', 'warning', tmp_path / 'bad.deb']
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode != 0 and 'no-manual-page' in result.stdout


def test_package_is_usable_once_it_is_installed(package, tmp_path):
    """A customer is read through mount(8); man pages, units, the user and the folders are there."""
    output, left = in_a_system(tmp_path, package[0], INSTALL + INSTALL_SANDBOX + r'''
        cd /
        kapturefs --version
        for page in kapturefs kapturefs-sandbox kapturefs.conf kapturefs-security \
                mount.kapturefs; do
            man -w $page
        done
        systemd-analyze verify --man=yes kapturefs@acme.service
        stat -c '%n %A %U' /etc/kapturefs /var/cache/kapturefs
        getent passwd kapturefs | cut -d: -f1,6,7
        exec 4< <(kapturefs sandbox --port 0 --token package)
        sandbox=$!
        read -r _ _ url <&4
        install -m 600 <(echo package) /etc/kapturefs/token
        id=$(curl -s -H 'Authorization: Basic package' "$url/sandbox/customers?count=1" |
            jq -r '.[0].id')
        for type in fuse.kapturefs kapturefs; do
            mount -t $type "$url" /mnt -o token_file=/etc/kapturefs/token
            findmnt -n -o FSTYPE /mnt
            test -s "/mnt/by-id/$id/name"
            umount /mnt
        done
        kill $sandbox
    ''')
    version = (ROOT / 'meson.build').read_text().split("version: '")[1].split("'")[0]
    assert [line for line in output.splitlines() if 'Creating ' not in line] == [
        f'kapturefs {version}',
        '/usr/share/man/man1/kapturefs.1.gz', '/usr/share/man/man1/kapturefs-sandbox.1.gz',
        '/usr/share/man/man5/kapturefs.conf.5.gz',
        '/usr/share/man/man7/kapturefs-security.7.gz', '/usr/share/man/man8/mount.kapturefs.8.gz',
        '/etc/kapturefs drwx------ root', '/var/cache/kapturefs drwxr-xr-x root',
        'kapturefs:/nonexistent:/usr/sbin/nologin',
        'fuse.kapturefs', 'fuse.kapturefs']
    assert {'./etc/kapturefs', './usr/bin/kapturefs', './usr/bin/kapturefs-sandbox'} <= set(left)


def test_package_with_the_program_that_holds_the_token_brings_no_server(package, tmp_path):
    """It recommends the one that does, and says so where that is missing."""
    depends = field(package, 'kapturefs', 'Depends')
    assert 'libfuse3' in depends and 'libmicrohttpd' not in depends and 'gnutls' not in depends
    version = field(package, 'kapturefs', 'Version')
    assert field(package, 'kapturefs', 'Recommends') == f'kapturefs-sandbox (= {version})'
    output, _ = in_a_system(tmp_path, package[0], INSTALL + r'''
        kapturefs sandbox --port 0 || echo "exit $?"
        kapturefs demo /mnt || echo "exit $?"
        kapturefs sandbox --help | head -n 1
    ''' + INSTALL_SANDBOX + r'''
        exec 4< <(kapturefs sandbox --port 0)
        sandbox=$!
        read -r line <&4
        echo "${line%:*}"
        kill $sandbox
    ''')
    missing = 'the program kapturefs-sandbox is missing; fix: install the package kapturefs-sandbox'
    assert [line for line in output.splitlines() if 'Creating ' not in line] == [
        f'kapturefs: sandbox: {missing}', 'exit 5', f'kapturefs: demo: {missing}', 'exit 5',
        'usage: kapturefs sandbox [--port N] [--customers N] [--seed N] [--latency MS]',
        'listening on http://127.0.0.1']


def test_purging_leaves_nothing_and_removing_leaves_tokens_and_caches(package, tmp_path):
    output, left = in_a_system(tmp_path, package[0], SYSTEMCTL + INSTALL + INSTALL_SANDBOX + r'''
        touch /etc/kapturefs/acme.token /var/cache/kapturefs/acme.db
        dpkg --remove kapturefs >>/root/dpkg.log
        echo "still there: $(ls /etc/kapturefs /var/cache/kapturefs | grep -c acme)"
    ''' + PURGE + 'exec 3>&-; cat /root/systemctl.log')
    lines = [line for line in output.splitlines() if 'Creating ' not in line]
    assert lines[0] == 'still there: 2'
    assert [line for line in lines if ' stop ' in line] == ['systemctl: stop kapturefs@*.service']
    # After installing, removing and purging.
    assert lines.count('systemctl: --system daemon-reload') == 3
    # What man(1) keeps of pages that were read is man's own.
    assert [path for path in left if not path.startswith('./var/cache/man/')] == []
