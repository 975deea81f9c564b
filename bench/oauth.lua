-- Send forms to a token endpoint: arguments are the Authorization value and the body; with a third, the refresh token of
-- each thread, which goes on from what the answer before gave.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  wrk.method = "POST"
  wrk.headers["Authorization"] = args[1]
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
  wrk.body = args[2]
  if #args > 2 then
    token = args[3 + number]
    request = function()
      return wrk.format(nil, nil, nil, wrk.body .. "&refresh_token=" .. token)
    end
    response = function(status, headers, body)
      token = body:match('"refresh_token": *"([^"]+)"') or token
    end
  end
end
