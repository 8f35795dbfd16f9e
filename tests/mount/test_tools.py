# SPDX-License-Identifier: MIT
"""The tools that people use give right answers."""

import json
import os
import subprocess
import sys

import pytest

from expected import customer_tree, details_of, mounted_tree


@pytest.fixture
def filled(mounts, sandbox):
    """A mount with ten cached customers; `expected` is the tree below by-id."""
    mount = mounts(sandbox.url)
    mount.expected, mount.details, mount.rows = {}, {}, sandbox.customers(10)
    for row in mount.rows:
        _, reply = sandbox.ask(kapture_customer_id=row['id'])
        os.stat(mount / 'by-id' / row['id'])
        if row['phone']:
            os.stat(mount / 'by-phone' / row['phone'])
        id_ = row['id'].encode()
        mount.details[row['id']] = json.loads(details_of(reply))
        mount.expected[id_] = None
        mount.expected.update((id_ + b'/' + path, content) for path, content
                              in customer_tree(details_of(reply)).items())
    mount.by_id = mount / 'by-id'
    sandbox.reset()
    yield mount
    assert sandbox.requests() == 0, 'reading what is cached asked the API'


def run(*arguments, **more):
    """Output of a tool that must succeed and complain of nothing."""
    result = subprocess.run([str(argument) for argument in arguments], capture_output=True,
                            stdin=subprocess.DEVNULL, timeout=60, check=False, **more)
    assert (result.returncode, result.stderr) == (0, b'')
    return result.stdout


def files(tree):
    return {path: content for path, content in tree.items() if isinstance(content, bytes)}


def test_cat(filled):
    for id_, details in filled.details.items():
        assert run('cat', filled.by_id / id_ / 'name').decode() == details['name'] + '\n'


def test_ls_long_and_recursive_shows_every_file_with_its_size(filled):
    lines = [line.split() for line in run('ls', '-lR', filled.by_id).decode().splitlines()
             if line.startswith('-')]
    assert sorted((line[8], int(line[4])) for line in lines) == sorted(
        (os.path.basename(path).decode(), len(content))
        for path, content in files(filled.expected).items())
    assert {line[0] for line in lines} == {'-r--------'}


def test_grep_recursive_meets_every_value_once(filled):
    for row in filled.rows[:3]:
        wanted = {path.decode() for path, content in files(filled.expected).items()
                  if row['id'].encode() in content}
        output = run('grep', '-rlF', row['id'], '.', cwd=filled.by_id).decode()
        assert sorted(output.splitlines()) == sorted('./' + path for path in wanted)
        assert wanted


def test_find_tells_types_and_sizes(filled):
    output = run('find', '.', '-mindepth', '1', '-printf', '%y %s %P\\0', cwd=filled.by_id)
    found = {}
    for entry in output.split(b'\0')[:-1]:
        kind, size, path = entry.split(b' ', 2)
        found[path] = (kind, int(size) if kind == b'f' else None)
    assert found == {
        path: (b'd', None) if content is None else (b'l', None) if isinstance(content, str)
        else (b'f', len(content)) for path, content in filled.expected.items()}


def test_find_newer_sees_no_change_where_none_was(filled, tmp_path):
    stamp = tmp_path / 'stamp'
    stamp.write_text('')
    assert run('find', filled.by_id, '-newer', stamp, '-newermt', '+1 second') == b''


def test_tar_holds_every_byte(filled, tmp_path):
    run('tar', '-cf', tmp_path / 'all.tar', '-C', filled.path, 'by-id')
    run('tar', '-xf', tmp_path / 'all.tar', '-C', tmp_path)
    assert mounted_tree(tmp_path / 'by-id') == filled.expected


def test_tar_of_two_keys_of_one_customer_holds_both(filled, tmp_path):
    row = next(row for row in filled.rows if row['phone'])
    names = [f"by-id/{row['id']}", f"by-phone/{row['phone']}"]
    run('tar', '-cf', tmp_path / 'two.tar', '-C', filled.path, *names)
    run('tar', '-xf', tmp_path / 'two.tar', '-C', tmp_path)
    trees = [mounted_tree(tmp_path / name) for name in names]
    assert trees[0] == trees[1] == mounted_tree(filled / names[0])


