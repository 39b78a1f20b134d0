// The page: it signs in, follows what happens, and shows it. model.js knows the rooms, log.js draws the
// list, message.js a message, frame.js what is around it, dialogs.js what opens above.
import { $, Fault, ask, button, h, lost, request, signIn, signedIn } from "./dom.js";
import { rooms, take } from "./model.js";
import { Log } from "./log.js";
import { drawItem, title } from "./message.js";
import { drawNotices, drawRooms, drawView } from "./frame.js";
import * as dialogs from "./dialogs.js";

let here = null; // the room that is shown
let fault = null; // why nothing comes
let wanted = null; // the room that is to be shown when it comes
let ready = false; // all that was before has come
let redraw = new Set();
let frame = 0;
let stream = null; // ends what is told to us

// longest is how many letters are passed on: what has more is no message.
const longest = 20_000;
const largest = 32 << 20; // bytes of a file

const log = new Log((item, before) => drawItem(here, item, before, acts), older);

// acts are what messages and dialogs can do to the page.
export const acts = {
  here: () => here,
  command,
  typed,
  write(about, text) {
    here.about = about;
    if (text !== undefined) $("words").value = text;
    grow();
    later("composer", "log");
    $("words").focus();
  },
  // grows keeps what is seen where it is while something grows.
  grows: (does) => log.keeping(log.atEnd(), does),
  reveal(id) {
    const item = here.byID.get(id);
    if (item) log.reveal(item)?.focus();
  },
  signOut() {
    ask("/logout", {})
      .catch(() => {})
      .finally(() => {
        signIn(null);
        location.reload();
      });
  },
  unfold(item) {
    item.open = true;
    item.version++;
    later("log");
  },
  // want shows a room as soon as it is there.
  want(id) {
    wanted = id;
    if (rooms.get(id)?.view) show(rooms.get(id));
  },
  failed,
};

// later draws what has changed with the next frame, once.
function later(...parts) {
  for (const p of parts) redraw.add(p);
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const all = redraw;
    redraw = new Set();
    draw(all);
  });
}

function draw(parts) {
  if (parts.has("rooms")) drawRooms(rooms, here, ready, show);
  if (parts.has("view")) drawView(here, acts);
  if (parts.has("view") || parts.has("notices")) drawNotices(here, fault, acts);
  if (parts.has("composer") || parts.has("view")) drawComposer();
  if (parts.has("log") && here) {
    log.refresh(listed(here));
    if (log.atEnd()) seen();
    $("newest").hidden = log.atEnd();
  }
  retitle();
}

// retitle says how much is new, also while nobody looks and nothing is drawn.
function retitle() {
  document.title =
    (unreadElsewhere() ? `(${unreadElsewhere()}) ` : "") + (here?.view ? here.view.name + " · " : "") + "Coterie";
}

// listed are the items of a room, and after them what was said and has not come back.
function listed(r) {
  if (r.pending.size === 0) return r.items;
  return r.items.concat([...r.pending.values()]);
}

const unreadElsewhere = () => [...rooms.values()].reduce((n, r) => n + (r === here && looks() ? 0 : r.unread), 0);
const looks = () => document.visibilityState === "visible";

// seen tells the program that somebody looks at what came.
let told = 0;
let soon = 0;
function seen() {
  if (!here || !looks() || here.unread === 0) return;
  if (Date.now() - told < 500) {
    clearTimeout(soon);
    soon = setTimeout(() => log.atEnd() && seen(), 600);
    return;
  }
  told = Date.now();
  ask("/seen", { room: here.id }).catch(() => {});
}

function drawComposer() {
  const off = !here?.view || Boolean(here.over);
  $("words").disabled = $("send").disabled = off;
  $("attach").hidden = off;
  const about = here?.about;
  $("about").hidden = !about;
  if (about) {
    $("about").replaceChildren(
      h("span", {}, about.kind === "edit" ? "Changing what you said" : `Answering ${title(about.item)}`),
      button("Cancel", () => acts.write(null, about.kind === "edit" ? "" : undefined)),
    );
  }
}

// show shows a room.
function show(r) {
  if (here) here.draft = $("words").value;
  if (here && here !== r && here.unread === 0) here.mark = null; // it was seen
  if (here && here !== r) dialogs.shut(); // it was about the other one
  here = r;
  wanted = null;
  $("words").value = r.draft;
  grow();
  close("rooms");
  $("before").textContent = "";
  log.show(listed(r));
  seen();
  later("rooms", "view", "composer");
}

