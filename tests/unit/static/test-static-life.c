/* SPDX-License-Identifier: MIT */
/*
 * Which host a lease gets, exclusive allocation, and the messages if there is none.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"
#include "pool-world.h"

#define TWO_HOSTS \
	"{'defaults': {'types': ['small']}, 'hosts': [" \
	"{'name': 'a1', 'address': '192.0.2.1'}, {'name': 'a2', 'address': '192.0.2.2'}]}"

#define ID(n) "cbx_00000000000" #n

static void begin(struct pool_world *w, const char *inventory)
{
	pool_world_make(w, inventory);
	pool_world_start(w);
}

static void expect_host(const struct lease *l, const char *host, const char *address)
{
	if (l->state != LEASE_ACTIVE)
		fail_msg("%s is %s: %s %s", l->id, lease_state_name(l->state), l->failure,
			 l->last_error);
	assert_string_equal(l->server_name, host);
	assert_string_equal(l->host, address);
}

static void expect_failed(const struct lease *l, const char *why, const char *text)
{
	assert_int_equal(l->state, LEASE_FAILED);
	assert_string_equal(lease_end_text(l), why);
	if (!strstr(l->failure, text))
		fail_msg("\"%s\" is not in \"%s\"", text, l->failure);
}

static void a_host_is_one_leases(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	begin(&w, TWO_HOSTS);
	assert_int_equal(pool_world_count(&w, "mark-"), 1);
	l = pool_world_take(&w, ID(1), "small");
	expect_host(&l, "a1", "192.0.2.1");
	assert_string_equal(l.server_type, "small");
	assert_string_equal(l.server_location, "pool");
	assert_int_equal(l.price_hour_micros, 0);
	assert_int_equal(strlen(l.server_id), 16);
	assert_int_equal(strspn(l.server_id, "0123456789"), 16);
	assert_true(pool_world_has(&w, "host-a1.json"));
	l = pool_world_take(&w, ID(2), "small");
	expect_host(&l, "a2", "192.0.2.2");
	l = pool_world_take(&w, ID(3), "small");
	expect_failed(&l, "capacity", "small in pool: no host is free: of 2, 2 leased");
	l = pool_world_give(&w, ID(1));
	assert_false(pool_world_has(&w, "host-a1.json"));
	assert_true(pool_world_has(&w, "host-a2.json"));
	l = pool_world_take(&w, ID(4), "small");
	expect_host(&l, "a1", "192.0.2.1");
	pool_world_end(&w);
}

static void only_hosts_that_are_asked_for(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	begin(&w, "{'hosts': ["
	      "{'name': 'off', 'address': '192.0.2.1', 'types': ['small'], 'drain': true},"
	      "{'name': 'arm', 'address': '192.0.2.2', 'types': ['small'], 'architecture': 'arm'},"
	      "{'name': 'far', 'address': '192.0.2.3', 'types': ['small', 'any'], 'location': 'attic'},"
	      "{'name': 'big', 'address': 'big.example.com', 'types': ['large', 'any']}]}");
	/* The first location has only a drained host; then the second is tried. */
	l = pool_world_take(&w, ID(1), "small");
	expect_host(&l, "far", "192.0.2.3");
	assert_string_equal(l.server_location, "attic");
	l = pool_world_take(&w, ID(2), "small");
	expect_failed(&l, "capacity", "small in attic: no host is free: of 1, 1 leased");
	l = pool_world_take(&w, ID(3), "huge");
	expect_failed(&l, "invalid", "huge in pool: the inventory has no such host");
	/* Several types, best first; types unknown to the inventory are skipped. */
	l = pool_world_take(&w, ID(4), "huge,large");
	expect_host(&l, "big", "big.example.com");
	l = pool_world_take(&w, ID(5), "huge,any");
	expect_failed(&l, "capacity", "any in attic: no host is free: of 1, 1 leased");
	pool_world_end(&w);
}

