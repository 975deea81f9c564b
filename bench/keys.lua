-- Ask by another key each time: by those of a file one after the other, or in the order of a file of numbers (32 bits each,
-- the low byte first). Arguments: the file, a key's width in it, their count, the first to take, the file of numbers.
-- One long text and no table: the collector has nothing to walk over, however many keys there are.
local ffi = require("ffi")

local function read(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  local keys, width, count, next_one = read(args[1]), tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  -- Not local: a pointer into a text does not keep it from being collected.
  draws = args[5] and read(args[5])
  local numbers = draws and ffi.cast("const uint32_t *", draws)
  local drawn = draws and #draws / 4
  local before = "GET " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nAuthorization: token "
  local after = "\r\n\r\n"
  request = function()
    local number = next_one
    if numbers then
      number = numbers[next_one % drawn]
    elseif number >= count then
      -- A key that was used before would measure something else.
      io.stderr:write("There are not enough keys for so many requests.\n")
      os.exit(1)
    end
    next_one = next_one + 1
    return before .. keys:sub(number * width + 1, (number + 1) * width) .. after
  end
end
