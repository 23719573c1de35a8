# SPDX-License-Identifier: MIT
"""The structs into which the crabbox CLI decodes responses, as data.

Go matches a field by its exact name, otherwise case-insensitively. A value of another JSON
type fails the whole call, and a failed create leaves its machine behind. So every known field
is checked for its exact type at any depth, and no field of lessord may differ from a known one
in case only. The CLI ignores fields that it does not know.

A spec is a type (neither a bool nor 5400.0 is an int), a list with the one spec of its
elements, or a dict of fields. TEXTS is a map of strings to strings. A name in `needed` must be
present.
"""

NUMBER = (int, float)
TEXTS = object()

TELEMETRY = {
    "capturedAt": str, "source": str, "load1": NUMBER, "load5": NUMBER, "load15": NUMBER,
    "cpuCount": int, "memoryUsedBytes": int, "memoryTotalBytes": int, "memoryPercent": NUMBER,
    "diskUsedBytes": int, "diskTotalBytes": int, "diskPercent": NUMBER, "uptimeSeconds": int,
}
SHARE = {"users": TEXTS, "org": str, "updatedAt": str, "updatedBy": str}
LEASE = {
    "id": str, "slug": str, "provider": str, "state": str, "host": str, "sshUser": str,
    "sshPort": str, "sshFallbackPorts": [str], "workRoot": str, "sshHostKey": str, "target": str,
    "serverID": int, "cloudID": str, "serverName": str, "serverType": str,
    "requestedServerType": str, "provisioningAttempts": [{
        "region": str, "serverType": str, "market": str, "category": str, "message": str}],
    "class": str, "profile": str, "keep": bool, "owner": str, "org": str, "ttlSeconds": int,
    "idleTimeoutSeconds": int, "createdAt": str, "updatedAt": str, "lastTouchedAt": str,
    "expiresAt": str, "desktop": bool, "browser": bool, "code": bool, "desktopEnv": str,
    "tailscale": dict, "pond": str, "exposedPorts": [str], "lifecycle": str, "region": str,
    "market": str, "hostId": str, "hostID": str, "image": dict, "provisioningTiming": {
        "requestMs": int, "networkReadyMs": int, "bootstrapMs": int, "totalMs": int},
    "capacityHints": [dict], "telemetry": TELEMETRY, "telemetryHistory": [TELEMETRY],
    "releaseDeletesServer": bool, "cleanupStartedAt": str, "cleanupError": str,
    "cleanupRetryAt": str, "cleanupAttempts": int, "failureError": str, "share": SHARE,
    "providerMetadata": dict,
    # Added after 0.46.
    "architecture": str, "windowsMode": str, "runtimeAdapterID": str,
    "runtimeAdapterWorkspaceID": str, "runtimeAdapterRegistrationID": str, "network": dict,
    "providerProject": str, "providerAccessExpiresAt": str, "cleanupStatus": str,
    "cleanupCompletedAt": str, "providerCleanup": dict, "provisioningResourceMayExist": bool,
    "provisioningFailureRetryable": bool,
}
# Fields that the CLI requires and that the broker has for every lease.
LEASE_NEEDED = (
    "id slug provider state host sshUser sshPort sshFallbackPorts workRoot target serverID cloudID "
    "serverName serverType requestedServerType class profile keep owner org ttlSeconds "
    "idleTimeoutSeconds createdAt updatedAt lastTouchedAt expiresAt desktop browser code").split()

SUM = {"key": str, "leases": int, "activeLeases": int, "runtimeSeconds": int,
       "estimatedUSD": NUMBER, "reservedUSD": NUMBER}
USAGE = {
    "usage": dict(SUM, month=str, scope=str, owner=str, org=str, byOwner=[SUM], byOrg=[SUM],
                  byProvider=[SUM], byServerType=[SUM]),
    "limits": {
        "maxActiveLeases": int, "maxActiveLeasesPerOwner": int, "maxActiveLeasesPerOrg": int,
        "capacityAdminOwners": [str], "maxActiveLeasesPerCapacityAdmin": int,
        "maxMonthlyUSD": NUMBER, "maxMonthlyUSDPerOwner": NUMBER, "maxMonthlyUSDPerOrg": NUMBER},
}
WHOAMI = {"owner": str, "org": str, "auth": str, "admin": bool, "tokenExpiresAt": str}
READINESS = {"provider": str, "configured": bool, "missing": [str], "message": str, "checks": [
    {"status": str, "check": str, "message": str, "details": TEXTS}]}
CANCELED = {"canceledCreate": {"version": int, "requestedLeaseID": str, "createAttemptID": str,
                               "state": str}, "lease": LEASE}
RESULTS = {"format": str, "files": [str], "suites": int, "tests": int, "failures": int, "errors": int,
           "skipped": int, "timeSeconds": NUMBER, "failed": [{
               "suite": str, "name": str, "classname": str, "file": str, "message": str,
               "type": str, "kind": str}]}
