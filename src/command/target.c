/* SPDX-License-Identifier: MIT */
/*
 * A word with a kind, `id:7`, is a key. Any other is a path if that leads to a customer in a mount,
 * and else a key, unless it has a slash.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/keyword.h"
#include "kapturefs/command/owner.h"
#include "kapturefs/command/target.h"
#include "kapturefs/fs/mounts.h"

enum { LIST_SIZE_MAX = 1 << 20 };

static int complain(struct config_complaint *complaint, int status, const char *text)
{
	(void)config_complain(complaint, "%s", text);
	return status;
}

void target_fini(struct target *target)
{
	for (size_t i = 0; i < target->count; i++)
		place_fini(&target->places[i]);
	free(target->places);
	*target = (struct target){ 0 };
}

static int add_place(struct target *target, const struct place *place)
{
	struct place *places = reallocarray(target->places, target->count + 1, sizeof(places[0]));

	if (!places)
		return -ENOMEM;
	target->places = places;
	target->places[target->count++] = *place;
	return 0;
}

/* The mount on @path itself. */
static int open_mount(const char *path, struct target *target)
{
	struct place place;
	int r;

	r = place_find(path, &place);
	if (!r)
		r = add_place(target, &place);
	return r;
}

/* Mounts for keys */

static int open_named(const char *mountpoint, struct target *target,
                      struct config_complaint *complaint)
{
	int r = open_mount(mountpoint, target);

	if (r < 0)
		(void)config_complain(complaint, "-m %s: %s", mountpoint, strerror(-r));
	else if (r == PLACE_OUTSIDE)
		(void)config_complain(complaint, "-m %s: not a mount of kapturefs", mountpoint);
	if (r)
		return EXIT_LOCAL;
	if (!target->places[0].path[0])
		return EXIT_OK;
	(void)config_complain(complaint, "-m %s: below a mount; give its MOUNTPOINT", mountpoint);
	return EXIT_USAGE;
}

/*
 * The mount in which one stands, if any; what stands above in @target's path is not meant. Whoever
 * named no mount has not chosen to believe its user.
 */
static int open_own(struct target *target, struct config_complaint *complaint)
{
	char owner[OWNER_SIZE];
	const struct mounts_entry *mount;

	if (open_mount(".", target))
		return EXIT_OK;
	target->places[0].path[0] = '\0';
	mount = &target->places[0].mount;
	if (mounts_is_trusted(mount))
		return EXIT_OK;
	(void)config_complain(complaint,
	                      "user %s has mounted what you are in, and decides what it says; give "
	                      "-m MOUNTPOINT",
	                      owner_print(mount, owner));
	return EXIT_LOCAL;
}

struct mounts_list {
	struct buffer paths; /* each with its NUL */
	size_t count;
	int error;
};

static bool note_mount(void *userdata, const char *path, const struct mounts_entry *entry)
{
	struct mounts_list *list = userdata;

	(void)entry;
	list->error = buffer_append(&list->paths, path, strlen(path) + 1);
	list->count++;
	return !list->error;
}

static int list_several(const struct mounts_list *list, struct config_complaint *complaint)
{
	size_t length = 0;
	const char *path = list->paths.data;
	char text[CONFIG_COMPLAINT_SIZE - 128] = "";

	for (size_t i = 0; i < list->count && length < sizeof(text); i++) {
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
		                           i ? ", " : "", path);
		path += strlen(path) + 1;
	}
	(void)config_complain(complaint, "in which mount? give -m MOUNTPOINT: %s", text);
	return EXIT_USAGE;
}

static int open_all(const struct mounts_list *list, struct target *target,
                    struct config_complaint *complaint)
{
	const char *path = list->paths.data;

	for (size_t i = 0; i < list->count; i++) {
		int r = open_mount(path, target);

		if (!r && place_check_owner(&target->places[i], complaint))
			return EXIT_LOCAL;
		if (r) {
			(void)config_complain(complaint, "%s: %s", path,
			                      r < 0 ? strerror(-r) : "not mounted any more");
			return EXIT_LOCAL;
		}
		path += strlen(path) + 1;
	}
	return EXIT_OK;
}

