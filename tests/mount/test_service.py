# SPDX-License-Identifier: MIT
"""Under a service manager: told of readiness and life; and the units' own lines, carried out."""

import errno
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import harness
import manager as manager_module
import users

SYSTEM_UNIT = 'kapturefs@.service.in'
USER_UNIT = 'kapturefs-user@.service.in'


@pytest.fixture
def manager():
    with tempfile.TemporaryDirectory(prefix='kapturefs-manager-') as directory:
        os.chmod(directory, 0o755)
        made = manager_module.Manager(directory)
        yield made
        made.close()


def test_ready_is_said_once_the_mount_is_usable(mounts, api, manager):
    mount = mounts(api.url, environment=manager.environment())
    assert manager.wait_for('READY') == ['1']
    assert manager.wait_for('STATUS') == [f'serving {api.url}']
    assert 'by-id' in os.listdir(mount.path)


def test_ready_is_not_said_by_what_cannot_mount(scratch, manager):
    result = harness.command('-f', '-o', f'token_file={harness.write_token(scratch)}', 'acme',
                             scratch / 'none', environment=manager.environment())
    assert result.returncode == 2
    assert manager.messages == []


def test_the_end_is_told(mounts, api, manager):
    mount = mounts(api.url, environment=manager.environment())
    mount.process.terminate()
    assert mount.wait() == 0
    assert manager.wait_for('STOPPING') == ['1']


def test_the_watchdog_hears_of_us_as_long_as_the_loop_turns(mounts, api, manager):
    environment = {**manager.environment(), 'WATCHDOG_USEC': '100000'}
    mount = mounts(api.url, environment=environment)
    assert manager.wait_for('WATCHDOG', count=3)
    mount.process.send_signal(signal.SIGSTOP)
    harness.wait_until(lambda: harness.process_state(mount.process.pid) == 'T', 'it has stopped')
    with manager.changed:
        before = len(manager.messages)
        assert not manager.changed.wait_for(lambda: len(manager.messages) > before + 1, 0.5)
    mount.process.send_signal(signal.SIGCONT)
    assert manager.wait_for('WATCHDOG', count=6)


def test_without_a_watchdog_nothing_is_said(mounts, api, manager):
    mounts(api.url, environment=manager.environment())
    manager.wait_for('READY')
    assert [message for message in manager.messages if 'WATCHDOG' in message] == []


def test_an_unreachable_manager_is_no_mistake(mounts, api, tmp_path):
    mount = mounts(api.url, environment={'NOTIFY_SOCKET': str(tmp_path / 'none'),
                                         'WATCHDOG_USEC': '100000'})
    assert 'by-id' in os.listdir(mount.path)


@pytest.mark.skipif(os.getuid() != 0, reason='mounting by mount(2) is for root')
def test_attach_without_a_manager_mounts_nothing(scratch):
    result = harness.command('attach', 'http://127.0.0.1:9', scratch / 'mnt')
    assert (result.returncode, result.stdout) == (1, '')
    assert 'no service manager' in result.stderr and len(result.stderr.splitlines()) == 1
    assert harness.mount_entry(scratch / 'mnt') is None


# The units, line by line

class Unit:
    """A unit's commands with the instance `source`, run in the order in which systemd would."""

    def __init__(self, name, source, home, manager):
        self.name = name
        self.home = home
        self.manager = manager
        self.specifiers = {'@bindir@': str(home), '%I': source, '%i': 'instance',
                           '%C': str(home / 'caches'),
                           '%h': str(home)}
        settings = manager_module.unit(name)
        self.variables = dict(value.split('=', 1) for key, value in settings
                              if key == 'Environment')
        self.variables['MOUNTPOINT'] = str(home / 'mnt')
        credential = dict(settings)['LoadCredential'].split(':')[0]
        (home / 'credentials').mkdir(mode=0o755)
        token = shutil.copy(home / 'token', home / 'credentials' / credential)
        os.chown(token, users.UID, users.GID)
        os.chmod(token, 0o400)
        (home / 'caches').mkdir()

    def commands(self, setting):
        return manager_module.commands(self.name, setting, self.specifiers, self.variables)

    def environment(self):
        return {**self.manager.environment(), 'PATH': os.environ['PATH'], 'HOME': str(self.home),
                'CREDENTIALS_DIRECTORY': str(self.home / 'credentials')}

    def run(self, setting):
        """Each command of the setting, as root if it is marked so, to its end."""
        for prefix, words in self.commands(setting):
            words = words if '+' in prefix else users.as_user(*words)
            result = subprocess.run(words, env=self.environment(), capture_output=True, text=True,
                                    timeout=30, check=False, stdin=subprocess.DEVNULL)
            assert '-' in prefix or (result.returncode, result.stderr) == (0, ''), result

    def start(self, *sandbox):
        """ExecStart as the service's user, with what the manager keeps as descriptor 3."""
        (_, words), = self.commands('ExecStart')
        stored = list(self.manager.stored.values())
        assert len(stored) <= 1

        # bash puts the descriptor where systemd does: the first behind standard error.
        script = f'exec 3<&{stored[0]} {stored[0]}<&-; exec "$@"' if stored else 'exec "$@"'
        process = subprocess.Popen(['bash', '-c', script, 'bash',
                                    *users.as_user(*words, sandbox=sandbox)],
                                   env=self.environment(), cwd='/', text=True,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   pass_fds=stored)
        process.log = harness.Lines(process.stderr)
        return process


