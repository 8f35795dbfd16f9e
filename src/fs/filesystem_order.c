/* SPDX-License-Identifier: MIT */
/*
 * The part of filesystem that does what it is told by ioctl, see control_ioctl.h.
 *
 * An order is done when everybody sees that it is, so its reply waits until the kernel has dropped
 * what it had of the customer.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/fs/control_ioctl.h"
#include "kapturefs/fs/filesystem_parts.h"

static int reply(struct request *request, int outcome)
{
	if (outcome < 0)
		return outcome;
	fuse_reply_ioctl(request->req, outcome, NULL, 0);
	return 0;
}

/* Reply the error with what is known of its cause; the kernel hands both to whoever ordered. */
static int fail(struct request *request, const struct catalog_result *result)
{
	struct kapturefs_order order = { .max_age_ms = 0 };

	static_assert(KAPTUREFS_CAUSE_SIZE == (int)CATALOG_CAUSE_SIZE, "a cause fits");
	catalog_print_cause(result, order.cause);
	fuse_reply_ioctl(request->req, result->error, &order, sizeof(order));
	return 0;
}

static int settle(struct request *request)
{
	int r = filesystem_told(request);

	return r ? r : reply(request, request->order.outcome);
}

static int order_done(struct request *request, int outcome)
{
	struct filesystem *filesystem = request->context;

	request->order.is_done = true;
	request->order.outcome = outcome;
	filesystem_tell(request, notifier_last(filesystem->notifier));
	return settle(request);
}

/*
 * Whether the last answer is as young as the order allows. A day that is over does not change with
 * age, so for dates it is as good to be fresh.
 */
static bool will_do(struct filesystem *filesystem, const struct request_order *order,
                    const struct cache_key *known)
{
	int64_t age_ms = catalog_now_ms(filesystem->catalog) - known->fetched_ms;

	if (known->is_forced || age_ms < 0 || !order->max_age_ms)
		return false;
	return (uint64_t)age_ms < order->max_age_ms ||
	       (known->key.kind == KEY_DATE && catalog_is_fresh(filesystem->catalog, known));
}

/* What the last answer for the wanted key was, as the outcome of an order. */
static int known_outcome(struct request *request, struct cache_key *ret, int outcome)
{
	struct filesystem *filesystem = request->context;
	int r = catalog_peek(filesystem->catalog, &request->query.wanted, ret);

	if (r == CATALOG_ABSENT)
		return -ENOENT;
	return r ? r : outcome;
}

static int refresh_begin(struct request *request)
{
	struct filesystem *filesystem = request->context;
	struct request_order *order = &request->order;
	struct cache_key known;
	int r;

	r = tree_key(filesystem->tree, request->number, request->name, &request->query.wanted);
	if (r)
		return r;
	r = known_outcome(request, &known, KAPTUREFS_NOTHING);
	if (r != CATALOG_MISSING && will_do(filesystem, order, &known))
		return reply(request, r);

	order->insists = true;
	return TREE_MISSING;
}

int serve_refresh(struct request *request)
{
	const struct catalog_question *question = &request->query.question;
	struct cache_key known;
	int r;

	if (request->order.is_done)
		return settle(request);
	if (!question->waited)
		return refresh_begin(request);
	if (question->result.error)
		return fail(request, &question->result);

	r = known_outcome(request, &known, 0);
	if (r == CATALOG_MISSING)
		return -EIO;
	return request->order.max_age_ms ? reply(request, r) : order_done(request, r);
}

int serve_forget(struct request *request)
{
	struct filesystem *filesystem = request->context;
	int r;

	if (request->order.is_done)
		return settle(request);
	r = tree_key(filesystem->tree, request->number, request->name, &request->query.wanted);
	if (!r)
		r = catalog_forget(filesystem->catalog, &request->query.wanted);
	if (r < 0)
		return r;
	if (r == CATALOG_MISSING)
		return reply(request, KAPTUREFS_NOTHING);
	return order_done(request, r == CATALOG_REMAINS ? KAPTUREFS_REMAINS : 0);
}

int serve_peek(struct request *request)
{
	struct filesystem *filesystem = request->context;
	struct cache_key known;
	int r;

	r = tree_key(filesystem->tree, request->number, request->name, &request->query.wanted);
	if (r)
		return r;
	r = known_outcome(request, &known, KAPTUREFS_NOTHING);
	if (r == CATALOG_MISSING || !will_do(filesystem, &request->order, &known))
		return reply(request, 0);
	return reply(request, r);
}

int serve_why(struct request *request)
{
	struct filesystem *filesystem = request->context;
	struct catalog_result result;
	int r;

	r = tree_key(filesystem->tree, request->number, request->name, &request->query.wanted);
	if (r)
		return r;
	if (!catalog_why(filesystem->catalog, &request->query.wanted, &result))
		return reply(request, 0);
	return fail(request, &result);
}

/* Handlers */

static request_serve_fn *server_of(unsigned command, const char **ret_operation)
{
	switch (command) {
	case KAPTUREFS_REFRESH:
		*ret_operation = "refresh";
		return serve_refresh;
	case KAPTUREFS_FORGET:
		*ret_operation = "forget";
		return serve_forget;
	case KAPTUREFS_PEEK:
		*ret_operation = "peek";
		return serve_peek;
	case KAPTUREFS_WHY:
		*ret_operation = "why";
		return serve_why;
	default:
		return NULL;
	}
}

/* Whoever may read may have things asked for; to make others' cache forget takes more. */
static bool may_forget(const struct filesystem *filesystem, fuse_req_t req)
{
	uid_t caller = fuse_req_ctx(req)->uid;

	return caller == 0 || caller == geteuid() || caller == filesystem->settings.uid;
}

void handle_ioctl(fuse_req_t req, fuse_ino_t number, unsigned int command, void *argument,
                  struct fuse_file_info *file, unsigned flags, const void *in, size_t in_size,
                  size_t out_size)
{
	struct kapturefs_order order;
	const char *operation = NULL;
	request_serve_fn *serve = server_of(command, &operation);
	struct request request;

	(void)argument;
	(void)file;
	(void)flags;
	(void)out_size;
	if (!serve) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	if (in_size != sizeof(order)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	memcpy(&order, in, sizeof(order));
	request = filesystem_request(req, number, operation, serve);
	if (!memchr(order.path, '\0', sizeof(order.path))) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (command == KAPTUREFS_FORGET && !may_forget(request.context, req)) {
		fuse_reply_err(req, EPERM);
		return;
	}

	request.name = order.path;
	request.order.max_age_ms = order.max_age_ms;
	request_run(&request);
}
