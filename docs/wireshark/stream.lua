-- Wireshark dissector of the native protocol of stream-server and stream-client, and of the script
-- protocol on the same port (docs/PROTOCOL.md). For Wireshark 3.6 and later: Lua 5.2 to 5.4.
--
--   tshark -X lua_script:docs/wireshark/stream.lua -r capture.pcapng
--
-- It dissects TCP port 7777, and connections on other ports that begin with a plausible message. It
-- is one file, so that it can be copied into Wireshark's folder of plugins.

local PORT = 7777
local HEADER_LENGTH = 16
-- Bytes that the length field counts before the payload.
local COUNTED_HEADER = 12
local CAPTURE_LENGTH = 8
local LARGEST_TIME = 2 ^ 53
local LONGEST_PICKLE = 2 ^ 28

local SMALL, LARGE = 64 * 1024, 16 * 1024 * 1024
-- Most bytes of a payload by kind, and whether a conversation or a response may begin with it.
local KINDS = {
  { name = "request", most = SMALL, json = true, first = true },
  { name = "describe", most = LARGE, json = true, first = true },
  { name = "frame", most = 2 ^ 28 - COUNTED_HEADER },
  { name = "end", most = SMALL, json = true },
  { name = "error", most = SMALL, json = true, first = true },
  { name = "control", most = SMALL, json = true },
  { name = "list", most = LARGE, json = true, first = true },
  { name = "ping", most = SMALL, clock = true },
  { name = "pong", most = SMALL, clock = true },
  { name = "notice", most = SMALL, json = true, first = true },
  { name = "accept", most = SMALL, json = true, first = true },
}
local KIND_NAMES = {}
for number, kind in ipairs(KINDS) do KIND_NAMES[number] = kind.name end

-- JSON payloads above this are shown, but not parsed.
local LARGEST_PARSED = 1024 * 1024
local DEEPEST_JSON = 64
-- Characters of the Info column after which further messages of a packet are a plus sign.
local LONGEST_INFO = 1000

local stream = Proto("stream", "Stream Protocol")

local fields = {
  length = ProtoField.uint32("stream.length", "Length", base.DEC, nil, nil, "Bytes that follow"),
  kind = ProtoField.uint8("stream.kind", "Kind", base.DEC, KIND_NAMES),
  flags = ProtoField.uint8("stream.flags", "Flags", base.HEX),
  keyframe = ProtoField.bool("stream.flags.keyframe", "Keyframe", 8, nil, 1),
  dropped = ProtoField.bool("stream.flags.dropped", "Frames dropped before", 8, nil, 2),
  discontinuity = ProtoField.bool("stream.flags.discontinuity", "Discontinuity", 8, nil, 4),
  live = ProtoField.bool("stream.flags.live", "Live, with capture time", 8, nil, 8),
  id = ProtoField.uint16("stream.id", "Stream id"),
  timestamp = ProtoField.int64("stream.timestamp", "Timestamp", base.DEC, nil, nil, "Ticks"),
  seconds = ProtoField.double("stream.seconds", "Seconds"),
  media = ProtoField.string("stream.media", "Stream"),
  captured = ProtoField.absolute_time("stream.captured", "Capture time", base.UTC),
  clock = ProtoField.absolute_time("stream.clock", "Clock of the sender", base.UTC),
  unused = ProtoField.bytes("stream.unused", "Unused"),
  data_length = ProtoField.uint32("stream.data_length", "Bytes of data"),
  payload = ProtoField.bytes("stream.payload", "Payload"),
  json = ProtoField.string("stream.json", "JSON"),
  command = ProtoField.string("stream.command", "Command"),
  name = ProtoField.string("stream.name", "Name"),
  code = ProtoField.string("stream.code", "Code"),
  message = ProtoField.string("stream.message", "Message"),
  action = ProtoField.string("stream.action", "Action"),
  script_request = ProtoField.string("stream.script.request", "Request"),
  script_length = ProtoField.int32("stream.script.length", "Length"),
  script_pickle = ProtoField.bytes("stream.script.pickle", "Pickle"),
}
stream.fields = fields