@pytest.mark.parametrize('options', [['-r'], ['-a'], ['-rL']], ids=' '.join)
def test_cp_copies_every_byte(filled, tmp_path, options):
    run('cp', *options, filled.by_id, tmp_path / 'copy')
    copied = mounted_tree(tmp_path / 'copy')
    if options == ['-rL']:
        links = {path for path, content in filled.expected.items() if isinstance(content, str)}
        copied = {path: content for path, content in copied.items()
                  if path in filled.expected and path not in links}
        expected = {path: content for path, content in filled.expected.items() if path not in links}
        assert copied == expected
    else:
        assert copied == filled.expected


def test_rsync_copies_once_and_then_has_nothing_to_do(filled, tmp_path):
    run('rsync', '-a', f'{filled.by_id}/', tmp_path / 'copy')
    assert mounted_tree(tmp_path / 'copy') == filled.expected
    assert run('rsync', '-ai', f'{filled.by_id}/', tmp_path / 'copy') == b''
    assert run('rsync', '-aic', f'{filled.by_id}/', tmp_path / 'copy') == b''


def test_jq_reads_the_json(filled):
    for id_, details in filled.details.items():
        path = filled.by_id / f'{id_}.json'
        assert json.loads(run('jq', '.', path)) == details
        assert run('jq', '-r', '.name', path).decode() == details['name'] + '\n'


def test_diff_finds_no_difference_between_two_keys_of_one_customer(filled):
    for row in filled.rows:
        if row['phone']:
            assert run('diff', '-r', filled.by_id / row['id'],
                       filled / 'by-phone' / row['phone']) == b''


def test_wc_and_head_and_sort(filled):
    id_ = filled.rows[0]['id']
    name = filled.details[id_]['name'].encode()
    path = filled.by_id / id_ / 'name'
    assert run('wc', '-c', path).split()[0] == str(len(name) + 1).encode()
    assert run('head', '-c', '3', path) == name[:3]
    assert run('sort', path) == name + b'\n'


def test_shell_globs_and_tests(filled):
    script = 'cd "$1" && for d in */; do test -d "$d" -a -r "$d/name" || exit 1; echo "$d"; done'
    output = run('sh', '-c', script, 'sh', filled.by_id).decode().split()
    assert output == sorted(row['id'] + '/' for row in filled.rows)


def test_reading_in_pieces_and_beyond_the_end(filled):
    path = max(files(filled.expected), key=lambda path: len(filled.expected[path]))
    content = filled.expected[path]
    with open(filled.by_id / os.fsdecode(path), 'rb', buffering=0) as file:
        pieces = [os.pread(file.fileno(), 1, offset) for offset in range(len(content))]
        assert b''.join(pieces) == content
        assert os.pread(file.fileno(), 100, len(content)) == b''
        assert os.pread(file.fileno(), 100, 10 ** 9) == b''
        assert os.pread(file.fileno(), 100, len(content) - 1) == content[-1:]


def test_memory_map_shows_the_content(filled):
    id_ = filled.rows[0]['id']
    script = ('import mmap, sys; file = open(sys.argv[1], "rb"); '
              'sys.stdout.buffer.write(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[:])')
    assert run(sys.executable, '-c', script, filled.by_id / id_ / 'name').decode() \
        == filled.details[id_]['name'] + '\n'


def test_reads_of_cold_pages_after_the_kernel_forgot_them(filled):
    with open(filled.by_id / filled.rows[0]['id'] / 'name', 'rb') as file:
        first = file.read()
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        assert file.read() == first


def test_listing_can_be_read_again_from_the_start_and_from_the_middle(filled):
    script = ('import os, sys; fd = os.open(sys.argv[1], os.O_RDONLY); '
              'print(sorted(os.listdir(fd)) == sorted(os.listdir(fd)), len(os.listdir(fd)))')
    assert run(sys.executable, '-c', script, filled.by_id) == b'True 10\n'
