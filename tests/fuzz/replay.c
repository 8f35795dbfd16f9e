/* SPDX-License-Identifier: MIT */
/* The corpus of a fuzz target as an ordinary test, one case a file, where there is no engine. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

struct place {
	const char *directory;
	char *name;
};

static void replay(void **state)
{
	const struct place *place = *state;
	struct input input = { 0 };
	struct stat status;
	uint8_t *bytes;
	char path[4096];
	int descriptor;

	snprintf(path, sizeof(path), "%s/%s", place->directory, place->name);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(descriptor >= 0);
	assert_int_equal(fstat(descriptor, &status), 0);
	input.length = (size_t)status.st_size;
	bytes = malloc(input.length + !input.length);
	assert_non_null(bytes);
	assert_int_equal(read(descriptor, bytes, input.length), status.st_size);
	close(descriptor);

	assert_int_equal(LLVMFuzzerTestOneInput(bytes, input.length), 0);
	free(bytes);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	struct CMUnitTest *tests;
	struct place *places;
	int count;
	int failed;

	count = argc == 2 ? scandir(argv[1], &entries, is_case, alphasort) : -1;
	if (count <= 0) {
		fprintf(stderr, "give a directory with cases\n");
		return 2;
	}
	places = calloc((size_t)count, sizeof(*places));
	tests = calloc((size_t)count, sizeof(*tests));
	if (!places || !tests)
		return 2;
	for (int i = 0; i < count; i++) {
		places[i] = (struct place){ argv[1], entries[i]->d_name };
		tests[i] = (struct CMUnitTest){
			.name = entries[i]->d_name,
			.test_func = replay,
			.initial_state = &places[i],
		};
	}

	failed = _cmocka_run_group_tests("corpus", tests, (size_t)count, NULL, NULL);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	free(places);
	free(tests);
	return failed ? 1 : 0;
}
