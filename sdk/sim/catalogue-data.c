/* SPDX-License-Identifier: MIT */
/* What the cloud offers: the tables of locations, server types and images. */

#include "sim/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

enum { FSN1 = 1, NBG1 = 2, HEL1 = 4, ASH = 8, HIL = 16, SIN = 32 };
#define EUROPE (FSN1 | NBG1 | HEL1)
#define AMERICA (ASH | HIL)
#define WORLD (EUROPE | AMERICA | SIN)

static const struct location locations[LOCATION_COUNT] = {
	{ 1, "fsn1", "Falkenstein DC Park 1", "DE", "Falkenstein", "eu-central", 50.47612,
	  12.370071 },
	{ 2, "nbg1", "Nuremberg DC Park 1", "DE", "Nuremberg", "eu-central", 49.452102, 11.076665 },
	{ 3, "hel1", "Helsinki DC Park 1", "FI", "Helsinki", "eu-central", 60.169855, 24.938379 },
	{ 4, "ash", "Ashburn, VA", "US", "Ashburn, VA", "us-east", 39.045821, -77.487073 },
	{ 5, "hil", "Hillsboro, OR", "US", "Hillsboro, OR", "us-west", 45.54222, -122.951924 },
	{ 6, "sin", "Singapore", "SG", "Singapore", "ap-southeast", 1.283333, 103.833333 },
};

static const struct server_type types[] = {
	{ 22, "cpx11", "regular_purpose", 2, 2, 40, 1749, ARCH_X86, 0, AMERICA },
	{ 23, "cpx21", "regular_purpose", 3, 4, 80, 2749, ARCH_X86, 0, AMERICA },
	{ 24, "cpx31", "regular_purpose", 4, 8, 160, 4549, ARCH_X86, 0, AMERICA },
	{ 25, "cpx41", "regular_purpose", 8, 16, 240, 8449, ARCH_X86, 0, AMERICA },
	{ 26, "cpx51", "regular_purpose", 16, 32, 360, 16149, ARCH_X86, 0, AMERICA },
	{ 45, "cax11", "cost_optimized", 2, 4, 40, 599, ARCH_ARM, 0, EUROPE },
	{ 93, "cax21", "cost_optimized", 4, 8, 80, 1049, ARCH_ARM, 0, EUROPE },
	{ 94, "cax31", "cost_optimized", 8, 16, 160, 2099, ARCH_ARM, 0, EUROPE },
	{ 95, "cax41", "cost_optimized", 16, 32, 320, 4099, ARCH_ARM, 0, EUROPE },
	{ 96, "ccx13", "general_purpose", 2, 8, 80, 4299, ARCH_X86, 1, WORLD },
	{ 97, "ccx23", "general_purpose", 4, 16, 160, 8599, ARCH_X86, 1, WORLD },
	{ 98, "ccx33", "general_purpose", 8, 32, 240, 17199, ARCH_X86, 1, WORLD },
	{ 99, "ccx43", "general_purpose", 16, 64, 360, 34399, ARCH_X86, 1, WORLD },
	{ 100, "ccx53", "general_purpose", 32, 128, 600, 68799, ARCH_X86, 1, WORLD },
	{ 101, "ccx63", "general_purpose", 48, 192, 960, 103199, ARCH_X86, 1, WORLD },
	{ 104, "cx22", "cost_optimized", 2, 4, 40, 329, ARCH_X86, 0, EUROPE },
	{ 105, "cx32", "cost_optimized", 4, 8, 80, 549, ARCH_X86, 0, EUROPE },
	{ 106, "cx42", "cost_optimized", 8, 16, 160, 1349, ARCH_X86, 0, EUROPE },
	{ 107, "cx52", "cost_optimized", 16, 32, 320, 2649, ARCH_X86, 0, EUROPE },
	{ 108, "cpx12", "regular_purpose", 1, 2, 40, 1149, ARCH_X86, 0, EUROPE | SIN },
	{ 109, "cpx22", "regular_purpose", 2, 4, 80, 1949, ARCH_X86, 0, EUROPE | SIN },
	{ 110, "cpx32", "regular_purpose", 4, 8, 160, 3449, ARCH_X86, 0, EUROPE | SIN },
	{ 111, "cpx42", "regular_purpose", 8, 16, 320, 6449, ARCH_X86, 0, EUROPE | SIN },
	{ 112, "cpx52", "regular_purpose", 12, 24, 480, 9149, ARCH_X86, 0, EUROPE | SIN },
	{ 113, "cpx62", "regular_purpose", 16, 32, 640, 12449, ARCH_X86, 0, EUROPE | SIN },
	{ 114, "cx23", "cost_optimized", 2, 4, 40, 549, ARCH_X86, 0, EUROPE },
	{ 115, "cx33", "cost_optimized", 4, 8, 80, 849, ARCH_X86, 0, EUROPE },
	{ 116, "cx43", "cost_optimized", 8, 16, 160, 1599, ARCH_X86, 0, EUROPE },
	{ 117, "cx53", "cost_optimized", 16, 32, 320, 2949, ARCH_X86, 0, EUROPE },
};

