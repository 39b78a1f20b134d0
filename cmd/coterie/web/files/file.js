// A file in a message: what it is, how far it is here, and a picture of it if it is a small one.
import { button, h, request } from "./dom.js";

const size = (n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

const preview = 1 << 20; // bytes
const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const named = /\.(png|jpe?g|gif|webp)$/i;

// got are pictures that were looked at, or will be, by the ids of their messages.
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

// A picture of a few bytes can have 40 million pixels, and any number of them can be sent. So none is
// kept as it is: it is drawn as large as it is shown, one is decoded at a time, and what is more than a
// screen away is let go of until somebody comes near.
const blobs = new WeakMap();
const near = new WeakSet();
const watch = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) {
        near.delete(target);
        target.width = target.height = 0;
      } else {
        near.add(target);
        if (target.width === 0) inTurn(() => near.has(target) && target.width === 0 && draw(target));
      }
    }
  },
  { root: document.getElementById("scroller"), rootMargin: "100% 0px" },
);

async function draw(canvas) {
  const all = await createImageBitmap(blobs.get(canvas));
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const fit = Math.min(1, (28 * rem) / all.width, (20 * rem) / all.height);
  const dense = Math.min(window.devicePixelRatio, 2);
  canvas.style.width = `${all.width * fit}px`;
  canvas.style.aspectRatio = `${all.width} / ${all.height}`;
  canvas.width = Math.max(1, Math.round(all.width * Math.min(1, fit * dense)));
  canvas.height = Math.max(1, Math.round(all.height * Math.min(1, fit * dense)));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(all, 0, 0, canvas.width, canvas.height);
  all.close();
}

async function picture(room, item) {
  const blob = await bytes(room, item);
  if (!pictures.has(blob.type)) return null;
  const name = item.drawn.file;
  const canvas = h("canvas", { class: "picture", role: "img", "aria-label": name, title: name });
  blobs.set(canvas, blob);
  await draw(canvas);
  watch.observe(canvas);
  return canvas;
}

// look is a picture; nothing: it is none.
function look(room, item) {
  if (!got.has(item.id)) {
    got.set(
      item.id,
      inTurn(() => picture(room, item)).catch((error) => {
        if (error.status === undefined || error.status === 422) return null; // it is none, ever
        got.delete(item.id);
        return null;
      }),
    );
  }
  if (got.size > most) got.delete(got.keys().next().value);
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
    look(room, item).then((canvas) => canvas && acts.grows(() => part.append(canvas)));
  }
  return part;
}
