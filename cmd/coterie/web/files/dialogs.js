// What opens above the page: one dialog at a time.
import { $, ask, button, clock, day, faultBox, h, request } from "./dom.js";
import { save } from "./file.js";

// open opens the dialog.
let turn = 0; // how often it was opened
export function open(title, ...body) {
  turn++;
  $("dialog-title").textContent = title;
  $("dialog-body").replaceChildren(...body.flat());
  if (!$("dialog").open) $("dialog").showModal();
}

export const shut = () => $("dialog").open && $("dialog").close();
$("dialog-close").addEventListener("click", shut);

const field = (label, input) => h("label", { class: "field" }, label, input);
const pre = (lines) => h("pre", {}, lines.join("\n"));

// sure asks before something that cannot be undone.
export function sure(acts, title, text, does) {
  open(
    title,
    h("p", { class: "soft" }, text),
    h(
      "div",
      { class: "row" },
      button(
        "Yes",
        () => {
          shut();
          does();
        },
        { class: "main" },
      ),
      button("No", shut),
    ),
  );
}

// answered shows an answer that is a text.
export function answered(acts, answer) {
  if (answer.to === "set" && settingsWanted) return settings(acts, answer.lines);
  if (answer.to === "stop") return; // it is seen beside the file
  open(answer.title || "Answer", pre(answer.lines));
}

// found shows what a search has found, the newest first.
export function found(acts, room, all) {
  open(
    `Found ${all.length}`,
    h(
      "ul",
      {},
      all.map((d) =>
        h(
          "li",
          { class: "row" },
          h("span", {}, `${day(new Date(d.at))} ${clock(new Date(d.at))} ${d.name}: ${d.closed || d.text}`),
          room.byID.has(d.id)
            ? button("Go there", () => {
                shut();
                acts.reveal(d.id);
              })
            : null,
        ),
      ),
    ),
  );
}

// health says what is wrong, and what to do.
export function health(acts) {
  const v = acts.here().view;
  open(
    `State of ${v.name}: ${v.word}`,
    v.wrong.length === 0
      ? h("p", {}, "nothing is wrong")
      : h(
          "dl",
          {},
          v.wrong.flatMap((w) => [
            h("dt", {}, w.code),
            h("dd", {}, w.text, w.hint ? h("p", { class: "soft" }, `hint: ${w.hint}`) : ""),
          ]),
        ),
    h(
      "div",
      { class: "row" },
      button("All there is to know", () => acts.typed("/status")),
      button("Doctor", () => doctor(acts)),
    ),
  );
}

// invite shows the room's link.
export function invite(acts) {
  const v = acts.here().view;
  const text = h("textarea", { readonly: true, rows: "5" });
  text.value = v.link;
  open(
    `Link of ${v.name}`,
    field("Whoever has a key that satisfies the policy joins with it:", text),
    v.link_note ? h("p", { class: "soft" }, v.link_note) : "",
    v.unlisted ? h("p", { class: "soft" }, "This room is unlisted: whoever has the link knows of it.") : "",
    h(
      "div",
      { class: "row" },
      button("Copy", () => copy(text), { class: "main" }),
    ),
  );
}

// copy copies a text, and says whether it did.
async function copy(from) {
  from.select();
  const done = await navigator.clipboard.writeText(from.value).then(
    () => true,
    () => false,
  );
  from.after(
    h("p", { class: "soft", role: "status" }, done ? "Copied." : "This browser does not copy: press Ctrl+C."),
  );
}

// person is about a member.
export function person(acts, s) {
  const does = (text, typed) =>
    button(text, () => {
      shut();
      acts.typed(typed);
    });
  open(
    s.name === s.tag ? s.name : `${s.name} ${s.tag}`,
    h(
      "div",
      { class: "row" },
      // A peer id: anybody can make a key that has another's tag.
      does("Who is this?", `/whois ${s.peer}`),
      s.self
        ? ""
        : [
            does("Ping", `/ping ${s.peer}`),
            button("Ask for a proof", () => prove(acts, s)),
            does("Ignore", `/ignore ${s.peer}`),
            button("Go on without them", () =>
              sure(
                acts,
                `Go on without ${s.name}?`,
                "From now on they cannot read what you say. Others decide for themselves.",
                () => acts.typed(`/cut ${s.peer}`),
              ),
            ),
          ],
    ),
  );
}

