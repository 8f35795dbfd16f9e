/* SPDX-License-Identifier: MIT */
/*
 * `get`: customers on standard output, without a mount.
 *
 * Keys are asked for side by side and printed in their order: asks before @shown have been
 * printed, those from there to @begun are under way or done.
 *
 * A cache has one owner. While a mount has it, that mount is asked: it knows more, and it keeps to
 * the rate. Only if it is not to be seen from here is the API asked past it.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/get_parts.h"
#include "kapturefs/command/inherited.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/places.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/stack.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/config/load.h"
#include "kapturefs/store/cache_check.h"

struct ask {
	struct catalog_question question;
	struct catalog_entry entry;
	char *cause; /* of an answer that is an error, or NULL */
	int error;   /* negative errno; -ENOENT for no customer */
	bool is_done;
};

struct run {
	struct get *get;
	struct stack stack;
	struct ask *asks; /* one a key */
	size_t begun;
	size_t shown;
	size_t begun_max; /* at a time */
	size_t count;     /* of those to be asked for */
};

/* What a callback of the catalog is told. */
struct waiter {
	struct run *run;
	struct ask *ask;
	const struct key *key;
};

static int refuse(const char *text)
{
	terminal_complain("kapturefs: get: %s", text);
	return EXIT_USAGE;
}

/* Asking */

static void advance(struct run *run);
static void find(struct run *run, struct ask *ask, const struct key *key);

/* As refresh tells it, and .kapturefs/errors; without memory the errno has to do. */
static char *print_cause(const struct catalog_result *result)
{
	char text[CATALOG_CAUSE_SIZE];

	catalog_print_cause(result, text);
	return text[0] ? strdup(text) : NULL;
}

static void answered(void *userdata, const struct catalog_result *result)
{
	struct waiter waiter = *(struct waiter *)userdata;

	free(userdata);
	free(waiter.ask->cause);
	waiter.ask->cause = print_cause(result);
	waiter.ask->question.waited = true;
	waiter.ask->question.result = *result;
	find(waiter.run, waiter.ask, waiter.key);
	advance(waiter.run);
}

static int wait_for(struct run *run, struct ask *ask, const struct key *key)
{
	struct catalog_ticket *ticket;
	struct waiter *waiter = malloc(sizeof(*waiter));
	int r;

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ run, ask, key };
	r = catalog_want(run->stack.catalog, key, answered, waiter, &ticket);
	if (r)
		free(waiter);
	return r;
}

static void find(struct run *run, struct ask *ask, const struct key *key)
{
	int r = catalog_find(run->stack.catalog, key, &ask->question, &ask->entry);
	struct catalog_result why;

	if (r == CATALOG_MISSING) {
		r = wait_for(run, ask, key);
		if (!r)
			return;
		/* Who cannot wait may still do with an old answer. */
		ask->question.waited = true;
		ask->question.result = (struct catalog_result){ .error = r, .may_pass = true };
		r = catalog_find(run->stack.catalog, key, &ask->question, &ask->entry);
	}
	ask->error = r == CATALOG_ABSENT ? -ENOENT : r;
	/* Who was left alone fails as another has. */
	if (ask->error && !ask->cause && catalog_why(run->stack.catalog, key, &why) &&
	    why.error == ask->error)
		ask->cause = print_cause(&why);
	ask->is_done = true;
}

static void show(struct run *run, size_t place)
{
	struct ask *ask = &run->asks[place];

	if (!run->get->keys[place].is_possible)
		get_complain_impossible(run->get, place);
	else if (ask->error == -ENETDOWN)
		get_complain(run->get, place, ask->error, "offline, and not in the cache");
	else if (ask->error)
		get_complain(run->get, place, ask->error, ask->cause);
	else
		get_print_record(run->get, place, ask->entry.customer.record);
	free(ask->cause);
	ask->cause = NULL;
	catalog_entry_fini(&ask->entry);
}

