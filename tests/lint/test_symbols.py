# SPDX-License-Identifier: MIT
"""No circle of files within a room, and no call up the layers, by the symbols of the objects.

A file needs another one when its object lacks a symbol that the other's object defines. So this
sees what an include does not tell: which of the functions in a header a file really calls.
"""

import json
import os
import pathlib
import re
import subprocess

import pytest
import sources
from test_layers import LAYERS, layer

BUILD = pathlib.Path(os.environ['KAPTUREFS']).parents[1]
# As nm -A -P prints it: the object, the symbol, its type. U, w and v are lacking.
SYMBOL = re.compile(r'^(.+?): (\S+) (\w)', re.MULTILINE)

# Files that are in a circle still. A change that opens a circle deletes its files here.
KNOWN = {
    'src/command/doctor.c',
    'src/command/doctor_local.c',
    'src/command/doctor_network.c',
    'src/command/export_brief.c',
    'src/command/export_csv.c',
    'src/command/warm.c',
    'src/command/warm_dry.c',
    'src/fs/filesystem.c',
    'src/fs/filesystem_order.c',
    'src/fs/folder.c',
    'src/fs/folder_export.c',
    'src/fs/folder_search.c',
    'src/fs/notifier.c',
    'src/fs/notifier_kernel.c',
    'src/fs/tree.c',
    'src/fs/tree_day.c',
    'src/fs/tree_read.c',
    'src/fs/tree_replaced.c',
    'src/sandbox/answer.c',
    'src/sandbox/delivery.c',
    'src/sandbox/plan.c',
    'src/sandbox/plan_members.c',
    'src/store/cache.c',
    'src/store/cache_absence.c',
    'src/store/cache_extent.c',
    'src/store/cache_find.c',
    'src/store/cache_forget.c',
    'src/store/cache_hunt.c',
    'src/store/cache_log.c',
    'src/store/cache_rescue.c',
    'src/store/cache_reserve.c',
    'src/store/cache_roster.c',
    'src/store/cache_search.c',
    'src/store/cache_sieve.c',
    'src/store/cache_sieve_build.c',
    'src/store/cache_sieve_survey.c',
    'src/store/cache_store.c',
    'src/store/cache_sweep.c',
    'src/store/cache_use.c',
    'src/store/cache_values.c',
    'src/store/cache_words.c',
    'src/store/cache_write.c',
    'src/store/catalog.c',
    'src/store/catalog_fetch.c',
    'src/store/catalog_find.c',
    'src/store/catalog_house.c',
    'src/store/catalog_keep.c',
    'src/store/catalog_order.c',
    'src/store/catalog_room.c',
    'src/store/catalog_rules.c',
    'src/store/catalog_ticket.c',
    'src/store/kapture.c',
    'src/store/kapture_fetch.c',
    'src/store/kapture_page.c',
    'src/store/kapture_turn.c',
}


def program_objects(build):
    """{source file: its object} of both programs; what the tests compile anew is not of them."""
    entries = json.loads((build / 'compile_commands.json').read_text())
    found = {}
    for entry in entries:
        source = (build / entry['file']).resolve()
        if source.is_relative_to(sources.ROOT / 'src') and entry['output'].startswith('src/'):
            found[sources.name(sources.ROOT, source)] = build / entry['output']
    return found


def needs(objects):
    """{file: {file that it needs: a symbol for which it does}}."""
    files = {str(path): file for file, path in objects.items()}
    listing = subprocess.run(['nm', '-A', '-P', '-g', *files], check=True, capture_output=True,
                             text=True).stdout
    symbols = [(files[path], name, kind in 'Uwv') for path, name, kind in SYMBOL.findall(listing)]
    definer = {name: file for file, name, lacking in symbols if not lacking}
    graph = {file: {} for file in objects}
    for file, name, lacking in symbols:
        if lacking and definer.get(name, file) != file:
            graph[file].setdefault(definer[name], name)
    return graph