function prove(acts, s) {
  const expr = h("input", { required: true });
  open(
    `Ask ${s.name} to prove something to you alone`,
    h(
      "form",
      {
        onsubmit: (e) => {
          e.preventDefault();
          shut();
          acts.command({ prove: s.peer, expr: expr.value });
        },
      },
      field("A policy, such as Professor", expr),
      h("button", { class: "main" }, "Ask"),
    ),
  );
}

// message is about a message.
export async function message(acts, room, item) {
  const { event, drawn } = item;
  const text = h("textarea", { readonly: true, rows: "3", "aria-label": "Its words" });
  text.value = drawn.closed || drawn.text;
  const who = h("div", {}, h("p", { class: "soft" }, "…"));
  const gone = event.withdrawn || drawn.closed;
  if (event.file) text.value = drawn.file;
  const does = (label, f) =>
    button(label, () => {
      shut();
      f();
    });
  const reaction = (t) =>
    h(
      "button",
      {
        type: "button",
        "aria-label": `React with ${t}`,
        onclick: () => {
          shut();
          acts.command({ react: item.id, text: t });
        },
      },
      t,
    );
  open(
    `${drawn.name}, ${day(item.at)} ${clock(item.at)}`,
    text,
    h(
      "div",
      { class: "row" },
      button("Copy", () => copy(text)),
      event.file?.state === "here" ? does("Save", () => save(room, item, acts)) : "",
      event.file?.state === "there" ? does("Fetch", () => acts.command({ fetch: item.id })) : "",
      event.file?.state === "fetching" ? does("Stop", () => acts.command({ stop: item.id })) : "",
      !gone && !event.to ? does("Answer", () => acts.write({ kind: "reply", item })) : "",
      event.self && !gone && !event.to && !event.file
        ? does("Change", () => acts.write({ kind: "edit", item }, event.text))
        : "",
      event.self && !event.withdrawn
        ? button("Withdraw", () =>
            sure(acts, "Withdraw this message?", "It is shown as withdrawn. Who has read it has read it.", () =>
              acts.command({ withdraw: item.id }),
            ),
          )
        : "",
    ),
    !event.withdrawn ? h("div", { class: "row" }, ["👍", "❤️", "😂", "🎉", "😮", "😢"].map(reaction)) : "",
    who,
  );
  for (const mine = turn; $("dialog").open && turn === mine; await new Promise((go) => setTimeout(go, 1500))) {
    try {
      const got = await ask("/readers", { room: room.id, id: item.id, epoch: event.epoch, to: event.to ?? "" });
      who.replaceChildren(h("h3", {}, got.title), pre(got.lines));
    } catch (error) {
      who.replaceChildren(faultBox(error));
    }
  }
}

// more is all that has no place of its own.
export function more(acts) {
  const r = acts.here();
  const words = h("input", { type: "search", required: true });
  const typed = (label, t) => button(label, () => acts.typed(t));
  const search = h(
    "form",
    {
      onsubmit: (e) => {
        e.preventDefault();
        acts.command({ search: words.value, limit: 100 });
      },
    },
    field("Search in what was said", words),
    h("button", { class: "main" }, "Search"),
  );
  const about = r?.view
    ? [
        search,
        h("h3", {}, r.view.name),
        h(
          "div",
          { class: "row" },
          button("Invite", () => invite(acts), { class: "main" }),
          typed("Who can read", "/who"),
          typed("About this room", "/info"),
          typed("Status", "/status"),
          typed("Held messages", "/held"),
          typed("Questions from outside", "/questions"),
          button("Settings", () => askSettings(acts)),
          typed("Commands", "/help"),
          button("Leave for good", () =>
            sure(
              acts,
              `Leave ${r.view.name} for good?`,
              "Nothing that is said later is for you. To go away for a while, close coterie instead.",
              () => acts.typed("/leave"),
            ),
          ),
        ),
      ]
    : [];
  open(
    "More",
    ...about,
    h("h3", {}, "Coterie"),
    h(
      "div",
      { class: "row" },
      button("Join a room", () => join(acts)),
      button("Doctor", () => doctor(acts)),
      button("Light or dark", () => theme(true)),
      button("Sign out of this page", acts.signOut),
    ),
  );
}

let settingsWanted = false;
function askSettings(acts) {
  settingsWanted = true;
  acts.typed("/set");
}

