-- For wrk: as many requests as its connections can carry; prints only the totals.
function done(summary)
  local errors = summary.errors
  io.write("labctl-total ", summary.duration, " ", summary.requests, " ",
    errors.connect + errors.read + errors.write + errors.timeout + errors.status, "\n")
end
