-- wrk's part of bench/run: each request is an order of its own. TOKEN is the access token; what was
-- counted goes to the last line of the output, as JSON.
local token = os.getenv("TOKEN")
local headers = {["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json"}
local counter, prefix = 0, os.getenv("PREFIX")
local before = '{"channel":"retail","currency":"GBP","lines":[{"sku":"85123A","quantity":6,"unit_price":255},' ..
  '{"sku":"71053","quantity":2,"unit_price":339}],"discount":0,"coupon":"","shipping":0,"tax":0,"total":2208,' ..
  '"payment":{"reference":"pay_'
local after = '"},"ship_to":{"name":"A. Hart","line1":"1 High Street","line2":"","city":"Leeds",' ..
  '"region":"","postcode":"LS1 4AP","country":"GB"}}'

function request()
  counter = counter + 1
  local key = prefix .. counter
  headers["Idempotency-Key"] = key
  local body = before .. key .. after
  -- 425 bytes, as a usual order has: spaces are allowed at the end
  return wrk.format("POST", "/v1/orders", headers, body .. string.rep(" ", 425 - #body))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"answers": %d, "not_2xx": %d, "broken": %d, "timeouts": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write, errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