// settings shows those of a room. What is kept, and for how long, comes as a line in the room.
function settings(acts, lines) {
  settingsWanted = false;
  const row = (line) => {
    const [name, value] = [line.split(" ")[0], line.slice(line.split(" ")[0].length).trim()];
    const input = h("input", { "aria-label": name });
    input.value = value;
    return h(
      "form",
      {
        class: "row",
        onsubmit: (e) => {
          e.preventDefault();
          shut();
          acts.typed(`/set ${name} ${input.value}`);
        },
      },
      h("label", { class: "field" }, name, input),
      h("button", {}, "Keep"),
    );
  };
  open(`Settings of ${acts.here().view.name}`, lines.map(row));
}

const themes = ["auto", "light", "dark"];

// theme takes the look that was chosen, or the next one.
export function theme(next) {
  let now = localStorage.getItem("coterie-theme") ?? "auto";
  if (next) now = themes[(themes.indexOf(now) + 1) % themes.length];
  localStorage.setItem("coterie-theme", now);
  if (now === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
}

// doctor has this computer, the key and the way to the room looked at.
export async function doctor(acts) {
  const r = acts.here();
  open(
    "Doctor",
    h("p", { role: "status" }, "Looking at this computer, your key and the network. This takes a few seconds."),
  );
  try {
    const { checks } = await ask("/doctor", { room: r?.over ? "" : (r?.id ?? "") });
    open(
      "Doctor",
      h(
        "dl",
        {},
        checks.flatMap((c) => [
          h("dt", { class: `result-${c.result}` }, `${c.result} ${c.check}`),
          h(
            "dd",
            {},
            c.text,
            ...(c.hint ? c.hint.split("\n").map((t) => h("p", { class: "soft" }, `hint: ${t}`)) : []),
          ),
        ]),
      ),
    );
  } catch (error) {
    open("Doctor", faultBox(error));
  }
}

// join asks for a link, says what room it is of, and opens it.
export async function join(acts) {
  const link = h("textarea", { rows: "4", required: true, spellcheck: "false", autocomplete: "off" });
  const key = h("input", { list: "keys", spellcheck: "false" });
  const nick = h("input", { autocomplete: "off" });
  const word = h("input", { type: "password", autocomplete: "off" });
  const list = h("datalist", { id: "keys" });
  const out = h("div", { "aria-live": "polite" });
  const picture = reader(link, out);
  const { keys } = await ask("/keys", {}).catch(() => ({ keys: [] }));
  list.append(...keys.map((k) => h("option", { value: k })));
  if (keys.length === 1) key.value = keys[0];
  const enter = async (looked) => {
    out.replaceChildren(h("p", { role: "status" }, "Opening the room …"));
    try {
      const got = await ask("/join", {
        link: looked,
        key: key.value,
        nick: nick.value,
        passphrase: word.value,
      });
      shut();
      acts.want(got.room);
    } catch (error) {
      out.replaceChildren(faultBox(error));
    }
  };
  const look = async (e) => {
    e.preventDefault();
    const looked = link.value.trim();
    try {
      const got = await ask("/link", { link: looked });
      out.replaceChildren(
        h("h3", {}, got.title),
        pre(got.lines),
        h("div", { class: "row" }, button("Join", () => enter(looked), { class: "main" })),
      );
    } catch (error) {
      out.replaceChildren(faultBox(error));
    }
  };
  open(
    "Join a room",
    h(
      "form",
      { onsubmit: look },
      field("Its link, which somebody in the room has sent you", link),
      picture,
      field("Your key file: where it is on this computer", key),
      list,
      field("What you call yourself there (left out: others see a code, such as ~b2sw)", nick),
      field("Passphrase of your identity, if it has one", word),
      h("div", { class: "row" }, h("button", { class: "main" }, "Look at the link")),
    ),
    out,
  );
}

// reader reads a link out of a picture of its QR code.
function reader(link, out) {
  const file = h("input", {
    type: "file",
    accept: "image/*",
    onchange: async () => {
      try {
        const got = await request("/picture", {
          body: await plain(file.files[0]),
          type: "application/octet-stream",
        });
        link.value = (await got.json()).link;
        out.replaceChildren();
      } catch (error) {
        out.replaceChildren(faultBox(error));
      }
    },
  });
  return field("or a picture of its QR code", file);
}

// plain draws a picture anew: as PNG, on white, with at most 1,600 pixels in either direction.
async function plain(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error("this is no picture that the browser can read");
  });
  const by = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height));
  const canvas = h("canvas", {
    width: Math.max(1, Math.floor(bitmap.width * by)),
    height: Math.max(1, Math.floor(bitmap.height * by)),
  });
  const on = canvas.getContext("2d");
  on.fillStyle = "#fff";
  on.fillRect(0, 0, canvas.width, canvas.height);
  on.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
