/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kapturefs/config/detour.h"
#include "scratch.h"

/* Paths are below the scratch directory, in which `mnt` is the mountpoint. */
static void assert_detour(struct scratch *scratch, const char *path, int outcome,
                          const char *expected)
{
	char mountpoint[PATH_MAX];
	char whole[PATH_MAX];
	char *real = realpath(scratch->path, NULL);
	char *detour;

	snprintf(mountpoint, sizeof(mountpoint), "%s/mnt", real);
	snprintf(whole, sizeof(whole), "%s/%s", real, path);
	if (detour_find(whole, mountpoint, &detour) != outcome)
		fail_msg("%s: not %d", path, outcome);
	if (expected) {
		assert_non_null(detour);
		assert_string_equal(detour + strlen(real) + 1, expected);
	} else {
		assert_null(detour);
	}
	free(detour);
	free(real);
}

static void test_paths_elsewhere_stay(void **state)
{
	assert_detour(*state, "token", 0, NULL);
	assert_detour(*state, "mnt2/token", 0, NULL);
	assert_detour(*state, "a/../b/./token", 0, NULL);
	assert_detour(*state, "../token", 0, NULL);
}

static void test_paths_through_the_mount_go_around_it(void **state)
{
	assert_detour(*state, "mnt/../token", 0, "token");
	assert_detour(*state, "mnt/by-id/7/../../.././token", 0, "token");
	assert_detour(*state, "mnt/../a/b", 0, "a/b");
}

static void test_paths_into_the_mount_are_found(void **state)
{
	assert_detour(*state, "mnt", DETOUR_BELOW, NULL);
	assert_detour(*state, "mnt/token", DETOUR_BELOW, NULL);
	assert_detour(*state, "a/../mnt//x/", DETOUR_BELOW, NULL);
	assert_detour(*state, "mnt/../mnt/token", DETOUR_BELOW, NULL);
}

static void link_to(struct scratch *scratch, const char *name, const char *target)
{
	assert_int_equal(symlink(target, scratch_path(scratch, name)), 0);
}

static void test_links_are_followed(void **state)
{
	link_to(*state, "in", "mnt/x");
	link_to(*state, "back", "mnt/..");
	link_to(*state, "plain", ".");
	link_to(*state, "loop", "loop");
	assert_detour(*state, "in", DETOUR_BELOW, NULL);
	assert_detour(*state, "plain/in/y", DETOUR_BELOW, NULL);
	assert_detour(*state, "back/token", 0, "token");
	assert_detour(*state, "plain/token", 0, NULL);
	assert_detour(*state, "loop/token", -ELOOP, NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_paths_elsewhere_stay),
		TEST(test_paths_through_the_mount_go_around_it),
		TEST(test_paths_into_the_mount_are_found),
		TEST(test_links_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
