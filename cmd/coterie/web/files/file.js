// A file in a message.
import { h } from "./dom.js";

const size = (n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

const states = { here: "", there: "not fetched", fetching: "being fetched", gone: "nobody has it" };

export function filePart(room, item) {
  const f = item.event.file;
  return h("div", { class: "text" }, `${item.drawn.file ?? "a file"} (${size(f.size)}) ${states[f.state] ?? ""}`);
}
