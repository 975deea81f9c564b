-- Let each connection wait before it asks again. Arguments: how many milliseconds.
function init(args)
  local wait = tonumber(args[1])
  delay = function()
    return wait
  end
end
