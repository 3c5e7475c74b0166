-- A bounded load for wrk: each connection pauses between two requests. At the end it prints one line of JSON.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  wrong, versions = 0, {}
  seen = ""
end

function delay()
  return 20
end

function response(status, _, body)
  local version = body:match('"version": "([^"]*)"')
  if status ~= 200 or not version then
    wrong = wrong + 1
    return
  end
  versions[version] = (versions[version] or 0) + 1
  -- Only plain values can be read from outside of a thread.
  seen = ""
  for name, count in pairs(versions) do
    seen = seen .. name .. "=" .. count .. " "
  end
end

function done(summary)
  local wrong, versions = 0, {}
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
    for name, count in thread:get("seen"):gmatch("(%S+)=(%d+)") do
      versions[name] = (versions[name] or 0) + tonumber(count)
    end
  end
  local counts = {}
  for name, count in pairs(versions) do
    table.insert(counts, string.format('"%s": %d', name, count))
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "wrong": %d, "status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, "versions": {%s}}\n',
    summary.requests, wrong, errors.status, errors.connect, errors.read, errors.write, errors.timeout,
    table.concat(counts, ", ")
  ))
end
