/* SPDX-License-Identifier: MIT */
/*
 * folder: a provider whose cloud is a directory. A machine is a dangling symbolic link in
 * it whose target contains its labels. So one call creates it atomically with name and
 * labels, and fails if the name is taken: all that a provider needs from a cloud. The id
 * consists of inode and creation time, since inodes are reused and ids must not be.
 * doc/writing-a-provider.md explains this file.
 */
#include <lessor/provider.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LABELS_MAX 16
#define AT_ONCE 1 /* ms; with 0 the host would choose */

/* Created by open, freed by close. Read by many threads at once, never written. */
struct folder {
	int fd;
};

/* ---- reading the cloud ------------------------------------- */

struct machine {
	struct lessor_label labels[LABELS_MAX];	/* point into text */
	size_t label_count;
	int64_t created_ms;
	char id[64];
	char name[256];
	char text[2048];	/* "key=value key=value" */
};

/* 1: exists, 0: does not, -1: unknown. For anything but a link only id and name are set. */
static int machine_read(const struct folder *f, const char *name, struct machine *ret)
{
	struct stat st;
	char *next = ret->text, *word, *value;
	ssize_t len;

	memset(ret, 0, sizeof(*ret));
	if (fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -1;
	len = readlinkat(f->fd, name, ret->text, sizeof(ret->text) - 1);
	if (len < 0 && errno != EINVAL)
		return errno == ENOENT ? 0 : -1;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	snprintf(ret->id, sizeof(ret->id), "%ju-%jd.%09ld", (uintmax_t)st.st_ino,
		 (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	ret->created_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	while ((word = strsep(&next, " ")) != NULL && ret->label_count < LABELS_MAX) {
		value = strchr(word, '=');
		if (!value)
			continue;
		*value = '\0';
		ret->labels[ret->label_count].key = word;
		ret->labels[ret->label_count++].value = value + 1;
	}
	return 1;
}

/* A scan of the whole directory; `visit` is called for each machine. */
struct look {
	void (*visit)(struct look *look, const struct machine *m);
	struct lessor_call *call;
	const struct lessor_lease *lease;
	const struct lessor_resource *row;
	struct machine found;
	int count;   /* machines found */
	int foreign; /* matches that are not provably ours */
};

/* 0 only after a complete scan: a partial one proves no absence. */
static int look_run(const struct folder *f, struct look *look)
{
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct machine m;
	int there, failed;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		there = machine_read(f, entry->d_name, &m);
		if (there < 0)
			break;
		if (there)
			look->visit(look, &m);
	}
	failed = entry || errno;
	closedir(dir);
	return failed ? -1 : 0;
}

static void visit_id(struct look *look, const struct machine *m)
{
	size_t i;

	if (strcmp(m->id, look->row->id) != 0)
		return;
	look->found = *m;
	for (i = 0; i < m->label_count; i++) { /* they point into the other copy */
		look->found.labels[i].key = look->found.text + (m->labels[i].key - m->text);
		look->found.labels[i].value = look->found.text + (m->labels[i].value - m->text);
	}
	look->count++;
}

/* Reads one machine by its exact id, whatever its name is by now. Returns as machine_read. */
static int look_id(const struct folder *f, struct look *look)
{
	look->visit = visit_id;
	return look_run(f, look) ? -1 : look->count;
}

static struct lessor_observed machine_observed(const struct machine *m)
{
	struct lessor_observed seen = { sizeof(seen), LESSOR_KIND_SERVER, m->id, m->name,
					m->labels, m->label_count, m->created_ms, NULL, NULL, NULL,
					LESSOR_PROTECTION_UNKNOWN, 0 };

	return seen;
}

static int has_label(const struct machine *m, const char *key, const char *value)
{
	size_t i;

	for (i = 0; i < m->label_count; i++) {
		if (strcmp(m->labels[i].key, key) == 0)
			return strcmp(m->labels[i].value, value) == 0;
	}
	return 0;
}

/* ---- reading the ledger ----------------------------------------------------------------- */

static int is_unsettled(const struct lessor_resource *row)
{
	return lessor_state_is_unsettled(row->state);
}

/* The row of the first machine of the lease that may exist. */
static const struct lessor_resource *row_of(const struct lessor_lease *lease)
{
	size_t i;

	for (i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *row = lessor_resource_at(lease, i);

		if (row->kind == LESSOR_KIND_SERVER && row->ours &&
		    !lessor_state_is_over(row->state))
			return row;
	}
	return NULL;
}

static void visit_unsettled(struct look *look, const struct machine *m)
{
	struct lessor_observed seen = machine_observed(m);
	char attempt[16];

	snprintf(attempt, sizeof(attempt), "%" PRIu32, look->row->attempt);
	if (strcmp(m->name, look->row->name) != 0 &&
	    !(has_label(m, LESSOR_LABEL_INSTANCE, lessor_broker_id(look->call)) &&
	      has_label(m, LESSOR_LABEL_LEASE, look->lease->id) &&
	      has_label(m, LESSOR_LABEL_ATTEMPT, attempt)))
		return;
	if (lessor_adopt(look->call, &seen) == 0)
		look->count++;
	else
		look->foreign++;
}

/*
 * The process died, or the create's result was lost: was the machine created? DONE if the row
 * is settled; the next step continues from there.
 */
static int settle_row(const struct folder *f, struct look *look)
{
	look->visit = visit_unsettled;
	if (look_run(f, look))
		return lessor_retry(look->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the directory cannot be read");
	if (look->count)
		return LESSOR_DONE;
	if (look->foreign)
		return lessor_refuse(look->call, LESSOR_CLASS_OWNERSHIP,
				     "what matches %s is not provably ours", look->row->name);
	if (lessor_not_seen(look->call, look->row->row))
		return lessor_retry(look->call, LESSOR_CLASS_TRANSIENT, 0,
				    "it is not yet known whether %s was created", look->row->name);
	return LESSOR_DONE;
}

/* ---- provision -------------------------------------------------------------------------- */

static int machine_report(struct lessor_call *call, const struct lessor_lease *lease,
			  const struct machine *m)
{
	lessor_output(call, LESSOR_OUT_HOST, lessor_option_text(call, "host"));
	lessor_output(call, LESSOR_OUT_SERVER_ID, m->id);
	lessor_output(call, LESSOR_OUT_SERVER_NAME, m->name);
	lessor_output(call, LESSOR_OUT_STATUS, "there");
	/* Only the first ones are tried. */
	if (lease->type_count && lease->location_count) {
		lessor_output(call, LESSOR_OUT_SERVER_TYPE, lease->types[0]);
		lessor_output(call, LESSOR_OUT_LOCATION, lease->locations[0]);
	}
	return LESSOR_DONE;
}

static int give_up(struct lessor_call *call, uint32_t attempt, uint32_t error_class, const char *why)
{
	lessor_attempt_refused(call, attempt, error_class, why);
	return lessor_refuse(call, error_class, "%s", why);
}

static int machine_make(const struct folder *f, struct lessor_call *call,
			const struct lessor_lease *lease, uint32_t attempt)
{
	struct lessor_intent intent = { 0 };
	struct machine m;
	char text[sizeof(m.text)];
	size_t len = 0, i;
	int made;

	intent.size = sizeof(intent);
	if (lessor_intend(call, LESSOR_KIND_SERVER, attempt, &intent))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
				    "no machine may be created now");
	text[0] = '\0';
	for (i = 0; i < intent.label_count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s", i ? " " : "",
					intent.labels[i].key, intent.labels[i].value);
	made = len < sizeof(text) ? symlinkat(text, f->fd, intent.name) : (errno = ENAMETOOLONG, -1);
	if (made && (errno == ENOSPC || errno == EDQUOT || errno == EACCES || errno == EROFS ||
		     errno == ENAMETOOLONG)) {
		/* With these errors, definitely nothing was created. */
		uint32_t why = errno == ENOSPC || errno == EDQUOT ? LESSOR_CLASS_CAPACITY :
								    LESSOR_CLASS_INVALID;

		lessor_not_created(call, intent.row, "the directory accepts no more machines");
		return give_up(call, attempt, why, "the directory accepts no more machines");
	}
	/* Also if the name is taken: perhaps by us. The next step looks it up. */
	if (made || machine_read(f, intent.name, &m) != 1) {
		lessor_unknown(call, intent.row, "it may have been created");
		return lessor_pending(call, AT_ONCE, "");
	}
	if (lessor_created(call, intent.row, m.id, ""))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "it could not be recorded");
	return machine_report(call, lease, &m);
}

static int folder_provision(void *instance, struct lessor_call *call,
			    const struct lessor_lease *lease)
{
	const struct folder *f = instance;
	const struct lessor_attempt *last = lease->attempt_count ?
		lessor_attempt_at(lease, lease->attempt_count - 1) : NULL;
	struct look look = { 0 };
	int verdict;

	look.call = call;
	look.lease = lease;
	look.row = row_of(lease);
	if (look.row && is_unsettled(look.row)) {
		verdict = settle_row(f, &look);
		return verdict == LESSOR_DONE ? lessor_pending(call, AT_ONCE, "") : verdict;
	}
	if (look.row) {
		switch (look_id(f, &look)) {
		case 0:
			return give_up(call, look.row->attempt, LESSOR_CLASS_FAILED, "it vanished");
		case 1:
			return machine_report(call, lease, &look.found);
		default:
			return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
					    "the directory cannot be read");
		}
	}
	/* A directory has no types or locations: try the first ones, once. */
	if (last && last->refused)
		return lessor_refuse(call, last->refused, "%s", last->reason);
	if (!last && (!lease->type_count || !lease->location_count ||
		      lessor_attempt_open(call, 1, lease->types[0], lease->locations[0])))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
				    "no machine may be created now");
	return machine_make(f, call, lease, 1);
}

