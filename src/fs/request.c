/* SPDX-License-Identifier: MIT */
/*
 * The life of a request:
 *
 *   running   it lives on the stack of its handler and asks the tree
 *   waiting   a copy on the heap holds a ticket for the key that it lacks
 *   settling  a copy on the heap is served again and again, until the kernel has been told
 *   replied   gone
 *
 * A waiting request whose caller was interrupted is looked at again and again until the caller
 * has a fatal signal pending, because the kernel tells of the first interruption only, and
 * breaking a call for any signal would break programs that use timers.
 *
 * Every ticket comes back in time. Should one ever be lost all the same, its request is overdue: it
 * is answered, so that nobody hangs, and reported as the mistake of ours that it is.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/error_name.h"
#include "kapturefs/base/list.h"
#include "kapturefs/base/log.h"
#include "kapturefs/fs/caller.h"
#include "kapturefs/fs/request.h"
#include "kapturefs/io/turns.h"

enum {
	SETTLING_LOOK_MS = 2,
	SETTLING_NS_MAX = 3 * 1000 * 1000, /* in one turn of the loop; searches have 2 of it */
	SOON_MS = 1, /* a timer of 0 would go off again in the same turn of the loop */
	INTERRUPT_LOOK_MS = 10,
	/*
	 * A caller whose state cannot be seen, in another process namespace say, is let go after
	 * this.
	 */
	INTERRUPT_GRACE_MS = 2000,
};

struct requests {
	uv_loop_t *loop;
	struct catalog *catalog;
	uint64_t wait_max_ms;
	struct list waiting;       /* in the order in which they began */
	struct list settling;      /* those of the waiting that need no answer any more */
	struct list interrupted;   /* those of the waiting whose caller was interrupted */
	struct turn_share looking; /* at those */
	uv_timer_t settling_timer; /* runs while anybody settles */
	uv_timer_t interrupt_timer;
	uv_timer_t overdue_timer; /* runs while anybody waits */
	uv_async_t woken;
	unsigned handles_open; /* the timers and the last, closing or not */
	struct counter waiting_count;
	struct counter overdue_count;
	struct histogram durations;
};

struct waiting {
	struct request request;
	struct list link;
	struct list settling;
	struct list interrupted;
	uint64_t began_ms; /* of the loop's clock, like the next */
	uint64_t interrupted_ms;
	struct catalog_ticket *ticket;
	char name[];
};

static void note_duration(const struct request *request)
{
	histogram_add(&request->requests->durations, (uv_hrtime() - request->started_ns) / 1000);
}

static void request_fail(const struct request *request, int error)
{
	log_debug("filesystem: %s failed node=%#llx error=%s", request->operation,
	          (unsigned long long)request->number, error_name(-error));
	note_duration(request);
	fuse_reply_err(request->req, -error);
}

/* Served with @r. */
static void request_end(const struct request *request, int r)
{
	if (r < 0)
		request_fail(request, r);
	else
		note_duration(request);
}

static void waiting_free(struct waiting *waiting)
{
	struct requests *requests = waiting->request.requests;

	counter_subtract(&requests->waiting_count, 1);
	list_remove(&waiting->link);
	if (list_is_empty(&requests->waiting))
		uv_timer_stop(&requests->overdue_timer);
	list_remove(&waiting->settling);
	list_remove(&waiting->interrupted);
	catalog_cancel(waiting->ticket);
	free(waiting);
}

static void log_wait(const struct waiting *waiting, const struct catalog_result *result)
{
	const struct request *request = &waiting->request;
	const struct key *wanted = &request->query.wanted;

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	log_debug("filesystem: %s waited key=%s customer=%s ms=%llu error=%s", request->operation,
	          key_kind_facts(wanted->kind)->word, log_hash(wanted->text).text,
	          (unsigned long long)(uv_now(request->requests->loop) - waiting->began_ms),
	          result->error ? error_name(-result->error) : "none");
}

