/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/base/trust.h"
#include "kapturefs/config/file.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/parse.h"
#include "kapturefs/config/table.h"

enum { FILE_SIZE_MAX = 256 << 10 };

/* Linux's list of devices, Documentation/admin-guide/devices.txt. */
enum { MEMORY_MAJOR = 1, NULL_MINOR = 3 };

static int check_status(const char *path, const struct stat *status,
                        struct config_complaint *complaint)
{
	/* /dev/null, by which no file at all is meant. */
	if (S_ISCHR(status->st_mode) && status->st_rdev == makedev(MEMORY_MAJOR, NULL_MINOR))
		return 0;
	if (!S_ISREG(status->st_mode))
		return config_complain(complaint, "%s: not a regular file", path);
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return config_complain(complaint, "%s: belongs to another user; chown it", path);
	if (status->st_mode & (S_IWGRP | S_IWOTH))
		return config_complain(complaint, "%s: others may write to it; run chmod go-w %s",
		                       path, path);
	if (status->st_size > FILE_SIZE_MAX)
		return config_complain(complaint, "%s: over %d KiB", path, FILE_SIZE_MAX >> 10);
	return 0;
}

static int check_way(const char *path, struct config_complaint *complaint)
{
	char why[TRUST_WHY_SIZE];
	int r = trust_look(path, why);

	if (r < 0)
		return config_complain(complaint, "%s: %s", path, strerror(-r));
	return r ? config_complain(complaint, "%s: %s", path, why) : 0;
}

static int read_text(const char *path, struct buffer *ret, struct config_complaint *complaint)
{
	cleanup(close_descriptor) int descriptor = -1;
	struct stat status;
	char piece[4096];
	ssize_t length;
	int r;

	descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0) {
		bool is_absent = errno == ENOENT || errno == ENOTDIR;

		config_complain(complaint, "%s: %s", path, strerror(errno));
		return is_absent ? CONFIG_FILE_ABSENT : -EINVAL;
	}
	if (fstat(descriptor, &status) < 0)
		return config_complain(complaint, "%s: %s", path, strerror(errno));
	r = check_status(path, &status, complaint);
	if (!r)
		r = check_way(path, complaint);
	if (!r)
		r = buffer_append(ret, "", 0);
	while (!r && (length = read(descriptor, piece, sizeof(piece))) != 0) {
		if (length < 0)
			return config_complain(complaint, "%s: %s", path, strerror(errno));
		r = buffer_append(ret, piece, (size_t)length);
	}
	return r == -EFBIG ? config_complain(complaint, "%s: grows while it is read", path) : r;
}

static int make_plain(const char *path, struct buffer *text, struct config_complaint *complaint)
{
	const char *why = text_make_plain(text->data, &text->length);

	if (why)
		return config_complain(complaint, "%s: %s", path, why);
	text->data[text->length] = '\0';
	return 0;
}

int config_file_read(const char *path, struct config_file *ret, struct config_complaint *complaint)
{
	struct config_file file = { 0 };
	cleanup(buffer_fini) struct buffer text;
	const char *slash = strrchr(path, '/');
	int r;

	buffer_init(&text, FILE_SIZE_MAX);
	r = read_text(path, &text, complaint);
	if (!r)
		r = make_plain(path, &text, complaint);
	if (r)
		return r;
	file.path = strdup(path);
	file.directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	r = file.path && file.directory ? config_parse(&file, &text, complaint) : -ENOMEM;
	if (r) {
		config_file_fini(&file);
		return r;
	}
	*ret = file;
	return 0;
}

void config_file_fini(struct config_file *file)
{
	for (size_t i = 0; i < file->section_count; i++) {
		free(file->sections[i].name);
		free(file->sections[i].base_url);
	}
	for (size_t i = 0; i < file->entry_count; i++) {
		free(file->entries[i].name);
		free(file->entries[i].value);
	}
	free(file->sections);
	free(file->entries);
	free(file->path);
	free(file->directory);
	*file = (struct config_file){ 0 };
}

/* Questions */

/*
 * What opens an account goes to nobody but those whom the file knows: a source without a section
 * may be a typing error. A file without any section is of one account.
 */
static bool is_withheld(const struct config_file *file, size_t section, const char *option)
{
	return section == 0 && file->section_count > 1 && config_option_is_secret(option);
}

bool config_file_withholds(const struct config_file *file, size_t section, const char *option)
{
	return is_withheld(file, section, option) && config_file_line(file, section, option) > 0;
}

int config_file_apply(const struct config_file *file, size_t section, struct config *config,
                      struct config_complaint *complaint)
{
	int r = 0;

	/* What holds for all stands first, so a section has the last word. */
	for (size_t i = 0; !r && i < file->entry_count; i++) {
		const struct config_entry *entry = &file->entries[i];

		if ((entry->section == 0 || entry->section == section) &&
		    !is_withheld(file, section, entry->name))
			r = config_set_option(config, entry->name, entry->value, file->directory,
			                      complaint);
	}
	return r;
}

size_t config_file_find(const struct config_file *file, const char *base_url)
{
	for (size_t i = 1; i < file->section_count; i++) {
		if (strcmp(file->sections[i].base_url, base_url) == 0)
			return i;
	}
	return 0;
}

unsigned config_file_line(const struct config_file *file, size_t section, const char *option)
{
	for (size_t i = file->entry_count; i-- > 0;) {
		const struct config_entry *entry = &file->entries[i];

		if ((entry->section == 0 || entry->section == section) &&
		    strcmp(entry->name, option) == 0)
			return entry->line;
	}
	return 0;
}
