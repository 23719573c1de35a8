-- SPDX-License-Identifier: MIT
-- wrk: heartbeats over the leases whose ids are in the file IDS, one per line.
local ids = {}
for line in io.lines(os.getenv("IDS")) do ids[#ids + 1] = line end
local at = 0
wrk.method = "POST"
wrk.body = "{}"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")
wrk.headers["Content-Type"] = "application/json"
request = function()
	at = at % #ids + 1
	return wrk.format(nil, "/v1/leases/" .. ids[at] .. "/heartbeat")
end
local bad = 0
response = function(status) if status ~= 200 then bad = bad + 1; wrk.thread:set("bad", bad) end end
local threads = {}
setup = function(thread) threads[#threads + 1] = thread; thread:set("bad", 0) end
done = function()
	local sum = 0
	for _, thread in ipairs(threads) do sum = sum + thread:get("bad") end
	if sum > 0 then print("BAD " .. sum) end
end