static void waiting_answered(void *userdata, const struct catalog_result *result)
{
	struct waiting *waiting = userdata;

	log_wait(waiting, result);
	waiting->ticket = NULL;
	waiting->request.query.question.waited = true;
	waiting->request.query.question.result = *result;
	fuse_req_interrupt_func(waiting->request.req, NULL, NULL);
	request_run(&waiting->request);
	waiting_free(waiting);
}

static void waiting_fail(struct waiting *waiting, int error)
{
	request_fail(&waiting->request, error);
	waiting_free(waiting);
}

static void look_at_caller(struct waiting *waiting)
{
	enum caller_state state = caller_state(fuse_req_ctx(waiting->request.req)->pid);
	uint64_t since_ms = uv_now(waiting->request.requests->loop) - waiting->interrupted_ms;

	if (state == CALLER_DYING || (state == CALLER_UNKNOWN && since_ms >= INTERRUPT_GRACE_MS))
		waiting_fail(waiting, -EINTR);
}

/* A look is some system calls, and thousands may be killed at once: so it is done in steps. */
static void look_at_interrupted(uv_timer_t *timer)
{
	struct requests *requests = container_of(timer, struct requests, interrupt_timer);
	const struct list *last = requests->interrupted.previous;
	bool is_last = list_is_empty(&requests->interrupted);

	while (!is_last && turn_share_begin(&requests->looking, requests->loop)) {
		struct list *link = requests->interrupted.next;

		is_last = link == last;
		list_move_before(&requests->interrupted, link);
		look_at_caller(container_of(link, struct waiting, interrupted));
		turn_share_end(&requests->looking);
	}
	if (list_is_empty(&requests->interrupted))
		uv_timer_stop(timer);
	else if (!is_last)
		uv_timer_start(timer, look_at_interrupted, SOON_MS, INTERRUPT_LOOK_MS);
}

/* May run inside fuse_req_interrupt_func(), so it only makes a note. */
static void waiting_interrupted(fuse_req_t req, void *userdata)
{
	struct waiting *waiting = userdata;
	struct requests *requests = waiting->request.requests;

	(void)req;
	waiting->interrupted_ms = uv_now(requests->loop);
	list_move_before(&requests->interrupted, &waiting->interrupted);
	uv_timer_start(&requests->interrupt_timer, look_at_interrupted, 0, INTERRUPT_LOOK_MS);
}

static void look_for_overdue(uv_timer_t *timer);

/* Look when the one that has waited longest would be overdue. */
static void watch_overdue(struct requests *requests)
{
	uint64_t now_ms = uv_now(requests->loop);
	const struct waiting *first;
	uint64_t due_ms;

	if (list_is_empty(&requests->waiting)) {
		uv_timer_stop(&requests->overdue_timer);
		return;
	}
	first = container_of(requests->waiting.next, struct waiting, link);
	due_ms = first->began_ms + requests->wait_max_ms;
	uv_timer_start(&requests->overdue_timer, look_for_overdue,
	               due_ms > now_ms ? due_ms - now_ms : SOON_MS, 0);
}

static void look_for_overdue(uv_timer_t *timer)
{
	struct requests *requests = container_of(timer, struct requests, overdue_timer);
	struct list *next;

	for (struct list *link = requests->waiting.next; link != &requests->waiting; link = next) {
		struct waiting *waiting = container_of(link, struct waiting, link);
		uint64_t waited_ms = uv_now(requests->loop) - waiting->began_ms;

		next = link->next;
		if (waited_ms < requests->wait_max_ms)
			break;
		if (catalog_is_returning(waiting->ticket))
			continue;
		log_error("filesystem: %s got no answer, which is a bug waited_ms=%llu",
		          waiting->request.operation, (unsigned long long)waited_ms);
		counter_add(&requests->overdue_count, 1);
		waiting_fail(waiting, -EIO);
	}
	watch_overdue(requests);
}

