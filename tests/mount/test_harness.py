# SPDX-License-Identifier: MIT
"""The tools of these tests can fail: what they look for is found when it is planted."""

import os
import pty
import signal
import subprocess
import sys
import threading

import pytest

import api as api_module
import expected
import harness


def test_sanitizer_reports_and_secrets_are_seen_in_a_log():
    log = '\n'.join(['session: mounted', '==7==ERROR: AddressSanitizer: heap-use-after-free',
                     'tree.c:3:1: runtime error: shift exponent', 'kapturefs: this is a bug',
                     'x: Assertion `pending\' failed.', 'http: sent s3cret'])
    assert len(harness.suspicious_lines(log, ['s3cret'])) == 5


def test_ordinary_lines_are_not_suspicious():
    assert harness.suspicious_lines('session: mounted\n-d adds debug output', ['token']) == []


def test_a_terminal_is_read_to_its_end():
    """More than it hands over at once."""
    terminal, inner = pty.openpty()
    with open(inner, 'wb', buffering=0) as writer:
        writer.write(b'x' * 10000)
    assert harness.terminal_text(terminal) == 'x' * 10000


def test_mount_that_stopped_answering_is_aborted_and_its_callers_freed(api, tmp_path):
    mount = harness.Mount(api.url, tmp_path)
    try:
        mount.process.send_signal(signal.SIGSTOP)
        caller = harness.start('stat', mount / 'by-id' / '1')
        harness.wait_until(lambda: harness.process_state(caller.pid) in 'DS', 'the caller waits')
        mount.abort()
        assert harness.finish(caller)[0] != 0
    finally:
        mount.kill()
    assert harness.mount_entry(mount.path) is None


def test_commands_that_see_other_mounts_do_not_keep_this_one(api, tmp_path):
    if os.getuid() != 0:
        pytest.skip('only root has mounts of its own')
    mount = harness.Mount(api.url, tmp_path)
    with subprocess.Popen([harness.APART, 'sh', '-c', 'echo apart && cat'], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as apart:
        assert apart.stdout.readline() == 'apart\n'
        mount.close()
        assert apart.poll() is None
        apart.stdin.close()


def test_daemon_that_ends_badly_fails_its_test(api, tmp_path):
    mount = harness.Mount(api.url, tmp_path)
    mount.expected_status = 5
    with pytest.raises(AssertionError, match='exit status 0'):
        mount.close()


def test_file_that_is_left_open_fails_its_test(api, tmp_path):
    mount = harness.Mount(api.url, tmp_path)
    with open(mount / '.kapturefs/status', encoding='utf-8'):
        with pytest.raises(AssertionError, match='is not busy'):
            mount.close()


def test_secret_in_the_log_fails_its_test(api, tmp_path):
    mount = harness.Mount(api.url, tmp_path, secrets=['session: mounted'])
    with pytest.raises(AssertionError):
        mount.close()


def test_process_that_writes_nothing_does_not_hold_up_a_reader():
    process = subprocess.Popen([sys.executable, '-c', ''], stderr=subprocess.PIPE, text=True)
    assert harness.Lines(process.stderr).wait_for('mounted') is None
    process.wait()


def test_expected_names_and_values_follow_the_contract():
    assert expected.file_name('a/b%c') == b'a%2Fb%25c'
    assert expected.file_name('..') == b'%2E%2E'
    assert expected.file_name('a.b') == b'a.b'
    assert expected.file_name('a\tb\x7f') == b'a%09b%7F'
    assert expected.customer_tree(b'{"a": 0.0, "a": 1e400, "b": "", "c": null, "d": [true, "x"]}') \
        == {b'a': b'1e400\n', b'b': b'', b'c': b'', b'd': None, b'd/0': b'true\n', b'd/1': b'x\n'}


def test_expected_contacts_are_named_by_their_ids():
    tree = expected.customer_tree(
        b'{"contacts": [{"id": 7}, {"id": 8, "isPrimaryContact": true}]}')
    assert tree == {b'contacts': None, b'contacts/7': None, b'contacts/7/id': b'7\n',
                    b'contacts/8': None, b'contacts/8/id': b'8\n',
                    b'contacts/8/isPrimaryContact': b'true\n', b'contacts/primary': 'link to 8'}


def test_details_are_cut_from_a_reply_byte_for_byte():
    reply = b'{ "Customer Details" : {"a":  0.0, "b": "}"} , "status": "success"}'
    assert expected.details_of(reply) == b'{"a":  0.0, "b": "}"}'


def test_tree_of_plain_files_is_read_as_it_is(tmp_path):
    (tmp_path / 'd').mkdir()
    (tmp_path / 'd' / 'f').write_bytes(b'x\n')
    os.symlink('f', tmp_path / 'd' / 'l')
    assert expected.mounted_tree(tmp_path) == {b'd': None, b'd/f': b'x\n', b'd/l': 'link to f'}


def test_held_reply_waits_for_its_gate():
    server = api_module.Api()
    gate = server.hold(('id', '1'))
    body = b'[{"kapture_customer_id": "1"}]'
    done = threading.Event()

    def ask():
        server.answer(api_module.Request(api_module.PATH, {}, body, 1))
        done.set()
    threading.Thread(target=ask, daemon=True).start()
    server.wait_for(1)
    assert not done.is_set()
    gate.set()
    assert done.wait(10)
    server.close()
