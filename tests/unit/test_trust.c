/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/trust.h"

enum { ANOTHER = 65533 };

/* A directory of ours, in which all paths are. */
static int set_up(void **state)
{
	char *directory = strdup("/tmp/test_trust.XXXXXX");

	*state = directory;
	return directory && mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
	if (chdir("/") || system(command))
		return -1;
	free(*state);
	return 0;
}

static void make_directory(const char *path, mode_t mode)
{
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_file(const char *path, mode_t mode)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(descriptor >= 0);
	assert_int_equal(fchmod(descriptor, mode), 0);
	close(descriptor);
}

static void give_away(const char *path)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(lchown(path, ANOTHER, ANOTHER), 0);
}

static void assert_trusted(const char *path)
{
	char why[TRUST_WHY_SIZE] = "";

	if (trust_look(path, why) != 0)
		fail_msg("%s: %s", path, why);
}

/* @why has %s where the directory of the test is named. */
static void assert_exposed(void **state, const char *path, const char *named, const char *why)
{
	char said[TRUST_WHY_SIZE] = "";
	char expected[TRUST_WHY_SIZE];
	char *real = realpath(*state, NULL);

	if (trust_look(path, said) != TRUST_EXPOSED)
		fail_msg("%s is trusted", path);
	snprintf(expected, sizeof(expected), "%s/%s", real, named);
	free(real);
	if (!strstr(said, expected) || !strstr(said, why))
		fail_msg("%s: %s", path, said);
}

static void test_what_is_ours_below_a_sticky_directory_is_trusted(void **state)
{
	(void)state;
	make_directory("a", 0700);
	make_file("a/file", 0644);
	assert_trusted("a/file");
	assert_trusted("a/none");
	assert_trusted("a/none/file");
	assert_trusted("/dev/null");
	make_directory("a/sticky", 01777);
	make_directory("a/sticky/own", 0700);
	assert_trusted("a/sticky/own/file");
}

static void test_a_directory_that_others_may_write_to_is_named(void **state)
{
	make_directory("all", 0777);
	make_file("all/file", 0600);
	make_directory("all/own", 0700);
	make_directory("group", 0770);
	assert_exposed(state, "all/file", "all", "run chmod go-w /");
	assert_exposed(state, "all/none", "all", "run chmod go-w /");
	assert_exposed(state, "all/own/file", "all", "run chmod go-w /");
	assert_exposed(state, "group/file", "group", "run chmod go-w /");
	assert_exposed(state, "all/own/../../group/file", "all", "run chmod go-w /");
}

static void test_a_sticky_bit_does_not_help_where_the_file_is(void **state)
{
	make_directory("sticky", 01777);
	make_file("sticky/file", 0600);
	assert_exposed(state, "sticky/file", "sticky", "mkdir -m 700");
	assert_exposed(state, "sticky/none", "sticky", "mkdir -m 700");
	/* Whoever comes first makes it. */
	assert_exposed(state, "sticky/none/file", "sticky", "mkdir -m 700");
}

static void test_a_file_that_others_may_write_to_is_named(void **state)
{
	char why[TRUST_WHY_SIZE];

	(void)state;
	make_file("file", 0620);
	assert_int_equal(trust_look("file", why), TRUST_EXPOSED);
	assert_string_equal(why, "others may write to file; run chmod go-w file");
	assert_int_equal(trust_look_on_the_way("file", why), 0);
}

static void test_what_belongs_to_another_is_named(void **state)
{
	make_directory("theirs", 0755);
	make_file("theirs/file", 0600);
	make_directory("theirs/ours", 0700);
	make_file("file", 0600);
	give_away("theirs");
	give_away("file");
	assert_exposed(state, "theirs/file", "theirs", "belongs to another user");
	assert_exposed(state, "theirs/none", "theirs", "belongs to another user");
	assert_exposed(state, "theirs/ours/file", "theirs", "belongs to another user");
	assert_exposed(state, "file", "file", "belongs to another user");
}

static void test_links_are_looked_at_and_so_is_where_they_lead(void **state)
{
	make_directory("own", 0700);
	make_directory("all", 0777);
	make_file("own/file", 0600);
	make_file("all/file", 0600);
	assert_int_equal(symlink("own", "link"), 0);
	assert_int_equal(symlink("../own/file", "all/link"), 0);
	assert_int_equal(symlink("all/file", "own-link"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_trusted("link/file");
	assert_exposed(state, "all/link", "all", "run chmod go-w /");
	assert_exposed(state, "own-link", "all", "run chmod go-w /");
	assert_int_equal(trust_look("loop", (char[TRUST_WHY_SIZE]){ "" }), -ELOOP);
}

static void test_a_link_of_anothers_in_a_sticky_directory_is_named(void **state)
{
	make_directory("own", 0700);
	make_file("own/file", 0600);
	make_directory("sticky", 01777);
	assert_int_equal(symlink("../own", "sticky/link"), 0);
	assert_trusted("sticky/link/file");
	give_away("sticky/link");
	assert_exposed(state, "sticky/link/file", "sticky/link", "belongs to another user");
}

/* Whoever has started us has opened it. */
static void test_a_descriptor_is_trusted(void **state)
{
	char path[64];
	int descriptor;

	(void)state;
	make_directory("all", 0777);
	make_file("all/file", 0600);
	descriptor = open("all/file", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/dev/fd/%d", descriptor);
	assert_trusted(path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	assert_trusted(path);
	assert_int_equal(unlink("all/file"), 0);
	assert_trusted(path);
	close(descriptor);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_ours_below_a_sticky_directory_is_trusted),
		TEST(test_a_directory_that_others_may_write_to_is_named),
		TEST(test_a_sticky_bit_does_not_help_where_the_file_is),
		TEST(test_a_file_that_others_may_write_to_is_named),
		TEST(test_what_belongs_to_another_is_named),
		TEST(test_links_are_looked_at_and_so_is_where_they_lead),
		TEST(test_a_link_of_anothers_in_a_sticky_directory_is_named),
		TEST(test_a_descriptor_is_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