def shortest_circle(graph, start):
    """The files on the shortest way from a file back to it, or None."""
    ways, reached = [[start]], set()
    for way in ways:
        for file in graph[way[-1]]:
            if file == start:
                return way
            if file not in reached:
                reached.add(file)
                ways.append([*way, file])
    return None


def circles(graph):
    """A shortest circle through each file that is in one, each circle once."""
    rooms = {file: {other: symbol for other, symbol in others.items()
                    if layer(other) == layer(file)} for file, others in graph.items()}
    found = {}
    for file in sorted(rooms):
        if circle := shortest_circle(rooms, file):
            found.setdefault(frozenset(circle), circle)
    return list(found.values())


def told(graph, circle):
    steps = zip(circle, circle[1:] + circle[:1])
    return circle[0] + ''.join(f' -> {other} ({graph[file][other]})' for file, other in steps)


def calls_up(graph):
    return [f'{file}: {layer(file)} may not call {layer(other)} ({symbol} of {other})'
            for file, others in sorted(graph.items()) for other, symbol in sorted(others.items())
            if layer(other) not in LAYERS[layer(file)] | {layer(file)}]


@pytest.fixture(scope='module')
def program():
    return needs(program_objects(BUILD))


@pytest.fixture
def plant(tmp_path):
    """Compiles sources, {name: text}, each to an object of its own: what they need."""
    def planted(texts):
        objects = {}
        for number, (file, text) in enumerate(texts.items()):
            objects[file] = tmp_path / f'{number}.o'
            source = sources.plant(tmp_path, file, text)
            subprocess.run(['gcc', '-c', '-o', objects[file], source], check=True)
        return needs(objects)
    return planted


def test_no_circle_of_files_within_a_room(program):
    assert [told(program, circle) for circle in circles(program)
            if not KNOWN.issuperset(circle)] == []


def test_no_file_is_known_for_a_circle_that_is_gone(program):
    assert sorted(KNOWN.difference(*circles(program))) == []


def test_no_call_up_the_layers(program):
    assert calls_up(program) == []


def test_each_source_of_the_programs_is_looked_at(program):
    on_disk = {sources.name(sources.ROOT, path)
               for path in sources.files(sources.ROOT, 'src', suffixes=('.c',))}
    assert set(program) == on_disk
    assert 'src/command/mount.c' in program['src/main.c']


def test_a_planted_circle_is_found_and_told_by_its_symbols(plant):
    graph = plant({'src/fs/a.c': 'void b(void); void a(void) { b(); }\n',
                   'src/fs/b.c': 'extern int c; void b(void); void b(void) { c++; }\n',
                   'src/fs/c.c': 'void a(void); int c; void (*run)(void) = a;\n',
                   'src/fs/d.c': 'void a(void); void d(void) { a(); }\n'})
    assert [told(graph, circle) for circle in circles(graph)] == [
        'src/fs/a.c -> src/fs/b.c (b) -> src/fs/c.c (c) -> src/fs/a.c (a)']


def test_of_two_circles_the_shortest_through_a_file_is_told(plant):
    graph = plant({'src/fs/a.c': 'void b(void); void a(void) { b(); }\n',
                   'src/fs/b.c': 'void a(void); void c(void); void b(void) { a(); c(); }\n',
                   'src/fs/c.c': 'void a(void); void c(void) { a(); }\n'})
    assert circles(graph) == [
        ['src/fs/a.c', 'src/fs/b.c'], ['src/fs/c.c', 'src/fs/a.c', 'src/fs/b.c']]


def test_a_planted_call_up_the_layers_is_found(plant):
    graph = plant({'src/base/log.c': 'void reply(void); void log_line(void) { reply(); }\n',
                   'src/fs/reply.c': 'void log_line(void); void reply(void) { log_line(); }\n'})
    assert calls_up(graph) == ['src/base/log.c: base may not call fs (reply of src/fs/reply.c)']
    assert circles(graph) == []
