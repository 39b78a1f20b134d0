// The list of messages. However many there are, the page has elements for a few: those around what is
// seen. They move along as somebody scrolls.
import { $ } from "./dom.js";

const most = 160; // elements
const step = 60; // by which they move
const near = 600; // pixels from an end

export class Log {
  // draw makes the element of an item; older is called at the first of all.
  constructor(draw, older) {
    this.draw = draw;
    this.older = older;
    this.scroller = $("scroller");
    this.list = $("log");
    this.items = [];
    this.drawn = new Map(); // elements, by their items
    this.first = null; // the first item that has one; null: the last ones have
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
  }

  // show shows another list, at its end.
  show(items) {
    this.items = items;
    this.first = null;
    this.drawn.clear();
    this.list.replaceChildren();
    this.place();
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  atEnd() {
    const s = this.scroller;
    return this.first === null && s.scrollHeight - s.scrollTop - s.clientHeight < 80;
  }

  start() {
    const n = this.items.length;
    if (this.first === null) return Math.max(n - most, 0);
    const at = this.items.indexOf(this.first);
    return at < 0 ? Math.max(n - most, 0) : at;
  }

  // refresh draws what has changed. What is seen stays where it is, or at the end.
  refresh(items) {
    const stays = this.atEnd();
    // Who reads further up is not moved along by what comes.
    if (!stays && this.first === null && this.drawn.size > 0) this.first = this.drawn.keys().next().value;
    this.items = items;
    this.keeping(stays, () => this.place());
  }

  keeping(end, does) {
    const top = this.scroller.getBoundingClientRect().top;
    let anchor = null;
    if (!end) {
      for (const [item, seen] of this.drawn) {
        const box = seen.element.getBoundingClientRect();
        if (box.bottom > top && (!anchor || box.top < anchor.at)) anchor = { item, at: box.top };
      }
    }
    does();
    if (end) this.scroller.scrollTop = this.scroller.scrollHeight;
    else if (anchor && this.drawn.has(anchor.item)) {
      this.scroller.scrollTop += this.drawn.get(anchor.item).element.getBoundingClientRect().top - anchor.at;
    }
  }

  // place puts the elements of the items from start on into the list.
  place() {
    const from = this.start();
    const some = this.items.slice(from, from + most);
    const next = new Map();
    let at = this.list.firstChild;
    some.forEach((item, i) => {
      const before = i > 0 ? some[i - 1] : this.items[from - 1];
      let seen = this.drawn.get(item);
      if (!seen || seen.version !== item.version || seen.before !== before) {
        const element = this.draw(item, before);
        const focused = seen?.element.contains(document.activeElement);
        if (seen) {
          if (seen.element === at) at = at.nextSibling;
          seen.element.remove();
        }
        seen = { element, version: item.version, before };
        if (focused) {
          // Who is at a message stays there when somebody reacts to it.
          this.list.insertBefore(element, at);
          element.focus({ preventScroll: true });
          at = element;
        }
      }
      next.set(item, seen);
      if (seen.element === at) at = at.nextSibling;
      else this.list.insertBefore(seen.element, at);
    });
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    this.drawn = next;
  }

  scrolled() {
    const s = this.scroller;
    const from = this.start();
    const last = from + most >= this.items.length;
    if (last && s.scrollHeight - s.scrollTop - s.clientHeight < 80) this.first = null;
    if (s.scrollTop < near) {
      if (from > 0) this.move(from - step);
      else this.older();
    } else if (!last && s.scrollHeight - s.scrollTop - s.clientHeight < near) this.move(from + step);
    $("newest").hidden = last && s.scrollHeight - s.scrollTop - s.clientHeight < 200;
  }

  move(to) {
    to = Math.max(Math.min(to, this.items.length - most), 0);
    this.keeping(false, () => {
      this.first = to >= this.items.length - most ? null : this.items[to];
      this.place();
    });
  }

  // reveal scrolls to an item, and returns its element.
  reveal(item) {
    const at = this.items.indexOf(item);
    if (at < 0) return null;
    if (!this.drawn.has(item)) {
      const from = Math.max(Math.min(at - most / 2, this.items.length - most), 0);
      this.first = from >= this.items.length - most ? null : this.items[from];
      this.place();
    }
    const { element } = this.drawn.get(item);
    element.scrollIntoView({ block: "nearest" });
    return element;
  }

  oldest() {
    if (this.items.length === 0) return;
    this.first = this.items.length > most ? this.items[0] : null;
    this.place();
    this.scroller.scrollTop = 0;
    this.older();
  }

  newest() {
    this.first = null;
    this.place();
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}
