/* SPDX-License-Identifier: MIT */
/*
 * The tables as of schema 13, the first one that exists on PostgreSQL. What came before is the
 * result of SQLite's first 13 migrations, with the same tables and columns
 * (tests/unit/store/test-store-tables.c compares them) and these differences:
 *
 * - Texts are compared byte by byte (COLLATE "C"), as SQLite does, whatever the database's locale.
 * - Totals are kept per account, so that the owners of two accounts never wait for one row.
 * - Run history is in the same database.
 * - `shard` says who owns which account (store/shards.h).
 * - Row numbers come from sequences: TABLE_n, in blocks (PG_NUMBER_BLOCK).
 */
#include "store/postgres/schema.h"

/* SQL is laid out by hand. */
/* clang-format off */
#define NUM(name) #name " bigint NOT NULL, "
#define NUM_0(name) #name " bigint NOT NULL DEFAULT 0, "
#define TXT(name) #name " text COLLATE \"C\" NOT NULL, "
#define TXT_0(name) #name " text COLLATE \"C\" NOT NULL DEFAULT '', "
#define KEY_NUM(name) #name " bigint PRIMARY KEY"
#define KEY_TXT(name) #name " text COLLATE \"C\" PRIMARY KEY"
#define KEY(columns) "PRIMARY KEY(" columns ")"
#define TABLE(name, ...) "CREATE TABLE " #name "(" __VA_ARGS__ ");"