/* Copy the request to the heap. */
static struct waiting *waiting_new(const struct request *request)
{
	size_t name_size = request->name ? strlen(request->name) + 1 : 0;
	struct waiting *waiting = calloc(1, sizeof(*waiting) + name_size);

	if (!waiting)
		return NULL;
	waiting->request = *request;
	if (request->name)
		waiting->request.name = memcpy(waiting->name, request->name, name_size);
	list_init(&waiting->link);
	list_init(&waiting->settling);
	list_init(&waiting->interrupted);
	return waiting;
}

static void waiting_begin(struct waiting *waiting)
{
	struct requests *requests = waiting->request.requests;

	counter_add(&requests->waiting_count, 1);
	waiting->began_ms = uv_now(requests->loop);
	list_insert_before(&requests->waiting, &waiting->link);
	if (requests->waiting.next == &waiting->link)
		watch_overdue(requests);
	fuse_req_interrupt_func(waiting->request.req, waiting_interrupted, waiting);
}

/* Want the key that the request lacks. */
static int request_wait(const struct request *request)
{
	struct catalog *catalog = request->requests->catalog;
	const struct key *wanted = &request->query.wanted;
	const struct fuse_ctx *asking = fuse_req_ctx(request->req);
	uint64_t caller = caller_group(asking->pid, asking->uid);
	struct waiting *waiting = waiting_new(request);
	int r;

	if (!waiting)
		return -ENOMEM;
	if (request->order.insists)
		r = catalog_renew(catalog, wanted, caller, request->order.max_age_ms > 0,
		                  waiting_answered, waiting, &waiting->ticket);
	else
		r = catalog_want_for(catalog, wanted, caller, waiting_answered, waiting,
		                     &waiting->ticket);
	if (r) {
		free(waiting);
		return r;
	}
	waiting_begin(waiting);
	return 0;
}

static void settle(struct waiting *waiting)
{
	int r = waiting->request.serve(&waiting->request);

	if (r == REQUEST_SETTLING)
		return;
	request_end(&waiting->request, r);
	waiting_free(waiting);
}

static void look_at_settling(struct requests *requests)
{
	const struct list *last = requests->settling.previous;
	uint64_t start_ns = uv_hrtime();
	bool is_last = list_is_empty(&requests->settling);

	while (!is_last && uv_hrtime() - start_ns < SETTLING_NS_MAX) {
		struct list *link = requests->settling.next;

		is_last = link == last;
		list_move_before(&requests->settling, link);
		settle(container_of(link, struct waiting, settling));
	}
	if (list_is_empty(&requests->settling)) {
		uv_timer_stop(&requests->settling_timer);
		return;
	}
	/* What there is of a turn may do for the first only: the next is another's. */
	if (is_last)
		list_move_before(&requests->settling, requests->settling.next);
}

static void settling_due(uv_timer_t *timer)
{
	look_at_settling(timer->data);
}

static void settling_woken(uv_async_t *woken)
{
	look_at_settling(woken->data);
}

void requests_wake(struct requests *requests)
{
	uv_async_send(&requests->woken);
}

static int request_settle(const struct request *request)
{
	struct requests *requests = request->requests;
	struct waiting *waiting = waiting_new(request);

	if (!waiting)
		return -ENOMEM;
	waiting_begin(waiting);
	list_insert_before(&requests->settling, &waiting->settling);
	uv_timer_start(&requests->settling_timer, settling_due, SETTLING_LOOK_MS, SETTLING_LOOK_MS);
	return 0;
}

/* The only place that knows that waiting exists. */
void request_run(struct request *request)
{
	struct catalog_question *question = &request->query.question;
	int r = request->serve(request);

	if (r == TREE_MISSING) {
		r = request_wait(request);
		if (!r)
			return;
		/* Who cannot wait may still do with an old answer. */
		question->waited = true;
		question->result = (struct catalog_result){
			.error = r,
			.may_pass = true,
			.cause = r == -EBUSY ? "too many look-ups wait already" : NULL,
		};
		r = request->serve(request);
	}
	if (r == REQUEST_SETTLING) {
		r = request_settle(request);
		if (!r)
			return;
	}
	request_end(request, r);
}