static const struct image images[] = {
	{ 45557056, "debian-11", "Debian 11", "debian", "11", ARCH_X86 },
	{ 67794396, "ubuntu-22.04", "Ubuntu 22.04", "ubuntu", "22.04", ARCH_X86 },
	{ 103908130, "ubuntu-22.04", "Ubuntu 22.04", "ubuntu", "22.04", ARCH_ARM },
	{ 114690387, "debian-12", "Debian 12", "debian", "12", ARCH_X86 },
	{ 114690389, "debian-12", "Debian 12", "debian", "12", ARCH_ARM },
	{ 161547269, "ubuntu-24.04", "Ubuntu 24.04", "ubuntu", "24.04", ARCH_X86 },
	{ 161547270, "ubuntu-24.04", "Ubuntu 24.04", "ubuntu", "24.04", ARCH_ARM },
	{ 199030328, "fedora-41", "Fedora 41", "fedora", "41", ARCH_X86 },
	{ 199030407, "fedora-41", "Fedora 41", "fedora", "41", ARCH_ARM },
	{ 305423811, "rocky-10", "Rocky Linux 10", "rocky", "10", ARCH_X86 },
	{ 305423812, "rocky-10", "Rocky Linux 10", "rocky", "10", ARCH_ARM },
	{ 305423907, "alma-10", "AlmaLinux 10", "alma", "10", ARCH_X86 },
	{ 305423908, "alma-10", "AlmaLinux 10", "alma", "10", ARCH_ARM },
	{ 310557661, "debian-13", "Debian 13", "debian", "13", ARCH_X86 },
	{ 310557662, "debian-13", "Debian 13", "debian", "13", ARCH_ARM },
	{ 340112045, "fedora-43", "Fedora 43", "fedora", "43", ARCH_X86 },
	{ 340112046, "fedora-43", "Fedora 43", "fedora", "43", ARCH_ARM },
	{ 361880217, "ubuntu-26.04", "Ubuntu 26.04", "ubuntu", "26.04", ARCH_X86 },
	{ 361880218, "ubuntu-26.04", "Ubuntu 26.04", "ubuntu", "26.04", ARCH_ARM },
};

size_t catalogue_type_count(void)
{
	return ARRAY_LEN(types);
}

size_t catalogue_image_count(void)
{
	return ARRAY_LEN(images);
}

const struct server_type *catalogue_type(size_t index)
{
	return &types[index];
}

const struct location *catalogue_location(size_t index)
{
	return &locations[index];
}

const struct image *catalogue_image(size_t index)
{
	return &images[index];
}

size_t catalogue_type_index(const struct server_type *type)
{
	return (size_t)(type - types);
}

size_t catalogue_image_index(const struct image *image)
{
	return (size_t)(image - images);
}

size_t catalogue_location_index(const struct location *location)
{
	return (size_t)(location - locations);
}

int64_t catalogue_reference_id(const json_t *ref)
{
	char *end;
	long long n;

	if (json_is_integer(ref))
		return json_integer_value(ref);
	if (!json_is_string(ref) || !*json_string_value(ref))
		return -1;
	n = strtoll(json_string_value(ref), &end, 10);
	return *end ? -1 : n;
}

int catalogue_is_named(const json_t *ref, const char *name)
{
	return json_is_string(ref) && !strcmp(json_string_value(ref), name);
}

const struct server_type *catalogue_find_type(const json_t *ref)
{
	int64_t id = catalogue_reference_id(ref);

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].id == id || catalogue_is_named(ref, types[i].name))
			return &types[i];
	}
	return NULL;
}

const struct location *catalogue_find_location(const json_t *ref)
{
	int64_t id = catalogue_reference_id(ref);

	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		if (locations[i].id == id || catalogue_is_named(ref, locations[i].name))
			return &locations[i];
	}
	return NULL;
}
