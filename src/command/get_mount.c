/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/command/get_parts.h"
#include "kapturefs/command/keyword.h"
#include "kapturefs/command/place.h"
#include "kapturefs/fs/mounts.h"
#include "kapturefs/model/payload.h"

enum {
	READ_SIZE = 64 << 10,
	FILE_SIZE_MAX = 64 << 20,
};

static int read_all(int directory, const char *path, struct buffer *ret)
{
	cleanup(close_descriptor) int descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC);
	char bytes[READ_SIZE];
	ssize_t length;
	int r;

	if (descriptor < 0)
		return -errno;
	while ((length = read(descriptor, bytes, sizeof(bytes))) > 0) {
		r = buffer_append(ret, bytes, (size_t)length);
		if (r)
			return r;
	}
	return length < 0 ? -errno : buffer_append(ret, "", 0);
}

/* The outcome of read_one() for an answer that is not to the question. */
enum { ANOTHERS = 1 };

static bool has_id(const struct record *record, const struct key *key)
{
	const char *id = record_id(record);
	struct key own;

	return key_parse(KEY_ID, id, strlen(id), &own) == 0 && key_equal(&own, key);
}

static int read_one(const struct key *key, int directory, struct record **ret)
{
	cleanup(buffer_fini) struct buffer path;
	cleanup(buffer_fini) struct buffer json;
	cleanup(record_unrefp) struct record *record = NULL;
	char name[KEYWORD_PATH_SIZE];
	int r;

	buffer_init(&path, PATH_MAX);
	buffer_init(&json, FILE_SIZE_MAX);
	keyword_print_path(key, name);
	r = buffer_print(&path, "%s.json", name);
	if (!r)
		r = read_all(directory, path.data, &json);
	if (!r)
		r = payload_read_customer(json.data, json.length, &record);
	if (r)
		return r;
	if (key->kind == KEY_ID && !has_id(record, key))
		return ANOTHERS;
	*ret = steal(&record);
	return 0;
}

/* Only the mount knows more than the errno; it is not asked again for that. */
static void complain(struct get *get, size_t place, const struct place *mount, int error)
{
	struct kapturefs_order order = { .max_age_ms = 0 };
	bool is_known;

	keyword_print_path(&get->keys[place].key, order.path);
	is_known = place_order(mount, KAPTUREFS_WHY, &order) == error && order.cause[0];
	get_complain(get, place, error, is_known ? order.cause : NULL);
}

static void get_one(struct get *get, size_t place, const struct place *mount)
{
	cleanup(record_unrefp) struct record *record = NULL;
	int r;

	if (!get->keys[place].is_possible) {
		get_complain_impossible(get, place);
		return;
	}
	r = read_one(&get->keys[place].key, mount->descriptor, &record);
	if (r == ANOTHERS)
		get_complain(get, place, -EPROTO, "the mount's answer is another customer's");
	else if (r)
		complain(get, place, mount, r);
	else
		get_print_record(get, place, record);
}

/* Who owns a directory above may have put something else in its place since the table was read. */
static bool open_first(void *userdata, const char *path, const struct mounts_entry *entry)
{
	struct place *mount = userdata;
	cleanup(close_descriptor) int root = mounts_open(path, &mount->mount);

	if (root >= 0 && mounts_equal(&mount->mount, entry) && mounts_is_trusted(&mount->mount))
		mount->descriptor = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return mount->descriptor < 0;
}

bool get_through_mount(struct get *get, const char *source)
{
	struct place mount = { .descriptor = -1 };

	mounts_of_source("fuse.kapturefs", source, open_first, &mount);
	if (mount.descriptor < 0)
		return false;
	for (size_t i = 0; i < get->count && !ferror(stdout); i++)
		get_one(get, i, &mount);
	place_fini(&mount);
	return true;
}