@pytest.fixture
def unit(api, manager):
    if os.getuid() != 0:
        pytest.skip('plays systemd')
    api.add_numbers([7])
    with users.home() as home:
        made = []

        def make(name):
            made.append(Unit(name, api.url, home, manager))
            os.chown(home / 'caches', users.UID, users.GID)
            return made[0]
        yield make
        assert harness.mount_entry(home / 'mnt') is None


def read_as(user, path):
    words = ['cat', str(path)]
    return subprocess.run(words if user == 'root' else users.as_user(*words), capture_output=True,
                          text=True, timeout=30, check=False).stdout


SANDBOX = ('--no-new-privs', '--bounding-set=-all', '--inh-caps=-all')


def test_system_unit_serves_without_privileges_what_root_has_mounted(unit, manager):
    service = unit(SYSTEM_UNIT)
    service.run('ExecStartPre')
    assert list(manager.stored) == ['kapturefs']
    process = service.start()
    try:
        assert process.log.wait_for('session: mounted'), process.log.text()
        assert manager.wait_for('READY') == ['1']
        # The daemon has it, and its death must be the connection's.
        assert manager.stored == {}
        assert users.privileges(process.pid) == {
            **dict.fromkeys(['CapInh', 'CapPrm', 'CapEff', 'CapAmb'], 0),
            'CapBnd': users.privileges(process.pid)['CapBnd'], 'NoNewPrivs': 1,
            'Uid': {users.UID}}
        # Root's for all who look into the table, so that every user's commands believe it.
        assert 'user_id=0' in harness.mount_entry(service.home / 'mnt')[3].split(',')
        # allow_other and the mode decide: root, the owner and the group.
        for user in ('root', 'service'):
            assert read_as(user, service.home / 'mnt/by-id/7/name') == 'Customer 7\n'
        assert os.stat(service.home / 'mnt/by-id/7').st_mode & 0o777 == 0o550
        service.run('ExecStop')
        assert process.wait(harness.END_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        service.run('ExecStopPost')


def test_system_unit_leaves_no_mount_when_files_are_open(unit, manager):
    service = unit(SYSTEM_UNIT)
    service.run('ExecStartPre')
    process = service.start(*SANDBOX)
    assert process.log.wait_for('session: mounted'), process.log.text()
    held = os.open(service.home / 'mnt/by-id/7/name', os.O_RDONLY)
    service.run('ExecStop')
    process.terminate()
    assert process.wait(harness.END_SECONDS) == 0
    service.run('ExecStopPost')
    assert harness.mount_entry(service.home / 'mnt') is None
    # To close what has lost its daemon tells of it, and closes.
    assert harness.errno_of(os.close, held) in (0, errno.ENOTCONN, errno.ECONNABORTED)


def test_system_unit_starts_again_after_sudden_death(unit, manager):
    service = unit(SYSTEM_UNIT)
    for count in (1, 2):
        service.run('ExecStartPre')
        process = service.start(*SANDBOX)
        assert process.log.wait_for('session: mounted'), process.log.text()
        manager.wait_for('READY', count=count)
        assert read_as('root', service.home / 'mnt/by-id/7/name') == 'Customer 7\n'
        process.kill()
        process.wait()
        # Whoever is inside gets an error at once, not when somebody clears up.
        assert harness.errno_of(os.listdir, service.home / 'mnt') == errno.ENOTCONN
        service.run('ExecStopPost')


def test_user_unit_mounts_and_leaves_nothing(unit, manager):
    service = unit(USER_UNIT)
    service.variables['MOUNTPOINT'] = str(service.home / 'mnt')
    with users.fuse_for_all():
        service.run('ExecStartPre')
        process = service.start()
        try:
            assert process.log.wait_for('session: mounted'), process.log.text()
            assert manager.wait_for('READY') == ['1']
            assert read_as('service', service.home / 'mnt/by-id/7/name') == 'Customer 7\n'
            process.terminate()
            assert process.wait(harness.END_SECONDS) == 0
            assert harness.mount_entry(service.home / 'mnt') is None
        finally:
            process.kill()
            process.wait()
            service.run('ExecStopPost')


def test_user_unit_clears_up_after_sudden_death(unit, manager):
    service = unit(USER_UNIT)
    with users.fuse_for_all():
        service.run('ExecStartPre')
        process = service.start()
        assert process.log.wait_for('session: mounted'), process.log.text()
        process.kill()
        process.wait()
        assert harness.mount_entry(service.home / 'mnt') is not None
        service.run('ExecStopPost')
        assert harness.mount_entry(service.home / 'mnt') is None


def test_reload_of_the_units_is_a_signal_to_the_daemon():
    for name in (SYSTEM_UNIT, USER_UNIT):
        settings = dict(manager_module.unit(name))
        assert settings['ExecReload'] == '/usr/bin/kill -HUP $MAINPID'
        assert pathlib.Path('/usr/bin/kill').exists()
