// The picture: rows one above another, all on the same axis of time. Longer than a module should be, for it is one
// class: every row is drawn from the same axis and the same widths, and a second file would hand them all over.

const SVG = "http://www.w3.org/2000/svg";
const FLAGS = 34;
const RATE = 150;
const LATENCY = 110;
const OVERVIEW = 26;
const NAMESERVER = 17;
const STRIPE = 6;

function node(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function clipped(text, pixels) {
  const room = Math.floor(pixels / 6.6);
  return text.length <= room ? text : room < 4 ? "" : `${text.slice(0, room - 1)}…`;
}

class Picture {
  constructor(data, width, view) {
    this.data = data;
    this.width = width;
    this.narrow = width < 640;
    this.left = this.narrow ? 42 : 158;
    this.right = this.narrow ? 4 : 12;
    this.inner = width - this.left - this.right;
    [this.from, this.to] = view;
    this.svg = node("svg", { role: "img", "aria-label": "timeline", preserveAspectRatio: "none" });
    this.y = 0;
    this.draw();
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.y}`);
  }

  x(t) {
    return this.left + ((t - this.from) / (this.to - this.from)) * this.inner;
  }

  time(x) {
    return this.from + ((x - this.left) / this.inner) * (this.to - this.from);
  }

  add(name, attributes, text = null, parent = this.svg) {
    return parent.appendChild(node(name, attributes, text));
  }

  draw() {
    this.patterns();
    this.below = this.add("g", {});
    this.level = chooseLevel(this.data.levels, this.from, this.to, this.inner);
    this.y = FLAGS;
    this.rates();
    this.latencies();
    drawLag(this, this.data.lag);
    for (const group of this.data.groups) {
      this.nameservers(group);
      this.members(group);
    }
    const bottom = this.y + 4;
    this.grid(bottom);
    this.faults(bottom);
    this.steps(bottom);
    this.bottom = bottom;
    this.y = bottom + 24;
    this.overview();
  }

  patterns() {
    const defs = this.add("defs", {});
    for (const name of ["fault", "soft"]) {
      const box = { id: `hatch-${name}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" };
      const pattern = this.add("pattern", { ...box, patternTransform: "rotate(45)" }, null, defs);
      this.add("line", { x1: 0, y1: 0, x2: 0, y2: 6, class: `hatch-${name}` }, null, pattern);
    }
    const clip = this.add("clipPath", { id: "plot" }, null, defs);
    this.add("rect", { x: this.left, y: 0, width: this.inner, height: 100000 }, null, clip);
  }

  title(text, short) {
    this.y += 16;
    const x = this.narrow ? 0 : this.left;
    this.add("text", { x, y: this.y, class: "title" }, text.length * 7.2 < this.width - x ? text : short);
    this.y += 8;
  }

  rates() {
    const level = this.level;
    const [first, last] = binsIn(level, this.from, this.to);
    const total = (bin) => Math.max(level.ok[bin] + level.fail[bin] + level.info[bin], level.read[bin]);
    const top = Math.max(largest(level, first, last, total) / level.width, 1 / level.width);
    const step = niceStep(top, 4);
    const highest = Math.ceil(top / step) * step;
    this.title("Sends per second, by how they ended", "Sends per second");
    const base = this.y + RATE;
    const height = (number) => (number / level.width / highest) * RATE;
    for (let value = 0; value <= highest * 1.001; value += step) this.tick(base - (value / highest) * RATE, count(value));
    const plot = this.add("g", { "clip-path": "url(#plot)" });
    const paths = { ok: "", info: "", fail: "" };
    let line = "";
    const gap = (this.inner * level.width) / (this.to - this.from) > 5 ? 0.6 : 0;
    for (let bin = first; bin <= last; bin += 1) {
      const x = this.x(bin * level.width);
      const wide = this.x((bin + 1) * level.width) - x - gap;
      let foot = base;
      for (const name of ["ok", "info", "fail"]) {
        if (!level[name][bin]) continue;
        // A handful among thousands must still be seen.
        const tall = Math.max(height(level[name][bin]), name === "ok" ? 0 : 1.5);
        paths[name] += `M${x.toFixed(1)} ${foot.toFixed(1)}h${wide.toFixed(1)}v${(-tall).toFixed(1)}h${(-wide).toFixed(1)}z`;
        foot -= tall;
      }
      const y = (base - height(level.read[bin])).toFixed(1);
      line += `${line ? "L" : "M"}${x.toFixed(1)} ${y}H${(x + wide + gap).toFixed(1)}`;
    }
    for (const name of ["ok", "info", "fail"]) this.add("path", { d: paths[name], class: name }, null, plot);
    if (level.read.some((each) => each > 0)) this.add("path", { d: line, class: "read" }, null, plot);
    this.y = base;
  }

  tick(y, text) {
    this.add("line", { x1: this.left, x2: this.left + this.inner, y1: y, y2: y, class: "gridline" }, null, this.below);
    this.add("text", { x: this.left - 7, y: y + 4, class: "end" }, text);
  }

  latencies() {
    const level = this.level;
    const [first, last] = binsIn(level, this.from, this.to);
    const [low, high] = decades(level, first, last);
    this.y += 12;
    this.title("Latency of acknowledged sends, logarithmic", "Latency, acknowledged sends");
    const base = this.y + LATENCY;
    const place = (value) => base - ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * LATENCY;
    for (let power = low; power <= high; power += 1) this.tick(place(10 ** power), milliseconds(10 ** power));
    const plot = this.add("g", { "clip-path": "url(#plot)" });
    for (const name of ["p99", "p50", "max"]) {
      let line = "";
      let broken = true;
      for (let bin = first; bin <= last; bin += 1) {
        const value = level[name][bin];
        if (value === null) {
          broken = true;
          continue;
        }
        const at = `${this.x((bin + 0.5) * level.width).toFixed(1)} ${place(value).toFixed(1)}`;
        line += name === "max" ? `M${at}h0` : `${broken ? "M" : "L"}${at}${broken ? "h.01" : ""}`;
        broken = false;
      }
      this.add("path", { d: line, class: name }, null, plot);
    }
    this.y = base;
  }

  label(text, height) {
    if (this.narrow) {
      this.y += 13;
      this.add("text", { x: this.left, y: this.y - 2, class: "lane" }, clipped(text, this.inner));
    } else {
      const shown = clipped(text, this.left - 12);
      const label = this.add("text", { x: this.left - 10, y: this.y + height / 2 + 4, class: "lane end" }, shown);
      if (shown !== text) this.add("title", {}, text, label);
    }
  }

  piece(segment, height, y, attributes) {
    const start = Math.max(this.x(segment[0]), this.left);
    const end = Math.min(this.x(segment[1]), this.left + this.inner);
    if (end <= start) return 0;
    const wide = Math.max(end - start, 1.5);
    this.add("rect", { x: start.toFixed(1), y, width: wide.toFixed(1), height, ...attributes });
    return wide;
  }

  nameservers(group) {
    this.y += 14;
    this.title(`Master of ${group.name}, as each NameServer tells it`, `Master of ${group.name}, by NameServer`);
    for (const lane of group.lanes) {
      this.label(lane.nameserver, NAMESERVER);
      this.add("rect", { x: this.left, y: this.y, width: this.inner, height: NAMESERVER, class: "track" });
      for (const segment of byMaster(lane.segments)) {
        const master = segment[2].indexOf("m");
        const silent = segment[2] === NO_ANSWER;
        const kind = silent ? "noanswer" : master < 0 ? "nomaster" : `m${master % 5}`;
        const wide = this.piece(segment, NAMESERVER, this.y, { class: kind });
        if (!wide) continue;
        const middle = Math.max(this.x(segment[0]), this.left) + wide / 2;
        const plain = silent || master < 0;
        const name = silent ? "no answer" : plain ? "no master" : group.members[master].name;
        const text = plain && name.length * 6.6 > wide - 6 ? (wide > 36 ? "none" : "") : clipped(name, wide - 8);
        if (text.length > 3) {
          const style = plain ? "none" : "within";
          this.add("text", { x: middle, y: this.y + 12.5, class: `${style} mid` }, text);
        }
      }
      this.y += NAMESERVER + 4;
    }
  }

  members(group) {
    this.y += 10;
    this.title(
      "Role of each member: solid is master, pale is slave, empty is absent; a stripe for each NameServer",
      "Roles: solid master, pale slave, empty absent",
    );
    group.members.forEach((member, place) => {
      const height = (STRIPE + 1) * group.lanes.length;
      this.label(member.name, height);
      for (const lane of group.lanes) {
        this.add("rect", { x: this.left, y: this.y, width: this.inner, height: STRIPE, class: "track" });
        for (const segment of lane.segments) {
          if (segment[2] === NO_ANSWER) {
            this.piece(segment, STRIPE, this.y, { class: "noanswer" });
          } else if (segment[2][place] !== "a") {
            const role = segment[2][place] === "m" ? "master" : "slave";
            this.piece(segment, STRIPE, this.y, { class: `m${place % 5} ${role}` });
          }
        }
        this.y += STRIPE + 1;
      }
      this.y += 6;
    });
  }

  grid(bottom) {
    const { ticks, step } = timeTicks(this.from, this.to, this.inner / (this.narrow ? 62 : 88));
    for (const t of ticks) {
      const x = this.x(t);
      this.add("line", { x1: x, x2: x, y1: FLAGS, y2: bottom, class: "gridline" }, null, this.below);
      const edge = x > this.left + this.inner - 16 ? "end" : "mid";
      this.add("text", { x, y: bottom + 15, class: edge }, clock(t, step));
    }
    this.add("line", { x1: this.left, x2: this.left + this.inner, y1: bottom, y2: bottom, class: "base" });
  }

  faults(bottom) {
    const after = this.data.faults.map((fault) => this.x(fault.from));
    const starts = after.filter((x) => x >= this.left);
    const alone = starts.length < 2;
    for (const [number, fault] of this.data.faults.entries()) {
      const start = this.x(fault.from);
      const end = this.x(fault.to ?? this.data.end);
      const [near, far] = [Math.max(start, this.left), Math.min(end, this.left + this.inner)];
      if (far <= near) continue;
      this.add("rect", { x: near, y: 16, width: far - near, height: bottom - 16, class: "shade" }, null, this.below);
      if (start >= this.left) this.add("line", { x1: start, x2: start, y1: 4, y2: bottom, class: "edge" });
      if (fault.to !== null && end <= this.left + this.inner) {
        this.add("line", { x1: end, x2: end, y1: 16, y2: bottom, class: "edge healed" });
        if (alone && far - near > (fault.label.length + 8) * 7) this.add("text", { x: end - 5, y: 13, class: "flag end" }, "healed");
      }
      // Of several faults each name has the room until the next one begins; of those that begin at once, the last is named.
      const late = alone && near > this.left + this.inner * 0.62;
      const next = Math.min(this.left + this.inner, ...starts.filter((x) => x > near));
      const room = alone ? this.inner * 0.6 : (after[number + 1] ?? Infinity) - near < 1 ? 0 : next - near - 10;
      this.add("text", { x: near + (late ? -5 : 5), y: 13, class: late ? "flag end" : "flag" }, clipped(fault.label, room));
    }
  }

  // The parts of the RTO, numbered as in the list at the top of the page; neighbors share a flag.
  steps(bottom) {
    const flags = [];
    for (const step of this.data.steps) {
      const x = this.x(step.t);
      if (x < this.left || x > this.left + this.inner) continue;
      this.add("line", { x1: x, x2: x, y1: FLAGS - 4, y2: bottom, class: "step" });
      const last = flags[flags.length - 1];
      flags.push({ number: step.number, x: last ? Math.max(x, last.x + 15) : x });
    }
    for (const flag of flags) {
      this.add("circle", { cx: flag.x, cy: FLAGS - 7, r: 7, class: "step" });
      this.add("text", { x: flag.x, y: FLAGS - 3.5, class: "step" }, flag.number);
    }
  }

  overview() {
    const coarse = chooseLevel(this.data.levels, 0, this.data.end, this.inner);
    const top = Math.max(1, largest(coarse, 0, coarse.ok.length - 1, (bin) => coarse.ok[bin] + coarse.fail[bin] + coarse.info[bin]));
    const y = this.y + 4;
    const place = (t) => this.left + (t / this.data.end) * this.inner;
    this.add("rect", { x: this.left, y, width: this.inner, height: OVERVIEW, class: "track" });
    for (const name of ["ok", "bad"]) {
      let path = "";
      for (let bin = 0; bin < coarse.ok.length; bin += 1) {
        const bad = coarse.fail[bin] + coarse.info[bin];
        const tall = ((name === "ok" ? coarse.ok[bin] : bad) / top) * OVERVIEW;
        if (tall <= 0) continue;
        const x = place(bin * coarse.width);
        const end = Math.min(place((bin + 1) * coarse.width), this.left + this.inner);
        path += `M${x.toFixed(1)} ${y + OVERVIEW}V${(y + OVERVIEW - Math.max(tall, 1)).toFixed(1)}H${end.toFixed(1)}V${y + OVERVIEW}z`;
      }
      this.add("path", { d: path, class: name === "ok" ? "ok" : "fail" });
    }
    for (const fault of this.data.faults) {
      const start = place(fault.from);
      const wide = Math.max(place(fault.to ?? this.data.end) - start, 1);
      this.add("rect", { x: start, y, width: wide, height: OVERVIEW, class: "shade" });
    }
    const window = { x: place(this.from), y, width: place(this.to) - place(this.from), height: OVERVIEW };
    this.add("rect", { ...window, class: "window" });
    if (!this.narrow) this.add("text", { x: this.left - 10, y: y + OVERVIEW / 2 + 4, class: "end" }, "whole drill");
    this.strip = [y, y + OVERVIEW];
    this.y = y + OVERVIEW + 2;
  }
}