static void begin(struct run *run, size_t place)
{
	const struct get_key *key = &run->get->keys[place];
	struct ask *ask = &run->asks[place];

	ask->is_done = !key->is_possible;
	ask->question.asked_ms = catalog_now_ms(run->stack.catalog);
	if (key->is_possible)
		find(run, ask, &key->key);
}

/* Begin what may be begun, print what can be printed. */
static void advance(struct run *run)
{
	for (;;) {
		/* What cannot be written need not be asked for. */
		if (ferror(stdout))
			run->count = run->begun;
		if (run->shown < run->begun && run->asks[run->shown].is_done) {
			show(run, run->shown++);
		} else if (run->begun < run->count && run->begun - run->shown < run->begun_max) {
			begin(run, run->begun++);
		} else {
			break;
		}
	}
	if (run->shown == run->count)
		uv_stop(&run->stack.loop);
}

static int ask_all(struct run *run, const struct config *config,
                   const struct config_secrets *secrets)
{
	int r = stack_open(&run->stack, config, secrets);

	if (r) {
		terminal_complain("kapturefs: get: cannot start: %s", strerror(-r));
		return EXIT_LOCAL;
	}

	/* From here on each failure is told once, with its key. */
	log_set_silent();
	run->begun_max = config->max_connections;
	advance(run);
	while (run->shown < run->count)
		uv_run(&run->stack.loop, UV_RUN_DEFAULT);
	return run->get->status;
}

/* The cache, or instead of it the mount that has it. */
static int run_with_cache(struct run *run, struct config *config,
                          const struct config_secrets *secrets)
{
	int r;

	r = stack_open_cache(&run->stack, config, !config->cache_is_given);
	if (r == CACHE_BUSY && get_through_mount(run->get, config->base_url))
		return run->get->status;
	if (r == CACHE_BUSY) {
		terminal_complain(
		        "kapturefs: get: the cache %s is in use by a mount that cannot be "
		        "read from here; asking the API past it",
		        config->cache);
		free(config->cache);
		config->cache = strdup(":memory:");
		r = config->cache ? stack_open_cache(&run->stack, config, false) : -ENOMEM;
	}
	if (r) {
		terminal_complain("kapturefs: get: cache %s: %s", config->cache,
		                  stack_cache_complaint(r));
		return EXIT_LOCAL;
	}
	return ask_all(run, config, secrets);
}

static int run_with_secrets(struct get *get, struct config *config,
                            const struct config_secrets *secrets)
{
	struct run run = { .get = get, .count = get->count };
	int status;

	run.asks = calloc(get->count + 1, sizeof(run.asks[0]));
	if (!run.asks || stack_init(&run.stack)) {
		free(run.asks);
		terminal_complain("kapturefs: get: cannot start: %s", strerror(ENOMEM));
		return EXIT_LOCAL;
	}
	status = run_with_cache(&run, config, secrets);
	stack_close(&run.stack);
	stack_fini(&run.stack);
	free(run.asks);
	return status;
}

/* Whoever has no token may still ask the mount that has the cache; nothing is made for that. */
static bool get_without_secrets(struct get *get, const struct config *config)
{
	enum cache_health health;

	return cache_check(config->cache, 0, &health) == 0 && health == CACHE_IN_USE &&
	       get_through_mount(get, config->base_url);
}

static int run_get(struct get *get, struct config *config)
{
	cleanup(config_secrets_fini) struct config_secrets secrets = { 0 };
	struct config_complaint complaint;
	int r = config_read_secrets(config, &secrets, &complaint);

	if (r && get_without_secrets(get, config))
		return get->status;
	if (!r)
		r = places_check(config, &complaint);
	if (!r)
		return run_with_secrets(get, config, &secrets);
	return refuse(r == -EINVAL ? complaint.text : strerror(-r));
}

/* The command line */

