/* SPDX-License-Identifier: MIT */
/*
 * The catalogue: locations, server types, images, prices, and what is currently sold out
 * or phased out. The tables are from November 2026; unpublished monthly prices are
 * extrapolated from similar types.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

enum { LOCATION_COUNT = 6 };

struct location {
	int id;
	const char *name, *description, *country, *city, *zone;
	double latitude, longitude;
};

enum arch { ARCH_X86, ARCH_ARM };

struct server_type {
	int id;
	const char *name, *category;
	int cores, memory_gb, disk_gb;
	int month_cents; /* net, without IPv4, in Europe */
	enum arch arch;
	int dedicated;
	unsigned where; /* bit i: offered in location i of the table */
};

struct image {
	int64_t id;
	const char *name, *description, *flavor, *version;
	enum arch arch;
};

/* The dates on which an image, or a type in a location, is phased out. */
struct retirement {
	int64_t announced_ms; /* 0: it is not phased out */
	int64_t ends_ms;      /* from then on it cannot be ordered, and lists omit it */
};

/* The availability of a type in a location. Flags. */
enum {
	STOCK_SOLD_OUT = 1,   /* create requests get 412 */
	STOCK_HIDDEN = 2,     /* sold out, but the catalogue shows it as available */
	STOCK_DEPRECATED = 4, /* phased out, can still be created */
	STOCK_GONE = 8,	      /* phased out, can no longer be created */
	STOCK_WITHDRAWN = 16, /* no longer listed, if so wherever it is offered */
};

struct catalogue {
	unsigned char *stock;		 /* flags, [type][location] */
	unsigned disabled;		 /* bit i: location i is disabled */
	struct retirement *type_ends;	 /* [type][location] */
	struct retirement *image_ends;	 /* [image] */
	int64_t now_ms, next_ms;	 /* the time; when the next of these dates is reached */
	char **types;			 /* JSON of each type; owned; rendered on demand */
	char *locations[LOCATION_COUNT]; /* JSON; owned */
	char **images;			 /* JSON of each image, likewise */
};

void catalogue_init(struct catalogue *cat);
void catalogue_fini(struct catalogue *cat);
/* Sets the time. */
void catalogue_advance(struct catalogue *cat, int64_t now_ms);

size_t catalogue_type_count(void);
size_t catalogue_image_count(void);
const struct server_type *catalogue_type(size_t index);
const struct location *catalogue_location(size_t index);
const struct image *catalogue_image(size_t index);
size_t catalogue_type_index(const struct server_type *type);
size_t catalogue_image_index(const struct image *image);
size_t catalogue_location_index(const struct location *location);

/* By id (integer or numeric string) or by name; NULL: not found. */
const struct server_type *catalogue_find_type(const json_t *ref);
/* The id in a reference; -1: it is not one. */
int64_t catalogue_reference_id(const json_t *ref);
int catalogue_is_named(const json_t *ref, const char *name);
const struct location *catalogue_find_location(const json_t *ref);
/*
 * One that can be ordered now. A name is resolved for `arch`; an id may return an image of the
 * other one.
 */
const struct image *catalogue_find_image(const struct catalogue *cat, const json_t *ref,
					 enum arch arch);

/* The stage of an image: 0, STOCK_DEPRECATED, or STOCK_GONE. */
unsigned catalogue_image_stage(const struct catalogue *cat, const struct image *image);
unsigned catalogue_stock(const struct catalogue *cat, const struct server_type *type,
			 const struct location *location);
/* Is it no longer listed? Reads by id still describe it. */
int catalogue_is_withdrawn(const struct catalogue *cat, const struct server_type *type);
/*
 * {"sold_out":[{"type":"cx23","location":"nbg1"}], "available":[...], "deprecated":[...],
 * "gone":[...], "withdrawn":[...], "disabled_locations":["fsn1"], "enabled_locations":[...],
 * "retired":[...]}; "*" and a missing member mean all; with "hidden":true the catalogue does not
 * show the change. "withdrawn" is applied before "available". calendar.c describes "retired".
 */
int catalogue_change(struct catalogue *cat, const json_t *change, struct err *err);

/* JSON, borrowed until the next change. */
const char *catalogue_type_json(struct catalogue *cat, const struct server_type *type);
const char *catalogue_location_json(const struct catalogue *cat, const struct location *location);
const char *catalogue_image_json(struct catalogue *cat, const struct image *image);
void catalogue_write_pricing(const struct catalogue *cat, struct buf *out);

/* calendar.c: the dates. */
void calendar_init(struct catalogue *cat);
void calendar_fini(struct catalogue *cat);
const struct retirement *calendar_type(const struct catalogue *cat, const struct server_type *type,
				       const struct location *location);
const struct retirement *calendar_image(const struct catalogue *cat, const struct image *image);
unsigned calendar_stage(const struct catalogue *cat, const struct retirement *retirement);
/* The type no longer retires, in this location or (NULL) in any. */
void calendar_forget_type(struct catalogue *cat, const struct server_type *type,
			  const struct location *location);
/* Changes the dates according to the list "retired". */
int calendar_change(struct catalogue *cat, const json_t *list, struct err *err);
/* The time of the next date after `now_ms`; INT64_MAX: none. */
int64_t calendar_next_ms(const struct catalogue *cat);

/* Net prices in millionths of a euro. */
int64_t catalogue_hour_price(const struct server_type *type, const struct location *location);
int64_t catalogue_month_price(const struct server_type *type, const struct location *location);
/* What a customer in Germany pays. */
#define CATALOGUE_VAT_TEXT "19.000000"
int64_t catalogue_gross(int64_t net);
enum { IPV4_HOUR_PRICE = 800, IPV4_MONTH_PRICE = 500000 };
int64_t catalogue_traffic(const struct location *location); /* included, in bytes */
const char *arch_name(enum arch arch);
