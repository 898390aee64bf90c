-- For wrk: requests at a fixed rate, and how long each took. Each thread has one connection and its own timetable.
--
-- If the connection is still busy when a request is due, it is sent late, but its time counts from when it was due: a
-- slow answer also delays what follows (otherwise the load generator would send less to a slow server and not notice:
-- "coordinated omission"). If it can be sent in time, its time counts from when it is sent, as wrk's timer has a
-- resolution of milliseconds.
--
-- usage: wrk -s paced.lua ... URL -- RATE_OF_ONE_THREAD
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } labctl_time;
  int clock_gettime(int clock, labctl_time *found);
]]
local found = ffi.new("labctl_time")

local function now() -- microseconds of CLOCK_MONOTONIC
  ffi.C.clock_gettime(1, found)
  return tonumber(found.seconds) * 1e6 + tonumber(found.nanoseconds) / 1e3
end

local threads = {}
function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  interval = 1e6 / tonumber(arguments[1])
  due = now() + 50000 + interval * number / 8 -- threads do not all send at once
  late, free, times = 0, 0, {}
end

function delay()
  return math.max(0, (due - now()) / 1e3)
end

function request()
  from = now()
  if free > due then
    late = late + 1
    from = due
  end
  due = due + interval
  return wrk.format("GET", "/")
end

function response(status)
  free = now()
  times[#times + 1] = status == 200 and math.floor(free - from) or -1
end

function done(summary)
  local all, missed = {}, 0
  for _, thread in ipairs(threads) do
    missed = missed + thread:get("late")
    for _, time in ipairs(thread:get("times")) do
      all[#all + 1] = time
    end
  end
  local errors = summary.errors
  io.write("labctl-times ", summary.duration, " ", missed, " ",
    errors.connect + errors.read + errors.write + errors.timeout, " ", table.concat(all, " "), "\n")
end
