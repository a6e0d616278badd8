/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks by HTTP and HTTPS: curl's multi interface on the checker's epoll set. Connections are made for one check and closed; no name is ever looked
 * up, for the address is given. The checker's thread, under its lock.
 */
#include "lb/health/checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { BODY_MAX = 64 * 1024 };

/* What is known of a page so far. */
struct page {
	CURL *easy;
	struct curl_slist *connect_to;
	char *body; /* only where one is expected */
	size_t length;
	bool whole; /* as much as is looked at */
	char error[CURL_ERROR_SIZE];
};

static size_t take_body(char *bytes, size_t size, size_t n, void *context)
{
	struct page *page = context;
	size_t left = BODY_MAX - page->length, fits = size * n < left ? size * n : left;

	if (page->body)
		memcpy(page->body + page->length, bytes, fits);
	page->length += fits;
	page->whole = page->length == BODY_MAX;
	return page->whole ? 0 : size * n;
}

static void free_page(struct page *page)
{
	if (!page)
		return;
	if (page->easy)
		curl_easy_cleanup(page->easy);
	curl_slist_free_all(page->connect_to);
	free(page->body);
	free(page);
}

static void http_drop(struct health *h, struct target *t)
{
	if (t->page)
		curl_multi_remove_handle(h->multi, t->page->easy);
	free_page(t->page);
	t->page = NULL;
}

static uint16_t port_of(const struct target *t)
{
	return t->check.port ? t->check.port : t->port;
}

static void url_of(const struct target *t, char *url, size_t size)
{
	const char *scheme = t->check.kind == HEALTH_HTTPS ? "https" : "http";
	char address[NET_TEXT];

	ip_addr_format(&t->address, address, sizeof(address));
	if (t->check.host[0])
		snprintf(url, size, "%s://%s:%u%s", scheme, t->check.host, port_of(t), t->check.path);
	else
		snprintf(url, size, t->address.family == 4 ? "%s://%s:%u%s" : "%s://[%s]:%u%s", scheme,
		         address, port_of(t), t->check.path);
}

/* Whatever the URL names, the connection goes to the backend. */
static struct curl_slist *connect_list(const struct target *t)
{
	char address[NET_TEXT], text[NET_TEXT + 16];

	ip_addr_format(&t->address, address, sizeof(address));
	snprintf(text, sizeof(text), t->address.family == 4 ? "::%s:%u" : "::[%s]:%u", address, port_of(t));
	return curl_slist_append(NULL, text);
}

static bool set_tls(CURL *easy, const struct health_check *check)
{
	bool well = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, check->verify ? 1L : 0L) == CURLE_OK &&
	            curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, check->verify ? 2L : 0L) == CURLE_OK;

	if (!check->verify) /* the system's authorities are not even read */
		well = well && curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
		       curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
	else if (check->ca[0])
		well = well && curl_easy_setopt(easy, CURLOPT_CAINFO, check->ca) == CURLE_OK;
	return well;
}

static bool set_up(struct page *page, const struct target *t)
{
	CURL *easy = page->easy;
	char url[1024];

	url_of(t, url, sizeof(url));
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECT_TO, page->connect_to) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice-lb") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, page->error) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, page) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK && set_tls(easy, &t->check);
}

static struct page *new_page(const struct target *t)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return NULL;
	page->easy = curl_easy_init();
	page->connect_to = connect_list(t);
	page->body = t->check.body[0] ? malloc(BODY_MAX) : NULL;
	if (page->easy && page->connect_to && (page->body || !t->check.body[0]) && set_up(page, t))
		return page;
	free_page(page);
	return NULL;
}

static void http_begin(struct health *h, struct target *t)
{
	t->page = new_page(t);
	if (t->page && curl_multi_add_handle(h->multi, t->page->easy) == CURLM_OK)
		return;
	free_page(t->page);
	t->page = NULL;
	probe_end(h, t, false, "the request cannot be made");
}

static void status_text(const struct health_check *check, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < check->status_count && used < size; i++) {
		const struct health_range *r = &check->status[i];

		used += (size_t)snprintf(text + used, size - used, r->first == r->last ? "%s%u" : "%s%u-%u",
		                         i ? ", " : "", r->first, r->last);
	}
}

static void judge_page(struct health *h, struct target *t, long status)
{
	const struct health_check *check = &t->check;
	const struct page *page = t->page;
	char expected[100];
	bool right = false;

	for (unsigned i = 0; i < check->status_count; i++)
		right |= status >= check->status[i].first && status <= check->status[i].last;
	status_text(check, expected, sizeof(expected));
	if (!right)
		probe_end(h, t, false, "HTTP %ld, %s expected", status, expected);
	else if (page->body && !memmem(page->body, page->length, check->body, strlen(check->body)))
		probe_end(h, t, false, "HTTP %ld, but the page lacks \"%.80s\"", status, check->body);
	else
		probe_end(h, t, true, "HTTP %ld", status);
}

static void tell_failure(struct health *h, struct target *t, CURLcode result)
{
	const char *error = t->page->error;
	long number = 0;

	curl_easy_getinfo(t->page->easy, CURLINFO_OS_ERRNO, &number);
	if (result == CURLE_COULDNT_CONNECT && number)
		probe_end(h, t, false, "%s", strerror((int)number));
	else
		probe_end(h, t, false, "%s", error[0] ? error : curl_easy_strerror(result));
}

static void transfer_ended(struct health *h, CURL *easy, CURLcode result)
{
	struct target *t = NULL;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (!t || !t->busy)
		return;
	if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && t->page->whole))
		judge_page(h, t, status);
	else
		tell_failure(h, t, result);
}

static void see_ended(struct health *h)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(h->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			transfer_ended(h, message->easy_handle, message->data.result);
}

static void http_late(struct health *h, struct target *t)
{
	probe_end(h, t, false, "no page within %u ms", t->check.timeout);
}

static void http_ready(struct health *h, struct target *t, uint32_t events)
{
	(void)h;
	(void)t;
	(void)events; /* curl's sockets are in the set under their own numbers */
}

const struct probe_ops probe_http = { http_begin, http_ready, http_late, http_drop };

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	struct health *h = context;
	struct epoll_event event = { .data.u64 = EPOLL_CURL | (uint32_t)fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(h->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
	               (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	epoll_ctl(h->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	curl_multi_assign(h->multi, fd, h);
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *context)
{
	struct health *h = context;

	(void)multi;
	h->curl_due = ms < 0 ? UINT64_MAX : checker_now() + (uint64_t)ms * 1000000;
	return 0;
}

void http_socket_ready(struct health *h, int fd, uint32_t events)
{
	int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	           (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;

	curl_multi_socket_action(h->multi, fd, what, &running);
	see_ended(h);
}

void http_timers(struct health *h, uint64_t now)
{
	int running;

	if (now < h->curl_due)
		return;
	h->curl_due = UINT64_MAX;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	see_ended(h);
}

bool http_open(struct health *h)
{
	h->curl_due = UINT64_MAX;
	h->multi = curl_multi_init();
	return h->multi && curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
	       curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) == CURLM_OK &&
	       curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
	       curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h) == CURLM_OK;
}

void http_close(struct health *h)
{
	curl_multi_cleanup(h->multi);
	h->multi = NULL;
}
