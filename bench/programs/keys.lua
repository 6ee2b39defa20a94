-- One small request for each of KEYS keys, chosen at random; what came of it as one line of JSON.
local keys = tonumber(os.getenv("KEYS"))
local before, behind = os.getenv("BEFORE_KEY"), os.getenv("BEHIND_KEY")

wrk.method = os.getenv("METHOD")
if os.getenv("CONTENT_TYPE") ~= "" then
  wrk.headers["Content-Type"] = os.getenv("CONTENT_TYPE")
end
wrk.body = os.getenv("BODY")

request = function()
  return wrk.format(nil, before .. math.random(0, keys - 1) .. behind)
end

done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"count": %d, "seconds": %f, "p99": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
