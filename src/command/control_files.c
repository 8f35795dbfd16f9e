/* SPDX-License-Identifier: MIT */

#include "kapturefs/command/control_files.h"

/* For whoever finds the mount without knowing it. */
static const char readme[] =
        "This directory shows the customers of a Kapture CRM account. The files are not\n"
        "here: the program kapturefs fetches a customer when somebody asks for one.\n"
        "\n"
        "  by-id/191121684/          a customer by the id that Kapture gave\n"
        "  by-phone/9380491326/      the same by a phone number\n"
        "  by-email/a@example.com/   and by an e-mail address\n"
        "\n"
        "Each is a directory with one small file a field (name, city, ...) and with\n"
        "contacts/. `by-id/191121684.json` is all of it at once.\n"
        "\n"
        "Listing by-id, by-phone and by-email shows the customers asked for lately, not\n"
        "all that there are. A name that is not listed can be opened all the same.\n"
        "Everything is read-only; what is not there was never there.\n"
        "\n"
        "  status, status.json   how this mount is doing, for you and for scripts\n"
        "  errors                what went wrong lately, without customer data\n"
        "  metrics, version      for a monitoring system\n"
        "\n"
        "To end it: umount, or fusermount3 -u. To learn more: man kapturefs, or\n"
        "kapturefs --help.\n";

static int print_readme(void *userdata, struct buffer *text)
{
	(void)userdata;
	return buffer_append_text(text, readme);
}

static int print_metrics(void *userdata, struct buffer *text)
{
	const struct facts_sources *sources = userdata;

	kapture_update_metrics(sources->kapture);
	return metrics_print(sources->metrics, text);
}

static int print_version(void *userdata, struct buffer *text)
{
	(void)userdata;
	return buffer_append_text(text, "kapturefs " KAPTUREFS_VERSION "\n");
}

static int print_status(void *userdata, struct buffer *text)
{
	struct facts facts;

	facts_gather(userdata, &facts);
	return facts_print_words(&facts, text);
}

static int print_status_json(void *userdata, struct buffer *text)
{
	struct facts facts;

	facts_gather(userdata, &facts);
	return facts_print_json(&facts, text);
}

static int print_errors(void *userdata, struct buffer *text)
{
	(void)userdata;
	return facts_print_errors(text);
}

#ifdef WITH_ATTACK
/* In a variant for the tests alone: tests/mount/attack.c. */
int attack_print(void *userdata, struct buffer *text);
#endif

void control_files_add(struct control *control, struct facts_sources *facts)
{
	const struct {
		const char *name;
		control_print_fn *print;
	} files[] = {
		{ "README", print_readme },           { "status", print_status },
		{ "status.json", print_status_json }, { "errors", print_errors },
		{ "metrics", print_metrics },         { "version", print_version },
	};

	for (size_t i = 0; i < array_length(files); i++)
		control_add(control, files[i].name, files[i].print, facts);
#ifdef WITH_ATTACK
	control_add(control, "attack", attack_print, NULL);
#endif
}