static int open_listed(bool is_all, struct target *target, struct config_complaint *complaint)
{
	struct mounts_list list = { .count = 0 };
	size_t left_out;
	int status;

	buffer_init(&list.paths, LIST_SIZE_MAX);
	left_out = mounts_of_user("fuse.kapturefs", note_mount, &list);
	if (list.error)
		status = complain(complaint, EXIT_LOCAL, strerror(-list.error));
	else if (!list.count)
		status = complain(complaint, EXIT_LOCAL,
		                  left_out ? "no kapturefs is mounted by you or by root"
		                           : "no kapturefs is mounted");
	else if (list.count > 1 && !is_all)
		status = list_several(&list, complaint);
	else
		status = open_all(&list, target, complaint);
	buffer_fini(&list.paths);
	return status;
}

static int open_mounts(const struct target_choice *choice, struct target *target,
                       struct config_complaint *complaint)
{
	if (choice->mountpoint)
		return open_named(choice->mountpoint, target, complaint);
	if (!choice->is_all) {
		int status = open_own(target, complaint);

		if (status != EXIT_OK || target->count)
			return status;
	}
	return open_listed(choice->is_all, target, complaint);
}

/* Words */

static bool has_kind(const char *word)
{
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		const char *name = key_kind_facts(kind)->word;

		if (strncmp(word, name, strlen(name)) == 0 && word[strlen(name)] == ':')
			return true;
	}
	return false;
}

/* Whether the place is somebody's, by what the mount says, which asks nobody for that. */
static bool is_of_customer(const struct place *place)
{
	struct kapturefs_order order = { .max_age_ms = 0 };

	memcpy(order.path, place->path, sizeof(order.path));
	return place_order(place, KAPTUREFS_PEEK, &order) != -EISDIR;
}

/*
 * Whether the word is rather a key: a number in the directory of a customer, or an address in any
 * but by-email, that is no name there.
 */
static bool is_rather_key(const char *word, const struct place *place)
{
	const char *slash = strchr(place->path, '/');
	struct key key;
	bool is_below;

	if (strchr(word, '/') || keyword_parse(0, word, &key))
		return false;
	is_below = slash && strchr(slash + 1, '/');
	if (!is_below && (key.kind != KEY_EMAIL || strncmp(place->path, "by-email/", 9) == 0))
		return false;
	return faccessat(AT_FDCWD, word, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* Returns EXIT_OK, or what is wrong with the word as a path. */
static int find_path(const char *word, struct target *target, struct config_complaint *complaint)
{
	int r = open_mount(word, target);

	if (r < 0)
		return complain(complaint, EXIT_LOCAL, strerror(-r));
	if (r == PLACE_OUTSIDE)
		return complain(complaint, EXIT_LOCAL, "not in a mount of kapturefs");
	if (is_of_customer(&target->places[0]) && !is_rather_key(word, &target->places[0]))
		return EXIT_OK;
	target_fini(target);
	return complain(complaint, EXIT_NO, place_error(-EISDIR));
}

static int find_key(const char *word, const struct target_choice *choice, struct target *target,
                    struct config_complaint *complaint)
{
	struct key key;
	int status;

	if (keyword_parse(0, word, &key))
		return complain(complaint, EXIT_NO, "nobody can have that key");
	status = open_mounts(choice, target, complaint);
	/* Each mount has a country of its own. */
	for (size_t i = 0; status == EXIT_OK && i < target->count; i++) {
		struct place *place = &target->places[i];

		if (keyword_parse((uint32_t)place_metric(place, "kapturefs_phone_country", 0), word,
		                  &key))
			return complain(complaint, EXIT_NO, "nobody can have that key");
		keyword_print_path(&key, place->path);
	}
	return status;
}

int target_find(const char *word, const struct target_choice *choice, struct target *ret,
                struct config_complaint *complaint)
{
	struct target target = { 0 };
	struct key key;
	int status;

	if (has_kind(word)) {
		status = find_key(word, choice, &target, complaint);
	} else {
		status = find_path(word, &target, complaint);
		if (status != EXIT_OK && !strchr(word, '/') && keyword_parse(0, word, &key) == 0)
			status = find_key(word, choice, &target, complaint);
	}
	if (status == EXIT_OK)
		*ret = target;
	else
		target_fini(&target);
	return status;
}
