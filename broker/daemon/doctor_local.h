/* SPDX-License-Identifier: MIT */
/* lessord doctor: what is on this machine. Each reads only; any thread. */
#pragma once

#include "config/config.h"
#include "daemon/doctor_findings.h"

/* The database: damage, schema and what a server offers. */
void doctor_store(const struct config *config, struct doctor_findings *findings);
/* Directories, sockets and plugins. */
void doctor_permissions(const struct config *config, struct doctor_findings *findings);
void doctor_disk(const struct config *config, const char *backups, struct doctor_findings *findings);
void doctor_backup(const struct config *config, const char *backups,
		   struct doctor_findings *findings);
void doctor_tls(const struct config *config, struct doctor_findings *findings);