RUN = {
    "id": str, "leaseID": str, "owner": str, "org": str, "provider": str, "class": str,
    "serverType": str, "state": str, "startedAt": str, "slug": str, "target": str,
    "windowsMode": str, "label": str, "phase": str, "blockedStage": str, "retryLikely": str,
    "lastEventAt": str, "endedAt": str, "command": [str], "leaseIDs": [str],
    "leaseOwners": [{"owner": str, "org": str}], "exitCode": int, "syncMs": int,
    "commandMs": int, "durationMs": int, "logBytes": int, "logTruncated": bool,
    "eventCount": int, "results": RESULTS, "telemetry": {"start": TELEMETRY, "end": TELEMETRY,
                                                         "samples": [TELEMETRY]},
    "eventAppendIdempotent": bool, "admissionFailedBeforeWork": bool,
}
CAPACITY = {"owner": str, "activeLeases": int, "effectiveLimit": int, "observedAt": str}
EVENT = {"runID": str, "seq": int, "type": str, "phase": str, "stream": str, "message": str,
         "data": str, "leaseID": str, "slug": str, "provider": str, "target": str,
         "windowsMode": str, "class": str, "serverType": str, "exitCode": int, "createdAt": str}
POOL = {"machines": [{"provider": str, "cloudID": str, "name": str, "status": str,
                      "serverType": str, "host": str, "labels": TEXTS}]}


def wrong(value, spec, at=""):
    """Returns what is wrong with the value, one line per problem; [] if nothing."""
    if value is None:
        return []       # null leaves the zero value, whatever the type
    if spec is TEXTS:
        if type(value) is not dict:
            return ["%s is not an object" % at]
        return ["%s.%s is not a string" % (at, k) for k, v in value.items() if type(v) is not str]
    if isinstance(spec, list):
        if type(value) is not list:
            return ["%s is not an array" % at]
        return [line for i, item in enumerate(value)
                for line in wrong(item, spec[0], "%s[%d]" % (at, i))]
    if isinstance(spec, dict):
        if type(value) is not dict:
            return ["%s is not an object" % at]
        lines = []
        lower = {name.lower(): name for name in spec}
        for name, item in value.items():
            if name in spec:
                lines += wrong(item, spec[name], "%s.%s" % (at, name))
            elif name.lower() in lower:
                lines.append("%s.%s would be taken for %s" % (at, name, lower[name.lower()]))
        return lines
    types = spec if isinstance(spec, tuple) else (spec,)
    return [] if type(value) in types else ["%s is %r" % (at, value)]


def ended_wrong(lease):
    """Client 0.72 accepts an end as final only if all of this holds; contract 4.2."""
    status = lease.get("cleanupStatus")
    trouble = {"cleanupStartedAt", "cleanupError", "cleanupRetryAt"} & set(lease)
    if status == "complete":
        whole = (not trouble and not lease["host"] and "sshHostKey" not in lease and
                 "cleanupCompletedAt" in lease and lease.get("releaseDeletesServer") is not False)
    elif status == "retained":
        whole = not trouble and lease.get("releaseDeletesServer") is False
    elif status == "pending":
        whole = trouble == {"cleanupStartedAt"} and lease.get("releaseDeletesServer") is True
    else:
        whole = status == "failed" and "cleanupError" in lease
    return [] if whole else ["the two forms of the end differ: %r" % {
        k: v for k, v in lease.items() if k in trouble or k in (
            "state", "host", "sshHostKey", "cleanupStatus", "cleanupCompletedAt",
            "releaseDeletesServer")}]


def reference_wrong(lease):
    """As above, for the reference to a lease in an error."""
    lines = wrong(lease, LEASE, "lease")
    return lines + ["lease.%s is missing" % name for name in ("id", "slug", "state")
                    if not lease.get(name)]


def lease_wrong(lease):
    """As above, for a whole lease, including the relations between its fields."""
    lines = wrong(lease, LEASE, "lease")
    lines += ["lease.%s is missing" % name for name in LEASE_NEEDED if lease.get(name) is None]
    if lines:
        return lines
    if lease["state"] not in ("provisioning", "active", "released", "expired", "failed"):
        lines.append("lease.state is %r" % lease["state"])
    if lease["state"] == "active" and not lease["host"]:
        lines.append("the lease is active and has no host: the client would dial itself")
    if lease["cloudID"] != (str(lease["serverID"]) if lease["serverID"] else ""):
        lines.append("cloudID %r is not serverID %r" % (lease["cloudID"], lease["serverID"]))
    if lease["state"] in ("provisioning", "active") and set(lease) & {
            "releaseDeletesServer", "cleanupStartedAt", "cleanupError", "cleanupRetryAt",
            "cleanupStatus", "cleanupCompletedAt"}:
        lines.append("a live lease has fields of its release")
    if lease["state"] in ("released", "expired", "failed"):
        lines += ended_wrong(lease)
    for name in ("createdAt updatedAt lastTouchedAt expiresAt cleanupStartedAt "
                 "cleanupCompletedAt").split():
        if not lease.get(name, "Z").endswith("Z"):
            lines.append("lease.%s is not a UTC time" % name)
    return lines