#define LEASES \
	TABLE(meta, "value bytea, " NUM_0(number) KEY_TXT(key)) \
	TABLE(lease, \
		TXT(id) TXT(attempt_token) TXT(owner) TXT(org) TXT(account) TXT(slug) TXT(class) \
		TXT(profile) TXT(requested_type) NUM(type_explicit) TXT(types) TXT(location) \
		TXT(image) TXT(architecture) TXT(os) TXT(ssh_user) NUM(ssh_port) \
		TXT(fallback_ports) TXT(work_root) TXT(public_key) TXT(pond) NUM(keep) \
		NUM(ttl_ms) NUM(idle_ms) NUM(created_ms) NUM(provision_deadline_ms) NUM(state) \
		NUM(cleanup) NUM(epoch) NUM(retained) NUM(ready_ms) NUM(ended_ms) \
		NUM(released_ms) NUM(updated_ms) TXT(end_reason) TXT(failure) TXT(cursor) \
		NUM(due_ms) NUM(tries) NUM(cleanup_started_ms) TXT(last_error) TXT(attention) \
		NUM(attention_class) NUM(retain_until_ms) TXT(retain_reason) TXT(host) \
		TXT(server_id) TXT(server_name) TXT(server_type) TXT(server_location) \
		NUM(price_hour_micros) TXT(currency) TXT_0(host_key) NUM_0(retention) \
		"is_billed bigint NOT NULL DEFAULT 1, " NUM_0(breaches) NUM_0(queue_ms) \
		NUM_0(admitted_ms) NUM_0(location_preferred) KEY_NUM(n) ", UNIQUE(id)") \
	/* A heartbeat changes one number, in place while its page has room. */ \
	"CREATE TABLE beat(" NUM(touched_ms) KEY_NUM(lease) ")" \
	" WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);" \
	TABLE(resource, \
		NUM(lease) TXT(account) NUM(attempt) NUM(kind) NUM(state) NUM(ours) TXT(name) \
		TXT(id) TXT(action) TXT(evidence) NUM(created_ms) NUM(changed_ms) \
		NUM(first_absent_ms) NUM(absent_count) NUM_0(seen_ms) NUM_0(authorized_ms) \
		NUM_0(deletes_unknown) TXT_0(signed_lease) NUM_0(retain_epoch) NUM_0(label_known) \
		NUM_0(protect_by) NUM_0(marked_ms) KEY_NUM(n)) \
	TABLE(attempt, \
		NUM(lease) NUM(number) TXT(type) TXT(location) NUM(refused) TXT(reason) \
		NUM(started_ms) KEY("lease, number")) \
	"CREATE SEQUENCE event_n;" \
	TABLE(event, \
		NUM(lease) NUM(at_ms) TXT(kind) TXT(text) \
		"n bigint PRIMARY KEY DEFAULT nextval('event_n')") \
	TABLE(idempotency, \
		TXT(owner) TXT(org) TXT(key) TXT(hash) NUM(lease) NUM(created_ms) \
		KEY("owner, org, key")) \
	TABLE(canceled, \
		TXT(lease_id) TXT(token) TXT(owner) TXT(org) NUM(at_ms) KEY("lease_id, token")) \
	TABLE(token, \
		"hash bytea NOT NULL, " TXT(owner) TXT(org) NUM(role) NUM(created_ms) \
		NUM(expires_ms) NUM(revoked_ms) KEY_TXT(id)) \
	TABLE(price, \
		TXT(account) TXT(type) TXT(location) NUM(hour_micros) TXT(currency) \
		NUM(available) NUM(at_ms) NUM_0(month_micros) NUM_0(unit_ms) NUM_0(minimum_ms) \
		KEY("account, type, location")) \
	TABLE(pause, NUM(until_ms) KEY_TXT(account)) \
	TABLE(sweep, \
		NUM(begun_ms) NUM(done_ms) NUM(objects) NUM(unproven) TXT(error) NUM(looked_ms) \
		TXT(looked_by) NUM(deleted_ms) NUM_0(soon_ms) KEY_TXT(account)) \
	TABLE(stray, \
		TXT(account) NUM(kind) TXT(id) TXT(name) TXT(lease) NUM(attempt) NUM(why) \
		NUM(made_ms) NUM(first_ms) NUM(last_ms) NUM(looks) KEY("account, kind, id")) \
	TABLE(share, NUM(lease) TXT(org) TXT(name) NUM(manage) KEY("lease, name")) \
	TABLE(sharing, NUM(updated_ms) TXT(updated_by) KEY_NUM(lease)) \
	TABLE(telemetry, NUM(lease) NUM(at_ms) TXT(data) KEY("lease, at_ms")) \
	TABLE(generation, \
		NUM(current) NUM(pending) TXT(holder) TXT(before) NUM(is_fenced) TXT(why) \
		KEY_TXT(account)) \
	TABLE(queue_owner, \
		TXT(account) TXT(owner) TXT(org) NUM(turn) KEY("account, owner, org")) \
	TABLE(cost, \
		NUM(lease) TXT(lease_id) TXT(slug) TXT(owner) TXT(org) TXT(account) TXT(type) \
		TXT(location) TXT(currency) NUM(hour_micros) NUM(month_micros) NUM(unit_ms) \
		NUM(minimum_ms) NUM(from_ms) NUM(to_ms) KEY_NUM(resource))

#define RUNS \
	TABLE(run, \
		TXT(id) TXT(owner) TXT(org) TXT(label) NUM(started_ms) TXT(lease) TXT(slug) \
		TXT(account) TXT(target) TXT(windows_mode) TXT(class) TXT(server_type) TXT(phase) \
		TXT(blocked_stage) TXT(retry_likely) NUM(state) NUM(finished) NUM(event_ms) \
		NUM(ended_ms) NUM(sync_ms) NUM(command_ms) NUM(has_exit_code) NUM(exit_code) \
		NUM(log_bytes) NUM(log_truncated) NUM(event_count) NUM(event_bytes) NUM(bytes) \
		TXT(command) KEY_NUM(n) ", UNIQUE(id)") \
	TABLE(run_lease, NUM(run) TXT(lease) KEY("run, lease")) \
	TABLE(run_event, NUM(run) NUM(seq) NUM(at_ms) TXT(fields) KEY("run, seq")) \
	TABLE(run_sample, NUM(run) NUM(at_ms) TXT(data) KEY("run, at_ms")) \
	TABLE(run_results, TXT(data) KEY_NUM(run)) \
	TABLE(run_receipt, TXT(data) KEY_NUM(run)) \
	TABLE(run_log, NUM(run) NUM(part) "data bytea NOT NULL, " KEY("run, part")) \
	/* They are compressed already. */ \
	"ALTER TABLE run_log ALTER COLUMN data SET STORAGE EXTERNAL;"

