# SPDX-License-Identifier: MIT
"""kapturefs export: all that is cached as NDJSON or CSV."""

import csv
import io
import json
import os
import pty
import subprocess

import pytest

import harness
import terminal
from api import customer


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
    assert table('--format=csv', '--columns', 'name,zone,id', mount.path) == [
        ['name', 'zone', 'id'], ['Customer 7', '', '7']]


# --columns, with --contacts or not, and what is told.
MISTAKES = {
    'id,phone,nope': 'column 2, phone: in the other table; give --contacts',
    'id,nope': 'column 2, nope: there is no such column',
    'Name': 'column 1, Name: there is no such column; did you mean name?',
    'id, name': 'column 2,  name: there is no such column; did you mean name?',
    'name ': 'did you mean name?',
    'naem': 'did you mean name?',
    'id,name,id': 'column 3, id: named twice',
    'a,,b': 'no list of columns, separated by commas: column 2 has no name',
    'id,': 'column 2 has no name',
    '': 'column 1 has no name',
    'only': 'column 1, only: an object; its columns are only.one and so on',
    'contacts': 'there is no such column',
    'extra': 'column 1, extra: in the other table; give --contacts',
}


@pytest.mark.parametrize('columns', MISTAKES)
def test_column_that_does_not_exist_is_named_with_where_it_is(mounts, api, columns):
    api.add_numbers([7], only={'one': 1}, contacts=[{'id': 1, 'phone': '2', 'extra': 'x'}])
    mount = cached(mounts, api, 7)
    refused(run('--format=csv', '--columns', columns, mount.path), 2, MISTAKES[columns])
    if columns == 'id,nope':
        refused(run('--format=csv', '--contacts', '--columns', 'id,city', mount.path), 2,
                'column 2, city: in the other table; give no --contacts')


def test_column_that_somebody_has_is_no_mistake(mounts, api):
    """Be it one customer alone, or none of those that --where lets through."""
    api.add_numbers([7])
    api.add_numbers([8], zeta={'x': 'y'}, city='Pune')
    mount = cached(mounts, api, 7, 8)
    assert table('--format=csv', '--columns=id,zeta.x', mount.path)[1:] == [['7', ''], ['8', 'y']]
    assert table('--format=csv', '--columns=id,zeta.x', '--where=customer 7', mount.path)[1:] == [
        ['7', '']]


def test_columns_of_the_same_name_are_told_apart(mounts, api):
    odd = {'a': {'b': 1}, 'a.b': 2, 'a%2Eb': 3, 'c,d': 4, 'say "x"': 5, '.': 6,
           'p': {'q.r': {'s': 7}}}
    api.add(customer(7, **odd), ('id', '7'))
    mount = cached(mounts, api, 7)
    head, row = table('--format=csv', mount.path)
    values = dict(zip(head, row))
    names = ['a.b', 'a%2Eb', 'a%252Eb', 'c%2Cd', 'say "x"', '%2E', 'p.q%2Er.s']
    assert len(head) == len(set(head)) == len(row)
    assert [values[name] for name in names] == list('1234567')
    assert table('--format=csv', '--columns', ','.join(names), mount.path) == [
        names, list('1234567')]


def test_a_contacts_own_customer_is_not_the_customers_id(mounts, api):
    api.add(customer(7, contacts=[{'id': 1, 'customer': 'mine', 'x': {'customer': 'z'}}]),
            ('id', '7'))
    api.add(customer(8, contacts=[{'id': 2}]), ('id', '8'))
    mount = cached(mounts, api, 7, 8)
    head, first, second = table('--format=csv', '--contacts', mount.path)
    names = ['customer', 'id', '%63ustomer', 'x.customer']
    assert [dict(zip(head, first))[name] for name in names] == ['7', '1', 'mine', 'z']
    assert [dict(zip(head, second))[name] for name in names] == ['8', '2', '', '']
    assert table('--format=csv', '--contacts', '--columns', ','.join(names), mount.path)[1:] == [
        ['7', '1', 'mine', 'z'], ['8', '2', '', '']]


@pytest.mark.parametrize('words', ['', '  ', '\t', '\u00a0'])
def test_where_without_a_word_is_a_mistake(mounts, api, words):
    api.add_numbers([7])
    mount = cached(mounts, api, 7)
    refused(run('--where', words, mount.path), 2, '--where: give a word')


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


@pytest.mark.parametrize('before', ['', ' ', '  \t', '\n', '\r', '\t', '\u00a0', '\u3000', '\ufeff',
                                    '\u200b', ' \n '])
def test_nothing_before_a_formula_hides_it(mounts, api, before):
    cells = [before + sign + 'cmd|x' for sign in '=+-@＝＋－＠']
    names = [f'c{number}' for number in range(len(cells))]
    api.add_numbers([7], **dict(zip(names, cells)))
    mount = cached(mounts, api, 7)
    columns = ['--format=csv', '--columns=' + ','.join(names)]
    assert table(*columns, mount.path)[1] == cells
    # What separates cells elsewhere, too, is followed by another.
    again = "'" if set(before) & set('\t\r\n') else ''
    assert table(*columns, '--no-formulas', mount.path)[1] == [
        f"'{before}{again}{cell[len(before):]}" for cell in cells]


@pytest.mark.parametrize('separator', [';', '\t', '\n', '\r\n', '; ', ';\u00a0', ';;'])
def test_no_separator_within_a_cell_begins_a_formula(mounts, api, separator):
    """As where the comma is the decimal sign, and `;` separates cells."""
    cells = [f'a{separator}{sign}cmd' for sign in '=+-@＝']
    names = [f'c{number}' for number in range(len(cells))]
    api.add_numbers([7], **dict(zip(names, cells)), **{f'h{separator}=1': 'v'})
    mount = cached(mounts, api, 7)
    columns = ['--format=csv', '--columns=' + ','.join(names)]
    assert table(*columns, mount.path)[1] == cells
    assert table(*columns, '--no-formulas', mount.path)[1] == [
        f"a{separator}'{cell[len(separator) + 1:]}" for cell in cells]
    head = table('--format=csv', '--no-formulas', mount.path)[0]
    # Control characters of a name are escaped.
    assert ';' not in separator or f"h{separator}'=1" in head


