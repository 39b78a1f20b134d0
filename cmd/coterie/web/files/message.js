// A message, a note, or what was said and has not come back, as an element of the list.
import { button, clock, day, h } from "./dom.js";
import * as dialogs from "./dialogs.js";
import { filePart } from "./file.js";

// title is a message in a few words.
export function title(item) {
  const text = item.drawn.closed || item.drawn.file || item.drawn.text.split("\n")[0];
  return `${item.drawn.name}: ${text.length > 60 ? text.slice(0, 60) + "…" : text}`;
}

// linked is a text whose web addresses can be followed: those in plain letters, as they stand there.
function linked(text) {
  return text
    .split(/(https?:\/\/[\x21-\x7e]+[\w/#=&-])/)
    .map((part, i) =>
      i % 2 === 0 ? part : h("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part),
    );
}

const fold = { lines: 15, letters: 1500 };

// words are those of a message; of a long one the beginning, until somebody wants all.
function words(item, text, acts) {
  const lines = text.split("\n");
  if (item.open || (lines.length <= fold.lines && text.length <= fold.letters)) {
    return [h("div", { class: "text" }, linked(text))];
  }
  const some = lines
    .slice(0, fold.lines - 3)
    .join("\n")
    .slice(0, fold.letters);
  return [
    h("div", { class: "text" }, linked(some), "…"),
    button(`All of it: ${lines.length} lines, ${text.length} letters`, () => acts.unfold(item), { tabindex: "-1" }),
  ];
}

export function drawItem(room, item, before, acts) {
  const li = h("li", { tabindex: "-1" });
  const day1 = item.at && day(item.at);
  if (day1 && (!before || !before.at || day(before.at) !== day1)) li.append(h("span", { class: "day" }, day1));
  if (item.kind === "message" && item.id === room.mark) li.append(h("span", { class: "new" }, "New"));
  ({ message: drawMessage, note: drawNote, pending: drawPending })[item.kind](li, room, item, acts);
  return li;
}

function drawNote(li, room, { line, at }) {
  li.className = `note ${line.kind}`;
  li.append(
    line.step ? `${line.step}: ${line.text}` : line.text,
    " ",
    h("time", { datetime: at.toISOString() }, clock(at)),
    ...(line.details ?? []).map((t) => h("span", { class: "hint" }, t)),
    ...(line.hints ?? []).map((t) => h("span", { class: "hint" }, "hint: " + t)),
  );
}

const states = {
  sending: "on its way",
  sent: "sent",
  held: "held until somebody can read it",
  failed: "not sent",
  lost: "perhaps not sent",
};

function drawPending(li, room, p, acts) {
  li.className = "self";
  li.append(
    h(
      "div",
      { class: "head" },
      h("span", { class: "name" }, "you"),
      h(
        "span",
        { class: "state" + (p.why ? " bad" : "") },
        states[p.state] + (p.why ? `: ${p.why}` : ""),
      ),
    ),
    h("div", { class: "text" }, p.text),
  );
  if (p.why) {
    li.append(
      button(p.file ? "Remove" : "Take it back into the input", () => {
        room.pending.delete(p.ref);
        acts.write(null, p.file ? undefined : p.text);
      }),
    );
  }
}

// stateText is how far a message of ours has come.
function stateText(e) {
  if (!e.self || e.of === undefined || e.have >= e.of) return "";
  return `${e.have}/${e.of} have it`;
}

function drawMessage(li, room, item, acts) {
  const { drawn, event, at } = item;
  const action = event.action && !drawn.closed;
  li.classList.toggle("self", Boolean(event.self));
  li.classList.toggle("named", Boolean(event.names_me));
  li.dataset.id = item.id;
  const name = h("span", { class: `name c${room.person(event.from) % 8}` }, drawn.name);
  const head = h(
    "div",
    { class: "head" },
    action ? "* " : "",
    name,
    drawn.to ? ` to ${drawn.to}` : "",
    h("time", { datetime: at.toISOString(), title: at.toLocaleString() }, clock(at)),
  );
  for (const [is, text] of [
    [event.late, "came late"],
    [event.edited, "edited"],
    [event.names_me, "names you"],
    [event.flags?.length, `look twice: ${event.flags?.join(", ")}`],
    [stateText(event), stateText(event)],
  ]) {
    if (is) head.append(h("span", { class: "state" }, text));
  }
  li.append(head);
  if (event.reply_to) {
    const to = room.byID.get(event.reply_to);
    const quote = to?.event.withdrawn ? `${to.drawn.name} (withdrawn)` : to ? title(to) : drawn.quote;
    li.append(
      to ? button(quote, () => acts.reveal(event.reply_to), { class: "quote" }) : h("div", { class: "quote" }, quote),
    );
  }
  if (event.withdrawn) li.append(h("div", { class: "gone" }, "withdrawn"));
  else if (drawn.closed) li.append(h("div", { class: "closed" }, drawn.closed));
  else if (event.file) li.append(filePart(room, item, acts));
  else li.append(...words(item, drawn.text, acts));
  if (drawn.react?.length) li.append(reactions(room, item, acts));
  li.append(
    button("⋯", () => dialogs.message(acts, room, item), {
      class: "menu",
      tabindex: "-1", // Enter on the message does the same
      "aria-label": `About the message ${title(item)}`,
      "aria-haspopup": "dialog",
    }),
  );
}

function reactions(room, item, acts) {
  const by = new Map();
  for (const r of item.drawn.react) by.set(r.text, [...(by.get(r.text) ?? []), r.by]);
  return h(
    "div",
    { class: "reactions" },
    [...by].map(([text, peers]) => {
      const mine = peers.includes(room.view?.self);
      return button(`${text} ${peers.length}`, () => acts.command({ react: item.id, text: mine ? "" : text }), {
        class: mine ? "mine" : "",
        "aria-pressed": String(mine),
        "aria-label": `${text}, ${peers.length} of them`,
      });
    }),
  );
}