#define NUMBERS(table) "CREATE SEQUENCE " #table "_n INCREMENT BY 1000;"
_Static_assert(PG_NUMBER_BLOCK == 1000, "NUMBERS says so");

/* The lists are newest first: the row number is the last column of their indexes. */
#define INDEXES \
	"CREATE INDEX lease_slug ON lease(slug, owner, org) WHERE state <= 1;" \
	"CREATE INDEX lease_created ON lease(created_ms);" \
	"CREATE INDEX lease_open ON lease(cleanup, n) WHERE cleanup <> 4;" \
	"CREATE INDEX lease_attention ON lease(n) WHERE attention <> '';" \
	"CREATE INDEX lease_state ON lease(state, n);" \
	"CREATE INDEX lease_owner ON lease(owner, org, n);" \
	"CREATE INDEX lease_owner_state ON lease(owner, org, state, n);" \
	"CREATE INDEX lease_org ON lease(org, n);" \
	"CREATE INDEX lease_account ON lease(account, n);" \
	"CREATE INDEX lease_current ON lease(n) WHERE cleanup <> 4;" \
	"CREATE INDEX lease_queued ON lease(n)" \
	" WHERE state = 0 AND queue_ms > 0 AND admitted_ms = 0;" \
	"CREATE INDEX lease_slug_owner ON lease(slug, owner, org, n);" \
	"CREATE INDEX resource_lease ON resource(lease, account);" \
	"CREATE INDEX resource_id ON resource(account, kind, id) WHERE id <> '';" \
	"CREATE INDEX resource_pending ON resource(lease, account) WHERE state IN (1, 8, 12);" \
	"CREATE INDEX event_lease ON event(lease, n);" \
	"CREATE INDEX share_with ON share(org, name, lease);" \
	"CREATE INDEX cost_lease ON cost(lease);" \
	"CREATE INDEX cost_from ON cost(from_ms);" \
	"CREATE INDEX cost_to ON cost(to_ms, from_ms);" \
	"CREATE INDEX cost_incomplete ON cost(account) WHERE currency = '' OR unit_ms = 0;" \
	"CREATE INDEX run_owner ON run(owner, org, n);" \
	"CREATE INDEX run_owner_state ON run(owner, org, state, n);" \
	"CREATE INDEX run_org ON run(org, n);" \
	"CREATE INDEX run_open ON run(event_ms) WHERE state = 0;" \
	"CREATE INDEX run_ended ON run(ended_ms) WHERE state > 0;" \
	"CREATE INDEX run_size ON run(bytes);" \
	"CREATE INDEX run_lease_of ON run_lease(lease, run);"

/*
 * What counts against limits, as in SQLite's triggers, but per account: only the owner of the
 * account changes its rows. store_counts adds them up.
 */
