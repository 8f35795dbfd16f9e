# SPDX-License-Identifier: MIT
"""kapturefs export: all that is cached as NDJSON or CSV."""

import csv
import io
import json
import os
import pty
import subprocess

import harness


def run(*arguments, **more):
    return subprocess.run([harness.BINARY, 'export', *map(str, arguments)],
                          capture_output=True, **more)


def output(*arguments):
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, b''), result
    return result.stdout


def table(*arguments):
    return list(csv.reader(io.StringIO(output(*arguments).decode(), newline=''), strict=True))


def refused(result, status, text):
    assert result.returncode == status
    assert text in result.stderr.decode()
    assert result.stdout == b''


def cached(mounts, api, *numbers):
    mount = mounts(api.url)
    for number in numbers:
        os.stat(mount / 'by-id' / str(number))
    return mount


def test_it_prints_what_the_mount_shows(mounts, sandbox):
    mount = mounts(sandbox.url)
    for row in sandbox.customers():
        os.stat(mount / 'by-id' / row['id'])
    expected = (mount / 'export/customers.ndjson').read_bytes()
    assert expected.count(b'\n') == 20
    assert output(mount.path) == expected


def test_a_cache_that_nobody_has_mounted_is_exported_too(mounts, api, tmp_path):
    api.add_numbers([7, 8])
    mount = cached(mounts, api, 7, 8)
    path = mount.options['cache']
    refused(run(path), 5, 'in use')
    expected = output(mount.path)
    mount.close()
    assert output(path) == expected
    assert len(expected.splitlines()) == 2
    refused(run(tmp_path), 5, 'neither a mount')
    refused(run(tmp_path / 'none'), 5, 'No such file')
    (tmp_path / 'text').write_text('a text of somebody')
    refused(run(tmp_path / 'text'), 5, 'no cache of kapturefs')
    assert (tmp_path / 'text').read_text() == 'a text of somebody'


def test_a_table_has_every_value_in_the_column_of_its_name(mounts, api):
    remarks = 'a "quoted" word,\r\nand another\nline'
    api.add_numbers([7], remarks=remarks, zeta='last', alpha={'beta': [1, None]})
    api.add_numbers([8], maxCreditAmt=-5.50)
    mount = cached(mounts, api, 7, 8)
    text = output('--format', 'csv', mount.path)
    rows = table('--format', 'csv', mount.path)
    assert text.startswith(b'id,cmId,isOrganization,name,') and text.endswith(b'\r\n')
    head = rows[0]
    assert head[-3:] == ['zeta', 'alpha.beta.0', 'alpha.beta.1']
    assert all(len(row) == len(head) for row in rows) and len(rows) == 3
    first, second = (dict(zip(head, row)) for row in rows[1:])
    assert (first['id'], first['name'], first['remarks']) == ('7', 'Customer 7', remarks)
    assert (first['zeta'], first['alpha.beta.0'], first['alpha.beta.1']) == ('last', '1', '')
    assert (second['id'], second['maxCreditAmt'], second['zeta']) == ('8', '-5.5', '')
    assert not any(name.startswith('contacts') for name in head)


def test_contacts_are_a_table_of_their_own(mounts, api):
    api.add_numbers([7], contacts=[{'id': 1, 'email': 'a@b.c'}, {'id': 2, 'extra': True}])
    api.add_numbers([8], contacts=[])
    mount = cached(mounts, api, 7, 8)
    rows = table('--format', 'csv', '--contacts', mount.path)
    assert rows[0][:2] == ['customer', 'id'] and rows[0][-1] == 'extra'
    assert [(row[0], row[1], row[-1]) for row in rows[1:]] == [('7', '1', ''), ('7', '2', 'true')]


def test_columns_are_those_that_were_asked_for(mounts, api):
    api.add_numbers([7])
    mount = cached(mounts, api, 7)
    assert table('--format=csv', '--columns', 'name,nothing,id', mount.path) == [
        ['name', 'nothing', 'id'], ['Customer 7', '', '7']]
    refused(run('--format=csv', '--columns', 'a,,b', mount.path), 2, 'no list of columns')


def test_where_finds_all_words_without_case_and_accents(mounts, api):
    api.add_numbers([7], city='São Paulo', remarks='Prefers MORNINGS')
    api.add_numbers([8], city='Sao Tome', remarks='prefers evenings')
    mount = cached(mounts, api, 7, 8)

    def found(words):
        lines = output('--where', words, mount.path).splitlines()
        return [json.loads(line)['id'] for line in lines]

    assert found('sao') == [7, 8]
    assert found('SÃO morning') == [7]
    assert found('prefers paulo evenings') == []
    assert found('0000008') == [8]
    assert [row[0] for row in table('--format=csv', '--where', 'evening', mount.path)[1:]] == ['8']


def test_cells_that_are_formulas_are_quoted_if_wanted(mounts, api):
    api.add_numbers([7], remarks='=1+1', website='@x', city='-a "b"', maxCreditAmt=-1)
    mount = cached(mounts, api, 7)
    columns = ['--format=csv', '--columns=remarks,website,city,maxCreditAmt']
    assert table(*columns, mount.path)[1] == ['=1+1', '@x', '-a "b"', '-1']
    assert table(*columns, '--no-formulas', mount.path)[1] == ["'=1+1", "'@x", "'-a \"b\"", '-1']


def test_mistakes_are_told(mounts, api):
    mount = mounts(api.url)
    refused(run(), 2, 'give one MOUNTPOINT')
    refused(run('--format', 'xml', mount.path), 2, 'unknown format')
    refused(run('--nonsense', mount.path), 2, 'unknown option')
    refused(run('--contacts', mount.path), 2, 'for --format csv')
    refused(run(mount / 'by-id'), 2, 'below a mount')
    refused(run('/tmp'), 5, 'neither a mount')


def test_a_bar_is_shown_on_a_terminal(mounts, api):
    api.add_numbers(range(100, 120), remarks='r' * 200000)
    mount = mounts(api.url, rate='1000/s', burst='1000')
    for number in range(100, 120):
        os.stat(mount / 'by-id' / str(number))
    terminal, inner = pty.openpty()
    result = subprocess.run([harness.BINARY, 'export', mount.path], stdout=subprocess.PIPE,
                            stderr=inner, check=True)
    os.close(inner)
    shown = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert result.stdout == (mount / 'export/customers.ndjson').read_bytes()
    assert '100%' in shown and shown.endswith('\x1b[K')
