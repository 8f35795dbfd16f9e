/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/fs/control.h"
#include "kapturefs/model/node.h"

enum { FILE_SIZE_MAX = 4 << 20 };

/* The snapshot of generation g stands at g % CONTROL_SNAPSHOTS. */
struct file {
	const char *name;
	control_print_fn *print;
	void *userdata;
	uint32_t generation; /* of the next look */
	struct snapshot {
		char *data; /* NULL where none has been taken */
		size_t length;
		uint32_t generation;
		int64_t taken_ms;
	} snapshots[CONTROL_SNAPSHOTS];
};

struct control {
	uint32_t file_count;
	struct file files[CONTROL_FILES_MAX];
};

int control_new(struct control **ret)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	*ret = control;
	return 0;
}

void control_free(struct control *control)
{
	if (!control)
		return;

	for (uint32_t i = 0; i < control->file_count; i++) {
		for (size_t j = 0; j < CONTROL_SNAPSHOTS; j++)
			free(control->files[i].snapshots[j].data);
	}
	free(control);
}

void control_add(struct control *control, const char *name, control_print_fn *print, void *userdata)
{
	assert(control->file_count < CONTROL_FILES_MAX);

	control->files[control->file_count++] =
	        (struct file){ .name = name, .print = print, .userdata = userdata };
}

const char *control_name(const struct control *control, uint32_t place)
{
	return place < control->file_count ? control->files[place].name : NULL;
}

static void fill(uint32_t place, const struct snapshot *snapshot, struct control_snapshot *ret)
{
	*ret = (struct control_snapshot){
		.file = place,
		.generation = snapshot->generation,
		.taken_ms = snapshot->taken_ms,
		.data = snapshot->data,
		.length = snapshot->length,
	};
}

static int look(struct file *file, int64_t now_ms, struct snapshot **ret)
{
	struct snapshot *snapshot = &file->snapshots[file->generation % CONTROL_SNAPSHOTS];
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, FILE_SIZE_MAX);
	r = file->print(file->userdata, &text);
	if (!r)
		r = buffer_append_text(&text, "");
	if (r)
		return r;

	free(snapshot->data);
	snapshot->length = text.length;
	snapshot->data = buffer_steal(&text);
	snapshot->generation = file->generation;
	snapshot->taken_ms = now_ms;
	file->generation = (file->generation + 1) & NODE_ORDINAL_MAX;
	*ret = snapshot;
	return 0;
}

int control_look(struct control *control, const char *name, int64_t now_ms,
                 struct control_snapshot *ret)
{
	struct snapshot *snapshot;
	int r;

	for (uint32_t i = 0; i < control->file_count; i++) {
		if (strcmp(control->files[i].name, name) != 0)
			continue;
		r = look(&control->files[i], now_ms, &snapshot);
		if (r)
			return r;
		fill(i, snapshot, ret);
		return 0;
	}
	return -ENOENT;
}

int control_recall(const struct control *control, uint32_t file, uint32_t generation,
                   struct control_snapshot *ret)
{
	const struct snapshot *snapshot;

	if (file >= control->file_count)
		return -ESTALE;
	snapshot = &control->files[file].snapshots[generation % CONTROL_SNAPSHOTS];
	if (!snapshot->data || snapshot->generation != generation)
		return -ESTALE;

	fill(file, snapshot, ret);
	return 0;
}