#define TALLY \
	TABLE(tally, \
		TXT(account) NUM(scope) TXT(name) TXT(org) NUM(leases) NUM(micros) \
		KEY("scope, name, org, account")) \
	"CREATE FUNCTION lease_counts(l lease) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$" \
	" SELECT CASE WHEN l.state <= 1 AND NOT (l.queue_ms > 0 AND l.admitted_ms = 0)" \
	" OR l.is_billed <> 0 AND l.cleanup BETWEEN 1 AND 3 THEN 1 ELSE 0 END $$;" \
	"CREATE FUNCTION lease_tally() RETURNS trigger LANGUAGE plpgsql AS $$" \
	" DECLARE of lease; leases bigint := 0; micros bigint := 0; BEGIN" \
	" IF TG_OP <> 'INSERT' THEN of := OLD; leases := -lease_counts(OLD);" \
	"  micros := leases * OLD.price_hour_micros; END IF;" \
	" IF TG_OP <> 'DELETE' THEN of := NEW; leases := leases + lease_counts(NEW);" \
	"  micros := micros + lease_counts(NEW) * NEW.price_hour_micros; END IF;" \
	" IF leases <> 0 OR micros <> 0 THEN" \
	"  INSERT INTO tally AS t(account, scope, name, org, leases, micros) VALUES" \
	"  (of.account, 0, '', '', leases, micros), (of.account, 1, of.owner, of.org, leases, micros)," \
	"  (of.account, 2, '', of.org, leases, micros), (of.account, 3, of.account, '', leases, micros)" \
	"  ON CONFLICT ON CONSTRAINT tally_pkey DO UPDATE" \
	"  SET leases = t.leases + excluded.leases, micros = t.micros + excluded.micros;" \
	" END IF; RETURN NULL; END $$;" \
	"CREATE TRIGGER lease_added AFTER INSERT OR DELETE ON lease" \
	" FOR EACH ROW EXECUTE FUNCTION lease_tally();" \
	"CREATE TRIGGER lease_changed AFTER UPDATE ON lease FOR EACH ROW WHEN" \
	" (OLD.state <> NEW.state OR OLD.cleanup <> NEW.cleanup OR OLD.is_billed <> NEW.is_billed" \
	" OR OLD.price_hour_micros <> NEW.price_hour_micros OR OLD.queue_ms <> NEW.queue_ms" \
	" OR OLD.admitted_ms <> NEW.admitted_ms) EXECUTE FUNCTION lease_tally();"

/* What SQLite has as functions of the connection (store/sqlite/functions.c). */
#define FUNCTIONS \
	"CREATE FUNCTION lower_ascii(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$" \
	" SELECT lower(name COLLATE \"C\") $$;" \
	"CREATE FUNCTION lease_is_of(id text, owner text, org text) RETURNS bigint" \
	" LANGUAGE sql STABLE AS $$ SELECT count(*) FROM lease" \
	" WHERE lease.id = $1 AND lease.owner = $2 AND lease.org = $3 $$;"

/* A row is updated with each commit of its owner: most of a page stays free for its versions. */
#define SHARD \
	"CREATE TABLE shard(" \
	TXT_0(owner) TXT_0(address) NUM_0(epoch) NUM_0(seq) TXT_0(db_id) NUM_0(backend_pid) \
	NUM_0(since_ms) NUM_0(watched_ms) NUM_0(renewed_ms) NUM_0(expires_ms) NUM_0(presumed_until_ms) \
	TXT_0(frozen) NUM_0(gen) KEY_TXT(account) ") WITH (fillfactor = 20);"

const char pg_schema_13[] =
	LEASES RUNS
	NUMBERS(lease) NUMBERS(resource) NUMBERS(run)
	INDEXES TALLY FUNCTIONS SHARD;

const char pg_schema_14[] =
	"ALTER TABLE resource ADD COLUMN until_ms bigint NOT NULL DEFAULT 0;"
	"ALTER TABLE lease ADD COLUMN credit_ms bigint NOT NULL DEFAULT 0,"
	" ADD COLUMN idle_credit_ms bigint NOT NULL DEFAULT 0;";

const char pg_schema_15[] =
	"ALTER TABLE lease ADD COLUMN last_request text COLLATE \"C\" NOT NULL DEFAULT '';"
	TABLE(daemon,
		TXT(address) TXT(version) NUM(schema) NUM(started_ms) NUM(seen_ms) KEY_TXT(id));

/* How an account stands with its provider, for those who do not own it. */
const char pg_schema_16[] =
	"ALTER TABLE shard ADD COLUMN told_epoch bigint NOT NULL DEFAULT 0,"
	" ADD COLUMN is_fenced bigint NOT NULL DEFAULT 0,"
	" ADD COLUMN blocked_class bigint NOT NULL DEFAULT 0,"
	" ADD COLUMN blocked text COLLATE \"C\" NOT NULL DEFAULT '',"
	" ADD COLUMN verified_ms bigint NOT NULL DEFAULT 0;";