static const struct option long_options[] = {
	{ "field", required_argument, NULL, 'F' },
	{ NULL, 0, NULL, 0 },
};

static int parse_options(struct get *get, struct config_request *request, int argc, char **argv)
{
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":o:", long_options, NULL)) != -1) {
		if (option == 'F' && get_is_field(optarg)) {
			get->field = optarg;
		} else if (option == 'F') {
			return refuse("--field takes the path of a file in a customer's directory");
		} else if (option != 'o') {
			terminal_complain("kapturefs: get: %s %s; see kapturefs get --help",
			                  option == ':' ? "a value is missing behind"
			                                : "unknown option",
			                  argv[optind - 1]);
			return EXIT_USAGE;
		} else if (config_request_add_options(request, optarg)) {
			return refuse(strerror(ENOMEM));
		}
	}
	if (argc - optind < 2)
		return refuse("give SOURCE and KEY; see kapturefs get --help");
	return config_request_set_source(request, argv[optind]) ? refuse(strerror(ENOMEM))
	                                                        : EXIT_OK;
}

static int add_key(struct get *get, const char *word)
{
	struct get_key *key;

	if (get->count == get->capacity) {
		size_t capacity = get->capacity ? 2 * get->capacity : 16;
		struct get_key *keys = reallocarray(get->keys, capacity, sizeof(keys[0]));

		if (!keys)
			return -ENOMEM;
		get->keys = keys;
		get->capacity = capacity;
	}
	key = &get->keys[get->count];
	*key = (struct get_key){ .word = strdup(word) };
	if (!key->word)
		return -ENOMEM;
	key->is_possible = keyword_parse(get->phone_country, word, &key->key) == 0;
	get->count++;
	return 0;
}

static int add_line(void *userdata, unsigned number, const char *word)
{
	struct get *get = userdata;
	struct get_key *key;
	int r = add_key(get, word);

	(void)number;
	if (r)
		return r;
	key = &get->keys[get->count - 1];
	key->is_possible = keyword_parse_line(get->phone_country, word, &key->key) == 0;
	return 0;
}

/* Returns EXIT_OK, or another exit status with the reason told. */
static int read_keys(struct get *get, char **words, size_t count)
{
	int r = 0;

	for (size_t i = 0; !r && i < count; i++)
		r = strcmp(words[i], "-") == 0 ? keyword_read(stdin, add_line, get)
		                               : add_key(get, words[i]);
	if (!r)
		return EXIT_OK;
	terminal_complain("kapturefs: get: %s: %s", r == -ENOMEM ? "keys" : "standard input",
	                  r == -EILSEQ ? keyword_not_text : strerror(-r));
	return EXIT_LOCAL;
}

static void free_keys(struct get *get)
{
	for (size_t i = 0; i < get->count; i++)
		free(get->keys[i].word);
	free(get->keys);
}

static int load(const struct config_request *request, struct config *ret)
{
	struct config_complaint complaint;
	int r = config_load(request, ret, &complaint);

	return r ? refuse(r == -EINVAL ? complaint.text : strerror(-r)) : EXIT_OK;
}

int command_get(int argc, char **argv)
{
	struct config_request request;
	struct config config;
	struct get get = { .field = NULL };
	int status;

	serve_harden();
	log_set_level(LOG_LEVEL_ERROR);
	if (config_request_init(&request))
		return refuse(strerror(errno));
	status = parse_options(&get, &request, argc, argv);
	if (status == EXIT_OK)
		status = load(&request, &config);
	if (status == EXIT_OK) {
		inherited_close(&config, NULL);
		get.phone_country = (uint32_t)config.phone_country;
		status = read_keys(&get, argv + optind + 1, (size_t)(argc - optind - 1));
		if (status == EXIT_OK)
			status = run_get(&get, &config);
		config_fini(&config);
	}
	config_request_fini(&request);
	free_keys(&get);
	return status == EXIT_USAGE ? status : outcome_end("get", status);
}
