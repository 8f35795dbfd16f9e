/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/fs/mounts.h"

enum {
	PLACE_SIZE = sizeof("/proc/self/fdinfo/") + 3 * sizeof(int),
	SYSTEM_UID_MAX = 999, /* of accounts for programs; sysusers.d(5) */
};

/* What the package makes for the daemon, see install/kapturefs.sysusers. */
#define ACCOUNT "kapturefs"

static void close_table(FILE **table)
{
	if (*table)
		fclose(*table);
}

static void free_line(char **line)
{
	free(*line);
}

/* The table writes blanks, tabs, line feeds and backslashes as three octal digits. */
static void unescape(char *text)
{
	char *to = text;
	unsigned byte;

	while (*text) {
		if (sscanf(text, "\\%3o", &byte) == 1) {
			*to++ = (char)byte;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

struct line {
	struct mounts_entry entry;
	unsigned id; /* of the mount; its device has as many as it is mounted on places */
	const char *path;
	const char *source;
	const char *options; /* of the file system */
};

/* The kernel writes its own options before any that are text. */
static uid_t find_owner(const char *options)
{
	const char *option = strstr(options, ",user_id=");
	unsigned owner;

	return option && sscanf(option, ",user_id=%u", &owner) == 1 ? owner : (uid_t)MOUNTS_NOBODY;
}

/* `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw` */
static bool read_line(char *text, struct line *ret)
{
	enum { ID, DEVICE = 2, PLACE = 4, FIELDS };
	char *separator = strstr(text, " - ");
	char *fields[FIELDS];
	char *rest = text;
	char *options;
	char *source;

	if (!separator || sscanf(separator, " - %63s", ret->entry.type) != 1)
		return false;
	source = separator + strlen(" - ") + strlen(ret->entry.type);
	source += *source == ' ';
	options = source + strcspn(source, " \n");
	if (*options)
		*options++ = '\0';
	options[strcspn(options, "\n")] = '\0';
	unescape(source);
	for (int i = 0; i < FIELDS; i++) {
		fields[i] = strsep(&rest, " ");
		if (!fields[i])
			return false;
	}
	unescape(fields[PLACE]);
	ret->path = fields[PLACE];
	ret->source = source;
	ret->options = options;
	ret->entry.owner = find_owner(options);
	return sscanf(fields[ID], "%u", &ret->id) == 1 &&
	       sscanf(fields[DEVICE], "%u:%u", &ret->entry.major, &ret->entry.minor) == 2;
}

/* Run @look on each line of the table, until it has enough. */
static void for_each_line(bool (*look)(void *userdata, const struct line *line), void *userdata)
{
	cleanup(close_table) FILE *table = fopen("/proc/self/mountinfo", "re");
	cleanup(free_line) char *text = NULL;
	struct line line;
	size_t size = 0;

	while (table && getline(&text, &size, table) > 0) {
		if (read_line(text, &line) && !look(userdata, &line))
			return;
	}
}

struct search {
	struct line wanted;
	mounts_take_fn *take;
	void *userdata;
};

static bool look_for_path(void *userdata, const struct line *line)
{
	struct search *search = userdata;

	/* The last one is on top. */
	if (strcmp(line->path, search->wanted.path) == 0)
		search->wanted.entry = line->entry;
	return true;
}

struct mounts_entry mounts_find(const char *path)
{
	struct search search = { .wanted.path = path };

	for_each_line(look_for_path, &search);
	return search.wanted.entry;
}

static bool look_for_device(void *userdata, const struct line *line)
{
	struct search *search = userdata;
	struct mounts_entry *wanted = &search->wanted.entry;

	if (line->entry.major != wanted->major || line->entry.minor != wanted->minor)
		return true;
	*wanted = line->entry;
	return false;
}

struct mounts_entry mounts_find_device(unsigned major, unsigned minor)
{
	struct search search = { .wanted.entry = { .major = major, .minor = minor } };

	for_each_line(look_for_device, &search);
	return search.wanted.entry;
}

/* What is open */

/* The name of what is open as @descriptor, for calls that take a path. */
static void describe_place(char place[PLACE_SIZE], int descriptor)
{
	snprintf(place, PLACE_SIZE, "/proc/self/fd/%d", descriptor);
}

static bool look_for_id(void *userdata, const struct line *line)
{
	struct search *search = userdata;

	if (line->id != search->wanted.id)
		return true;
	if (!search->wanted.path || strcmp(line->path, search->wanted.path) == 0)
		search->wanted.entry = line->entry;
	return false;
}

/* Which mount is meant by what is open, proc(5); a file system of another's is not asked for it. */
static bool read_mount_id(int descriptor, unsigned *ret)
{
	char path[PLACE_SIZE];
	cleanup(close_table) FILE *facts = NULL;
	cleanup(free_line) char *text = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", descriptor);
	facts = fopen(path, "re");
	while (facts && getline(&text, &size, facts) > 0) {
		if (sscanf(text, "mnt_id: %u", ret) == 1)
			return true;
	}
	return false;
}

static void identify(int descriptor, struct mounts_entry *ret)
{
	char place[PLACE_SIZE];
	char path[PATH_MAX];
	struct search search = { .wanted.path = path };
	ssize_t length;

	describe_place(place, descriptor);
	length = readlink(place, path, sizeof(path) - 1);
	path[length < 0 ? 0 : length] = '\0';
	if (read_mount_id(descriptor, &search.wanted.id))
		for_each_line(look_for_id, &search);
	*ret = search.wanted.entry;
}

int mounts_open(const char *path, struct mounts_entry *ret)
{
	int descriptor = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (descriptor < 0)
		return -errno;
	identify(descriptor, ret);
	return descriptor;
}

int mounts_look(int directory, const char *name, struct mounts_mount *ret)
{
	struct mounts_mount mount = { .directory = { .device = 0 } };
	struct search search = { .wanted.path = NULL };
	struct stat status = { .st_dev = 0 };
	unsigned around;
	int root = openat(directory, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	/* Another mount than that of its directory begins here. */
	if (fstat(directory, &status) == 0 && read_mount_id(directory, &around) &&
	    read_mount_id(root, &search.wanted.id) && search.wanted.id != around)
		for_each_line(look_for_id, &search);
	mount.entry = search.wanted.entry;
	mount.directory.device = status.st_dev;
	mount.directory.inode = status.st_ino;
	snprintf(mount.name, sizeof(mount.name), "%s", name);
	*ret = mount;
	return root;
}

struct device_search {
	const struct mounts_mount *mount;
	mounts_take_fn *take;
	void *userdata;
};

static bool look_for_mount(void *userdata, const struct line *line)
{
	struct device_search *search = userdata;

	if (!mounts_equal(&line->entry, &search->mount->entry))
		return true;
	return search->take(search->userdata, line->path, &line->entry);
}

void mounts_of_device(const struct mounts_mount *mount, mounts_take_fn *take, void *userdata)
{
	struct device_search search = { .mount = mount, .take = take, .userdata = userdata };

	for_each_line(look_for_mount, &search);
}

/* Whom to believe */

static bool is_account(uid_t user)
{
	const struct passwd *account = user && user <= SYSTEM_UID_MAX ? getpwnam(ACCOUNT) : NULL;

	return account && account->pw_uid == user;
}

bool mounts_is_trusted(const struct mounts_entry *entry)
{
	if (!entry->type[0])
		return false;
	return entry->owner == 0 || entry->owner == geteuid() || is_account(entry->owner);
}

static bool look_for_source(void *userdata, const struct line *line)
{
	struct search *search = userdata;

	if (strcmp(line->entry.type, search->wanted.entry.type) != 0 ||
	    strcmp(line->source, search->wanted.source) != 0 || !mounts_is_trusted(&line->entry))
		return true;
	return search->take(search->userdata, line->path, &line->entry);
}

void mounts_of_source(const char *type, const char *source, mounts_take_fn *take, void *userdata)
{
	struct search search = { .wanted.source = source, .take = take, .userdata = userdata };

	snprintf(search.wanted.entry.type, sizeof(search.wanted.entry.type), "%s", type);
	for_each_line(look_for_source, &search);
}

/* Whether @name, to its end or a comma, is one of the options. */
static bool has_option(const char *options, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = options; (at = strstr(at, name)); at += length) {
		if ((at == options || at[-1] == ',') && (!at[length] || at[length] == ','))
			return true;
	}
	return false;
}

/* Whether this user can enter, as far as the table says. */
static bool is_for_user(const struct line *line)
{
	return geteuid() == 0 || line->entry.owner == geteuid() ||
	       has_option(line->options, "allow_other");
}

struct user_search {
	const char *type;
	mounts_take_fn *take;
	void *userdata;
	struct mounts_entry taken[64]; /* those beyond may come twice */
	size_t taken_count;
	size_t left_out;
};

static bool was_taken(const struct user_search *search, const struct mounts_entry *entry)
{
	for (size_t i = 0; i < search->taken_count; i++) {
		if (mounts_equal(&search->taken[i], entry))
			return true;
	}
	return false;
}

static bool look_for_user(void *userdata, const struct line *line)
{
	struct user_search *search = userdata;
	struct mounts_entry on_top;

	if (strcmp(line->entry.type, search->type) != 0 || !is_for_user(line) ||
	    was_taken(search, &line->entry))
		return true;
	on_top = mounts_find(line->path);
	if (!mounts_equal(&on_top, &line->entry))
		return true;
	if (search->taken_count < array_length(search->taken))
		search->taken[search->taken_count++] = line->entry;
	if (!mounts_is_trusted(&line->entry)) {
		search->left_out++;
		return true;
	}
	return search->take(search->userdata, line->path, &line->entry);
}

size_t mounts_of_user(const char *type, mounts_take_fn *take, void *userdata)
{
	struct user_search search = { .type = type, .take = take, .userdata = userdata };

	for_each_line(look_for_user, &search);
	return search.left_out;
}

bool mounts_equal(const struct mounts_entry *left, const struct mounts_entry *right)
{
	return left->major == right->major && left->minor == right->minor &&
	       strcmp(left->type, right->type) == 0;
}