/* ---- cleanup, inspect, list --------------------------------------------------------------- */

/*
 * PRESENT, DELETE_UNKNOWN (the outcome of a delete was lost) or DELETING: all begin with a
 * read of the exact id.
 */
static int machine_unmake(const struct folder *f, struct look *look)
{
	struct lessor_call *call = look->call;
	const struct lessor_resource *row = look->row;
	struct lessor_observed seen;
	int there = look_id(f, look);

	if (there < 0)
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "the directory cannot be read");
	if (!there)
		return lessor_gone(call, row->row, "no machine in the directory has its id") ?
			       lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
					    "waiting for a second observation") :
			       LESSOR_DONE;
	/* The delete was accepted but it still exists: the next step asks for a new permit. */
	if (row->state == LESSOR_STATE_DELETING)
		return lessor_still_there(call, row->row, "its delete had no effect") ?
			       lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
					    "it could not be recorded") :
			       LESSOR_DONE;
	seen = machine_observed(&look->found);
	if (lessor_permit_delete(call, row->row, &seen))
		return lessor_refuse(call, LESSOR_CLASS_OWNERSHIP,
				     "lessord permits no delete of %s", row->name);
	if (unlinkat(f->fd, look->found.name, 0)) {
		/* With these errors, definitely nothing was removed; with others it is unknown. */
		if (errno == EACCES || errno == EPERM || errno == EROFS)
			lessor_still_there(call, row->row, "it could not be removed");
		else
			lessor_delete_unknown(call, row->row, "it may have been removed");
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "it could not be removed");
	}
	/* Accepted does not mean gone: the next step verifies it. */
	if (lessor_deleting(call, row->row, ""))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "it could not be recorded");
	return LESSOR_DONE;
}