static void what_is_leased_survives(void **state)
{
	struct pool_world w;
	struct lease l;
	char id[32];

	(void)state;
	begin(&w, TWO_HOSTS);
	l = pool_world_take(&w, ID(1), "small");
	snprintf(id, sizeof(id), "%s", l.server_id);
	pool_world_stop(&w);
	pool_world_start(&w);
	l = pool_world_take(&w, ID(2), "small");
	expect_host(&l, "a2", "192.0.2.2");
	l = pool_world_take(&w, ID(3), "small");
	expect_failed(&l, "capacity", "of 2, 2 leased");
	pool_world_give(&w, ID(1));
	l = pool_world_take(&w, ID(4), "small");
	expect_host(&l, "a1", "192.0.2.1");
	/* The host is reused, the id never is. */
	assert_string_not_equal(l.server_id, id);
	pool_world_end(&w);
}

static void retained_is_kept(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	begin(&w, TWO_HOSTS);
	pool_world_take(&w, ID(1), "small");
	pool_world_release(&w, ID(1), 0);
	l = pool_world_lease(&w, ID(1));
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	w.d.now_ms += 3600000;
	pool_world_settle(&w);
	assert_true(pool_world_has(&w, "host-a1.json"));
	l = pool_world_take(&w, ID(2), "small");
	expect_host(&l, "a2", "192.0.2.2");
	pool_world_give(&w, ID(1));
	assert_false(pool_world_has(&w, "host-a1.json"));
	pool_world_end(&w);
}

/* The inventory lists what may be allocated, the records what is. */
static void hosts_that_leave_and_change_their_names(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	begin(&w, TWO_HOSTS);
	l = pool_world_take(&w, ID(1), "small");
	expect_host(&l, "a1", "192.0.2.1");
	pool_world_stop(&w);
	/* a1 is removed, and its machine is added under another name. */
	pool_world_inventory(&w, "{'defaults': {'types': ['small']}, 'hosts': ["
			     "{'name': 'b1', 'address': '192.0.2.1'}]}");
	pool_world_start(&w);
	l = pool_world_take(&w, ID(2), "small");
	expect_failed(&l, "capacity", "of 1, 1 leased");
	l = pool_world_give(&w, ID(1));
	l = pool_world_take(&w, ID(3), "small");
	expect_host(&l, "b1", "192.0.2.1");
	pool_world_stop(&w);
	/* Its name is given to another machine: the lease keeps its machine, which is not allocated. */
	pool_world_inventory(&w, "{'defaults': {'types': ['small']}, 'hosts': ["
			     "{'name': 'b1', 'address': '192.0.2.9'}]}");
	pool_world_start(&w);
	l = pool_world_take(&w, ID(4), "small");
	expect_failed(&l, "capacity", "of 1, 1 leased");
	pool_world_give(&w, ID(3));
	l = pool_world_take(&w, ID(5), "small");
	expect_host(&l, "b1", "192.0.2.9");
	pool_world_end(&w);
}

static void hosts_that_come_and_go_at_a_reload(void **state)
{
	struct pool_world w;
	struct store_price price;
	struct lease l;

	(void)state;
	begin(&w, TWO_HOSTS);
	l = pool_world_take(&w, ID(1), "small");
	expect_host(&l, "a1", "192.0.2.1");
	/* An invalid file changes nothing. */
	pool_world_inventory(&w, "{'hosts': [{'name': 'a9'}]}");
	pool_world_reload(&w);
	l = pool_world_take(&w, ID(2), "small");
	expect_host(&l, "a2", "192.0.2.2");
	pool_world_give(&w, ID(2));
	/* The leased host is removed, one is drained, and one is added. */
	pool_world_inventory(&w, "{'defaults': {'types': ['small']}, 'hosts': ["
			     "{'name': 'a2', 'address': '192.0.2.2', 'drain': true},"
			     "{'name': 'a3', 'address': '192.0.2.3', 'types': ['small', 'new']}]}");
	pool_world_reload(&w);
	assert_int_equal(store_price_get(core_store(w.d.core), WORLD_ACCOUNT, "new", "pool", &price,
					 NULL),
			 0);
	assert_int_equal(price.hour_micros, 0);
	assert_int_equal(price.available, 1);
	assert_true(pool_world_has(&w, "host-a1.json"));
	l = pool_world_take(&w, ID(3), "new");
	expect_host(&l, "a3", "192.0.2.3");
	l = pool_world_take(&w, ID(4), "small");
	expect_failed(&l, "capacity", "of 2, 1 leased, 1 drained");
	/* Its lease ends normally, and then it is not allocated. */
	pool_world_give(&w, ID(1));
	l = pool_world_take(&w, ID(5), "small");
	expect_failed(&l, "capacity", "of 2, 1 leased, 1 drained");
	/* It is added again. */
	pool_world_inventory(&w, TWO_HOSTS);
	pool_world_reload(&w);
	l = pool_world_take(&w, ID(6), "small");
	expect_host(&l, "a1", "192.0.2.1");
	pool_world_end(&w);
}

