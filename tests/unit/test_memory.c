/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "kapturefs/command/memory.h"

#define MIB (UINT64_C(1) << 20)

static int set_up(void **state)
{
	char *root = strdup("/tmp/test_memory.XXXXXX");

	assert_non_null(mkdtemp(root));
	*state = root;
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
	assert_int_equal(system(command), 0);
	free(*state);
	return 0;
}

static void put(const char *root, const char *path, const char *text)
{
	char name[512];
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
	}
	file = fopen(name, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_limit(const char *root, uint64_t bytes, const char *source)
{
	struct memory_limit limit;

	memory_limit_find(root, &limit);
	assert_int_equal(limit.bytes, bytes);
	assert_string_equal(limit.source, source);
}

static void test_without_control_groups_there_is_no_limit(void **state)
{
	assert_limit(*state, UINT64_MAX, "");
}

static void test_the_limit_of_the_own_group_counts(void **state)
{
	const char *root = *state;

	put(root, "/proc/self/cgroup", "0::/user.slice/one.scope\n");
	put(root, "/sys/fs/cgroup/user.slice/one.scope/memory.max", "41943040\n");
	put(root, "/sys/fs/cgroup/user.slice/memory.max", "max\n");
	assert_limit(root, 40 * MIB, "/sys/fs/cgroup/user.slice/one.scope/memory.max");
}

static void test_the_narrowest_of_the_groups_above_counts(void **state)
{
	const char *root = *state;

	put(root, "/proc/self/cgroup", "0::/a/b/c\n");
	put(root, "/sys/fs/cgroup/a/b/c/memory.max", "max\n");
	put(root, "/sys/fs/cgroup/a/b/memory.max", "1073741824\n");
	put(root, "/sys/fs/cgroup/a/memory.max", "52428800\n");
	assert_limit(root, 50 * MIB, "/sys/fs/cgroup/a/memory.max");
}

/* In a container the group is the root of what is to be seen. */
static void test_the_limit_of_a_container_counts(void **state)
{
	const char *root = *state;

	put(root, "/proc/self/cgroup", "0::/\n");
	put(root, "/sys/fs/cgroup/memory.max", "41943040\n");
	assert_limit(root, 40 * MIB, "/sys/fs/cgroup/memory.max");
}

static void test_version_1_has_a_hierarchy_of_its_own(void **state)
{
	const char *root = *state;

	put(root, "/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/one\n0::/\n");
	put(root, "/sys/fs/cgroup/memory/docker/one/memory.limit_in_bytes", "41943040\n");
	put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	assert_limit(root, 40 * MIB, "/sys/fs/cgroup/memory/docker/one/memory.limit_in_bytes");
}

static void test_version_1_without_a_limit_has_none(void **state)
{
	const char *root = *state;

	put(root, "/proc/self/cgroup", "4:hugetlb,memory:/\n");
	put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	assert_limit(root, UINT64_MAX, "");
}

static void test_what_makes_no_sense_is_passed_over(void **state)
{
	const char *root = *state;

	put(root, "/proc/self/cgroup", "\n:\n0:\nx\n0::\n0::/a/../..\n4:memoryless:/\n");
	put(root, "/sys/fs/cgroup/memory.max", "lots\n");
	assert_limit(root, UINT64_MAX, "");
}

static void test_customers_have_half_of_what_is_left(void **state)
{
	const struct {
		uint64_t bytes;
		uint64_t share;
	} table[] = {
		{ UINT64_MAX, 64 * MIB }, { 1024 * MIB, 64 * MIB }, { 152 * MIB, 64 * MIB },
		{ 40 * MIB, 8 * MIB },    { 25 * MIB, MIB },        { MIB, MIB },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct memory_limit limit = { .bytes = table[i].bytes };

		assert_int_equal(memory_share(&limit, 64 * MIB), table[i].share);
		assert_int_equal(memory_share(&limit, 1000), 1000);
	}
}

#define in_a_root(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_root(test_without_control_groups_there_is_no_limit),
		in_a_root(test_the_limit_of_the_own_group_counts),
		in_a_root(test_the_narrowest_of_the_groups_above_counts),
		in_a_root(test_the_limit_of_a_container_counts),
		in_a_root(test_version_1_has_a_hierarchy_of_its_own),
		in_a_root(test_version_1_without_a_limit_has_none),
		in_a_root(test_what_makes_no_sense_is_passed_over),
		cmocka_unit_test(test_customers_have_half_of_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
