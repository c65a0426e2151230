/** Server-sent events of a response's body. Source: HTML Standard, 9.2.6, "Interpreting an event stream". */

/** Yield `{event, data}` of each event as soon as it has come. */
export async function* events(body) {
  let rest = "";
  let half = "";
  let event = { event: "message", data: [] };
  for await (const chunk of chunks(body.pipeThrough(new TextDecoderStream()))) {
    const text = half + chunk;
    half = text.endsWith("\r") ? "\r" : ""; // it may be half of a "\r\n"
    const lines = text.slice(0, text.length - half.length).split(/\r\n|\n|\r/);
    lines[0] = rest + lines[0]; // searched once: a picture is one line of megabytes, which comes in many pieces
    rest = lines.pop();
    for (const line of lines) {
      if (!line) {
        if (event.data.length) yield { event: event.event, data: event.data.join("\n") };
        event = { event: "message", data: [] };
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === "event") event.event = value;
      if (name === "data") event.data.push(value);
    }
  }
}

/** Not every browser can iterate over a stream. */
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}