// older has the program read back what was said before.
let reading = false;
async function older() {
  const r = here;
  if (!r || r.all || reading || !ready) return;
  reading = true;
  $("before").textContent = "Reading what was said before …";
  try {
    for (let fresh = 0, moves = true; fresh === 0 && moves && !r.all; ) {
      const before = r.oldest ?? new Date(Date.now() + 3_600_000); // other clocks may be fast
      const got = await ask("/older", {
        room: r.id,
        before: before.toISOString(),
        count: r.items.length < 2000 ? 1000 : 5000,
      });
      fresh = r.earlier(got.messages); // none: all of these are here already
      moves = r.oldest !== null && r.oldest < before;
      r.all = got.all || (fresh === 0 && !moves);
      r.gone = got.gone;
    }
    if (r === here) {
      log.refresh(listed(r));
      $("before").textContent = r.all ? [...(r.gone ?? []), "Nothing older is here."].join(" ") : "";
    }
  } catch (error) {
    $("before").textContent = error.message;
  }
  reading = false;
}
acts.older = older;

// page is what this page calls itself.
const page = crypto.randomUUID();

// command has the program do something, in this room.
async function command(what) {
  try {
    await ask("/do", { room: here.id, page, command: what });
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

async function typed(text, ref) {
  try {
    await ask("/do", { room: here.id, page, typed: text, ref });
  } catch (error) {
    failed(error);
  }
}

// failed says in the room what was not done.
function failed(error) {
  if (error.status === 401) return gone(error);
  here?.note({ kind: "alarm", text: error.message, hints: error.hints }, new Date());
  speak([error.message]);
  later("log");
}

// gone shows that nobody is signed in, and what to do.
function gone(error) {
  signIn(null);
  stream?.abort();
  fault = error;
  ready = true;
  later("notices", "rooms");
}

let said = 0;
async function say(event) {
  event?.preventDefault();
  const r = here;
  const text = $("words").value;
  if (!r || text.trim() === "") return;
  if (text.length > longest) {
    const hints = ["send it as a file: the button is beside the input"];
    return failed(new Fault({ code: "too-long", text: "this is too long for a message", hints }, 0));
  }
  const ref = `${Date.now()}-${++said}`;
  const { about } = r;
  const edits = about?.kind === "edit";
  const slash = text.startsWith("/") && !text.startsWith("//");
  const p = { kind: "pending", ref, text, state: "sending", version: 1, at: new Date() };
  const shown = !edits && (!slash || about);
  if (shown) r.pending.set(ref, p);
  let what = { typed: text, ref };
  if (edits) what = { command: { edit: about.item.id, text } };
  else if (about) what = { command: { send: text, reply_to: about.item.id, ref } };
  r.about = null;
  $("words").value = "";
  grow();
  log.newest();
  later("log", "composer");
  try {
    await ask("/do", { room: r.id, page, ...what });
  } catch (error) {
    if (shown) unsent(p, error);
    else if (r === here && $("words").value === "") acts.write(about, text); // it is not lost
    failed(error);
  }
}

// unsent says at what was said why it was not sent, as far as that is known: without an answer it may
// have been, and then the program tells so.
function unsent(p, error) {
  if (p.state !== "sending") return;
  Object.assign(p, { state: error.status ? "failed" : "lost", why: error.message, version: p.version + 1 });
  later("log");
}

// upload sends files, one after the other.
async function upload(files) {
  const r = here;
  for (const file of files) {
    if (!r || r.over) return;
    const ref = `${Date.now()}-${++said}`;
    const text = `file ${file.name}`;
    const p = { kind: "pending", ref, text, file: true, state: "sending", version: 1, at: new Date() };
    r.pending.set(ref, p);
    later("log");
    try {
      if (file.size > largest) throw new Fault({ code: "too-long", text: "a file has at most 32 MiB" }, 422);
      const where = new URLSearchParams({ room: r.id, name: file.name, ref });
      await request(`/upload?${where}`, { body: file, type: "application/octet-stream" });
    } catch (error) {
      unsent(p, error);
      if (error.status === 401) return gone(error);
    }
  }
}

function grow() {
  const w = $("words");
  w.rows = Math.min(w.value.split("\n").length, 8);
}

// speak has a screen reader say what is new.
function speak(texts) {
  for (const t of texts.slice(-3)) {
    $("live").append(h("p", {}, t.length > 300 ? t.slice(0, 300) + "…" : t));
    while ($("live").children.length > 5) $("live").firstChild.remove();
  }
}

// took shows what has come.
function took(what) {
  const news = take(what);
  if (news.all) {
    ready = false;
    return;
  }
  if (!news.room) return;
  // What comes while somebody looks is not new to them.
  if (what.mark && !(news.room === here && looks() && log.atEnd())) {
    news.room.mark = what.mark;
    news.room.change(what.mark, () => {});
    later("log");
  }
  if (ready && what.view && (!here || wanted === news.room.id)) show(news.room);
  if (news.room === here || !here) {
    // What was before is not said again, nor are answers of then shown.
    if (ready && news.spoken?.length) speak(news.spoken);
    const mine = !what.for || what.for === page; // what another page asked for opens there
    if (ready && here && mine && news.answer) dialogs.answered(acts, news.answer);
    if (ready && here && mine && news.found) dialogs.found(acts, news.room, news.found);
    if (what.events || what.said) later("log");
    if (what.view) later("view");
  }
  later("rooms");
  if (!looks()) retitle();
}

// come waits until somebody comes to this page.
const come = () =>
  new Promise((go) => {
    const ends = new AbortController();
    const came = () => {
      if (!looks()) return;
      ends.abort();
      go();
    };
    for (const name of ["focus", "pointerdown", "keydown"]) addEventListener(name, came, { signal: ends.signal });
    document.addEventListener("visibilitychange", came, { signal: ends.signal });
  });

// follow follows what happens, and goes on where it was if it is cut off.
let after = 0;
async function follow() {
  for (let wait = 500; signedIn(); wait = Math.min(wait * 2, 8000)) {
    const silence = new AbortController();
    stream = silence;
    let why = new Fault(lost, 0);
    let paused = false;
    let timer = 0;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), 40_000);
    };
    try {
      alive();
      const { body } = await request(`/events?after=${after}`, { method: "GET", signal: silence.signal });
      const reader = body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        alive();
        wait = 500;
        if (fault) {
          fault = null;
          later("notices");
        }
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          const what = line ? JSON.parse(line) : {};
          if (what.paused) paused = true;
          else one(what);
        }
      }
    } catch (error) {
      if (error instanceof Fault && error.status === 401) return gone(error);
      if (error instanceof Fault) why = error;
    }
    clearTimeout(timer);
    if (!signedIn()) return;
    fault = why;
    if (paused) {
      const hints = ["it goes on when you come back to it"];
      fault = new Fault({ text: "this page rests, for others of this browser that show these rooms", hints }, 0);
      later("notices");
      await come();
      continue;
    }
    later("notices");
    await new Promise((go) => setTimeout(go, wait));
  }
}

