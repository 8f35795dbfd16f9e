/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/privileges.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/command/confine.h"
#include "kapturefs/command/question.h"
#include "kapturefs/command/settings.h"

/* No customer has it: ids begin at 1. */
#define IMPOSSIBLE_ID "0"

struct question {
	struct source *source;
	struct source_fetch *fetch;
	question_done_fn *done;
	void *userdata;
};

/* A terminal must not take it for anything but text, and JSON is UTF-8 to its end. */
static void copy_sentence(const char *sentence, char ret[QUESTION_SENTENCE_SIZE])
{
	size_t length = 0;
	uint32_t character;
	size_t size;

	while ((size = utf8_decode(sentence, strlen(sentence), &character)) &&
	       length + size < QUESTION_SENTENCE_SIZE) {
		bool is_control = character < ' ' || (character >= 0x7f && character < 0xa0);

		memcpy(ret + length, is_control ? " " : sentence, is_control ? 1 : size);
		length += is_control ? 1 : size;
		sentence += size;
	}
	ret[length] = '\0';
}

static void answered(void *userdata, const struct source_answer *answer)
{
	struct question *question = userdata;
	struct question_outcome outcome = { .error = answer->error,
		                            .status = answer->status,
		                            .is_refused = answer->error && !answer->may_pass };

	snprintf(outcome.cause, sizeof(outcome.cause), "%s", answer->cause ? answer->cause : "");
	if (answer->sentence)
		copy_sentence(answer->sentence, outcome.sentence);
	question->done(question->userdata, &outcome);
}

static int start(struct kapture *kapture, bool is_once, question_done_fn *done, void *userdata,
                 struct question **ret)
{
	const struct source_question asked = { .key = { KEY_ID, IMPOSSIBLE_ID },
		                               .is_once = is_once };
	struct question *question = calloc(1, sizeof(*question));
	int r;

	if (!question)
		return -ENOMEM;
	question->source = kapture_source(kapture);
	question->done = done;
	question->userdata = userdata;
	r = question->source->operations->start(question->source, &asked, answered, question,
	                                        &question->fetch);
	if (r) {
		free(question);
		return r;
	}
	*ret = question;
	return 0;
}

int question_start(struct kapture *kapture, question_done_fn *done, void *userdata,
                   struct question **ret)
{
	return start(kapture, true, done, userdata, ret);
}

void question_free(struct question *question)
{
	if (!question)
		return;
	question->source->operations->free(question->fetch);
	free(question);
}

/* Waiting for it */

struct wait {
	bool is_over;
	struct question_outcome *outcome;
};

static void note(void *userdata, const struct question_outcome *outcome)
{
	struct wait *wait = userdata;

	*wait->outcome = *outcome;
	wait->is_over = true;
}

static int ask_and_wait(uv_loop_t *loop, struct kapture *kapture, struct question_outcome *ret)
{
	cleanup(question_freep) struct question *question = NULL;
	struct wait wait = { .outcome = ret };
	int r = start(kapture, false, note, &wait, &question);

	while (!r && !wait.is_over)
		uv_run(loop, UV_RUN_ONCE);
	return r;
}

int question_ask(const struct config *config, const struct config_secrets *secrets,
                 uint32_t retries, struct question_outcome *ret)
{
	struct kapture_settings settings = settings_for_source(config, secrets);
	struct kapture *kapture = NULL;
	uv_loop_t loop;
	int r;

	r = uv_loop_init(&loop);
	if (r)
		return r;
	settings.retries = retries;
	r = kapture_new(&loop, &settings, &kapture);
	if (!r)
		r = ask_and_wait(&loop, kapture, ret);
	kapture_free(kapture);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return r;
}

/* In a process of its own */

static _Noreturn void ask_for_parent(const struct config *config,
                                     const struct config_secrets *secrets, uint32_t retries, int to)
{
	struct question_outcome outcome;
	struct confinement ignored;
	int r = privileges_keep(0);

	log_set_silent();
	if (!r)
		r = confine(config, &ignored);
	if (!r)
		r = question_ask(config, secrets, retries, &outcome);
	if (!r && write(to, &outcome, sizeof(outcome)) != (ssize_t)sizeof(outcome))
		r = -EIO;
	_exit(r != 0);
}

int question_ask_apart(const struct config *config, const struct config_secrets *secrets,
                       uint32_t retries, struct question_outcome *ret)
{
	int ends[2];
	ssize_t length;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		ask_for_parent(config, secrets, retries, ends[1]);
	close(ends[1]);
	do
		length = pid < 0 ? 0 : read(ends[0], ret, sizeof(*ret));
	while (length < 0 && errno == EINTR);
	close(ends[0]);
	if (pid < 0)
		return -EAGAIN;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return length == (ssize_t)sizeof(*ret) ? 0 : -EIO;
}

/* In words */

static const char *token_place(const struct config *config)
{
	return config->token_file ? config->token_file : "the credential kapture-token";
}

bool question_explain(const struct question_outcome *outcome, const struct config *config,
                      char ret[QUESTION_TEXT_SIZE])
{
	if (outcome->is_refused) {
		snprintf(ret, QUESTION_TEXT_SIZE,
		         "the API refuses the token; put a valid one into %s", token_place(config));
	} else if (http_is_unknown_host(outcome->cause)) {
		snprintf(ret, QUESTION_TEXT_SIZE, "%s: %s; check its spelling, and the network",
		         config->base_url, outcome->cause);
	} else if (outcome->error == -EPROTO && !outcome->status) {
		snprintf(ret, QUESTION_TEXT_SIZE,
		         "%s: %s; check the clock and the host's name, or give cafile=PATH",
		         config->base_url, outcome->cause);
	} else {
		snprintf(ret, QUESTION_TEXT_SIZE, "%s: %s; kapturefs doctor looks into it",
		         config->base_url, outcome->cause);
		return false;
	}
	return true;
}