struct request request_new(struct requests *requests, fuse_req_t req, uint64_t number,
                           const char *operation, request_serve_fn *serve, void *context)
{
	return (struct request){
		.requests = requests,
		.req = req,
		.operation = operation,
		.serve = serve,
		.context = context,
		.number = number,
		.started_ns = uv_hrtime(),
		.query.question.asked_ms = catalog_now_ms(requests->catalog),
	};
}

size_t requests_list_waiting(const struct requests *requests, struct request_waiting *ret,
                             size_t max)
{
	size_t count = 0;

	for (struct list *link = requests->waiting.next; link != &requests->waiting && count < max;
	     link = link->next) {
		const struct waiting *waiting = container_of(link, struct waiting, link);
		const struct key *wanted = &waiting->request.query.wanted;

		ret[count++] = (struct request_waiting){
			.operation = waiting->request.operation,
			.kind = wanted->kind,
			.customer = log_hash(wanted->text),
			.waited_ms = uv_now(requests->loop) - waiting->began_ms,
		};
	}
	return count;
}

void requests_fail_waiting(struct requests *requests, int error)
{
	while (!list_is_empty(&requests->waiting))
		waiting_fail(container_of(requests->waiting.next, struct waiting, link), error);
}

/* Life cycle */

int requests_new(uv_loop_t *loop, struct catalog *catalog, uint64_t wait_max_ms,
                 struct requests **ret)
{
	struct requests *requests = calloc(1, sizeof(*requests));
	int r;

	if (!requests)
		return -ENOMEM;
	r = uv_async_init(loop, &requests->woken, settling_woken);
	if (r) {
		free(requests);
		return r;
	}

	requests->loop = loop;
	requests->catalog = catalog;
	requests->wait_max_ms = wait_max_ms;
	list_init(&requests->waiting);
	list_init(&requests->settling);
	list_init(&requests->interrupted);
	uv_timer_init(loop, &requests->settling_timer);
	uv_timer_init(loop, &requests->interrupt_timer);
	uv_timer_init(loop, &requests->overdue_timer);
	requests->settling_timer.data = requests;
	requests->interrupt_timer.data = requests;
	requests->overdue_timer.data = requests;
	requests->woken.data = requests;
	uv_unref((uv_handle_t *)&requests->woken);
	requests->handles_open = 4;
	*ret = requests;
	return 0;
}

void requests_add_metrics(struct requests *requests, struct metrics *metrics)
{
	metrics_add_counter(metrics, &requests->waiting_count, METRIC_GAUGE,
	                    "kapturefs_pending_lookups", "",
	                    "FUSE requests that wait for the API.");
	metrics_add_counter(metrics, &requests->overdue_count, METRIC_COUNTER,
	                    "kapturefs_overdue_requests_total", "",
	                    "Requests whose answer was lost, which is a bug.");
	metrics_add_histogram(metrics, &requests->durations, "kapturefs_fuse_request_seconds", "",
	                      "From reading a FUSE request to its reply.");
}

static void requests_closed(uv_handle_t *handle)
{
	struct requests *requests = handle->data;

	if (--requests->handles_open == 0)
		free(requests);
}

void requests_free(struct requests *requests)
{
	if (!requests)
		return;

	assert(list_is_empty(&requests->waiting));
	uv_close((uv_handle_t *)&requests->woken, requests_closed);
	uv_close((uv_handle_t *)&requests->settling_timer, requests_closed);
	uv_close((uv_handle_t *)&requests->interrupt_timer, requests_closed);
	uv_close((uv_handle_t *)&requests->overdue_timer, requests_closed);
}