local function malformed(name, text)
  return ProtoExpert.new(
    "stream.malformed." .. name, text, expert.group.MALFORMED, expert.severity.ERROR)
end

local experts = {
  kind = malformed("kind", "Unknown kind"),
  length = malformed("length", "Length out of bounds"),
  time = malformed("time", "Time past 2^53"),
  json = malformed("json", "No JSON object"),
  script = malformed("script", "Unknown script request"),
  undescribed = ProtoExpert.new("stream.undescribed", "Frame of a stream that is not described",
    expert.group.PROTOCOL, expert.severity.WARN),
  refused = ProtoExpert.new("stream.refused", "Error", expert.group.RESPONSE_CODE,
    expert.severity.NOTE),
}
stream.experts = experts

local FLAGS = {
  { field = fields.keyframe, bit = 1, word = "keyframe" },
  { field = fields.dropped, bit = 2, word = "frames dropped before" },
  { field = fields.discontinuity, bit = 4, word = "discontinuity" },
  { field = fields.live, bit = 8, word = "live" },
}

local tcp_stream = Field.new("tcp.stream")
local has_json, json_dissector = pcall(Dissector.get, "json")

-- What is known of each TCP connection, by its number; in TLS, with a mark.
local conversations = {}
local is_inside_tls = false

function stream.init()
  conversations = {}
end

-- Texts --------------------------------------------------------------------------------------

local function number_text(value)
  return string.format("%.16g", value)
end

local function count_text(count, one, many)
  return number_text(count) .. " " .. (count == 1 and one or many)
end

local function printable(text)
  return (text:gsub("%c", function(char) return string.format("\\x%02x", char:byte()) end))
end

local function milliseconds(seconds)
  return (string.format("%.3f", seconds * 1000):gsub("%.?0+$", "")) .. " ms"
end

local function time_of(microseconds)
  local seconds = math.floor(microseconds / 1e6)
  return NSTime.new(seconds, math.floor(microseconds - seconds * 1e6) * 1000)
end

-- JSON ---------------------------------------------------------------------------------------

local ESCAPES = {
  b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/",
}
local LITERALS = { ["true"] = true, ["false"] = false }

local function utf8_text(code)
  if code < 0x80 then return string.char(code) end
  local tail, first, limit = "", 0xC0, 0x20
  while true do
    tail = string.char(0x80 + code % 64) .. tail
    code = math.floor(code / 64)
    if code < limit then return string.char(first + code) .. tail end
    first, limit = first + limit, limit / 2
  end
end