function one(what) {
  try {
    took(what);
  } catch (error) {
    console.error(error); // what cannot be shown holds nothing else up
  }
  if (!what.n) return;
  after = what.n;
  if (ready) return;
  ready = true; // all that was before has come
  const still = here && rooms.get(here.id)?.view ? here : [...rooms.values()].find((r) => r.view);
  requestAnimationFrame(() => performance.mark("shown"));
  if (still) return show(still);
  if (here) here.draft = $("words").value;
  here = null;
  later("rooms", "view", "composer");
}

function open(id) {
  const opened = $(id).classList.toggle("open");
  $(`show-${id}`).setAttribute("aria-expanded", String(opened));
}

function close(id) {
  $(id).classList.remove("open");
  $(`show-${id}`).setAttribute("aria-expanded", "false");
}

// keys moves among messages and rooms.
function keys(event) {
  if ($("dialog").open) return; // it is about the room that is shown
  if (event.altKey && /^[1-9]$/.test(event.key)) {
    const r = [...rooms.values()].filter((x) => x.view)[Number(event.key) - 1];
    if (r) show(r);
    event.preventDefault();
  } else if (event.key === "Escape") {
    close("rooms");
    close("members");
  }
}

function move(event) {
  if (event.key === "Home" || event.key === "End") {
    event.preventDefault();
    return event.key === "Home" ? log.oldest() : log.newest();
  }
  const now = event.target.closest("#log > li");
  if (event.key === "Enter" && event.target === now) return now.querySelector(".menu")?.click();
  const to = {
    ArrowUp: now ? now.previousElementSibling : $("log").lastElementChild,
    ArrowDown: now?.nextElementSibling,
  }[event.key];
  if (!to || event.target.closest("button")) return;
  event.preventDefault();
  to.focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest" });
}

async function start() {
  dialogs.theme();
  $("composer").addEventListener("submit", say);
  $("words").addEventListener("input", grow);
  $("words").addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) say(e);
  });
  $("words").addEventListener("paste", (e) => {
    if (e.clipboardData.files.length > 0) {
      e.preventDefault();
      upload([...e.clipboardData.files]);
    }
  });
  $("file").addEventListener("change", () => {
    upload([...$("file").files]);
    $("file").value = "";
  });
  $("scroller").addEventListener("keydown", move);
  $("scroller").addEventListener("scroll", () => log.atEnd() && seen(), { passive: true });
  $("newest").addEventListener("click", () => log.newest());
  for (const id of ["join", "begin-join"]) $(id).addEventListener("click", () => dialogs.join(acts));
  $("more").addEventListener("click", () => dialogs.more(acts));
  $("health").addEventListener("click", () => dialogs.health(acts));
  for (const id of ["rooms", "members"]) $(`show-${id}`).addEventListener("click", () => open(id));
  document.addEventListener("keydown", keys);
  document.addEventListener("visibilitychange", () => log.atEnd() && seen());
  const token = location.hash.slice(1);
  if (token) {
    history.replaceState(null, "", location.pathname); // it is in no history, and good no more
    try {
      signIn((await ask("/session", { token })).key);
    } catch (error) {
      if (!signedIn()) return gone(error); // a link that was used does not end what it began
    }
  }
  if (!signedIn()) {
    return gone(
      new Fault(
        {
          text: "this page is not signed in",
          hints: ["press Enter in the terminal where coterie web runs: it opens this page once more"],
        },
        401,
      ),
    );
  }
  follow();
}

start();
