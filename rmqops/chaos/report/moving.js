// Zoom, cursor and keys. Text from the history goes into the page as text, never as markup.

class Timeline {
  constructor(holder, data) {
    this.holder = holder;
    this.data = data;
    this.view = [0, data.end];
    this.cursor = null;
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.width = 0;
    new ResizeObserver(() => this.fit()).observe(holder);
    addEventListener("beforeprint", () => this.fit(700));
    addEventListener("afterprint", () => this.fit());
    this.listen();
    this.fit();
  }

  fit(width = Math.floor(this.holder.clientWidth)) {
    if (width === this.width || width < 120) return;
    this.width = width;
    this.draw();
  }

  draw() {
    this.picture = new Picture(this.data, this.width, this.view);
    this.holder.replaceChildren(this.picture.svg, this.tip);
    this.show(this.cursor);
  }

  zoom(from, to) {
    const least = Math.min(this.data.end, Math.max(this.data.levels[0].width * 20, 0.5));
    const span = Math.min(Math.max(to - from, least), this.data.end);
    const start = Math.min(Math.max((from + to - span) / 2, 0), this.data.end - span);
    this.view = [start, start + span];
    this.draw();
  }

  scale(factor, around) {
    const [from, to] = this.view;
    const fixed = around ?? this.cursor ?? (from + to) / 2;
    this.zoom(fixed - (fixed - from) * factor, fixed + (to - fixed) * factor);
  }

  pan(part) {
    const by = (this.view[1] - this.view[0]) * part;
    const bounded = Math.min(Math.max(by, -this.view[0]), this.data.end - this.view[1]);
    this.zoom(this.view[0] + bounded, this.view[1] + bounded);
  }

  fault() {
    const fault = this.data.faults[0];
    if (!fault) return;
    const until = Math.max(...this.data.steps.map((step) => step.t), fault.from + 2);
    const margin = Math.max((until - fault.from) * 0.35, 1);
    this.zoom(fault.from - margin, until + margin);
  }

