# SPDX-License-Identifier: MIT
"""What is released: the same bytes by whomever it is built, a hardened program, a list of parts."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/lint'))
import elf  # noqa: E402

pytestmark = pytest.mark.skipif(os.getuid() != 0 or not shutil.which('dpkg-buildpackage'),
                                reason='builds as another user, which only root can')

# Other places, another user, permissions, language, day and age of the sources.
ELSEWHERE = {'PATH': os.environ['PATH'], 'HOME': '/nonexistent', 'LC_ALL': 'C', 'USER': 'nobody',
             'TZ': 'Pacific/Kiritimati', 'DEB_BUILD_OPTIONS': 'nocheck parallel=3'}
AGE = '2019-03-04 05:06:07'


def path_of(package, name='kapturefs'):
    path, = package[0].glob(f'{name}_*.deb')
    return path


def released(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()
            if re.fullmatch(r'kapturefs.*\.(deb|spdx\.json)', path.name)}


def differences(one, other):
    """The files that are not the same; of a package, those in it."""
    found = [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]
    return [f'{name}: {line}' for name in found
            for line in (listing_differences(one[name], other[name])
                         if name.endswith('.deb') and name in one and name in other else [''])]


def listing(package):
    with tempfile.NamedTemporaryFile(suffix='.deb') as file:
        file.write(package)
        file.flush()
        output = subprocess.run(['dpkg-deb', '--contents', file.name], capture_output=True,
                                text=True, check=True, env={**os.environ, 'TZ': 'UTC'}).stdout
    return set(output.splitlines())


def listing_differences(one, other):
    return sorted(listing(one) ^ listing(other)) or ['in what a file contains']


@pytest.fixture(scope='module')
def elsewhere():
    """A directory where the same sources were built otherwise."""
    with tempfile.TemporaryDirectory(prefix='another-place-for-it-') as place:
        sources, target = pathlib.Path(place, 'of', 'sources'), pathlib.Path(place, 'packages')
        shutil.copytree(ROOT, sources, symlinks=True, ignore=shutil.ignore_patterns(
            'build*', '.git', '__pycache__', '.pytest_cache'))
        target.mkdir()
        subprocess.run(['chmod', '-R', 'go-rwx', sources], check=True)
        subprocess.run(['find', sources, '-exec', 'touch', '-h', '-d', AGE, '{}', '+'], check=True)
        subprocess.run(['chown', '-R', 'nobody:nogroup', place], check=True)
        result = subprocess.run(
            ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups',
             './bootstrap', 'deb', target], cwd=sources, capture_output=True, text=True,
            check=False, timeout=1000, env=ELSEWHERE, umask=0o077)
        assert result.returncode == 0, result.stderr
        yield target


def test_package_is_the_same_whoever_builds_it_wherever_and_whenever(package, elsewhere):
    one, other = released(package[0]), released(elsewhere)
    assert len(one) >= 4 and differences(one, other) == []


def test_a_package_that_differs_in_a_time_or_a_byte_is_found(package, tmp_path):
    one = released(package[0])
    tree = tmp_path / 'tree'
    subprocess.run(['dpkg-deb', '--raw-extract', path_of(package), tree], check=True)
    program = tree / 'usr/bin/kapturefs'
    for change, found in ((lambda: os.utime(program, (1, 1)), '1970-01-01 00:00 ./usr/bin'),
                          (lambda: program.write_bytes(program.read_bytes()[:-1] + b'?'), '')):
        change()
        subprocess.run(['dpkg-deb', '--root-owner-group', '--build', tree, tmp_path / 'bad.deb'],
                       check=True, stdout=subprocess.DEVNULL)
        other = {**one, path_of(package).name: (tmp_path / 'bad.deb').read_bytes()}
        lines = differences(one, other)
        assert lines and any(found in line for line in lines)


def test_packaged_programs_are_hardened(package, tmp_path):
    for name in ('kapturefs', 'kapturefs-sandbox'):
        subprocess.run(['dpkg-deb', '--extract', path_of(package, name), tmp_path], check=True)
    programs = [path for path in sorted((tmp_path / 'usr').rglob('kapturefs*'))
                if path.is_file() and path.read_bytes()[:4] == b'\x7fELF']
    assert len(programs) == 2
    assert {path.name: elf.weaknesses(path) for path in programs} == {
        path.name: [] for path in programs}


# The list of parts

def complaints(document):
    """What SPDX 2.3 has against the document, as far as it has such parts."""
    found = [name for name in ('spdxVersion', 'dataLicense', 'SPDXID', 'name', 'documentNamespace',
                               'creationInfo') if not document.get(name)]
    elements = [document['SPDXID'], *(entry['SPDXID'] for entry in document['packages'])]
    quoted = {entry['licenseId'] for entry in document['hasExtractedLicensingInfos']
              if entry['extractedText']}
    found += [f'twice: {name}' for name in set(elements) if elements.count(name) > 1]
    found += [f'no identifier: {name}' for name in elements
              if not re.fullmatch(r'SPDXRef-[A-Za-z0-9.-]+', name)]
    for entry in document['packages']:
        found += [f'{entry["name"]}: no {name}' for name in (
            'name', 'versionInfo', 'downloadLocation', 'licenseDeclared') if not entry.get(name)]
        terms = set(re.split(r' AND | OR |[()]', entry['licenseDeclared'])) - {''}
        found += [f'{entry["name"]}: {name} is neither known nor quoted' for name in terms - quoted
                  if not re.fullmatch(r'(?!LicenseRef)[A-Za-z0-9.-]+', name)]
    found += [f'relates to nothing: {item}' for item in document['relationships']
              if not {item['spdxElementId'], item['relatedSpdxElement']} <= set(elements)]
    return found


def parts(package):
    path, = package[0].glob('*.spdx.json')
    return json.loads(path.read_text())


def related(document, kind):
    return {item['relatedSpdxElement'].removeprefix('SPDXRef-Package-')
            for item in document['relationships'] if item['relationshipType'] == kind}


def test_list_of_parts_is_well_formed(package):
    document = parts(package)
    assert document['spdxVersion'] == 'SPDX-2.3' and complaints(document) == []


def test_list_of_parts_has_every_library_as_dpkg_knows_it(package, tmp_path):
    document = parts(package)
    entries = {entry['name']: entry for entry in document['packages']}
    linked = related(document, 'DYNAMIC_LINK')
    assert {'libc6', 'libcurl4', 'libsqlite3-0', 'libfuse3-3', 'libcjson1', 'libuv1'} <= linked
    # Those come with others: nobody links with them.
    assert {'libnghttp2-14', 'fuse3'} <= related(document, 'DEPENDS_ON')
    for name in linked:
        version = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', name],
                                 capture_output=True, text=True, check=True).stdout
        assert entries[name]['versionInfo'] == version
        assert entries[name]['licenseDeclared'] != 'NOASSERTION', name
        assert f'pkg:deb/debian/{name}@' in entries[name]['externalRefs'][0]['referenceLocator']
        assert 'source package' in entries[name]['sourceInfo']
    assert entries['libcjson1']['licenseDeclared'] == 'Apache-2.0 AND MIT'
    assert {'gcc-12', 'meson', 'libcurl4-openssl-dev'} <= entries.keys()


def test_list_of_parts_is_of_these_very_packages(package):
    entries = {entry.get('packageFileName'): entry for entry in parts(package)['packages']}
    for name in ('kapturefs', 'kapturefs-sandbox'):
        path = path_of(package, name)
        assert entries[path.name]['checksums'][0]['checksumValue'] == hashlib.sha256(
            path.read_bytes()).hexdigest()


def test_a_list_that_is_not_well_formed_is_found(package):
    document = parts(package)
    entry = next(entry for entry in document['packages'] if entry['name'] == 'libcurl4')
    entry['licenseDeclared'] += ' AND LicenseRef-of-nobody'
    document['packages'] += [dict(entry, versionInfo='')]
    document['relationships'][0]['relatedSpdxElement'] = 'SPDXRef-Package-nobody'
    lines = complaints(document)
    assert len(lines) == 5 and {line.split(':')[0] for line in lines} == {
        'twice', 'libcurl4', 'relates to nothing'}