static void write_state(const struct pool_world *w, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w->state, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void another_directory_is_no_empty_pool(void **state)
{
	struct pool_world w;
	char away[128];

	(void)state;
	begin(&w, TWO_HOSTS);
	pool_world_take(&w, ID(1), "small");
	/* Not mounted: an empty directory of the same name. */
	snprintf(away, sizeof(away), "%s/away", w.d.folder);
	assert_int_equal(rename(w.state, away), 0);
	assert_int_equal(mkdir(w.state, 0700), 0);
	w.d.now_ms += 400000;
	pool_world_settle(&w);
	assert_true(account_is_blocked(w.d.account, NULL, 0));
	pool_world_release(&w, ID(1), 1);
	w.d.now_ms += 400000;
	pool_world_settle(&w);
	assert_int_not_equal(pool_world_lease(&w, ID(1)).cleanup, CLEANUP_DONE);
	assert_int_equal(pool_world_count(&w, "host-"), 0);
	/* And it is mounted again. */
	assert_int_equal(unlink(strcat(w.state, "/lock")), 0);
	w.state[strlen(w.state) - 5] = '\0';
	assert_int_equal(rmdir(w.state), 0);
	assert_int_equal(rename(away, w.state), 0);
	pool_world_go(&w, ID(1), 3600000, is_clean);
	assert_int_equal(pool_world_count(&w, "host-"), 0);
	pool_world_end(&w);
}

static void a_record_that_cannot_be_read_is_no_free_host(void **state)
{
	struct pool_world w;
	struct lease l;
	char path[256], text[4096];
	FILE *file;
	size_t len;

	(void)state;
	begin(&w, TWO_HOSTS);
	write_state(&w, "host-a1.json", "{\"format\": 1, \"host");
	write_state(&w, "tmp-record", "half");
	write_state(&w, "notes.txt", "by a person");
	l = pool_world_take(&w, ID(1), "small");
	expect_host(&l, "a2", "192.0.2.2");
	l = pool_world_take(&w, ID(2), "small");
	expect_failed(&l, "capacity", "of 2, 2 leased");
	assert_false(pool_world_has(&w, "tmp-record"));
	assert_true(pool_world_has(&w, "notes.txt"));
	/* That this lease's record is missing proves nothing while one is unreadable. */
	snprintf(path, sizeof(path), "%s/host-a2.json", w.state);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	write_state(&w, "host-a2.json", "");
	pool_world_release(&w, ID(1), 1);
	for (int i = 0; i < 60; i++) {
		w.d.now_ms += 60000;
		pool_world_settle(&w);
	}
	/* By now it is also in attention. */
	l = pool_world_lease(&w, ID(1));
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	assert_non_null(strstr(l.last_error, "cannot be read"));
	assert_int_equal(pool_world_state(&w, ID(1)), LESSOR_STATE_PRESENT);
	write_state(&w, "host-a2.json", text);
	pool_world_go(&w, ID(1), 3600000, is_clean);
	assert_false(pool_world_has(&w, "host-a2.json"));
	assert_true(pool_world_has(&w, "host-a1.json"));
	pool_world_end(&w);
}

/* Its record exists but is unreadable: no proof that it was never created. */
static void a_lost_record_is_not_made_again(void **state)
{
	struct pool_world w;
	struct lease l;
	char path[256], away[256];
	pid_t pid;
	int status;

	(void)state;
	begin(&w, TWO_HOSTS);
	pool_world_stop(&w);
	pid = pool_world_fork();
	if (pid == 0) {
		w.die_before = CLAIM_CREATED + 1;
		pool_world_start(&w);
		pool_world_take(&w, ID(1), "small");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 66);
	assert_true(pool_world_has(&w, "host-a1.json"));
	snprintf(path, sizeof(path), "%s/host-a1.json", w.state);
	snprintf(away, sizeof(away), "%s/kept", w.d.folder);
	assert_int_equal(rename(path, away), 0);
	write_state(&w, "host-a1.json", "");
	pool_world_start(&w);
	for (int i = 0; i < 20; i++) {
		w.d.now_ms += 20000;
		pool_world_settle(&w);
	}
	l = pool_world_lease(&w, ID(1));
	assert_int_equal(l.state, LEASE_PROVISIONING);
	assert_non_null(strstr(l.last_error, "cannot be read"));
	assert_int_equal(pool_world_count(&w, "host-"), 1);
	assert_int_equal(rename(away, path), 0);
	pool_world_go(&w, ID(1), 600000, is_settled);
	l = pool_world_lease(&w, ID(1));
	expect_host(&l, "a1", "192.0.2.1");
	pool_world_end(&w);
}

/* Another daemon hangs while it holds the lock: nothing is done without it. */
static void nothing_without_the_lock(void **state)
{
	struct pool_world w;
	struct lease l;
	char path[256];
	int fd;

	(void)state;
	begin(&w, TWO_HOSTS);
	snprintf(path, sizeof(path), "%s/lock", w.state);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	pool_world_create(&w, ID(1), "small");
	pool_world_settle(&w);
	l = pool_world_lease(&w, ID(1));
	assert_non_null(strstr(l.last_error,
			       "the state directory is locked by another process or account"));
	assert_int_equal(pool_world_count(&w, "host-"), 0);
	close(fd);
	pool_world_go(&w, ID(1), 60000, is_active);
	pool_world_end(&w);
}

/* Somebody removed it manually: two observations a minute apart prove it. */
static void a_record_that_somebody_removed(void **state)
{
	struct pool_world w;
	char path[256];

	(void)state;
	begin(&w, TWO_HOSTS);
	pool_world_take(&w, ID(1), "small");
	snprintf(path, sizeof(path), "%s/host-a1.json", w.state);
	assert_int_equal(unlink(path), 0);
	pool_world_release(&w, ID(1), 1);
	assert_int_not_equal(pool_world_lease(&w, ID(1)).cleanup, CLEANUP_DONE);
	pool_world_settle(&w);
	w.d.now_ms += 59000;
	pool_world_settle(&w);
	assert_int_equal(pool_world_state(&w, ID(1)), LESSOR_STATE_PRESENT);
	pool_world_go(&w, ID(1), 60000, is_clean);
	assert_int_equal(pool_world_state(&w, ID(1)), LESSOR_STATE_GONE);
	pool_world_end(&w);
}

/* A record with our lease's labels but without our signature stays. */
static void a_record_that_was_tampered_with(void **state)
{
	struct pool_world w;
	struct lease l;
	char command[512];

	(void)state;
	begin(&w, TWO_HOSTS);
	pool_world_take(&w, ID(1), "small");
	snprintf(command, sizeof(command),
		 "sed -i 's/\"lessor-sig\": \"./\"lessor-sig\": \"!/' '%s/host-a1.json'", w.state);
	assert_int_equal(system(command), 0);
	pool_world_release(&w, ID(1), 1);
	pool_world_go(&w, ID(1), 300000, is_in_attention);
	l = pool_world_lease(&w, ID(1));
	assert_non_null(strstr(l.attention, "its label lessor-sig is not the one that lessor set"));
	assert_true(pool_world_has(&w, "host-a1.json"));
	pool_world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_one_leases),
		cmocka_unit_test(only_hosts_that_are_asked_for),
		cmocka_unit_test(what_is_leased_survives),
		cmocka_unit_test(retained_is_kept),
		cmocka_unit_test(hosts_that_leave_and_change_their_names),
		cmocka_unit_test(hosts_that_come_and_go_at_a_reload),
		cmocka_unit_test(another_directory_is_no_empty_pool),
		cmocka_unit_test(a_record_that_cannot_be_read_is_no_free_host),
		cmocka_unit_test(a_lost_record_is_not_made_again),
		cmocka_unit_test(nothing_without_the_lock),
		cmocka_unit_test(a_record_that_somebody_removed),
		cmocka_unit_test(a_record_that_was_tampered_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