def test_cells_that_begin_with_control_characters_are_quoted_if_wanted(mounts, api):
    cells = {'remarks': '\tx', 'website': '\rx', 'city': '\nx', 'name': ' x = -1'}
    api.add_numbers([7], **cells)
    mount = cached(mounts, api, 7)
    assert table('--format=csv', '--columns=remarks,website,city,name', '--no-formulas',
                 mount.path)[1] == ["'\tx", "'\rx", "'\nx", ' x = -1']


def test_heads_that_are_formulas_are_quoted_if_wanted(mounts, api):
    names = ['=1+1', '+x', '-x', '@x', ' =x', '＝x']
    api.add_numbers([7], **{name: 'v' for name in names})
    mount = cached(mounts, api, 7)
    plain = table('--format=csv', mount.path)[0]
    head = table('--format=csv', '--no-formulas', mount.path)[0]
    shown = [name for name in plain if name.endswith('x') or name == '=1+1']
    assert len(shown) == len(names)
    assert head == ["'" + name if name in shown else name for name in plain]


@pytest.mark.parametrize('words', [(), ('--where=asha',), ('--format=csv',)])
def test_control_characters_of_customers_reach_no_terminal(mounts, api, words):
    controls = '\u009b\u0085\u009d\x7f\u202e'
    text = json.loads(customer(7, remarks=f'São {controls}', city='Asha'))
    api.add(json.dumps(text, ensure_ascii=False).encode(), ('id', '7'))
    mount = cached(mounts, api, 7)
    assert controls in output(*words, mount.path).decode()
    shown = terminal.output_of([harness.BINARY, 'export', *words, mount.path])
    assert not set(controls) & {*shown} and 'São' in shown
    if '--format=csv' not in words:
        line, = [line for line in shown.splitlines() if line.startswith('{')]
        assert json.loads(line)['remarks'] == f'São {controls}'


# What one customer can do to the others

def deep(levels, value=b'1'):
    name = b'"' + b'n' * 250 + b'":'
    return (b'{"id":7,"cmId":1000298,' + name + (b'{' + name) * (levels - 1) + value +
            b'}' * (levels - 1) + b'}')


def wide(count, own=b'm'):
    members = b','.join(b'"%b%d":%d' % (own, number, number) for number in range(count))
    return b'{"id":7,"cmId":1000298,' + members + b'}'


def huge():
    """Of more columns than there are in any table, and in an array."""
    return b'{"id":7,"cmId":1000298,"tags":[0' + b',0' * 60000 + b']}'


ODD = {'deep': deep(60), 'wide': wide(5000), 'wide with odd names': wide(5000, b'\xc3\xab'),
       'of many values': huge(), 'as wide as can be': wide(65000)}


@pytest.mark.parametrize('case', ODD)
def test_customer_who_cannot_be_a_row_is_left_out_and_the_others_are_not(mounts, api, case):
    api.add_numbers([6, 8, 9], zeta='last')
    api.add(ODD[case], ('id', '7'))
    mount = cached(mounts, api, 7, 6, 8, 9)
    result = run('--format', 'csv', mount.path)
    rows = list(csv.DictReader(io.StringIO(result.stdout.decode(), newline='')))
    assert [row['id'] for row in rows] == ['6', '8', '9']
    assert [row['zeta'] for row in rows] == ['last'] * 3
    assert len(rows[0]) < 100
    line, = result.stderr.decode().splitlines()
    assert line.startswith('kapturefs: export: customer 7: left out: ')
    assert result.returncode == 5
    # Its contacts are none; and where columns are chosen, anybody is a row.
    assert table('--format', 'csv', '--contacts', mount.path)[1][0] == '6'
    rows = table('--format', 'csv', '--columns', 'id,zeta', mount.path)
    assert sorted(rows[1:]) == [['6', 'last'], ['7', ''], ['8', 'last'], ['9', 'last']]


def test_column_that_only_a_wide_customer_has_can_be_chosen(mounts, api):
    api.add_numbers([6])
    api.add(wide(60000), ('id', '7'))
    mount = cached(mounts, api, 7, 6)
    assert table('--format', 'csv', '--columns', 'id,m59999', mount.path) == [
        ['id', 'm59999'], ['7', '59999'], ['6', '']]
    refused(run('--format', 'csv', '--columns', 'id,m60000', mount.path), 2, 'no such column')


def test_many_customers_of_their_own_columns_leave_room_for_one_another(mounts, api):
    """Or else are left out: nobody's row is written without some of its values."""
    numbers = range(100, 130)
    for number in numbers:
        text = json.loads(wide(1000, b'm%d-' % number))
        api.add(json.dumps({**text, 'id': number}).encode(), ('id', str(number)))
    mount = cached(mounts, api, *numbers)
    result = run('--format', 'csv', mount.path)
    rows = list(csv.DictReader(io.StringIO(result.stdout.decode(), newline='')))
    left = result.stderr.decode().splitlines()
    assert len(rows) == 16 and len(left) == 30 - 16 and result.returncode == 5
    assert all(row[f"m{row['id']}-999"] == '999' for row in rows)


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
    shown = harness.terminal_text(terminal)
    assert result.stdout == (mount / 'export/customers.ndjson').read_bytes()
    assert '100%' in shown and shown.endswith('\x1b[K')