-- Parses JSON; throws if the text is anything else. `null` becomes nil, and is missing in lists.
local function parse_json(text)
  local at = 1
  local read_value

  local function expect(condition) return condition or error("no JSON") end

  local function next_char()
    at = text:find("[^ \t\r\n]", at) or #text + 1
    return text:sub(at, at)
  end

  local function read_code()
    local code = tonumber(expect(text:match("^%x%x%x%x", at)), 16)
    at = at + 4
    local low = code >= 0xD800 and code < 0xDC00 and text:match("^\\u([dD][c-fC-F]%x%x)", at)
    if not low then return code end
    at = at + 6
    return 0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00
  end

  local function read_string()
    local parts = {}
    at = at + 1
    while true do
      local stop = expect(text:find('["\\]', at))
      parts[#parts + 1] = text:sub(at, stop - 1)
      at = stop + 1
      if text:sub(stop, stop) == '"' then return table.concat(parts) end
      local escape = text:sub(at, at)
      at = at + 1
      parts[#parts + 1] = escape == "u" and utf8_text(read_code()) or expect(ESCAPES[escape])
    end
  end

  local function read_items(close, depth, read_item)
    expect(depth < DEEPEST_JSON)
    at = at + 1
    if next_char() ~= close then
      repeat
        read_item()
        local char = next_char()
        expect(char == "," or char == close)
        at = at + 1
      until char == close
    else
      at = at + 1
    end
  end

  function read_value(depth)
    local char, result = next_char(), {}
    if char == '"' then return read_string() end
    if char == "{" then
      read_items("}", depth, function()
        expect(next_char() == '"')
        local key = read_string()
        expect(next_char() == ":")
        at = at + 1
        result[key] = read_value(depth + 1)
      end)
      return result
    elseif char == "[" then
      read_items("]", depth, function() result[#result + 1] = read_value(depth + 1) end)
      return result
    end
    local number = text:match("^-?%d[%d.eE+-]*", at)
    local word = expect(number or text:match("^%l+", at))
    at = at + #word
    if number then return expect(tonumber(number)) end
    expect(word == "null" or LITERALS[word] ~= nil)
    return LITERALS[word]
  end

  expect(next_char() == "{")
  local value = read_value(0)
  expect(next_char() == "")
  return value
end

local function text_in(object, key)
  return type(object[key]) == "string" and printable(object[key]) or nil
end

local function number_in(object, key)
  return type(object[key]) == "number" and object[key] or nil
end

local function list_in(object, key)
  return type(object[key]) == "table" and object[key] or {}
end

-- Conversations ------------------------------------------------------------------------------

local function conversation_of(pinfo)
  local numbers = { tcp_stream() }
  local number = #numbers > 0 and numbers[#numbers].value or -1
  local key = number .. (is_inside_tls and " TLS" or "")
  conversations[key] = conversations[key] or { sides = {} }
  return conversations[key]
end

-- What is known of the direction of a packet: its protocol, and the descriptions so far.
local function side_of(conversation, pinfo)
  local key = tostring(pinfo.src) .. " " .. pinfo.src_port
  conversation.sides[key] = conversation.sides[key] or { descriptions = {} }
  return conversation.sides[key]
end

-- Counts the messages of a packet, which TCP may pass on in several parts, and gives a number that
-- increases from message to message, however often and in whatever order packets are dissected.
local function next_position(pinfo)
  local count = (tonumber(pinfo.private["stream_count"]) or 0) + 1
  pinfo.private["stream_count"] = tostring(count)
  return pinfo.number * 65536 + count
end

local function remember(side, position, object)
  local last = side.descriptions[#side.descriptions]
  if last and last.position >= position then return end
  local streams = {}
  for _, described in ipairs(list_in(object, "streams")) do
    if type(described) == "table" and number_in(described, "id") then
      streams[described.id] = described
    end
  end
  side.descriptions[#side.descriptions + 1] = { position = position, streams = streams }
end

-- The streams that the last description before a message names; nil if none was captured.
local function streams_at(side, position)
  for index = #side.descriptions, 1, -1 do
    local description = side.descriptions[index]
    if description.position < position then return description.streams end
  end
end

local function media_text(described)
  local parts = { text_in(described, "type") or "unknown" }
  local width, height = number_in(described, "width"), number_in(described, "height")
  local rate, channels = number_in(described, "sampleRate"), number_in(described, "channels")
  if width and height then parts[2] = number_text(width) .. "x" .. number_text(height) end
  if rate then parts[#parts + 1] = number_text(rate) .. " Hz" end
  if channels then parts[#parts + 1] = count_text(channels, "channel", "channels") end
  parts[#parts + 1] = text_in(described, "codec")
  parts[#parts + 1] = text_in(described, "pixelFormat")
  return table.concat(parts, " ")
end

local function seconds_of(described, timestamp)
  local base = list_in(described, "timeBase")
  if type(base[1]) ~= "number" or type(base[2]) ~= "number" or base[2] == 0 then return nil end
  return timestamp * base[1] / base[2]
end

-- Lines of the Info column -------------------------------------------------------------------

local function with_name(line, object)
  local name = text_in(object, "name")
  return name and line .. ' "' .. name .. '"' or line
end

local function with_code(line, object)
  local code, message = text_in(object, "code") or "", text_in(object, "message") or ""
  return line .. " " .. code .. ": " .. message
end

local SUMMARIES = {
  request = function(object)
    local line = with_name("request " .. (text_in(object, "command") or "without command"), object)
    local encoding = text_in(object, "encoding")
    return encoding and line .. ", " .. encoding or line
  end,
  describe = function(object)
    return "describe " .. count_text(#list_in(object, "streams"), "stream", "streams")
  end,
  ["end"] = function(object)
    local line = "end " .. count_text(number_in(object, "frames") or 0, "frame", "frames")
    local audio, dropped = number_in(object, "audioFrames"), number_in(object, "dropped")
    local reason = text_in(object, "reason")
    if audio and audio > 0 then line = line .. ", " .. number_text(audio) .. " of audio" end
    if dropped and dropped > 0 then line = line .. ", " .. number_text(dropped) .. " dropped" end
    return reason and reason ~= "end" and line .. ", " .. reason or line
  end,
  error = function(object) return with_code("error", object) end,
  control = function(object)
    local line = "control " .. (text_in(object, "action") or "without action")
    local to = number_in(object, "to")
    return to and line .. " to " .. number_text(to) .. " s" or line
  end,
  list = function(object)
    return "list " .. count_text(#list_in(object, "entries"), "entry", "entries")
  end,
  notice = function(object) return with_code("notice", object) end,
  accept = function(object)
    return with_name("accept", object) .. (object.watched == true and ", watched" or "")
  end,
}

-- The lines of the part of a packet that is being dissected. TCP passes a packet on in parts, and
-- keeps the text of the earlier ones.
local lines = ""

local function report(pinfo, line)
  if lines == "" then
    lines = (pinfo.private["stream_reported"] and "; " or "") .. line
  elseif #lines < LONGEST_INFO then
    lines = lines .. "; " .. line
  elseif lines:sub(-1) ~= "+" then
    lines = lines .. " +"
  end
  pinfo.cols.protocol = "STREAM"
  pinfo.cols.info = lines
end

local function end_report(pinfo)
  if lines == "" then return end
  pinfo.cols.info:fence()
  pinfo.private["stream_reported"] = "yes"
end

-- Asks TCP for more bytes, as many as are given or one segment; gives false if it has no more.
local function wait(pinfo, at, more)
  if pinfo.can_desegment == 0 then return false end
  pinfo.desegment_offset = at
  pinfo.desegment_len = more or DESEGMENT_ONE_MORE_SEGMENT
  return true
end

local function show_rest(tvb, pinfo, tree, at, line)
  local item = tree:add(stream, tvb(at), "Stream Protocol, " .. line)
  item:add(fields.payload, tvb(at))
  report(pinfo, line)
  return item
end

-- Native protocol ----------------------------------------------------------------------------

-- Checks the first six bytes of a message or more, and gives what is wrong with them, if anything.
local function problem_of(tvb, at)
  local length, number, flags = tvb(at, 4):le_uint(), tvb(at + 4, 1):uint(), tvb(at + 5, 1):uint()
  local kind = KINDS[number]
  if not kind then
    return experts.kind, string.format("kind %d, expected 1 to %d", number, #KINDS)
  end
  local least = COUNTED_HEADER
  if kind.name == "frame" and math.floor(flags / 8) % 2 == 1 then least = least + CAPTURE_LENGTH end
  local most = COUNTED_HEADER + kind.most
  if length >= least and length <= most then return nil end
  return experts.length, string.format(
    "length %.0f of kind %s, expected %d to %d", length, kind.name, least, most)
end

local function add_flags(tree, range)
  local flags, words = range:uint(), {}
  local item = tree:add(fields.flags, range)
  for _, flag in ipairs(FLAGS) do
    item:add(flag.field, range)
    if math.floor(flags / flag.bit) % 2 == 1 then words[#words + 1] = flag.word end
  end
  item:append_text(" (" .. (#words > 0 and table.concat(words, ", ") or "none") .. ")")
  return words
end

local function add_time(tree, field, range)
  local time = range:le_int64():tonumber()
  if math.abs(time) < LARGEST_TIME then
    tree:add(field, range, time_of(time))
  else
    tree:add_proto_expert_info(experts.time, "Time past 2^53")
  end
end

local function show_frame(message, tree, side, position)
  local words = add_flags(tree, message(5, 1))
  local id, timestamp = message(6, 2):le_uint(), message(8, 8):le_int64():tonumber()
  local line = "frame stream " .. number_text(id)
  tree:add_le(fields.id, message(6, 2))
  tree:add_le(fields.timestamp, message(8, 8))
  if math.abs(timestamp) >= LARGEST_TIME then
    tree:add_proto_expert_info(experts.time, "Timestamp past 2^53")
  end
  local streams = streams_at(side, position)
  local described = streams and streams[id]
  local seconds = described and seconds_of(described, timestamp)
  if seconds then
    tree:add(fields.seconds, message(8, 8), seconds):set_generated()
    line = line .. ", " .. milliseconds(seconds)
  else
    line = line .. ", timestamp " .. number_text(timestamp)
  end
  if described then
    tree:add(fields.media, message(6, 2), media_text(described)):set_generated()
  elseif streams then
    tree:add_proto_expert_info(experts.undescribed, "No description of stream " .. number_text(id))
  end
  local data_at = HEADER_LENGTH
  if words[#words] == "live" then
    data_at = data_at + CAPTURE_LENGTH
    if message:len() >= data_at then add_time(tree, fields.captured, message(16, 8)) end
  end
  local size = message(0, 4):le_uint() + 4 - data_at
  local data = message:len() > data_at and message(data_at) or message
  tree:add(fields.data_length, data, size):set_generated()
  if #words > 0 then line = line .. ", " .. table.concat(words, ", ") end
  return line .. ", " .. count_text(size, "byte", "bytes")
end

-- Gives the line of a message, and whether its payload is JSON, as far as was looked at.
local function show_object(kind, payload, tree, side, position)
  local text = payload:string(ENC_UTF_8)
  local ok, object = pcall(parse_json, #text <= LARGEST_PARSED and text or "")
  if not ok then
    if #text > LARGEST_PARSED then return kind.name .. ", " .. #text .. " bytes", true end
    tree:add_proto_expert_info(experts.json, "No JSON object")
    return kind.name .. " without a JSON object", false
  end
  for _, key in ipairs({ "command", "name", "code", "message", "action" }) do
    local value = text_in(object, key)
    if value then tree:add(fields[key], payload, value) end
  end
  if kind.name == "describe" then
    remember(side, position, object)
    for _, described in ipairs(list_in(object, "streams")) do
      if type(described) == "table" then
        tree:add(fields.media, payload, media_text(described)):set_generated()
      end
    end
  end
  local line = SUMMARIES[kind.name](object)
  if kind.name == "error" then tree:add_proto_expert_info(experts.refused, line) end
  return line, true
end

-- `message` is the part of a message that was captured, its header at least.
local function show_message(message, pinfo, tree, side)
  local is_whole = message:len() == message(0, 4):le_uint() + 4
  local position = next_position(pinfo)
  local kind = KINDS[message(4, 1):uint()]
  local item = tree:add(stream, message)
  item:add_le(fields.length, message(0, 4))
  item:add(fields.kind, message(4, 1))
  local line = kind.name
  if kind.name == "frame" then
    line = show_frame(message, item, side, position)
  else
    local payload, is_json = message:len() > HEADER_LENGTH and message(HEADER_LENGTH), false
    item:add(fields.unused, message(5, 3))
    if not kind.clock then
      item:add(fields.unused, message(8, 8))
    elseif message(8, 8):le_int64():tonumber() ~= 0 then
      add_time(item, fields.clock, message(8, 8))
    end
    if not is_whole then
      line = line .. ", not captured to its end"
    elseif payload and kind.json then
      line, is_json = show_object(kind, payload, item, side, position)
      item:add(fields.json, payload, payload:string(ENC_UTF_8))
      if has_json and is_json then
        pcall(json_dissector.call, json_dissector, payload:tvb(), pinfo, item)
      end
    elseif payload then
      item:add(fields.payload, payload)
    elseif kind.json then
      item:add_proto_expert_info(experts.json, "No JSON object")
      line = line .. " without a JSON object"
    end
  end
  item:set_text("Stream Protocol, " .. line)
  report(pinfo, line)
end

local function dissect_native(tvb, pinfo, tree, side)
  local at = 0
  while at < tvb:len() do
    local left = tvb:len() - at
    if left >= 6 then
      local problem, text = problem_of(tvb, at)
      if problem and pinfo.can_desegment == 0 then
        -- Without reassembly, or if only the beginning of each packet was captured.
        show_rest(tvb, pinfo, tree, at, "continuation")
        return
      elseif problem then
        local item = show_rest(tvb, pinfo, tree, at, "malformed: " .. text)
        item:add_le(fields.length, tvb(at, 4))
        item:add(fields.kind, tvb(at + 4, 1))
        item:add_proto_expert_info(problem, text)
        return
      end
    end
    if left < HEADER_LENGTH then
      if not wait(pinfo, at) then show_rest(tvb, pinfo, tree, at, "continuation") end
      return
    end
    local total = tvb(at, 4):le_uint() + 4
    if total > left and wait(pinfo, at, total - left) then return end
    show_message(tvb(at, math.min(total, left)), pinfo, tree, side)
    at = at + total
  end
end

-- Script protocol ----------------------------------------------------------------------------

local REQUEST_LENGTH = 9

local function dissect_script_request(tvb, pinfo, tree, side)
  if side.first and side.first ~= pinfo.number then
    show_rest(tvb, pinfo, tree, 0, "script, discarded")
    return
  end
  if tvb:len() < REQUEST_LENGTH and wait(pinfo, 0, REQUEST_LENGTH - tvb:len()) then return end
  side.first = pinfo.number
  local range = tvb(0, math.min(REQUEST_LENGTH, tvb:len()))
  local word = printable(range:string())
  local item = tree:add(stream, range, "Stream Protocol, script " .. word)
  item:add(fields.script_request, range)
  if word ~= "get_image" and word ~= "get_video" then
    item:add_proto_expert_info(experts.script, "Expected get_image or get_video")
  end
  report(pinfo, "script " .. word)
  if tvb:len() > REQUEST_LENGTH then
    show_rest(tvb, pinfo, tree, REQUEST_LENGTH, "script, discarded")
  end
end

local function dissect_script_response(tvb, pinfo, tree)
  local at = 0
  while at < tvb:len() do
    local left = tvb:len() - at
    if left < 4 and wait(pinfo, at) then return end
    local size = left >= 4 and tvb(at, 4):le_int() or -1
    if size < 0 or size > LONGEST_PICKLE then
      local text = "length " .. number_text(size) .. " of a pickle, expected 0 to 2^28"
      local item = show_rest(tvb, pinfo, tree, at, "malformed: " .. text)
      item:add_proto_expert_info(experts.length, text)
      return
    end
    if left < 4 + size and wait(pinfo, at, 4 + size - left) then return end
    local range = tvb(at, math.min(left, 4 + size))
    local is_end = size <= 64 and range:bytes():raw():find("C\3end", 1, true) ~= nil
    local line = is_end and "script end" or "script pickle, " .. count_text(size, "byte", "bytes")
    local item = tree:add(stream, range, "Stream Protocol, " .. line)
    item:add_le(fields.script_length, range(0, 4))
    if range:len() > 4 then item:add(fields.script_pickle, range(4)) end
    report(pinfo, line)
    at = at + 4 + size
  end
end

-- Choice of the protocol ---------------------------------------------------------------------

local has_tls, tls_dissector = pcall(Dissector.get, "tls")

-- Whether a record of TLS begins (RFC 8446, 5.1), of any type, since the server may begin with an
-- alert, and a capture in the middle.
local function is_tls(tvb)
  local record, major, minor = tvb(0, 1):uint(), tvb(1, 1):uint(), tvb(2, 1):uint()
  return record >= 20 and record <= 23 and major == 3 and minor > 0 and minor <= 4
end

-- The first four bytes of each direction choose, as in the server.
local function protocol_of(tvb, conversation, side)
  if not side.protocol then
    if has_tls and not is_inside_tls and is_tls(tvb) then
      side.protocol = "TLS"
    elseif tvb(0, 4):string() == "get_" then
      side.protocol, conversation.is_script = "script request", true
    else
      side.protocol = conversation.is_script and "script response" or "native"
    end
  end
  return side.protocol
end

local function dissect_tls(tvb, pinfo, tree)
  -- Each dissector between TCP and the data takes one off; TLS reassembles, too.
  pinfo.can_desegment = pinfo.can_desegment > 0 and 2 or 0
  is_inside_tls = true
  local ok, problem = pcall(tls_dissector.call, tls_dissector, tvb, pinfo, tree)
  is_inside_tls = false
  if not ok then error(problem, 0) end
end

local function dissect(tvb, pinfo, tree)
  lines = ""
  local conversation = conversation_of(pinfo)
  local side = side_of(conversation, pinfo)
  if not side.protocol and tvb:len() < 4 then
    if not wait(pinfo, 0) then show_rest(tvb, pinfo, tree, 0, "continuation") end
    end_report(pinfo)
    return tvb:len()
  end
  local protocol = protocol_of(tvb, conversation, side)
  if protocol == "TLS" then
    dissect_tls(tvb, pinfo, tree)
  elseif protocol == "script request" then
    dissect_script_request(tvb, pinfo, tree, side)
  elseif protocol == "script response" then
    dissect_script_response(tvb, pinfo, tree)
  else
    dissect_native(tvb, pinfo, tree, side)
  end
  end_report(pinfo)
  return tvb:len()
end

stream.dissector = dissect

-- Whether a connection on another port begins with a message of this protocol. Eight bytes are
-- enough: bounds of the length, a kind, and zeros.
local function is_plausible(tvb)
  if tvb:len() < 8 then return false end
  local word = tvb:len() >= REQUEST_LENGTH and tvb(0, REQUEST_LENGTH):string()
  if word == "get_image" or word == "get_video" then return true end
  local kind = KINDS[tvb(4, 1):uint()]
  if not kind or not kind.first or problem_of(tvb, 0) then return false end
  for at = 5, math.min(tvb:len(), HEADER_LENGTH) - 1 do
    if tvb(at, 1):uint() ~= 0 then return false end
  end
  return tvb:len() <= HEADER_LENGTH or tvb(HEADER_LENGTH, 1):string() == "{"
end

stream:register_heuristic("tcp", function(tvb, pinfo, tree)
  if not is_plausible(tvb) then return false end
  pinfo.conversation = stream
  dissect(tvb, pinfo, tree)
  return true
end)

DissectorTable.get("tcp.port"):add(PORT, stream)
-- What is in TLS, if Wireshark has the keys.
pcall(function() DissectorTable.get("tls.port"):add(PORT, stream) end)
