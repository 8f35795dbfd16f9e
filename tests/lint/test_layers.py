# SPDX-License-Identifier: MIT
"""base <- (model, io) <- (api, cache) <- catalog <- fs <- config <- daemon <- command <- main;
sandbox on base and model.

The sandbox is a program of its own: of it, the others know what program.h says, and nothing else.
"""

import sources

# What a layer may include besides itself.
LAYERS = {
    'base': set(),
    'model': {'base'},
    'io': {'base'},
    'api': {'base', 'model', 'io'},
    'cache': {'base', 'model', 'io'},
    'catalog': {'base', 'model', 'io', 'api', 'cache'},
    'store': {'base', 'model', 'io'},
    'fs': {'base', 'model', 'io', 'api', 'cache', 'catalog', 'store'},
    'sandbox': {'base', 'model'},
    'config': {'base', 'model', 'io', 'api', 'cache', 'catalog', 'store', 'fs'},
    'daemon': {'base', 'model', 'io', 'api', 'cache', 'catalog', 'store', 'fs', 'config'},
    'command': {'base', 'model', 'io', 'api', 'cache', 'catalog', 'store', 'fs', 'config',
                'daemon'},
    'main': {'base', 'model', 'io', 'api', 'cache', 'catalog', 'store', 'fs', 'config', 'daemon',
             'command'},
}
# What two programs know of each other.
SHARED = 'include/kapturefs/sandbox/program.h'


def layer(path):
    """src/io/http.c and include/kapturefs/io/http.h are of io; src/main.c is of main."""
    parts = path.split('/')
    for folder in ('src', 'include', 'kapturefs'):
        if parts[0] == folder:
            parts = parts[1:]
    return parts[0].rsplit('.', 1)[0]


def own_include(root, path, target):
    """The name of the project's header that a quoted include means, or None."""
    for candidate in (root / 'include' / target, path.parent / target, root / 'src' / target):
        if candidate.is_file():
            return sources.name(root, candidate.resolve())
    return None


def violations(root):
    root = root.resolve()
    found = []
    for path in sources.files(root, 'src', 'include'):
        name = sources.name(root, path)
        mine = layer(name)
        if mine not in LAYERS:
            found.append(f'{name}: there is no layer {mine}')
            continue
        for quoted, target in sources.includes(path):
            if not quoted and not target.startswith('kapturefs/'):
                continue
            theirs = own_include(root, path, target)
            if theirs is None:
                found.append(f'{name}: includes {target}, which does not exist')
            elif theirs != SHARED and layer(theirs) not in LAYERS[mine] | {mine}:
                found.append(f'{name}: {mine} may not use {layer(theirs)} ({target})')
    return found


def cycles(root):
    root = root.resolve()
    graph = {}
    for path in sources.files(root, 'src', 'include', suffixes=('.h',)):
        targets = (own_include(root, path, target) for _, target in sources.includes(path))
        graph[sources.name(root, path)] = [target for target in targets if target]

    found, done = [], set()

    def visit(header, trail):
        if header in trail:
            found.append(' -> '.join(trail[trail.index(header):] + [header]))
        elif header not in done:
            for target in graph.get(header, []):
                visit(target, trail + [header])
            done.add(header)

    for header in graph:
        visit(header, [])
    return found


def test_every_layer_uses_only_those_below_it():
    assert violations(sources.ROOT) == []


def test_headers_do_not_include_one_another_in_circles():
    assert cycles(sources.ROOT) == []


def test_there_is_something_to_check():
    assert len(sources.files(sources.ROOT, 'src', 'include')) > 10


def test_a_model_that_uses_io_is_found(tmp_path):
    sources.plant(tmp_path, 'include/kapturefs/io/http.h', '')
    sources.plant(tmp_path, 'src/model/key.c', '#include "kapturefs/io/http.h"\n')
    assert violations(tmp_path) == ['src/model/key.c: model may not use io (kapturefs/io/http.h)']


def test_a_server_in_the_program_with_the_token_is_found(tmp_path):
    sources.plant(tmp_path, 'include/kapturefs/sandbox/sandbox.h', '')
    sources.plant(tmp_path, 'include/kapturefs/sandbox/program.h', '')
    sources.plant(tmp_path, 'src/command/demo.c', '#include "kapturefs/sandbox/program.h"\n'
                  '#include "kapturefs/sandbox/sandbox.h"\n')
    assert violations(tmp_path) == [
        'src/command/demo.c: command may not use sandbox (kapturefs/sandbox/sandbox.h)']


def test_a_detour_through_another_layers_private_header_is_found(tmp_path):
    sources.plant(tmp_path, 'src/fs/reply.h', '')
    sources.plant(tmp_path, 'src/catalog/find.c', '#include "../fs/reply.h"\n')
    assert violations(tmp_path) == ['src/catalog/find.c: catalog may not use fs (../fs/reply.h)']


def test_a_client_of_the_api_that_looks_into_the_cache_is_found(tmp_path):
    sources.plant(tmp_path, 'include/kapturefs/cache/cache.h', '')
    sources.plant(tmp_path, 'src/api/client.c', '#include "kapturefs/cache/cache.h"\n')
    assert violations(tmp_path) == [
        'src/api/client.c: api may not use cache (kapturefs/cache/cache.h)']


def test_a_folder_outside_the_layers_is_found(tmp_path):
    sources.plant(tmp_path, 'src/util/misc.c', '')
    assert violations(tmp_path) == ['src/util/misc.c: there is no layer util']


def test_a_circle_of_headers_is_found(tmp_path):
    sources.plant(tmp_path, 'include/kapturefs/base/a.h', '#include "kapturefs/base/b.h"\n')
    sources.plant(tmp_path, 'include/kapturefs/base/b.h', '#include "kapturefs/base/a.h"\n')
    assert len(cycles(tmp_path)) == 1