  listen() {
    const at = (event) => {
      const box = this.holder.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * this.width, ((event.clientY - box.top) / box.width) * this.width];
    };
    let start = null;
    this.holder.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const [x, y] = at(event);
      const [top, bottom] = this.picture.strip;
      if (y >= top && y <= bottom) {
        this.center(x);
      } else {
        start = x;
        this.holder.setPointerCapture(event.pointerId);
      }
    });
    this.holder.addEventListener("pointermove", (event) => {
      const [x] = at(event);
      const inside = x >= this.picture.left && x <= this.picture.left + this.picture.inner;
      this.show(inside ? this.picture.time(x) : null, start === null ? null : [start, x]);
    });
    this.holder.addEventListener("pointerup", (event) => {
      const [x] = at(event);
      if (start !== null && Math.abs(x - start) > 5) {
        const [from, to] = [start, x].sort((a, b) => a - b).map((each) => this.picture.time(each));
        this.zoom(Math.max(from, this.view[0]), Math.min(to, this.view[1]));
      }
      start = null;
    });
    this.holder.addEventListener("pointercancel", () => { start = null; });
    this.holder.addEventListener("pointerleave", () => { if (start === null) this.show(null); });
    this.holder.addEventListener("dblclick", () => this.zoom(0, this.data.end));
    this.holder.addEventListener("wheel", (event) => this.wheel(event, at(event)[0]), { passive: false });
    this.holder.addEventListener("keydown", (event) => this.key(event));
  }

  // The wheel scrolls the page until the chart was clicked, or while Control is held: a page that stops scrolling is a trap.
  wheel(event, x) {
    if (!event.ctrlKey && document.activeElement !== this.holder) return;
    event.preventDefault();
    if (event.shiftKey) this.pan(Math.sign(event.deltaY || event.deltaX) * 0.1);
    else this.scale(event.deltaY > 0 ? 1.25 : 0.8, this.picture.time(x));
  }

  center(x) {
    const t = ((x - this.picture.left) / this.picture.inner) * this.data.end;
    const half = (this.view[1] - this.view[0]) / 2;
    this.zoom(t - half, t + half);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = this.picture.level.width;
    const move = (by) => {
      const next = Math.min(Math.max((this.cursor ?? (this.view[0] + this.view[1]) / 2) + by, 0), this.data.end - 1e-6);
      if (next < this.view[0]) this.pan(-0.2);
      if (next > this.view[1]) this.pan(0.2);
      this.show(next);
    };
    const acts = {
      ArrowLeft: () => (event.shiftKey ? this.pan(-0.2) : move(-step)),
      ArrowRight: () => (event.shiftKey ? this.pan(0.2) : move(step)),
      Home: () => this.show(this.view[0]),
      End: () => this.show(this.view[1] - 1e-6),
      "+": () => this.scale(0.6),
      "=": () => this.scale(0.6),
      "-": () => this.scale(1 / 0.6),
      0: () => this.zoom(0, this.data.end),
      f: () => this.fault(),
      Escape: () => this.show(null),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }

  show(t, chosen = null) {
    this.cursor = t;
    for (const old of this.picture.svg.querySelectorAll(".here, .chosen")) old.remove();
    this.tip.hidden = t === null;
    if (chosen !== null) {
      const box = { x: Math.min(...chosen), width: Math.abs(chosen[1] - chosen[0]), y: FLAGS, height: this.picture.bottom - FLAGS };
      this.picture.add("rect", { ...box, class: "chosen" });
    }
    if (t === null) return;
    const x = this.picture.x(t);
    this.picture.add("line", { x1: x, x2: x, y1: FLAGS, y2: this.picture.bottom, class: "here" });
    const rows = this.describe(t);
    this.fill(rows);
    const scale = this.holder.clientWidth / this.width;
    const room = this.holder.clientWidth - this.tip.offsetWidth;
    const beside = x * scale + 14 > room ? x * scale - this.tip.offsetWidth - 14 : x * scale + 14;
    this.tip.style.left = `${Math.max(0, Math.min(beside, room))}px`;
    this.tip.style.top = `${FLAGS + 20}px`;
    if (document.activeElement === this.holder) {
      document.getElementById("cursor").textContent = rows.map((row) => row.join(" ")).join(", ");
    }
  }

  fill(rows) {
    const [[head, beside], ...others] = rows;
    const title = document.createElement("b");
    title.textContent = beside ? `${head} · ${beside}` : head;
    const table = document.createElement("table");
    for (const row of others) {
      const line = table.insertRow();
      for (const text of row) line.insertCell().textContent = text;
    }
    this.tip.replaceChildren(title, table);
  }

  describe(t) {
    const { level } = this.picture;
    const bin = Math.min(Math.floor(t / level.width), level.ok.length - 1);
    const before = this.data.faults.filter((fault) => fault.from <= t);
    const since = before.length ? `${(t - before[before.length - 1].from).toFixed(2)} s after the fault` : "";
    const rate = (number) => `${count(number / level.width)}/s`;
    const rows = [[`${t.toFixed(2)} s`, since]];
    rows.push(["acknowledged", rate(level.ok[bin])]);
    if (level.fail[bin]) rows.push(["refused", rate(level.fail[bin])]);
    if (level.info[bin]) rows.push(["indeterminate", `${count(level.info[bin])} sends`]);
    if (level.read[bin]) rows.push(["received", rate(level.read[bin])]);
    if (level.max[bin] !== null) {
      rows.push(["median", milliseconds(level.p50[bin])]);
      rows.push(["99th percentile", milliseconds(level.p99[bin])]);
      rows.push(["slowest", milliseconds(level.max[bin])]);
    }
    for (const curve of this.data.lag.curves) {
      const messages = lagAt(this.data.lag, curve, t);
      if (messages !== null) rows.push([`lag of ${clipped(curve.reader, 200)}`, count(messages)]);
    }
    for (const group of this.data.groups) {
      for (const lane of group.lanes) {
        const state = stateAt(lane.segments, t);
        const master = state === null ? -1 : state.indexOf("m");
        const said = state === null ? "not sampled" : state === NO_ANSWER ? "no answer" : master < 0 ? "no master" : group.members[master].name;
        rows.push([this.data.groups.length > 1 ? `${lane.nameserver}, ${group.name}` : lane.nameserver, said]);
      }
    }
    return rows;
  }
}

const chart = new Timeline(document.getElementById("chart"), JSON.parse(document.getElementById("data").textContent));
const controls = document.querySelector(".controls");
controls.hidden = false;
controls.addEventListener("click", (event) => {
  const acts = { in: () => chart.scale(0.6), out: () => chart.scale(1 / 0.6), all: () => chart.zoom(0, chart.data.end), fault: () => chart.fault() };
  acts[event.target.dataset?.act]?.();
});
if (!chart.data.faults.length) controls.querySelector("[data-act=fault]").remove();