/*
 * 17. The totals of charges are per account as those of leases: an owner never waits for another one.
 * An older lessord would end leases and leave their money reserved for ever, so none may write any more.
 *
 * Numbers of events are given before they are committed, and transactions end in any order: who follows
 * them reads by the transaction, and only below the oldest that still runs.
 */
#define SPEND \
	TABLE(charge, \
		NUM(lease) NUM(month_ms) TXT(owner) TXT(org) TXT(account) TXT(currency) \
		NUM(reserved_micros) NUM(settled_micros) KEY("lease, month_ms")) \
	TABLE(spend, \
		TXT(account) NUM(scope) TXT(name) TXT(org) NUM(month_ms) TXT(currency) \
		NUM(reserved_micros) NUM(settled_micros) \
		KEY("scope, name, org, month_ms, currency, account")) \
	"CREATE FUNCTION spend_add(c charge, sign bigint) RETURNS void LANGUAGE sql AS $$" \
	" INSERT INTO spend AS s(account, scope, name, org, month_ms, currency, reserved_micros," \
	" settled_micros) SELECT c.account, t.scope, t.name, t.org, c.month_ms, c.currency," \
	" sign * c.reserved_micros, sign * c.settled_micros FROM (VALUES (0::bigint, '', '')," \
	" (1, c.owner, c.org), (2, '', c.org), (3, c.account, '')) AS t(scope, name, org)" \
	" ON CONFLICT ON CONSTRAINT spend_pkey DO UPDATE" \
	" SET reserved_micros = s.reserved_micros + excluded.reserved_micros," \
	" settled_micros = s.settled_micros + excluded.settled_micros $$;" \
	"CREATE FUNCTION charge_spend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN" \
	" IF TG_OP <> 'INSERT' THEN PERFORM spend_add(OLD, -1); END IF;" \
	" IF TG_OP <> 'DELETE' THEN PERFORM spend_add(NEW, 1); END IF;" \
	" RETURN NULL; END $$;" \
	"CREATE TRIGGER charge_changed AFTER INSERT OR UPDATE OR DELETE ON charge" \
	" FOR EACH ROW EXECUTE FUNCTION charge_spend();" \
	"CREATE FUNCTION lease_uncharge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN" \
	" DELETE FROM charge WHERE lease = OLD.n; RETURN NULL; END $$;" \
	"CREATE TRIGGER lease_uncharged AFTER DELETE ON lease" \
	" FOR EACH ROW EXECUTE FUNCTION lease_uncharge();"

const char pg_schema_17[] =
	"ALTER TABLE token ADD COLUMN used_ms bigint NOT NULL DEFAULT 0,"
	" ADD COLUMN label text COLLATE \"C\" NOT NULL DEFAULT '',"
	" ADD COLUMN rotated_from text COLLATE \"C\" NOT NULL DEFAULT '',"
	" ADD COLUMN changed bigint NOT NULL DEFAULT 0;"
	"CREATE INDEX token_changed ON token(changed);"
	"ALTER TABLE lessor_schema ADD COLUMN event_offset bigint NOT NULL DEFAULT 0;"
	"CREATE FUNCTION event_commit() RETURNS xid8 LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN"
	" CAST(CAST(CAST(CAST(pg_current_xact_id() AS text) AS bigint) + event_offset AS text) AS xid8)"
	" FROM lessor_schema; END $$;"
	"ALTER TABLE event ADD COLUMN commit_xid xid8 NOT NULL DEFAULT event_commit();"
	"CREATE INDEX event_commit ON event(commit_xid, n);"
	TABLE(past_usage,
		NUM(month_ms) TXT(account) TXT(owner) TXT(org) TXT(type) NUM(leases) NUM(runtime_ms)
		KEY("month_ms, account, owner, org, type"))
	"CREATE INDEX lease_history ON lease(account, updated_ms, n) WHERE cleanup = 4 AND state > 1"
	" AND retained = 0 AND retention = 0 AND attention = '' AND due_ms = 0;"
	"CREATE INDEX idempotency_lease ON idempotency(lease);"
	"CREATE INDEX stray_lease ON stray(account, lease);"
	SPEND;
/* clang-format on */
