/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/places.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/config/file.h"
#include "kapturefs/config/load.h"
#include "kapturefs/config/secrets.h"

static int refuse(int r, const struct config_complaint *complaint)
{
	terminal_complain("kapturefs: %s", r == -ENOMEM ? strerror(ENOMEM) : complaint->text);
	return r == -ENOMEM ? EXIT_LOCAL : EXIT_USAGE;
}

/* A file or place that is wrong is told with the line that names it. */
static int check_section(const struct config_file *file, size_t section,
                         struct config_complaint *complaint)
{
	cleanup(config_fini) struct config config;
	struct config_complaint why;
	int r;

	config_init(&config);
	r = config_file_apply(file, section, &config, complaint);
	if (r)
		return r;
	r = config_check_secrets(&config, &why);
	if (!r)
		r = places_check(&config, &why);
	if (r != -EINVAL)
		return r;
	return config_complain(complaint, "%s:%u: %s%s%s%s", file->path,
	                       config_file_line(file, section, why.option), section ? "[" : "",
	                       file->sections[section].name, section ? "]: " : "", why.text);
}

static int check_file(const struct config_file *file)
{
	/* What holds for all is looked at by itself only when there is nothing else. */
	size_t first = file->section_count > 1 ? 1 : 0;
	struct config_complaint complaint;
	int status = EXIT_OK;

	for (size_t i = first; i < file->section_count; i++) {
		int r = check_section(file, i, &complaint);

		if (r)
			status = refuse(r, &complaint);
		else if (i == 0)
			terminal_say("%s: ok, no section", file->path);
		else
			terminal_say("%s: [%s] ok", file->path, file->sections[i].name);
	}
	return outcome_end("", status);
}

static int find_path(const char *argument, char **ret, struct config_complaint *complaint)
{
	int r;

	if (!argument) {
		r = config_find_file(ret);
		return r || *ret ? r
		                 : config_complain(complaint, "no configuration file; see "
		                                              "kapturefs.conf(5) for where it is");
	}
	*ret = realpath(argument, NULL);
	if (*ret)
		return 0;
	return errno == ENOMEM ? -ENOMEM
	                       : config_complain(complaint, "%s: %s", argument, strerror(errno));
}

int command_check_config(int argc, char **argv)
{
	struct config_complaint complaint;
	struct config_file file;
	char *path;
	int status;
	int r;

	if (argc > 1 && strcmp(argv[1], "--") == 0)
		argc--, argv++;
	if (argc > 2) {
		terminal_complain("kapturefs: --check-config takes one FILE and nothing more");
		return EXIT_USAGE;
	}
	serve_harden();
	r = find_path(argv[1], &path, &complaint);
	if (r)
		return refuse(r, &complaint);
	r = config_file_read(path, &file, &complaint);
	free(path);
	if (r)
		return refuse(r, &complaint);
	status = check_file(&file);
	config_file_fini(&file);
	return status;
}
