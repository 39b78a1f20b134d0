// What the page knows of its rooms: it changes by what the program tells, and by what the user said
// and that has not come back yet.

export const rooms = new Map();

// An Item is a message, or a note. They are in the order of Lamport times, so that no answer stands
// above its question; a note stands where it came.
class Room {
  constructor(id) {
    this.id = id;
    this.draft = "";
    this.about = null; // what the draft answers or changes
    this.clear();
  }

  clear() {
    this.items = [];
    this.byID = new Map();
    this.receipts = new Map(); // who has messages of ours, by their ids
    this.pending = new Map(this.pending ?? []); // by their refs: what was said and has not come back
    this.view = null;
    this.mark = null;
    this.unread = this.named = 0;
    this.all = false; // nothing was said before the first
    this.oldest = null; // when the first was said of those that were read back
    this.people = this.people ?? new Map(); // numbers of peers, in the order in which they came
    this.version = (this.version ?? 0) + 1;
  }

  person(peer) {
    if (!this.people.has(peer)) this.people.set(peer, this.people.size);
    return this.people.get(peer);
  }

  // insert puts an item where it belongs.
  insert(item) {
    const { items } = this;
    let at = items.length;
    item.order ??= at > 0 ? items[at - 1].order : 0;
    while (at > 0 && items[at - 1].order > item.order) at--;
    items.splice(at, 0, item);
  }

  // message takes one, or what is new of it.
  message(drawn, event) {
    const known = this.byID.get(event.id);
    const at = new Date(drawn.at);
    event = { ...event, ...this.receipts.get(event.id) };
    const more = { drawn, at, event: { ...known?.event, ...event }, version: (known?.version ?? 0) + 1 };
    if (known) {
      Object.assign(known, more);
      return known;
    }
    const item = { kind: "message", id: event.id, order: event.lamport, ...more };
    this.person(event.from);
    this.byID.set(event.id, item);
    this.insert(item);
    return item;
  }

  // earlier takes messages from before, the oldest first. Where to read on is known from these alone: when
  // others were said is the word of whoever said them, and one clock could hide all that is older.
  earlier(messages) {
    const fresh = [];
    for (const drawn of messages) {
      const { event } = drawn;
      const said = new Date(drawn.at);
      if (!this.oldest || said < this.oldest) this.oldest = said;
      if (this.byID.has(event.id)) continue;
      const item = {
        kind: "message",
        id: event.id,
        order: event.lamport,
        drawn,
        event,
        at: new Date(drawn.at),
        version: 1,
      };
      this.person(event.from);
      this.byID.set(event.id, item);
      fresh.push(item);
    }
    const older = fresh.sort((a, b) => a.order - b.order);
    const first = this.items.length > 0 ? this.items[0].order : Infinity;
    const cut = older.findIndex((i) => i.order > first);
    const late = cut < 0 ? [] : older.splice(cut);
    this.items = older.concat(this.items);
    for (const item of late) this.insert(item);
    return fresh.length;
  }

  note(line, at) {
    this.insert({ kind: "note", line, at, version: 1 });
  }

  change(id, does) {
    const item = this.byID.get(id);
    if (!item) return;
    does(item.event, item);
    item.version++;
  }

  // requote draws the answers to a message anew. Where the page does not have that, quote stands there now.
  requote(id, quote) {
    for (const item of this.items) {
      if (item.event?.reply_to !== id) continue;
      if (quote && !this.byID.has(id)) item.drawn = { ...item.drawn, quote };
      item.version++;
    }
  }
}

export function room(id) {
  if (!rooms.has(id)) rooms.set(id, new Room(id));
  return rooms.get(id);
}

// quietly are the kinds of lines that stand elsewhere on the page.
const quietly = new Set(["mark", "question", "about"]);

// take takes what happened. It returns what is new in it for whoever looks or listens.
export function take(what) {
  if (what.begin) {
    for (const r of rooms.values()) r.clear();
    return { all: true };
  }
  if (!what.room) return {};
  const r = room(what.room);
  if (what.anew) {
    r.clear();
    return { room: r };
  }
  if (what.view) {
    Object.assign(r, { view: what.view, over: what.over });
    for (const s of what.view.readers) r.person(s.peer);
    return { room: r };
  }
  if (what.unread !== undefined) {
    Object.assign(r, { unread: what.unread, named: what.named });
    return { room: r };
  }
  const news = { room: r, spoken: [], answer: what.answer, found: what.found };
  for (const e of what.events ?? []) event(r, e, what, news);
  for (const line of what.said ?? []) {
    if (!what.before) news.spoken.push(line.text);
    if (!quietly.has(line.kind)) r.note(line, new Date(what.at));
  }
  return news;
}

function receipt(r, id, got) {
  r.receipts.set(id, got);
  r.change(id, (m) => Object.assign(m, got));
}

function event(r, e, what, news) {
  switch (e.event) {
    case "message":
    case "opened": {
      for (const [ref, p] of r.pending) if (p.id === e.id) r.pending.delete(ref);
      r.message(what.drawn, e);
      if (!what.before && !e.self && !e.history) {
        news.spoken.push(what.drawn.name + ": " + (what.drawn.closed || what.drawn.text));
      }
      break;
    }
    case "sent": {
      const p = r.pending.get(e.ref);
      if (p) Object.assign(p, { id: e.id, state: "sent", why: undefined, version: p.version + 1 });
      if (p && r.byID.has(e.id)) r.pending.delete(e.ref);
      receipt(r, e.id, { have: 0, of: (e.readers ?? []).length });
      break;
    }
    case "held": {
      const p = r.pending.get(e.ref);
      if (p) Object.assign(p, { state: "held", why: undefined, version: p.version + 1 });
      break;
    }
    case "rejected": {
      const p = r.pending.get(e.ref);
      if (p) Object.assign(p, { state: "failed", why: e.text, version: p.version + 1 });
      break;
    }
    case "kept":
      r.pending.delete(e.ref);
      break;
    case "delivered":
      receipt(r, e.id, { have: e.have, of: e.of });
      break;
    case "reaction":
      r.change(e.target, (m, item) => {
        const fresh = what.drawn.react ?? [];
        const others = (item.drawn.react ?? []).filter((x) => x.by !== e.from);
        const react = what.drawn.whole ? fresh : others.concat(e.text ? fresh : []);
        item.drawn = { ...item.drawn, react };
      });
      break;
    case "edited":
      r.change(e.target, (m, item) => {
        Object.assign(m, { text: e.text, edited: true });
        item.drawn = { ...item.drawn, text: what.drawn.text };
      });
      r.requote(e.target);
      break;
    case "withdrawn":
      r.change(e.target, (m, item) => {
        Object.assign(m, { text: "", withdrawn: true });
        item.drawn = { ...item.drawn, text: "", react: [] };
      });
      r.requote(e.target, `${what.drawn.name} (withdrawn)`);
      break;
    case "file":
      r.change(e.target, (m) => {
        if (m.file) m.file = { ...m.file, state: e.state, have: e.have, of: e.of, path: e.path ?? m.file.path };
      });
      break;
  }
}