static int folder_cleanup(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct look look = { 0 };
	int verdict;

	look.call = call;
	look.lease = lease;
	look.row = row_of(lease);
	if (!look.row)
		return LESSOR_GONE;
	verdict = is_unsettled(look.row) ? settle_row(instance, &look) :
					   machine_unmake(instance, &look);
	return verdict == LESSOR_DONE ? lessor_pending(call, AT_ONCE, "") : verdict;
}

static int folder_inspect(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct look look = { 0 };
	int verdict, there;

	look.call = call;
	look.lease = lease;
	look.row = row_of(lease);
	if (!look.row)
		return LESSOR_GONE;
	if (is_unsettled(look.row)) {
		verdict = settle_row(instance, &look);
		return verdict == LESSOR_DONE ? lessor_retry(call, LESSOR_CLASS_TRANSIENT, AT_ONCE,
							     "the ledger was updated") :
						verdict;
	}
	there = look_id(instance, &look);
	if (there < 0)
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "the directory cannot be read");
	return there ? machine_report(call, lease, &look.found) : LESSOR_GONE;
}

static void visit_ours(struct look *look, const struct machine *m)
{
	struct lessor_observed seen = machine_observed(m);

	if (has_label(m, LESSOR_LABEL_INSTANCE, lessor_broker_id(look->call)))
		lessor_listed(look->call, &seen);
}

static int folder_list(void *instance, struct lessor_call *call, uint32_t kind)
{
	struct look look = { 0 };

	look.visit = visit_ours;
	look.call = call;
	if (kind == LESSOR_KIND_SERVER && look_run(instance, &look))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "the directory cannot be read");
	return LESSOR_DONE;
}

/* ---- the table ------------------------------------------------------------------------------ */

static int folder_open(struct lessor_call *call, void **instance)
{
	const char *base = lessor_option_text(call, "base");
	struct folder *f;
	int fd = base[0] == '/' ? open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return lessor_refuse(call, LESSOR_CLASS_INVALID,
				     "base must be the absolute path of a readable directory");
	f = malloc(sizeof(*f));
	if (!f) {
		close(fd);
		return lessor_refuse(call, LESSOR_CLASS_BUG, "no memory");
	}
	f->fd = fd;
	*instance = f;
	return LESSOR_DONE;
}

static void folder_close(void *instance)
{
	struct folder *f = instance;

	close(f->fd);
	free(f);
}

static const struct lessor_option options[] = {
	{ .key = "base", .help = "The directory of the machines.", .type = LESSOR_OPTION_TEXT },
	{ .key = "host",
	  .preset = "127.0.0.1",
	  .help = "The address reported for machines.",
	  .type = LESSOR_OPTION_TEXT },
};

static const struct lessor_provider folder = {
	.size = sizeof(struct lessor_provider),
	.abi = LESSOR_ABI,
	.name = "folder",
	.version = "1.0",
	.summary = "Machines that are links in a directory, as an example",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.option_size = sizeof(options[0]),
	.concurrency = LESSOR_PARALLEL,
	/* It reaches its cloud by itself, so the host has no record to check its reports against. */
	.capabilities = LESSOR_OWN_IO,
	/* The next readdir shows what symlinkat created. */
	.visible_within_ms = 1000,
	.open = folder_open,
	.close = folder_close,
	.provision = folder_provision,
	.cleanup = folder_cleanup,
	.inspect = folder_inspect,
	.list = folder_list,
};

LESSOR_PROVIDER(folder)
