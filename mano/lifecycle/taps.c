/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TAPs that processes of services made to outlive them (tap:NAME?persist=1), and that no service has any more. They bear a folder below the run folder
 * as their alias (util/link.h); what somebody else made, or has open, is never touched. Any thread; each namespace is looked at by a thread of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lifecycle/host.h"
#include "lifecycle/leftovers.h"
#include "lifecycle/target.h"
#include "util/link.h"
#include "util/memory.h"

/* --- finding --- */

struct search {
	char run[PATH_MAX]; /* the run folder, as processes name it: without symbolic links */
	const char *netns;  /* "": ours */
	struct tap_left *found;
	size_t count;
	struct host_netns *searched;
	size_t searched_count;
};

/* The folder of a service that an alias names; NULL: it is none of ours. */
static const char *folder_of(const struct search *s, const char *alias)
{
	const char *path = alias + strlen(LINK_OURS);
	size_t length = strlen(s->run);
	bool ours = strncmp(alias, LINK_OURS, strlen(LINK_OURS)) == 0 && strncmp(path, s->run, length) == 0;

	return ours && path[length] == '/' && path[length + 1] ? path : NULL;
}

static void look_at(void *user, const struct link *link)
{
	struct search *s = user;
	bool free = strcmp(link->kind, "tun") == 0 && !link->carrier && !link->queues;
	const char *folder = free ? folder_of(s, link->alias) : NULL;

	if (!folder)
		return;
	s->found = memory_grow(s->found, s->count, sizeof(*s->found));
	s->found[s->count] = (struct tap_left){ .netns = text_copy(s->netns), .folder = text_copy(folder) };
	snprintf(s->found[s->count++].name, sizeof(s->found->name), "%s", link->name);
}

static void search_here(void *search)
{
	links_each(look_at, search);
}

static bool is_searched(const struct search *s, const struct host_netns *netns)
{
	for (size_t i = 0; i < s->searched_count; i++)
		if (s->searched[i].inode == netns->inode && s->searched[i].device == netns->device)
			return true;
	return false;
}

/* One that has several names, or is ours and has a name, is searched once. */
static void search_netns(struct search *s, const char *netns)
{
	struct host_netns found;

	if (!host_find_netns(netns, &found) || is_searched(s, &found))
		return;
	s->searched = memory_grow(s->searched, s->searched_count, sizeof(*s->searched));
	s->searched[s->searched_count++] = found;
	s->netns = netns;
	host_in_netns(netns, search_here, s);
}

static void search_all(struct search *s)
{
	DIR *all = opendir("/run/netns");
	struct dirent *entry;

	search_netns(s, "");
	while (all && (entry = readdir(all)))
		if (entry->d_name[0] != '.')
			search_netns(s, entry->d_name);
	if (all)
		closedir(all);
	free(s->searched);
}

/* Whether a service has it, or a process runs where it was made for. */
static bool is_wanted(struct manager *manager, const struct tap_left *tap, size_t run_length)
{
	bool has;

	pthread_mutex_lock(&manager->lock);
	has = manager_has_tap(manager, tap->netns, tap->name);
	pthread_mutex_unlock(&manager->lock);
	char *folder = text_format("%s%s", manager->options.run_folder, tap->folder + run_length);
	has = has || leftover_is_alive(manager, folder);
	free(folder);
	return has;
}

void leftovers_taps(struct manager *manager, void (*visit)(void *user, const struct tap_left *tap),
                    void *user)
{
	struct search s = { .count = 0 };

	if (!realpath(manager->options.run_folder, s.run))
		return;
	search_all(&s);
	for (size_t i = 0; i < s.count; i++) {
		if (!is_wanted(manager, &s.found[i], strlen(s.run)))
			visit(user, &s.found[i]);
		free(s.found[i].netns);
		free(s.found[i].folder);
	}
	free(s.found);
}

/* --- removing --- */

struct removal {
	const struct tap_left *tap;
	const char *failure;
};

/* Alone with it: whoever has the one queue of a TAP keeps others out (EBUSY); of one for several, ours must be the only one. */
static int attach(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	request.ifr_flags |= IFF_MULTI_QUEUE;
	if (errno == EINVAL && ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	close(fd);
	return -1;
}

/* It goes when the last one lets go of it, who is us; if somebody came meanwhile, with him. */
static void remove_here(void *removal)
{
	struct removal *r = removal;
	char alias[LINK_ALIAS_MAX + sizeof(LINK_OURS)];
	struct link link;
	int fd;

	snprintf(alias, sizeof(alias), LINK_OURS "%s", r->tap->folder);
	if (!link_find(r->tap->name, &link)) {
		r->failure = NULL;
		return;
	}
	fd = attach(r->tap->name);
	r->failure = "somebody has it open";
	if (fd >= 0 && link_find(r->tap->name, &link) && link.queues <= 1)
		r->failure = strcmp(link.alias, alias)     ? "it is another's now"
		             : ioctl(fd, TUNSETPERSIST, 0) ? strerror(errno)
		                                           : NULL;
	if (fd >= 0)
		close(fd);
}

bool leftover_remove_tap(const struct tap_left *tap, struct errors *errors)
{
	struct removal removal = { tap, "its network namespace cannot be entered" };

	host_in_netns(tap->netns, remove_here, &removal);
	if (removal.failure)
		errors_add(errors, NULL, "not-removed", NULL, 0, "the TAP %s was not removed: %s", tap->name,
		           removal.failure);
	return !removal.failure;
}

char *tap_left_text(const struct tap_left *tap)
{
	return *tap->netns ? text_format("TAP %s in network namespace %s", tap->name, tap->netns)
	                   : text_format("TAP %s", tap->name);
}
