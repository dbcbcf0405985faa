// Lines of configurable-http-proxy as JSON, with the fields of the other processes: `node --import ./hub/proxy_log.mjs …`.
// It replaces nothing of the proxy: what that writes passes through here. No line holds the query of an address.
const COLOURS = /\u001b\[\d+m/g;
const QUERY = /([?&][\w.~%-]{1,64}=)[^\s&"'<>)\]]+/g;
const LINE = /^(\S+Z) \[ConfigProxy\] (\w+): (.*)$/s;
const REQUEST = /^(\d{3}) ([A-Z]+) (\/\S*) ?(.*)$/s;
const PERSON = /\/user\/([a-z][a-z0-9-]{1,30})(?:\/|$)/;

export function asJson(text, at = new Date()) {
  const plain = text.replace(COLOURS, "").replace(QUERY, "$1[secret]").trimEnd();
  const [, when, level, message] = LINE.exec(plain) ?? [];
  const said = { at: when ?? at.toISOString(), level: level === "warn" ? "warning" : (level ?? "info"), logger: "proxy" };
  said.message = message ?? plain;
  const [, status, method, route] = REQUEST.exec(said.message) ?? [];
  if (status) Object.assign(said, { method, route, status: Number(status) });
  const person = PERSON.exec(said.message);
  if (person) said.user = person[1];
  return JSON.stringify(said);
}

if (process.env.PRACTICUM_LOG_FORMAT === "json") {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    stream.write = (chunk, encoding, done) => {
      const text = typeof chunk === "string" ? chunk : chunk.toString("utf8");
      return write(text.trim() ? asJson(text) + "\n" : "", encoding, done);
    };
  }
}
