// A file in a message: what it is, how far it is here, and a picture of it if it is a small one.
import { button, h, request } from "./dom.js";

const size = (n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

const preview = 1 << 20; // bytes
const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const named = /\.(png|jpe?g|gif|webp)$/i;

// got are addresses of pictures that were looked at, or will be, by the ids of their messages.
const got = new Map();
const most = 50;

async function bytes(room, item) {
  const answer = await request("/file", { body: JSON.stringify({ room: room.id, id: item.id }) });
  const type = answer.headers.get("Content-Type");
  // The program looks into it: what is none of these is bytes, whatever it is called.
  return new Blob([await answer.arrayBuffer()], { type: pictures.has(type) ? type : "application/octet-stream" });
}

// inTurn does one thing after the other: pictures leave connections to what somebody does.
let last = Promise.resolve();
function inTurn(does) {
  const mine = last.then(does);
  last = mine.catch(() => {});
  return mine;
}

// look is the address of a picture; nothing: it is none.
function look(room, item) {
  if (!got.has(item.id)) {
    got.set(
      item.id,
      inTurn(() => bytes(room, item)).then(
        (blob) => pictures.has(blob.type) && URL.createObjectURL(blob),
        (error) => (error.status === 422 ? null : got.delete(item.id) && null), // 422: it is none, ever
      ),
    );
  }
  if (got.size > most) {
    const [first, old] = got.entries().next().value;
    got.delete(first);
    old.then((url) => url && URL.revokeObjectURL(url));
  }
  return got.get(item.id);
}

// save has the browser save it.
export async function save(room, item, acts) {
  try {
    const url = URL.createObjectURL(await bytes(room, item));
    h("a", { href: url, download: item.drawn.file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    acts.failed(error);
  }
}

export function filePart(room, item, acts) {
  const f = item.event.file;
  const name = item.drawn.file;
  const state = { there: "not fetched", gone: "not kept any more" }[f.state];
  const part = h("div", { class: "file" }, h("span", {}, `${name} (${size(f.size)}) `));
  if (f.state === "fetching") {
    part.append(
      h("progress", { max: String(f.of ?? f.size), value: String(f.have ?? 0), "aria-label": `Fetching ${name}` }),
      " ",
      button("Stop", () => acts.command({ stop: item.id }), { "aria-label": `Stop fetching ${name}`, tabindex: "-1" }),
    );
  } else if (f.state === "here") {
    part.append(button("Save", () => save(room, item, acts), { "aria-label": `Save ${name}`, tabindex: "-1" }));
  } else part.append(state ?? "");
  if (f.state === "there") {
    const fetchIt = () => acts.command({ fetch: item.id });
    part.append(" ", button("Fetch", fetchIt, { "aria-label": `Fetch ${name}`, tabindex: "-1" }));
  }
  if (f.state === "here" && f.size <= preview && named.test(name)) {
    look(room, item).then((url) => {
      if (!url) return;
      const img = h("img", { class: "picture", src: url, alt: name });
      img.addEventListener("load", () => acts.grows(() => part.append(img)), { once: true }); // its size is known
    });
  }
  return part;
}
